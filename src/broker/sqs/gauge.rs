//! How much waits in a queue that is sent to, and whether it has run dry since.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;

use super::connect::Link;
use super::fit::Known;
use super::queue::Queue;
use crate::broker::{Error, Gauge, Kind, Receipt, Result};
use crate::message::Target;

/// The counts lag behind by up to a minute: that nothing is left counts once it was so for as long.
const STALE: Duration = Duration::from_secs(60);
/// What receiving, failing and moving take besides the time a message is hidden.
const SLACK: Duration = Duration::from_secs(5);

/// With the calls of a sink.
pub struct SqsGauge {
    pub(super) link: Arc<Link>,
    /// The queue the sink was opened to.
    pub(super) place: Option<Arc<Queue>>,
    pub(super) known: Known,
    /// Since when nothing has been left in a queue, by its URL.
    pub(super) dry: Mutex<HashMap<String, Instant>>,
}

impl SqsGauge {
    async fn now(&self, target: Option<&Target>) -> Result<Queue> {
        let queue = match (target.and_then(|t| t.queue.as_ref()), &self.place) {
            (Some(name), _) => match self.known.get(name) {
                Some(queue) => queue,
                None => Arc::new(self.link.resolve(name).await?),
            },
            (None, Some(place)) => Arc::clone(place),
            (None, None) => return Err(Error::new(Kind::Usage, "nothing says where it should go")),
        };
        self.link.attributes(&queue.url).await
    }
}

fn waiting(queue: &Queue) -> Option<u64> {
    Some(queue.visible? + queue.in_flight? + queue.delayed.unwrap_or(0))
}

#[async_trait]
impl Gauge for SqsGauge {
    async fn backlog(&self, target: Option<&Target>) -> Result<Option<u64>> {
        Ok(waiting(&self.now(target).await?))
    }

    async fn consumed(&self, target: Option<&Target>, _: &[Receipt]) -> Result<Option<bool>> {
        let queue = self.now(target).await?;
        let Some(left) = waiting(&queue) else { return Ok(None) };
        let mut dry = self.dry.lock().unwrap_or_else(PoisonError::into_inner);
        if left > 0 {
            dry.remove(&queue.url);
            return Ok(Some(false));
        }
        let since = *dry.entry(queue.url).or_insert_with(Instant::now);
        Ok(Some(since.elapsed() >= STALE))
    }

    async fn patience(&self, target: Option<&Target>) -> Result<Option<Duration>> {
        let queue = self.now(target).await?;
        let (Some(hidden), Some(redrive)) = (queue.visibility, queue.redrive) else { return Ok(None) };
        let receives = u32::try_from(redrive.most).unwrap_or(u32::MAX);
        Ok(Some(hidden.saturating_mul(receives).saturating_add(SLACK).max(STALE + SLACK)))
    }
}
