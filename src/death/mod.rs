//! Why a message died, read from what the broker and the frameworks leave on it. One small file a family.

use jiff::Timestamp;

use crate::message::{DeadLetter, Origin};

/// Why and where a message died. A field is absent when it is not known; never guessed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Death {
    /// Eight hex digits, equal for messages that died of the same thing: family, reason, class, origin queue and message
    /// (numbers, ids and quoted parts in it aside).
    pub cause: String,
    /// Who wrote it: `rabbitmq`, `spring-kafka`, …
    pub family: &'static str,
    /// The broker's or framework's word: `rejected`, `expired`, `maxlen`, `delivery_limit`, `exception`, …
    pub reason: Option<String>,
    /// Exception class.
    pub class: Option<String>,
    /// Exception message.
    pub message: Option<String>,
    /// Where it was before it died: a replay goes there.
    pub origin: Option<Origin>,
    /// How often it was tried.
    pub attempts: Option<u64>,
    /// First death.
    pub first: Option<Timestamp>,
    /// Last death.
    pub last: Option<Timestamp>,
}

/// One family of dead-letter metadata.
pub struct Family {
    /// Its name in `death.family`.
    pub name: &'static str,
    /// Reads it; `None` where the message does not carry it. `cause` is left empty.
    pub read: fn(&DeadLetter) -> Option<Death>,
    /// Whether a header is this family's bookkeeping about a death, to be taken off before a replay.
    pub bookkeeping: fn(&str) -> bool,
}

/// What is known of the death of a message.
pub fn of(m: &DeadLetter) -> Option<Death> {
    let _ = m;
    None
}

/// Takes off the headers in which frameworks keep their death notes, of whatever family; gives their names. The broker's
/// own are [`crate::broker::Source::strip`]'s.
pub fn strip(m: &mut DeadLetter) -> Vec<String> {
    let _ = m;
    vec![]
}
