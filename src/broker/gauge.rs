//! A destination seen from beside: how much waits there, and whether what was sent has been taken.

use std::time::Duration;

use async_trait::async_trait;

use super::{Receipt, Result};
use crate::message::Target;

/// Looks at the places a sink sends to, while it sends and after it is closed. Touches no message.
#[async_trait]
pub trait Gauge: Send + Sync {
    /// Messages that wait for the consumers of a place (`None`: where the sink was opened to), those they hold included
    /// where that is known; of several queues or consumer groups the longest. `None` where it cannot be known.
    async fn backlog(&self, target: Option<&Target>) -> Result<Option<u64>>;
    /// Whether consumers are through with all of `sent`, the receipts of what went to that place: committed offsets are past
    /// them, or nothing is left there. `None` where it cannot be known. Asked again and again for as long as a canary waits.
    async fn consumed(&self, target: Option<&Target>, sent: &[Receipt]) -> Result<Option<bool>> {
        let _ = (target, sent);
        Ok(None)
    }
    /// How long it takes at most until a message that its consumer keeps failing on is back in the dead-letter queue. `None`
    /// where the broker does not tell.
    async fn patience(&self, target: Option<&Target>) -> Result<Option<Duration>> {
        let _ = target;
        Ok(None)
    }
}
