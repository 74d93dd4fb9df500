//! What SNS puts around a message for a subscription without raw delivery.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use serde::Deserialize;

use super::{Envelope, Inner};
use crate::message::{Fields, Value};

pub(super) const ENVELOPE: Envelope = Envelope { name: "sns", open };

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Notification {
    r#type: String,
    message_id: String,
    topic_arn: String,
    message: String,
    subject: Option<String>,
    timestamp: Option<String>,
    #[serde(default)]
    message_attributes: serde_json::Map<String, serde_json::Value>,
}

fn open(payload: &Bytes) -> Option<Inner> {
    if payload.trim_ascii_start().first() != Some(&b'{') || memchr::memmem::find(payload, b"\"TopicArn\"").is_none() {
        return None;
    }
    let n: Notification = serde_json::from_slice(payload).ok()?;
    // Confirmations of subscriptions have a TopicArn and a Message too, and are nobody's message.
    if n.r#type != "Notification" || !is_topic(&n.topic_arn) {
        return None;
    }
    let headers = n.message_attributes.iter().map(|(name, a)| Some((name.clone(), attribute(a)?)));
    Some(Inner {
        envelope: ENVELOPE.name,
        headers: headers.collect::<Option<Fields>>()?,
        topic: n.topic_arn,
        id: n.message_id,
        subject: n.subject,
        time: n.timestamp.and_then(|t| t.parse().ok()),
        payload: n.message.into(),
    })
}

/// `arn:aws:sns:…`, `arn:aws-cn:sns:…`
fn is_topic(arn: &str) -> bool {
    let mut parts = arn.split(':');
    parts.next() == Some("arn") && parts.nth(1) == Some("sns")
}

fn attribute(a: &serde_json::Value) -> Option<Value> {
    let (kind, value) = (a.get("Type")?.as_str()?, a.get("Value")?.as_str()?);
    let (base, label) = kind.split_once('.').map_or((kind, None), |(base, label)| (base, Some(label)));
    let plain = match base {
        "String" => Value::text(value),
        "Number" => Value::Number(value.into()),
        "Binary" => Value::Bytes(BASE64_STANDARD.decode(value).ok()?.into()),
        _ => return None,
    };
    Some(match label {
        Some(label) => Value::Labelled(label.into(), Box::new(plain)),
        None => plain,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{DeadLetter, Payload};

    /// As SNS writes it: over several lines, with a space before each colon.
    const WILD: &str = r#"{
  "Type" : "Notification",
  "MessageId" : "63a3f6b6-d533-4a47-aef9-fcf5cf758c76",
  "TopicArn" : "arn:aws:sns:us-west-2:123456789012:MyTopic",
  "Subject" : "Testing publish to subscribed queues",
  "Message" : "{\"order\":7}",
  "Timestamp" : "2012-03-29T05:12:16.901Z",
  "SignatureVersion" : "1",
  "Signature" : "EXAMPLEnTrFPa3==",
  "SigningCertURL" : "https://sns.us-west-2.amazonaws.com/SimpleNotificationService-f3ecfb7224c7233fe7bb5f59f96de52f.pem",
  "UnsubscribeURL" : "https://sns.us-west-2.amazonaws.com/?Action=Unsubscribe&SubscriptionArn=arn:aws:sns:us-west-2:123456789012:MyTopic:c7fe3a54",
  "MessageAttributes" : {
    "kind" : {"Type":"String","Value":"order"},
    "n" : {"Type":"Number","Value":"1.50"},
    "raw" : {"Type":"Binary","Value":"AP8="},
    "tags" : {"Type":"String.Array","Value":"[\"a\"]"}
  }
}"#;

    #[test]
    fn the_inner_message_comes_out_with_its_types() {
        let inner = open(&Bytes::from_static(WILD.as_bytes())).unwrap();
        assert_eq!(&inner.payload[..], br#"{"order":7}"#);
        assert_eq!(inner.topic, "arn:aws:sns:us-west-2:123456789012:MyTopic");
        assert_eq!(inner.subject.as_deref(), Some("Testing publish to subscribed queues"));
        assert_eq!(inner.time, Some("2012-03-29T05:12:16.901Z".parse().unwrap()));
        let headers: Vec<_> = inner.headers.iter().collect();
        assert_eq!(
            headers,
            [
                ("kind", &Value::text("order")),
                ("n", &Value::Number("1.50".into())),
                ("raw", &Value::Bytes(Bytes::from_static(&[0, 0xff]))),
                ("tags", &Value::Labelled("Array".into(), Box::new(Value::text("[\"a\"]")))),
            ]
        );
    }

    #[test]
    fn a_replay_counts_whether_it_was_before_or_behind_the_topic() {
        let mark = |count| crate::message::Mark { id: "r.1".into(), count };
        let mut m = DeadLetter::new("sqs://q".into(), Payload::Bytes(Bytes::from_static(WILD.as_bytes())));
        let mut inner = ENVELOPE.inner(&m).unwrap();
        assert_eq!(inner.mark(&m), None);
        inner.headers.push("dlq-replay", mark(2).to_value());
        assert_eq!(inner.mark(&m), Some(mark(2)));
        m.headers.push("dlq-replay", mark(1).to_value());
        assert_eq!(inner.mark(&m), Some(mark(2)));
        m.headers.set("dlq-replay", mark(3).to_value());
        assert_eq!(inner.mark(&m), Some(mark(3)));
    }

    #[test]
    fn only_notifications_are_envelopes() {
        for not in [
            "",
            "text with \"TopicArn\"",
            r#"{"TopicArn":1}"#,
            &WILD.replace("Notification", "SubscriptionConfirmation"),
            &WILD.replace("arn:aws:sns", "arn:aws:sqs"),
            &WILD.replace("\"Message\"", "\"Massage\""),
            &WILD.replace("\"Type\":\"Binary\",\"Value\":\"AP8=\"", "\"Type\":\"Binary\",\"Value\":\"?\""),
            &format!("[{WILD}]"),
            &WILD[..WILD.len() - 1],
        ] {
            assert_eq!(open(&Bytes::from(not.to_owned())), None, "{not}");
        }
    }

    #[test]
    fn the_attributes_of_the_outer_message_stay_below_those_of_the_inner() {
        let mut m = DeadLetter::new("sqs://q".into(), Payload::Bytes(Bytes::from_static(WILD.as_bytes())));
        m.headers.push("dlq-replay", "id=\"r.1\", count=1");
        m.headers.push("kind", "outer");
        ENVELOPE.inner(&m).unwrap().replace(&mut m);
        assert_eq!((m.headers.text("kind"), m.headers.len()), (Some("order"), 5));
        assert_eq!(m.payload.as_bytes(), br#"{"order":7}"#);
        assert_eq!(ENVELOPE.inner(&m), None, "it is out");
    }
}
