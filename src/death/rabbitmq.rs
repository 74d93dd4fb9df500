//! RabbitMQ: `x-death`, an array of tables, newest event first, one for each {queue, reason}.

use std::sync::Arc;

use super::read::{seconds, text};
use super::{Death, Family};
use crate::message::{DeadLetter, Fields, Origin, Value};

pub(super) const FAMILY: Family = Family {
    name: "rabbitmq",
    signs: &["x-death", "x-first-death-"],
    broker: true,
    read,
    // The broker's own headers are stripped by its backend.
    bookkeeping: |_| false,
};

fn read(m: &DeadLetter) -> Option<Death> {
    let deaths: Vec<&Fields> = match m.headers.last("x-death") {
        Some(Value::Array(entries)) => entries.iter().filter_map(table).collect(),
        _ => Vec::new(),
    };
    let first_queue = m.headers.text("x-first-death-queue");
    let first_reason = m.headers.text("x-first-death-reason");
    if deaths.is_empty() && first_queue.is_none() && first_reason.is_none() {
        return None;
    }
    let newest = deaths.first().copied();
    let reason = newest.map_or_else(|| text(&m.headers, "x-first-death-reason"), |d| text(d, "reason"));
    // An entry moves to the front when the same death happens again, so in a retry loop the last one is not the oldest.
    let by_name =
        deaths.iter().rev().find(|d| d.text("queue") == first_queue && d.text("reason") == first_reason).copied();
    let oldest = by_name.or_else(|| deaths.iter().rev().min_by_key(|d| d.int("time").unwrap_or(i64::MAX)).copied());
    let at = |d: &Fields| seconds(d.last("time")?);
    Some(Death {
        family: FAMILY.name,
        reason,
        origin: origin(&m.headers, oldest, first_queue),
        attempts: attempts(&deaths),
        first: oldest.and_then(at),
        // `time` is that of the first death in this queue for this reason; of later ones only the count is known.
        last: newest.filter(|d| d.int("count") == Some(1)).and_then(at),
        ..Death::default()
    })
}

fn table(v: &Value) -> Option<&Fields> {
    match v {
        Value::Table(t) => Some(t),
        _ => None,
    }
}

/// Where it was published before its first death, since the later hops are dead-letter exchanges.
fn origin(headers: &Fields, oldest: Option<&Fields>, first_queue: Option<&str>) -> Option<Origin> {
    let of_oldest = |name| oldest.and_then(|d: &Fields| d.text(name));
    let routing_key = oldest.and_then(|d| match d.last("routing-keys")? {
        Value::Array(keys) => keys.first()?.as_str(),
        _ => None,
    });
    let origin = Origin {
        queue: first_queue.or_else(|| of_oldest("queue")).map(Arc::from),
        exchange: headers.text("x-first-death-exchange").or_else(|| of_oldest("exchange")).map(Arc::from),
        routing_key: routing_key.map(Arc::from),
        ..Origin::default()
    };
    (origin != Origin::default()).then_some(origin)
}

/// All deaths together; unknown as soon as one of them is.
fn attempts(deaths: &[&Fields]) -> Option<u64> {
    let counts = deaths.iter().map(|d| u64::try_from(d.int("count")?).ok());
    counts.reduce(|a, b| a?.checked_add(b?)).flatten()
}
