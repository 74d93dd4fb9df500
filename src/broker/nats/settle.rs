//! The settling half of a scan: one delete a message, many at once.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use futures::{StreamExt, stream};
use roaring::RoaringTreemap;

use super::connect::Link;
use super::stream::StreamInfo;
use crate::broker::{Act, Error, Kind, Result, Settlement, Settler};

/// Deletes under way at once.
const AT_ONCE: usize = 128;

/// Numbers of the messages that were handed out and are not removed.
#[derive(Clone, Default)]
pub struct Handed(Arc<Mutex<RoaringTreemap>>);

impl Handed {
    /// Handed out.
    pub fn add(&self, seq: u64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(seq);
    }

    /// Whether it was, and is not removed yet.
    fn has(&self, seq: u64) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(seq)
    }

    fn remove(&self, seq: u64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(seq);
    }
}

/// Removes what is done; what is kept was never taken.
pub struct Settling {
    /// The connection.
    pub link: Link,
    /// The stream.
    pub stream: String,
    /// What may be removed.
    pub handed: Handed,
    /// The stream, as it was when the scan began.
    pub info: StreamInfo,
}

impl Settling {
    /// Whether numbers still mean the messages that were read.
    async fn is_the_same(&self) -> Result<()> {
        let now = self.link.info(&self.stream, serde_json::Value::Null).await?;
        if now.continues(&self.info) {
            return Ok(());
        }
        let text = format!("stream {} was made anew since it was read: its numbers are of other messages", self.stream);
        Err(Error::new(Kind::Other, text))
    }

    async fn one(&self, s: Settlement) -> Result<()> {
        let seq = s.token.0;
        if s.act == Act::Keep {
            return Ok(());
        }
        if !self.handed.has(seq) {
            return Err(Error::new(
                Kind::Other,
                format!("message {seq} was not read by this scan, or is removed already"),
            ));
        }
        self.link.delete(&self.stream, seq).await?;
        self.handed.remove(seq);
        Ok(())
    }
}

#[async_trait]
impl Settler for Settling {
    async fn settle(&self, settlements: Vec<Settlement>) -> Vec<Result<()>> {
        if settlements.iter().any(|s| s.act != Act::Keep)
            && let Err(e) = self.is_the_same().await
        {
            let fate = |s: &Settlement| if s.act == Act::Keep { Ok(()) } else { Err(e.again()) };
            return settlements.iter().map(fate).collect();
        }
        let all: Vec<_> = settlements.into_iter().map(|s| self.one(s)).collect();
        stream::iter(all).buffered(AT_ONCE).collect().await
    }
}
