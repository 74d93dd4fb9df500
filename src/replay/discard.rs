//! The destination of a purge without a backup: confirms at once and keeps nothing.

use std::sync::Arc;

use async_trait::async_trait;

use crate::broker::{Confirms, Fit, Outgoing, Receipt, Result, Sink, SinkCapabilities};
use crate::message::Target;

/// Takes everything and keeps nothing.
pub struct Discard {
    capabilities: SinkCapabilities,
}

impl Default for Discard {
    fn default() -> Self {
        Discard {
            capabilities: SinkCapabilities {
                kind: "nothing",
                transaction_domain: None,
                max_message: None,
                batch: 1000,
                // Bounds what waits for its removal: the source is the slow side here.
                window: 10_000,
                proves_routing: true,
                private: true,
            },
        }
    }
}

#[async_trait]
impl Sink for Discard {
    fn shown(&self) -> &str {
        "nowhere"
    }

    fn capabilities(&self) -> &SinkCapabilities {
        &self.capabilities
    }

    async fn check(&self, _: Option<&Target>) -> Result<()> {
        Ok(())
    }

    async fn receivers(&self) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    fn fit(&self) -> Fit {
        Arc::new(|_| Ok(Vec::new()))
    }

    async fn publish(&mut self, batch: Vec<Outgoing>) -> Confirms {
        Box::pin(std::future::ready(batch.iter().map(|_| Ok(Receipt::default())).collect()))
    }

    async fn close(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}
