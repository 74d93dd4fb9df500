//! Fits a message to a Kafka topic before it is sent: what has no place there, and what would not arrive as it was.

use std::sync::Arc;

use bytes::Bytes;

use super::letter::{BARE, NOT_COPIED, SPOILT};
use super::originals::{FETCHED, ORIGINAL_TIME};
use crate::broker::{Error, Fit, Kind, Outgoing, Result};
use crate::message::{DeadLetter, Fields, Value, written};

/// Where a replay keeps the time a record had, in milliseconds since 1970: its own is that of the replay.
pub(super) const TIME_HEADER: &str = "dlq-original-timestamp";
/// What a delivery says about itself is not sent, and is no loss.
const OF_THE_DELIVERY: &[&str] =
    &["exchange", "routing_key", "redelivered", SPOILT, NOT_COPIED, BARE, FETCHED, ORIGINAL_TIME];

/// How messages are to be changed.
pub(super) fn fit(keeps_time: bool) -> Fit {
    Arc::new(move |o: &mut Outgoing| one(o, keeps_time))
}

fn one(o: &mut Outgoing, keeps_time: bool) -> Result<Vec<String>> {
    let verbatim = o.verbatim;
    let m = &mut o.message;
    if m.properties.last(SPOILT).is_some() {
        return Err(Error::new(
            Kind::Unsupported,
            "the name of one of its headers is not UTF-8, and it would not be sent as it was",
        ));
    }
    if !verbatim && m.properties.last(NOT_COPIED).is_some() {
        return Err(Error::new(
            Kind::NotFound,
            "the share group did not copy its payload, and the record it stands for is gone: an empty one is not sent instead",
        ));
    }
    let mut left = Vec::new();
    headers(m, &mut left);
    if let Some(time) = m.properties.int(ORIGINAL_TIME).filter(|_| !verbatim) {
        m.time = jiff::Timestamp::from_millisecond(time).ok().or(m.time);
    }
    for (name, _) in std::mem::take(&mut m.properties) {
        if !OF_THE_DELIVERY.contains(&&*name) {
            left.push(format!("the property {name}, which Kafka does not have"));
        }
    }
    if keeps_time {
        return Ok(left);
    }
    if let Some(time) = m.time {
        if verbatim {
            left.push(
                "the time of the record, which is that of the copy (--to-X keep-timestamps=true keeps it)".into(),
            );
        } else if m.headers.last(TIME_HEADER).is_none() {
            m.headers.push(TIME_HEADER, Value::Bytes(written(format_args!("{}", time.as_millisecond()))));
        }
    }
    Ok(left)
}

/// A header of Kafka is bytes, or null.
fn headers(m: &mut DeadLetter, left: &mut Vec<String>) {
    let plain = |v: &Value| matches!(v, Value::Bytes(_) | Value::Text(_) | Value::Null);
    if m.headers.iter().all(|(_, v)| plain(v)) {
        return;
    }
    m.headers = std::mem::take(&mut m.headers)
        .into_iter()
        .map(|(name, value)| {
            if plain(&value) || matches!(value, Value::ShortText(_) | Value::Number(_)) {
                return (name, value);
            }
            left.push(format!("the type of the header {name}, which becomes text"));
            let text = text(&value);
            (name, Value::Bytes(Bytes::from(text)))
        })
        .collect();
}

fn text(value: &Value) -> String {
    match value {
        Value::Bool(b) => b.to_string(),
        Value::F32(f) => f.to_string(),
        Value::F64(f) => f.to_string(),
        Value::U64(n) | Value::Time(n) => n.to_string(),
        Value::Decimal { scale, value } => decimal(*scale, *value),
        Value::Labelled(_, v) => text(v),
        Value::Array(_) | Value::Table(_) => json(value).to_string(),
        Value::Null => String::new(),
        other => match (other.as_i64(), other.as_str()) {
            (_, Some(s)) => s.to_owned(),
            (Some(n), None) => n.to_string(),
            (None, None) => String::new(),
        },
    }
}

fn decimal(scale: u8, value: u32) -> String {
    let digits = value.to_string();
    let scale = usize::from(scale);
    if scale == 0 {
        return digits;
    }
    let padded = format!("{digits:0>width$}", width = scale + 1);
    let (whole, part) = padded.split_at(padded.len() - scale);
    format!("{whole}.{part}")
}

fn json(value: &Value) -> serde_json::Value {
    let table = |t: &Fields| t.iter().map(|(n, v)| (n.to_owned(), json(v))).collect::<serde_json::Map<_, _>>();
    match value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(b) => (*b).into(),
        Value::Array(vs) => vs.iter().map(json).collect(),
        Value::Table(t) => table(t).into(),
        other => match (other.as_str(), other.as_i64()) {
            (Some(s), _) => s.into(),
            (None, Some(n)) => n.into(),
            (None, None) => text(other).into(),
        },
    }
}

/// The bytes of a header as they are sent; `None` for null.
pub(super) fn bytes(value: &Value) -> Option<&[u8]> {
    match value {
        Value::Bytes(b) | Value::Text(b) => Some(b),
        Value::ShortText(s) | Value::Number(s) => Some(s.as_bytes()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Payload;

    fn fitted(verbatim: bool, change: impl FnOnce(&mut DeadLetter)) -> (Result<Vec<String>>, DeadLetter) {
        let mut message = DeadLetter::new("q".into(), Payload::Absent);
        change(&mut message);
        let mut o = Outgoing { verbatim, ..Outgoing::verbatim(0, Box::new(message)) };
        (fit(false)(&mut o), *o.message)
    }

    #[test]
    fn a_record_of_kafka_stays_as_it_is_but_for_its_time() {
        let at = jiff::Timestamp::from_millisecond(1_700_000_000_123).unwrap();
        let change = |m: &mut DeadLetter| {
            m.time = Some(at);
            m.headers.push("a", Value::Bytes(Bytes::from_static(b"\xff")));
            m.headers.push("a", Value::Null);
        };
        let (left, m) = fitted(false, change);
        assert_eq!(left.unwrap(), [""; 0]);
        assert_eq!(m.headers.text(TIME_HEADER), Some("1700000000123"));
        assert_eq!(m.headers.len(), 3);
        let (left, m) = fitted(true, change);
        assert_eq!(left.unwrap().len(), 1, "a copy says that it has a time of its own");
        assert_eq!(m.headers.len(), 2);
    }

    #[test]
    fn what_has_no_place_in_kafka_is_named_and_types_become_text() {
        let (left, m) = fitted(false, |m| {
            m.properties.push("content_type", "x");
            m.properties.push("routing_key", "k");
            m.headers.push("n", Value::I64(-7));
            m.headers.push("d", Value::Decimal { scale: 3, value: 45 });
            m.headers.push("t", Value::Array(vec![Value::I64(1), "x".into()]));
        });
        let left = left.unwrap();
        assert_eq!(left.len(), 4, "{left:?}");
        let header = |name| m.headers.text(name).unwrap().to_owned();
        assert_eq!((header("n"), header("d"), header("t")), ("-7".into(), "0.045".into(), "[1,\"x\"]".into()));
    }

    #[test]
    fn what_would_not_arrive_as_it_was_is_refused() {
        let (left, _) = fitted(false, |m| m.properties.push(SPOILT, Value::Bool(true)));
        assert_eq!(left.unwrap_err().kind(), Kind::Unsupported);
    }
}
