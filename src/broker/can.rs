//! Whether something could be done with a queue, before it is tried.

use std::time::Duration;

use serde::Serialize;

/// A place that keeps messages for less is worth a word.
const SHORT: Duration = Duration::from_secs(24 * 3600);

/// What a verb needs of its queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ability {
    /// To count.
    Count,
    /// To see messages.
    Look,
    /// To see and remove them.
    Remove,
}

/// What is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// It may.
    Yes,
    /// It may not.
    No,
    /// It may, and messages are lost or pushed out by it, or meanwhile.
    Harm,
    /// Nobody says, short of trying.
    Unknown,
}

/// One point for or against.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it is about: `permission to read`.
    pub about: &'static str,
    /// Whether that lets the verb go on.
    pub answer: Answer,
    /// Why, as one clause.
    pub because: String,
    /// Nothing is against it, and who is about to do it wants to know all the same.
    #[serde(skip)]
    pub worth_saying: bool,
}

impl Finding {
    /// Nothing against it.
    pub fn yes(about: &'static str, because: impl Into<String>) -> Finding {
        Finding { about, answer: Answer::Yes, because: because.into(), worth_saying: false }
    }

    /// It would fail.
    pub fn no(about: &'static str, because: impl Into<String>) -> Finding {
        Finding { about, answer: Answer::No, because: because.into(), worth_saying: false }
    }

    /// It goes on, with harm.
    pub fn harm(about: &'static str, because: impl Into<String>) -> Finding {
        Finding { about, answer: Answer::Harm, because: because.into(), worth_saying: false }
    }

    /// Nothing against it, and a bound that a plan tells.
    pub fn limit(about: &'static str, because: impl Into<String>) -> Finding {
        Finding { worth_saying: true, ..Finding::yes(about, because) }
    }

    /// A place that keeps what is sent there for so long, which is worth a word where it is short.
    pub fn kept(kept: Duration, because: impl Into<String>) -> Finding {
        if kept < SHORT { Finding::limit("retention", because) } else { Finding::yes("retention", because) }
    }

    /// It is not known.
    pub fn unknown(about: &'static str, because: impl Into<String>) -> Finding {
        Finding { about, answer: Answer::Unknown, because: because.into(), worth_saying: false }
    }
}

/// What is to be sent to a place, as far as it is known before the first message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// So many messages.
    pub messages: Option<u64>,
    /// Bytes of their bodies.
    pub bytes: Option<u64>,
    /// It may be less: which of them are sent is decided as they are read.
    pub at_most: bool,
}

impl Load {
    /// One message with a body of so many bytes.
    pub fn of(body: u64) -> Load {
        Load { messages: Some(1), bytes: Some(body), at_most: false }
    }

    /// One more message, with a body of so many bytes.
    pub fn add(&mut self, body: u64) {
        self.messages = Some(self.messages.unwrap_or(0) + 1);
        self.bytes = Some(self.bytes.unwrap_or(0) + body);
    }

    /// What comes besides, to the same place.
    pub fn join(&mut self, other: Load) {
        self.messages = self.messages.zip(other.messages).map(|(a, b)| a + b);
        self.bytes = self.bytes.zip(other.bytes).map(|(a, b)| a + b);
        self.at_most |= other.at_most;
    }

    /// No more than so many.
    pub fn at_most(messages: Option<u64>) -> Load {
        Load { messages, bytes: None, at_most: true }
    }
}
