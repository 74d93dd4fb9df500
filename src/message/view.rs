//! The view: what jq sees and what `-o json` prints. Field names are a public interface.

use jaq_json::Val;

use super::DeadLetter;

/// Top-level fields a program looks at; what it does not need is not built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need(pub u32);

impl Need {
    /// Every field.
    pub const ALL: Need = Need(u32::MAX);
}

/// Builds the view of a message.
pub fn view(m: &DeadLetter, need: Need) -> Val {
    let _ = (m, need);
    Val::Null
}

/// Names of the top-level fields, in the order they are printed.
pub const FIELDS: &[&str] = &[
    "id",
    "queue",
    "position",
    "time",
    "size",
    "key",
    "headers",
    "properties",
    "body",
    "death",
    "deliveries",
    "replays",
];

/// Appends compact JSON.
pub fn write_json(v: &Val, out: &mut Vec<u8>) {
    let _ = (v, out);
}
