//! Kafka Connect sinks: context headers, all of them text. Readers of this family take the last of a repeated name.

use super::read::{text, text_position};
use super::{Death, Family};
use crate::message::DeadLetter;

const PREFIX: &str = "__connect.errors.";

pub(super) const FAMILY: Family = Family {
    name: "kafka-connect",
    signs: &[PREFIX],
    broker: false,
    read,
    bookkeeping: |name| name.starts_with(PREFIX),
};

fn read(m: &DeadLetter) -> Option<Death> {
    let h = &m.headers;
    Some(Death {
        family: FAMILY.name,
        // VALUE_CONVERTER, TRANSFORMATION, TASK_PUT: where in the pipeline it failed.
        reason: text(h, "__connect.errors.stage"),
        class: text(h, "__connect.errors.exception.class.name"),
        message: text(h, "__connect.errors.exception.message"),
        origin: text_position(h, PREFIX),
        ..Death::default()
    })
}
