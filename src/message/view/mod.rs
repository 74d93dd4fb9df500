//! The view: what jq sees and what `-o json` prints. Field names are a public interface.

mod body;
mod pass;
mod values;
mod write;

use std::sync::LazyLock;

use bytes::Bytes;
use jaq_json::{Map, Num, Val};
use jiff::Timestamp;

use super::unwrap::{self, Inner};
use super::{ClaimCheck, DeadLetter, Mark, Origin, Payload, Value};
use crate::death::{self, Death};

pub use body::{MAX_DEPTH, Want, body, body_is_json, is_number, nesting};
pub use values::value as value_view;
pub use write::{write_json, write_json_within, write_pretty};

/// Top-level fields a program looks at; what it does not need is not built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need(pub u32);

impl Need {
    /// Every field.
    pub const ALL: Need = Need(u32::MAX);
    /// No field.
    pub const NONE: Need = Need(0);

    /// Adds a field by name; a name that is no field needs nothing.
    pub fn add(&mut self, name: &str) {
        if let Some(i) = FIELDS.iter().position(|f| *f == name) {
            self.0 |= 1 << i;
        }
    }

    fn has(self, field: usize) -> bool {
        self.0 & (1 << field) != 0
    }
}

/// Names of the top-level fields, in the order they are printed.
pub const FIELDS: &[&str] = &[
    "id",
    "queue",
    "position",
    "time",
    "size",
    "key",
    "headers",
    "properties",
    "body",
    "claim_check",
    "unwrapped",
    "death",
    "deliveries",
    "replays",
    "resolved",
];

/// Keys are made once: a copy is a pointer and a count, where a string would be an allocation and a copy of its bytes.
static KEYS: LazyLock<Vec<Val>> =
    LazyLock::new(|| FIELDS.iter().map(|f| Val::utf8_str(Bytes::from_static(f.as_bytes()))).collect());

/// Builds the view of a message.
///
/// Strings are slices of the message's payload, not copies: do not keep a view for longer than its batch.
pub fn view(m: &DeadLetter, need: Need) -> Val {
    build(m, need, &Want::All, None)
}

/// As [`view`], with only what is wanted of the body, and with the death where the caller has read it already.
pub fn build(m: &DeadLetter, need: Need, want: &Want, known: Option<&Death>) -> Val {
    let mut o = Map::with_capacity_and_hasher((need.0.count_ones() as usize).min(FIELDS.len()), Default::default());
    for (i, key) in KEYS.iter().enumerate() {
        if need.has(i)
            && let Some(v) = field(m, i, want, known)
        {
            o.insert(key.clone(), v);
        }
    }
    Val::obj(o)
}

/// One field of the view, by its place in [`FIELDS`]; null where the message has none.
pub fn part(m: &DeadLetter, i: usize, want: &Want, known: Option<&Death>) -> Val {
    field(m, i, want, known).unwrap_or(Val::Null)
}

fn field(m: &DeadLetter, i: usize, want: &Want, known: Option<&Death>) -> Option<Val> {
    Some(match FIELDS[i] {
        "id" => text(&m.id),
        "queue" => text(&m.queue),
        "position" => values::fields(&m.position).filter(|_| !m.position.is_empty())?,
        "time" => time(m.time?),
        "size" => Val::from(m.size()),
        "key" => values::bytes(m.key.as_ref()?),
        "headers" => values::fields(&m.headers)?,
        "properties" => values::fields(&m.properties)?,
        "body" => match &m.payload {
            Payload::Absent => Val::Null,
            Payload::Bytes(b) => body(b, want),
        },
        "claim_check" => claim_check(&ClaimCheck::of(m)?),
        "unwrapped" => inner(&unwrap::inner(m)?)?,
        "death" => match known {
            Some(d) => death_val(d),
            None => death_val(&death::of(m)?),
        },
        "deliveries" => Val::Num(Num::from_integral(m.deliveries?)),
        "replays" => Val::from(Mark::replays(&m.headers) as usize),
        // Only a log keeps what is done with, and only where that was asked for is it shown.
        _ => match m.position.last("resolved")? {
            Value::Bool(resolved) => Val::Bool(*resolved),
            _ => return None,
        },
    })
}

