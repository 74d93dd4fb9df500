//! Kafka Streams 4.2 and later (KIP-1034): text headers, the last of a repeated name counts.

use super::read::{text, text_position};
use super::{Death, Family};
use crate::message::DeadLetter;

const PREFIX: &str = "__streams.errors.";

pub(super) const FAMILY: Family = Family {
    name: "kafka-streams",
    signs: &[PREFIX],
    broker: false,
    read,
    bookkeeping: |name| name.starts_with(PREFIX),
};

fn read(m: &DeadLetter) -> Option<Death> {
    let h = &m.headers;
    Some(Death {
        family: FAMILY.name,
        reason: Some("exception".into()),
        class: text(h, "__streams.errors.exception"),
        message: text(h, "__streams.errors.message"),
        origin: text_position(h, PREFIX),
        ..Death::default()
    })
}
