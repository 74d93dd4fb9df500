//! NServiceBus: the headers of its error queue.

use jiff::Timestamp;

use super::read::{queue, text};
use super::{Death, Family};
use crate::message::DeadLetter;

pub(super) const FAMILY: Family = Family {
    name: "nservicebus",
    signs: &["NServiceBus.FailedQ", "NServiceBus.ExceptionInfo."],
    broker: false,
    read,
    // As ServiceControl does before it retries.
    bookkeeping: |name| {
        name.starts_with("NServiceBus.ExceptionInfo.")
            || matches!(
                name,
                "NServiceBus.FailedQ" | "NServiceBus.TimeOfFailure" | "NServiceBus.Retries" | "NServiceBus.FLRetries"
            )
    },
};

fn read(m: &DeadLetter) -> Option<Death> {
    let h = &m.headers;
    Some(Death {
        family: FAMILY.name,
        reason: Some("exception".into()),
        class: text(h, "NServiceBus.ExceptionInfo.ExceptionType"),
        message: text(h, "NServiceBus.ExceptionInfo.Message"),
        origin: h.text("ServiceControl.RetryTo").or_else(|| h.text("NServiceBus.FailedQ")).map(queue),
        last: h.text("NServiceBus.TimeOfFailure").and_then(wire_time),
        ..Death::default()
    })
}

/// `2026-11-23 05:48:11:123456 Z`, with a colon before the microseconds.
fn wire_time(text: &str) -> Option<Timestamp> {
    let (day, clock) = text.trim().strip_suffix('Z')?.trim_end().split_once(' ')?;
    let (whole, micros) = clock.rsplit_once(':')?;
    format!("{day}T{whole}.{micros}Z").parse().ok()
}
