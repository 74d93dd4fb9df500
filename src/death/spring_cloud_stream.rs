//! Spring Cloud Stream's Kafka binder.

use std::sync::Arc;

use super::read::{big_endian, first_text, text};
use super::{Death, Family};
use crate::message::{DeadLetter, Origin};

pub(super) const FAMILY: Family = Family {
    name: "spring-cloud-stream",
    signs: &["x-original-topic"],
    broker: false,
    read,
    bookkeeping: |name| {
        matches!(
            name,
            "x-original-topic"
                | "x-original-partition"
                | "x-original-offset"
                | "x-original-timestamp"
                | "x-original-timestamp-type"
                | "x-exception-fqcn"
                | "x-exception-message"
                | "x-exception-stacktrace"
        )
    },
};

fn read(m: &DeadLetter) -> Option<Death> {
    let h = &m.headers;
    let topic = first_text(h, "x-original-topic")?;
    Some(Death {
        family: FAMILY.name,
        reason: Some("exception".into()),
        class: text(h, "x-exception-fqcn"),
        message: text(h, "x-exception-message"),
        origin: Some(Origin {
            queue: Some(Arc::from(topic)),
            partition: big_endian(h.first("x-original-partition"), 4).filter(|n| *n >= 0),
            offset: big_endian(h.first("x-original-offset"), 8).filter(|n| *n >= 0),
            ..Origin::default()
        }),
        ..Death::default()
    })
}
