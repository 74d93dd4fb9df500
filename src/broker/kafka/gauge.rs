//! How far the consumer groups of a topic have come with what is sent there.

use std::sync::Arc;

use async_trait::async_trait;

use super::connect::{Link, blocking};
use super::groups::{self, Groups};
use super::letter::parse_id;
use crate::broker::{Gauge, Receipt, Result};
use crate::message::Target;

/// Of the topics of a cluster.
pub(super) struct KafkaGauge {
    pub(super) link: Arc<Link>,
    /// Where those go that carry no target of their own.
    pub(super) topic: Arc<str>,
}

impl KafkaGauge {
    async fn groups(&self, target: Option<&Target>) -> Result<Groups> {
        let topic = target.and_then(|t| t.queue.clone()).unwrap_or_else(|| Arc::clone(&self.topic));
        let link = Arc::clone(&self.link);
        blocking(move || groups::of_topic(&link, &topic)).await
    }
}

#[async_trait]
impl Gauge for KafkaGauge {
    async fn backlog(&self, target: Option<&Target>) -> Result<Option<u64>> {
        Ok(self.groups(target).await?.longest())
    }

    async fn consumed(&self, target: Option<&Target>, sent: &[Receipt]) -> Result<Option<bool>> {
        let found = self.groups(target).await?;
        if found.groups.is_empty() || !found.is_whole() {
            return Ok(None);
        }
        // What was sent in a transaction has no receipt that says where: then all there is must be read.
        let places: Option<Vec<(i32, i64)>> = sent.iter().map(|r| parse_id(r.id.as_deref()?)).collect();
        let Some(places) = places else { return Ok(found.longest().map(|lag| lag == 0)) };
        let past = |committed: &super::sys::Committed| {
            places.iter().all(|(p, at)| committed.get(p).copied().flatten().is_some_and(|next| next > *at))
        };
        Ok(Some(found.groups.iter().all(|g| past(&g.committed))))
    }
}
