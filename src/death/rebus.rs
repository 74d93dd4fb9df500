//! Rebus: one header with everything that was thrown, as text.

use super::read::{count, exception_line, queue};
use super::{Death, Family};
use crate::message::DeadLetter;

pub(super) const FAMILY: Family = Family {
    name: "rebus",
    signs: &["rbs2-error-details"],
    broker: false,
    read,
    bookkeeping: |name| matches!(name, "rbs2-error-details" | "rbs2-source-queue" | "rbs2-delivery-count"),
};

fn read(m: &DeadLetter) -> Option<Death> {
    let h = &m.headers;
    let (class, message) = h.text("rbs2-error-details").map_or((None, None), exception_line);
    Some(Death {
        family: FAMILY.name,
        reason: Some("exception".into()),
        class,
        message,
        origin: h.text("rbs2-source-queue").map(queue),
        attempts: count(h, "rbs2-delivery-count"),
        ..Death::default()
    })
}
