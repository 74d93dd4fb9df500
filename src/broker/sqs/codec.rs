//! SQS messages to ours and back, without loss.

use std::collections::HashMap;
use std::sync::Arc;

use aws_sdk_sqs::primitives::Blob;
use aws_sdk_sqs::types::{Message, MessageAttributeValue, MessageSystemAttributeName};
use bytes::Bytes;
use jiff::Timestamp;
use xxhash_rust::xxh3::xxh3_128;

use super::md5;
use crate::message::{DeadLetter, Fields, Identity, Origin, Payload, Value};

/// The group of a FIFO queue; on a standard queue, of fair sharing.
pub const GROUP: &str = "message_group_id";
/// What a FIFO queue knows repeats by.
pub const DEDUPLICATION: &str = "message_deduplication_id";
/// Of X-Ray.
pub const TRACE: &str = "aws_trace_header";
/// What a delivery says about itself: it is not sent, and is no loss.
pub const OF_THE_DELIVERY: &[&str] = &["sender_id", "first_received"];

/// Names a message among all of its queue.
pub fn identity(id: &str) -> u128 {
    let hex: String = id.chars().filter(|c| *c != '-').collect();
    match u128::from_str_radix(&hex, 16) {
        Ok(n) if hex.len() == 32 => n,
        _ => xxh3_128(id.as_bytes()),
    }
}

/// Whether a message arrived as it was stored, by the checksums that came with it.
pub fn is_whole(m: &Message) -> bool {
    let body = m.md5_of_body().is_none_or(|sum| sum == md5::of_body(m.body().unwrap_or_default()));
    // An answer may have fewer attributes than the message where not all were asked for; all are.
    let attributes = match (m.md5_of_message_attributes(), m.message_attributes()) {
        (Some(sum), Some(attributes)) => md5::of_attributes(attributes).is_none_or(|ours| ours == sum),
        (Some(_), None) => false,
        (None, _) => true,
    };
    body && attributes
}

/// The message of a receive. `queue` is the address shown for it.
pub fn from_message(queue: &Arc<str>, m: Message) -> DeadLetter {
    let body = Bytes::from(m.body.unwrap_or_default());
    let mut out = DeadLetter::new(Arc::clone(queue), Payload::Bytes(body));
    out.id = m.message_id.unwrap_or_default().into();
    out.identity = Identity::Exact(identity(&out.id));
    let mut attributes: Vec<_> = m.message_attributes.unwrap_or_default().into_iter().collect();
    attributes.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    out.headers = attributes.into_iter().map(|(n, v)| (n, value_from(v))).collect();
    system(&mut out, &m.attributes.unwrap_or_default());
    out
}

fn system(out: &mut DeadLetter, attributes: &HashMap<MessageSystemAttributeName, String>) {
    use MessageSystemAttributeName as Name;
    let get = |name: Name| attributes.get(&name).map(String::as_str);
    let millis = |text: &str| text.parse().ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    out.time = get(Name::SentTimestamp).and_then(millis);
    out.deliveries = get(Name::ApproximateReceiveCount).and_then(|n| n.parse().ok());
    out.origin =
        get(Name::DeadLetterQueueSourceArn).map(|arn| Origin { queue: Some(Arc::from(arn)), ..Origin::default() });
    if let Some(number) = get(Name::SequenceNumber) {
        out.position.push("sequence", Value::Number(number.to_owned()));
    }
    for (name, key) in
        [(Name::MessageGroupId, GROUP), (Name::MessageDeduplicationId, DEDUPLICATION), (Name::AwsTraceHeader, TRACE)]
    {
        if let Some(text) = get(name) {
            out.properties.push(key, text);
        }
    }
    if let Some(sender) = get(Name::SenderId) {
        out.properties.push("sender_id", sender);
    }
    if let Some(first) = get(Name::ApproximateFirstReceiveTimestamp).and_then(millis) {
        out.properties.push("first_received", first.to_string());
    }
}

fn value_from(v: MessageAttributeValue) -> Value {
    let (base, label) = match v.data_type.split_once('.') {
        Some((base, label)) => (base, Some(label)),
        None => (v.data_type.as_str(), None),
    };
    let value = match base {
        "Number" => Value::Number(v.string_value.unwrap_or_default()),
        "Binary" => Value::Bytes(v.binary_value.map(|b| Bytes::from(b.into_inner())).unwrap_or_default()),
        _ => Value::text(v.string_value.unwrap_or_default()),
    };
    match label {
        Some(label) => Value::Labelled(label.to_owned(), Box::new(value)),
        None => value,
    }
}

/// A value for an attribute, in SQS's three types; `None` for what none of them can hold.
pub fn value_to(v: &Value) -> Option<MessageAttributeValue> {
    let (value, label) = match v {
        Value::Labelled(label, inner) => (&**inner, Some(label)),
        plain => (plain, None),
    };
    let of = |base: &str| match label {
        Some(label) => format!("{base}.{label}"),
        None => base.to_owned(),
    };
    let builder = MessageAttributeValue::builder();
    let built = match value {
        Value::Text(b) => match std::str::from_utf8(b) {
            Ok(text) => builder.data_type(of("String")).string_value(text),
            Err(_) => builder.data_type(of("Binary")).binary_value(Blob::new(b.to_vec())),
        },
        Value::ShortText(s) => builder.data_type(of("String")).string_value(s),
        Value::Bytes(b) => builder.data_type(of("Binary")).binary_value(Blob::new(b.to_vec())),
        Value::Bool(b) => builder.data_type(of("String")).string_value(b.to_string()),
        other => builder.data_type(of("Number")).string_value(digits(other)?),
    };
    built.build().ok()
}