fn death_val(d: &Death) -> Val {
    let mut o = Map::default();
    let mut put = |k: &'static str, v: Option<Val>| {
        if let Some(v) = v {
            o.insert(key(k), v);
        }
    };
    put("cause", Some(text(&d.cause)));
    put("family", Some(key(d.family)));
    put("reason", d.reason.as_deref().map(text));
    put("class", d.class.as_deref().map(text));
    put("message", d.message.as_deref().map(text));
    put("origin", d.origin.as_ref().map(origin));
    put("attempts", d.attempts.map(|n| Val::Num(Num::from_integral(n))));
    put("first", d.first.map(time));
    put("last", d.last.map(time));
    Val::obj(o)
}

fn claim_check(check: &ClaimCheck) -> Val {
    let mut o = Map::default();
    o.insert(key("bucket"), text(&check.bucket));
    o.insert(key("key"), text(&check.key));
    if let Some(size) = check.size {
        o.insert(key("size"), Val::Num(Num::from_integral(size)));
    }
    Val::obj(o)
}

fn inner(inside: &Inner) -> Option<Val> {
    let mut o = Map::default();
    let mut put = |k: &'static str, v: Val| o.insert(key(k), v);
    put("envelope", key(inside.envelope));
    put("topic", text(&inside.topic));
    put("id", text(&inside.id));
    inside.subject.as_deref().map(|s| put("subject", text(s)));
    inside.time.map(|t| put("time", time(t)));
    put("headers", values::fields(&inside.headers)?);
    put("body", body(&inside.payload, &Want::All));
    Some(Val::obj(o))
}

fn origin(from: &Origin) -> Val {
    let mut o = Map::default();
    let mut put = |k: &'static str, v: Option<Val>| {
        if let Some(v) = v {
            o.insert(key(k), v);
        }
    };
    put("queue", from.queue.as_deref().map(text));
    put("exchange", from.exchange.as_deref().map(text));
    put("routing_key", from.routing_key.as_deref().map(text));
    put("partition", from.partition.map(|n| Val::Num(Num::from_integral(n))));
    put("offset", from.offset.map(|n| Val::Num(Num::from_integral(n))));
    put("group", from.group.as_deref().map(text));
    Val::obj(o)
}

fn key(name: &'static str) -> Val {
    Val::utf8_str(Bytes::from_static(name.as_bytes()))
}

fn text(s: &str) -> Val {
    Val::utf8_str(Bytes::copy_from_slice(s.as_bytes()))
}

