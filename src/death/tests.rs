//! Each family as it is found in the wild, two at once, and what attackers and broken producers make of them.

mod hostile;
mod merging;
mod wild;

use bytes::Bytes;

use super::Death;
use crate::message::{DeadLetter, Fields, Payload, Value};

fn message(headers: Vec<(&str, Value)>) -> DeadLetter {
    let mut m = DeadLetter::new("file:test".into(), Payload::Bytes(Bytes::from_static(b"{}")));
    m.headers = headers.into_iter().map(|(n, v)| (n.to_owned(), v)).collect();
    m
}

fn with_body(body: &str) -> DeadLetter {
    DeadLetter::new("file:test".into(), Payload::Bytes(Bytes::copy_from_slice(body.as_bytes())))
}

fn bytes(b: &[u8]) -> Value {
    Value::Bytes(Bytes::copy_from_slice(b))
}

fn int(n: i32) -> Value {
    bytes(&n.to_be_bytes())
}

fn long(n: i64) -> Value {
    bytes(&n.to_be_bytes())
}

fn x_death(queue: &str, reason: &str, count: i64, time: u64, exchange: &str, key: &str) -> Value {
    let mut t = Fields::default();
    t.push("count", Value::I64(count));
    t.push("reason", reason);
    t.push("queue", queue);
    t.push("time", Value::Time(time));
    t.push("exchange", exchange);
    t.push("routing-keys", Value::Array(vec![key.into()]));
    Value::Table(t)
}

/// A death in one line: family, reason, class, message, place, attempts, first, last; `-` is absent.
fn line(d: &Death) -> String {
    let text = |t: &Option<String>| t.clone().unwrap_or_else(|| "-".into());
    let place = d.origin.as_ref().map_or_else(
        || "-".into(),
        |o| {
            let parts = [
                o.queue.as_ref().map(|q| format!("queue={q}")),
                o.exchange.as_ref().map(|x| format!("exchange={x}")),
                o.routing_key.as_ref().map(|k| format!("key={k}")),
                o.partition.map(|p| format!("partition={p}")),
                o.offset.map(|p| format!("offset={p}")),
                o.group.as_ref().map(|g| format!("group={g}")),
            ];
            parts.into_iter().flatten().collect::<Vec<_>>().join(",")
        },
    );
    let attempts = d.attempts.map_or("-".into(), |n| n.to_string());
    let time = |t: Option<jiff::Timestamp>| t.map_or("-".into(), |t| t.to_string());
    [d.family.into(), text(&d.reason), text(&d.class), text(&d.message), place, attempts, time(d.first), time(d.last)]
        .join(" | ")
}

#[track_caller]
fn expect(m: &DeadLetter, expected: &str) {
    assert_eq!(super::of(m).as_ref().map_or("none".into(), line), expected);
}
