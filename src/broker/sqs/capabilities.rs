//! What a queue of each kind can do.

use std::time::Duration;

use super::address::VISIBILITY;
use super::codec::{GROUP, TRACE};
use super::queue::Queue;
use crate::broker::capability::{Accuracy, Coverage, IdentityKind, Lease, Order, Peek, Removal};
use crate::broker::{Capabilities, SinkCapabilities};

/// Messages of one call.
pub const BATCH: usize = 10;
/// Calls that send at once.
pub const SENDERS: usize = 32;

/// Of one queue, whose received messages are hidden for so many seconds at a time.
pub fn of(fifo: bool, visibility: u32) -> Capabilities {
    Capabilities {
        kind: if fifo { "fifo" } else { "standard" },
        peek: Peek::CountsReceive { hidden: Duration::from_secs(visibility.into()) },
        coverage: if fifo { Coverage::Heads } else { Coverage::Free },
        removal: Removal::Each,
        lease: Lease::Timed,
        order: if fifo { Order::StrictLanes } else { Order::None },
        identity: IdentityKind::Exact,
        accuracy: Accuracy::Approximate,
        whole_purge: true,
    }
}

/// Of both kinds, for the README's table.
pub fn describe() -> Vec<Capabilities> {
    vec![of(false, VISIBILITY), of(true, VISIBILITY)]
}

/// Of a queue that is sent to; `None` where each message has its own.
pub fn of_sink(queue: Option<&Queue>) -> SinkCapabilities {
    SinkCapabilities {
        kind: queue.map_or("account", Queue::kind),
        transaction_domain: None,
        max_message: queue.map(|q| q.max_message as u64),
        // A FIFO queue gets one message of a group at a time, so a wide batch keeps more groups going.
        batch: if queue.is_none_or(|q| q.fifo) { SENDERS * BATCH } else { BATCH },
        window: 2 * SENDERS * BATCH,
        proves_routing: true,
        private: false,
        tombstones: false,
        properties: Some(&[GROUP, TRACE]),
    }
}
