//! What is known of a queue before it is read.

use std::time::Duration;

use super::hazard::{Limit, Policy, QueueKind};

/// What holds where nobody set it.
pub const ACK_TIMEOUT: Duration = Duration::from_secs(30 * 60);

/// What a read goes by.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Kind of queue.
    pub kind: QueueKind,
    /// Major and minor of the server.
    pub version: (u64, u64),
    /// The delivery limit, as far as known.
    pub limit: Limit,
    /// What giving back costs.
    pub policy: Policy,
    /// How long a message may be held.
    pub timeout: Duration,
    /// Bytes of a message, on the average of the whole queue; `None` where nobody can say.
    pub average: Option<u64>,
    /// Messages other consumers held shortly before; `None` where nobody can say.
    pub held_by_others: Option<u64>,
    /// Whether one consumer has the queue to itself at any time.
    pub single_active: bool,
    /// The queue goes, messages and all, with its last consumer.
    pub auto_delete: bool,
    /// How old messages become in it.
    pub ttl: Option<Duration>,
    /// It is deleted after having been unused for so long.
    pub expires: Option<Duration>,
    /// Returned messages come back after a delay (4.3, `delayed-retry-type`).
    pub delayed_retry: bool,
    /// `-X prefetch=N`.
    pub prefetch: Option<u16>,
}

/// Where a returned message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Returns {
    /// To where it was.
    InPlace,
    /// Behind those returned before it, before those never delivered.
    BehindReturned,
    /// To the end of the queue.
    Back,
}

impl Facts {
    /// Where this queue puts what is given back. Seen on 3.10.8 and 4.3.6.
    pub fn returns(&self) -> Returns {
        match self.kind {
            QueueKind::Classic | QueueKind::Stream => Returns::InPlace,
            QueueKind::Quorum | QueueKind::Unknown => {
                let unlimited = self.policy == Policy::Free || self.policy == Policy::Blind;
                if self.version < (4, 3) && unlimited { Returns::Back } else { Returns::BehindReturned }
            }
        }
    }
}
