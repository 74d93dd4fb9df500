//! What a topic can take.

use super::topic::Topic;
use crate::broker::SinkCapabilities;
use crate::broker::sqs::codec::GROUP;

/// Messages of one call.
pub const BATCH: usize = 10;
/// Calls that publish at once.
pub const PUBLISHERS: u32 = 16;

/// Of one topic.
pub fn of(topic: &Topic) -> SinkCapabilities {
    SinkCapabilities {
        kind: if topic.fifo { "fifo topic" } else { "topic" },
        transaction_domain: None,
        max_message: Some(topic.max_message as u64),
        // Of a FIFO topic one call at a time publishes messages of a group: a wide batch keeps more groups going.
        batch: if topic.fifo { PUBLISHERS as usize * BATCH } else { BATCH },
        window: 2 * PUBLISHERS as usize * BATCH,
        // A topic takes what no subscription wants.
        proves_routing: false,
        private: false,
        tombstones: false,
        properties: Some(&[GROUP]),
    }
}
