//! Kafka share groups (KIP-1191): text headers written by the broker; the payload is absent unless copying was enabled.

use std::sync::Arc;

use super::read::{count, text, text_position};
use super::{Death, Family};
use crate::message::{DeadLetter, Origin};

const PREFIX: &str = "__dlq.errors.";

pub(super) const FAMILY: Family =
    Family { name: "share-group", signs: &[PREFIX], broker: true, read, bookkeeping: |name| name.starts_with(PREFIX) };

fn read(m: &DeadLetter) -> Option<Death> {
    let h = &m.headers;
    let message = text(h, "__dlq.errors.message");
    let reason = match message.as_deref() {
        Some(t) if t.starts_with("Offset rejected") => Some("rejected".into()),
        Some(t) if t.starts_with("Offset delivery count exceeded") => Some("delivery_limit".into()),
        _ => None,
    };
    let group = h.text("__dlq.errors.group").map(Arc::from);
    Some(Death {
        family: FAMILY.name,
        reason,
        message,
        origin: text_position(h, PREFIX).map(|at| Origin { group, ..at }),
        attempts: count(h, "__dlq.errors.delivery.count"),
        // The record's own time is that of the one write to the dead-letter topic.
        first: m.time,
        last: m.time,
        ..Death::default()
    })
}
