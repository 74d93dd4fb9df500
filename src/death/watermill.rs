//! Watermill: its poison queue middleware.

use super::read::{queue, text};
use super::{Death, Family};
use crate::message::DeadLetter;

pub(super) const FAMILY: Family = Family {
    name: "watermill",
    signs: &["reason_poisoned"],
    broker: false,
    read,
    bookkeeping: |name| {
        matches!(name, "reason_poisoned" | "topic_poisoned" | "handler_poisoned" | "subscriber_poisoned")
    },
};

fn read(m: &DeadLetter) -> Option<Death> {
    let h = &m.headers;
    h.last("reason_poisoned")?;
    Some(Death {
        family: FAMILY.name,
        reason: Some("poisoned".into()),
        message: text(h, "reason_poisoned"),
        origin: h.text("topic_poisoned").filter(|t| !t.is_empty()).map(queue),
        ..Death::default()
    })
}
