//! How far the consumers of a stream have come with what is sent there.

use std::sync::Arc;

use async_trait::async_trait;

use super::connect::Link;
use super::stream::ConsumerInfo;
use crate::broker::{Gauge, Receipt, Result};
use crate::message::Target;

/// Of the streams of a server.
pub struct NatsGauge {
    /// The connection.
    pub link: Link,
    /// Stream and subject of what carries no target of its own.
    pub place: Option<(String, Option<Arc<str>>)>,
}

impl NatsGauge {
    /// The consumers that get what is sent there.
    async fn consumers(&self, target: Option<&Target>) -> Result<Vec<ConsumerInfo>> {
        let (streams, subject) =
            match (target.and_then(|t| t.routing_key.as_deref().or(t.queue.as_deref())), &self.place) {
                (Some(subject), _) => {
                    let streams = self.link.streams(Some(subject)).await?;
                    (streams.into_iter().map(|i| i.config.name).collect(), Some(subject))
                }
                (None, Some((stream, subject))) => (vec![stream.clone()], subject.as_deref()),
                (None, None) => (Vec::new(), None),
            };
        let mut all = Vec::new();
        for stream in streams {
            all.extend(self.link.consumers(&stream).await?);
        }
        all.retain(|c| subject.is_none_or(|s| c.wants(s)));
        Ok(all)
    }
}

#[async_trait]
impl Gauge for NatsGauge {
    async fn backlog(&self, target: Option<&Target>) -> Result<Option<u64>> {
        let all = self.consumers(target).await?;
        Ok(all.iter().map(|c| c.num_pending + c.num_ack_pending).max())
    }

    async fn consumed(&self, target: Option<&Target>, sent: &[Receipt]) -> Result<Option<bool>> {
        let last: Option<Vec<u64>> = sent.iter().map(|r| r.id.as_deref()?.parse().ok()).collect();
        let Some(last) = last.and_then(|numbers| numbers.into_iter().max()) else { return Ok(None) };
        let all = self.consumers(target).await?;
        if all.is_empty() {
            return Ok(None);
        }
        // Where each has its own subject, the last may be none of those that one with a filter gets.
        let each = self.place.as_ref().is_some_and(|(_, subject)| subject.is_none()) && target.is_none();
        Ok(Some(all.iter().all(|c| c.is_through(last) || each && c.has_filter() && c.is_idle())))
    }
}
