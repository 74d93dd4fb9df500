//! The destination of a purge without a backup: confirms at once and keeps nothing.

use std::sync::Arc;

use async_trait::async_trait;

use crate::broker::{Address, Confirms, Finding, Fit, Load, Outgoing, Receipt, Result, Sink, SinkCapabilities};
use crate::message::Target;

/// Takes everything and keeps nothing.
pub struct Discard {
    instead_of: Option<Address>,
    capabilities: SinkCapabilities,
}

impl Default for Discard {
    fn default() -> Self {
        Discard {
            instead_of: None,
            capabilities: SinkCapabilities {
                kind: "nothing",
                transaction_domain: None,
                max_message: None,
                batch: 1000,
                // Bounds what waits for its removal: the source is the slow side here.
                window: 10_000,
                proves_routing: true,
                private: true,
                tombstones: true,
                properties: None,
            },
        }
    }
}

impl Discard {
    /// In the place of one that would be made by opening it.
    pub fn instead_of(place: &Address) -> Discard {
        Discard { instead_of: Some(place.clone()), ..Discard::default() }
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

    async fn can(&self, _: Option<&Target>, load: Load) -> Vec<Finding> {
        match self.instead_of.as_ref().and_then(|place| Some((place.backend.can_create?, place))) {
            Some((can, place)) => can(place, load).await,
            None => Vec::new(),
        }
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