/// RFC 3339 in UTC with `Z`.
fn time(t: Timestamp) -> Val {
    Val::from(t.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Fields, Value};

    fn shown(v: &Val) -> String {
        let mut out = vec![];
        write_json(v, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn message() -> DeadLetter {
        let mut m = DeadLetter::new("amqp://localhost/q".into(), Payload::Bytes(Bytes::from_static(b"{\"total\":42}")));
        m.id = "7".into();
        m
    }

    #[test]
    fn what_is_absent_is_left_out_and_a_tombstone_has_a_null_body() {
        let mut m = message();
        let empty = r#"{"id":"7","queue":"amqp://localhost/q","size":12,"headers":{},"properties":{},"body":{"total":42},"replays":0}"#;
        assert_eq!(shown(&view(&m, Need::ALL)), empty);
        m.payload = Payload::Absent;
        assert!(shown(&view(&m, Need::ALL)).contains(r#""body":null"#));
        m.payload = Payload::Bytes(Bytes::new());
        assert!(shown(&view(&m, Need::ALL)).contains(r#""body":"""#));
    }

    #[test]
    fn fields_come_in_the_documented_order() {
        let mut m = message();
        m.position = [("offset".to_owned(), Value::I64(9))].into_iter().collect();
        m.time = Some("2026-11-23T05:48:11.123Z".parse().unwrap());
        m.key = Some(Bytes::from_static(&[0xff]));
        m.headers.push("a", Value::text("1"));
        m.headers.push("dlq-replay", Value::text("id=\"r.1\", count=2"));
        m.headers.push("a", Value::text("2"));
        m.deliveries = Some(u64::MAX);
        let all = r#"{"id":"7","queue":"amqp://localhost/q","position":{"offset":9},"time":"2026-11-23T05:48:11.123Z","size":43,"key":{"base64":"/w=="},"headers":{"a":"2","dlq-replay":"id=\"r.1\", count=2"},"properties":{},"body":{"total":42},"deliveries":18446744073709551615,"replays":2}"#;
        let v = shown(&view(&m, Need::ALL));
        assert_eq!(v.replace(&format!("\"size\":{}", m.size()), "\"size\":43"), all);
        let mut need = Need::NONE;
        need.add("id");
        need.add("nonsense");
        assert_eq!(shown(&view(&m, need)), r#"{"id":"7"}"#);
    }

    #[test]
    fn what_is_in_an_envelope_is_shown_beside_it() {
        let mut m = message();
        let envelope = r#"{"Type":"Notification","MessageId":"i","TopicArn":"arn:aws:sns:eu-west-1:1:t","Message":"{\"a\":1}","MessageAttributes":{"n":{"Type":"Number","Value":"7"}}}"#;
        m.payload = Payload::Bytes(Bytes::from_static(envelope.as_bytes()));
        let mut need = Need::NONE;
        need.add("unwrapped");
        assert_eq!(
            shown(&view(&m, need)),
            r#"{"unwrapped":{"envelope":"sns","topic":"arn:aws:sns:eu-west-1:1:t","id":"i","headers":{"n":7},"body":{"a":1}}}"#
        );
        assert!(
            shown(&view(&m, Need::ALL)).contains(r#""body":{"Type":"Notification""#),
            "the body stays what was stored"
        );
    }

    #[test]
    fn every_type_of_header_has_a_reading_form() {
        let table: Fields = [("in".to_owned(), Value::Array(vec![Value::I8(-1), Value::Null]))].into_iter().collect();
        let mut m = message();
        for (n, v) in [
            ("bool", Value::Bool(true)),
            ("u64", Value::U64(u64::MAX)),
            ("f32", Value::F32(0.1)),
            ("nan", Value::F64(f64::NAN)),
            ("dec", Value::Decimal { scale: 3, value: 5 }),
            ("dec0", Value::Decimal { scale: 0, value: 5 }),
            ("num", Value::Number("1.000000000000000000000000001".into())),
            ("odd", Value::Number("0x10".into())),
            ("time", Value::Time(0)),
            ("far", Value::Time(u64::MAX)),
            ("bytes", Value::Bytes(Bytes::from_static(&[0xfe]))),
            ("table", Value::Table(table)),
            ("mail", Value::Labelled("email".into(), Box::new(Value::text("a@b")))),
        ] {
            m.headers.push(n, v);
        }
        let mut need = Need::NONE;
        need.add("headers");
        assert_eq!(
            shown(&view(&m, need)),
            concat!(
                r#"{"headers":{"bool":true,"u64":18446744073709551615,"f32":0.1,"nan":null,"dec":0.005,"dec0":5,"#,
                r#""num":1.000000000000000000000000001,"odd":"0x10","time":"1970-01-01T00:00:00Z","#,
                r#""far":18446744073709551615,"bytes":{"base64":"/g=="},"table":{"in":[-1,null]},"mail":"a@b"}}"#
            )
        );
    }
}
