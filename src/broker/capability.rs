//! What a queue can do and what it costs, as data: the rest of the program reads these and never a broker's name.

use std::time::Duration;

/// The guarantee where sending and removing are two acts.
pub const AT_LEAST_ONCE: &str = "at least once: a message leaves only after its new home has confirmed it";

/// What one opened queue can do. There is no `Default`: a new field must be answered by every backend.
#[derive(Clone, Debug, PartialEq)]
pub struct Capabilities {
    /// The broker's word for this kind of queue: `archive`, `classic`, `quorum`, `stream`, `standard`, `fifo`, `topic`.
    pub kind: &'static str,
    /// What looking costs.
    pub peek: Peek,
    /// How much of the queue a scan can see.
    pub coverage: Coverage,
    /// How messages are removed.
    pub removal: Removal,
    /// For how long messages may be held while they are worked on.
    pub lease: Lease,
    /// What order there is.
    pub order: Order,
    /// Whether a message can be told from its equals.
    pub identity: IdentityKind,
    /// How far `depth` can be trusted.
    pub accuracy: Accuracy,
    /// The broker can empty the whole queue in one act, newcomers included.
    pub whole_purge: bool,
}

/// What looking at a message costs.
#[derive(Clone, Debug, PartialEq)]
pub enum Peek {
    /// Nothing.
    Free,
    /// Nothing but the `redelivered` flag, and others do not see the messages meanwhile.
    MarksRedelivered,
    /// Each look raises the receive count and hides the message for a while.
    CountsReceive {
        /// For how long at a time; longer looks renew it.
        hidden: Duration,
    },
    /// Each look raises a count that destroys the message above `limit`; `None` where the limit is not known.
    CountsDelivery {
        /// Looks a fresh message survives.
        limit: Option<u64>,
    },
}

/// How much of the queue one scan can see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coverage {
    /// Everything that was there when it began.
    All,
    /// Everything that no other consumer holds.
    Free,
    /// As [`Coverage::Free`], but of a lane whose messages are not removed only the first few.
    Heads,
    /// Whatever turns up.
    Sampled,
}

/// How a message is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// One by one, at the broker.
    Each,
    /// Noted in a log beside the data, compacted later.
    Logged,
    /// Marked in a resolved set; the head is trimmed when all of it is marked.
    MarkAndTrim,
    /// Not at all.
    None,
}

/// How long a message may be held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lease {
    /// As long as one likes.
    None,
    /// As long as the connection lives and the broker's acknowledgement timeout allows.
    Session {
        /// The timeout, where the broker has one.
        longest: Option<Duration>,
    },
    /// For a visibility timeout that is renewed.
    Timed,
}

/// What order a scan sees and a replay keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// None.
    None,
    /// Within a lane (queue, partition); a failed message does not hold up those behind it.
    Lanes,
    /// Within a lane where order has a meaning (FIFO group, key): a failure holds up those behind it.
    StrictLanes,
}

/// Whether ids are unique.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentityKind {
    /// Every message has an id of its own.
    Exact,
    /// Only a fingerprint, which equal messages share.
    Like,
}

/// How far a count can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Accuracy {
    /// Counted.
    Exact,
    /// The broker's own estimate.
    Approximate,
    /// At most so many.
    UpperBound,
    /// So many at least.
    LowerBound,
}

impl Capabilities {
    /// The sentences a user reads before the first message is touched; empty where looking is free.
    pub fn notices(&self) -> Vec<String> {
        match &self.peek {
            Peek::Free => vec![],
            Peek::MarksRedelivered => vec![
                "while this runs, other consumers do not see the messages it holds; those it gives back are flagged as redelivered".into(),
            ],
            Peek::CountsReceive { hidden } => vec![
                format!(
                    "each message that is read has its receive count raised, and is hidden from others until this ends ({} s at \
                     a time, should it end badly)",
                    hidden.as_secs()
                ),
                "meanwhile alarms on the number of visible messages see fewer of them, or none".into(),
            ],
            Peek::CountsDelivery { limit: Some(n) } => vec![format!(
                "each look counts as a delivery; after {n} of them the broker drops or dead-letters the message"
            )],
            Peek::CountsDelivery { limit: None } => vec![
                "each look counts as a delivery, and how many this queue allows is not known".into(),
            ],
        }
    }

    /// The danger a look is, by the name that `--accept` takes; `None` where it costs nothing.
    pub fn look_hazard(&self) -> Option<&'static str> {
        match self.peek {
            Peek::Free => None,
            Peek::MarksRedelivered => Some("redelivered"),
            Peek::CountsReceive { .. } => Some("receive-count"),
            Peek::CountsDelivery { .. } => Some("delivery-limit"),
        }
    }

    /// What to do instead of looking often, where looking costs something.
    pub fn advice(&self) -> Option<&'static str> {
        match self.peek {
            Peek::CountsReceive { .. } => {
                Some("to look more than once, copy it once (dlq copy QUEUE file:PATH) and look at the archive")
            }
            _ => None,
        }
    }

    /// The guarantee of a replay out of this queue, as the README states it.
    pub fn guarantee(&self) -> &'static str {
        match self.removal {
            Removal::None => "copies only: nothing can be removed here",
            Removal::MarkAndTrim => "exactly once within the cluster",
            Removal::Each | Removal::Logged => AT_LEAST_ONCE,
        }
    }
}

/// What a sink can take.
#[derive(Clone, Debug, PartialEq)]
pub struct SinkCapabilities {
    /// The broker's word for the place.
    pub kind: &'static str,
    /// Two places of the same domain can be changed in one transaction; absent where there are no transactions.
    pub transaction_domain: Option<String>,
    /// Largest message in bytes, where it is known.
    pub max_message: Option<u64>,
    /// Messages of a batch that publish best together.
    pub batch: usize,
    /// Messages that may be unconfirmed at once.
    pub window: usize,
    /// Whether what is confirmed is known to have reached a queue.
    pub proves_routing: bool,
    /// No consumer gets what is sent there: an archive.
    pub private: bool,
    /// A message without a payload is something else there than one with an empty one.
    pub tombstones: bool,
    /// The properties that are sent; an edit may set no other. `None` where all are kept.
    pub properties: Option<&'static [&'static str]>,
}
