//! What the broker itself notes on a message about its death, to be taken off before a replay.

use crate::message::DeadLetter;

/// Takes off what share groups write (KIP-1191). What frameworks write is [`crate::death::strip`]'s.
pub fn strip(m: &mut DeadLetter) -> Vec<String> {
    m.headers.remove_if(|name, _| name.starts_with("__dlq.errors."))
}