/// A number in decimal.
fn digits(v: &Value) -> Option<String> {
    Some(match v {
        Value::Number(s) => s.clone(),
        Value::U64(n) | Value::Time(n) => n.to_string(),
        Value::F32(n) if n.is_finite() => n.to_string(),
        Value::F64(n) if n.is_finite() => n.to_string(),
        Value::Decimal { scale, value } => {
            let text = format!("{value:0>width$}", width = usize::from(*scale) + 1);
            let (whole, part) = text.split_at(text.len() - usize::from(*scale));
            if part.is_empty() { whole.to_owned() } else { format!("{whole}.{part}") }
        }
        other => other.as_i64()?.to_string(),
    })
}

/// The attributes of a message that was fitted before: what cannot be one is not there any more.
pub fn attributes(headers: &Fields) -> HashMap<String, MessageAttributeValue> {
    headers.iter().filter_map(|(n, v)| Some((n.to_owned(), value_to(v)?))).collect()
}

/// What SQS counts of a message: body, and names, types and values of its attributes.
pub fn counted_size(m: &DeadLetter) -> usize {
    let of = |(name, v): (&str, &Value)| {
        let Some(v) = value_to(v) else { return 0 };
        let value = v.string_value().map_or_else(|| v.binary_value().map_or(0, |b| b.as_ref().len()), str::len);
        name.len() + v.data_type().len() + value
    };
    m.payload.len() + m.headers.iter().map(of).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(kind: &str, text: Option<&str>, bytes: Option<&[u8]>) -> MessageAttributeValue {
        MessageAttributeValue::builder()
            .data_type(kind)
            .set_string_value(text.map(str::to_owned))
            .set_binary_value(bytes.map(Blob::new))
            .build()
            .unwrap()
    }

    #[test]
    fn attributes_come_back_as_they_went() {
        for v in [
            attribute("String", Some("héllo\n"), None),
            attribute("Number", Some("-1.50e3"), None),
            attribute("Binary", None, Some(&[0, 255])),
            attribute("String.email", Some("a@b"), None),
            attribute("Number.int.signed", Some("7"), None),
            attribute("Binary.png", None, Some(b"text")),
        ] {
            assert_eq!(value_to(&value_from(v.clone())), Some(v));
        }
    }

    #[test]
    fn what_other_brokers_have_becomes_the_nearest() {
        let text = |v: Value| value_to(&v).map(|v| (v.data_type, v.string_value.unwrap_or_default()));
        let number = |s: &str| Some(("Number".to_owned(), s.to_owned()));
        assert_eq!(text(Value::I8(-8)), number("-8"));
        assert_eq!(text(Value::U64(u64::MAX)), number("18446744073709551615"));
        assert_eq!(text(Value::Decimal { scale: 3, value: 5 }), number("0.005"));
        assert_eq!(text(Value::Bool(true)), Some(("String".to_owned(), "true".to_owned())));
        assert_eq!(text(Value::F64(f64::NAN)), None);
        assert_eq!(text(Value::Null), None);
        let odd = value_to(&Value::Text(Bytes::from_static(b"\xff"))).unwrap();
        assert_eq!((odd.data_type(), odd.binary_value().unwrap().as_ref()), ("Binary", &b"\xff"[..]));
    }

    #[test]
    fn system_attributes_have_their_places() {
        use MessageSystemAttributeName as Name;
        let m = Message::builder()
            .message_id("4eef819e-65ea-40e9-bd46-8663fa41b3ba")
            .body("{}")
            .attributes(Name::SentTimestamp, "1763708647928")
            .attributes(Name::ApproximateReceiveCount, "6")
            .attributes(Name::DeadLetterQueueSourceArn, "arn:aws:sqs:eu-west-1:123456789012:orders")
            .attributes(Name::MessageGroupId, "g1")
            .attributes(Name::MessageDeduplicationId, "d1")
            .attributes(Name::SequenceNumber, "18849496460467696128")
            .attributes(Name::AwsTraceHeader, "Root=1-x")
            .build();
        assert!(is_whole(&m));
        let out = from_message(&"sqs://orders-dlq".into(), m);
        assert_eq!(out.time.unwrap().as_millisecond(), 1_763_708_647_928);
        assert_eq!(out.deliveries, Some(6));
        assert_eq!(out.origin.unwrap().queue.as_deref(), Some("arn:aws:sqs:eu-west-1:123456789012:orders"));
        assert_eq!(out.position.text("sequence"), Some("18849496460467696128"));
        let property = |name| out.properties.text(name);
        assert_eq!(
            (property(GROUP), property(DEDUPLICATION), property(TRACE)),
            (Some("g1"), Some("d1"), Some("Root=1-x"))
        );
        assert_eq!(out.identity, Identity::Exact(0x4eef_819e_65ea_40e9_bd46_8663_fa41_b3ba));
    }

    #[test]
    fn damage_is_noticed() {
        let m = Message::builder().body("{}").md5_of_body("0").build();
        assert!(!is_whole(&m));
        let m = Message::builder().body("{}").md5_of_message_attributes("0");
        assert!(!is_whole(&m.clone().build()));
        assert!(!is_whole(&m.message_attributes("a", attribute("String", Some("b"), None)).build()));
    }
}
