//! Wolverine: its names are plain words, so two of them must be there together.

use std::sync::Arc;

use super::read::{millis, text};
use super::{Death, Family};
use crate::message::{DeadLetter, Origin};

pub(super) const FAMILY: Family = Family {
    name: "wolverine",
    signs: &["failed-at"],
    broker: false,
    read,
    bookkeeping: |name| {
        matches!(
            name,
            "exception-type"
                | "exception-message"
                | "exception-stack"
                | "failed-at"
                | "original-destination"
                | "original-partition"
                | "original-offset"
        )
    },
};

fn read(m: &DeadLetter) -> Option<Death> {
    let h = &m.headers;
    h.last("failed-at")?;
    let destination = h.text("original-destination")?;
    let number = |name: &str| h.int(name).filter(|n| *n >= 0);
    // `rabbitmq://queue/orders`, `kafka://topic/orders`: the last part is the place.
    let place = destination.trim_end_matches('/').rsplit('/').next().filter(|p| !p.is_empty());
    Some(Death {
        family: FAMILY.name,
        reason: Some("exception".into()),
        class: text(h, "exception-type"),
        message: text(h, "exception-message"),
        origin: place.map(|place| Origin {
            queue: Some(Arc::from(place)),
            partition: number("original-partition"),
            offset: number("original-offset"),
            ..Origin::default()
        }),
        last: millis(h, "failed-at"),
        ..Death::default()
    })
}
