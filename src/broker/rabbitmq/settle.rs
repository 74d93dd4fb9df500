//! The settling half of a scan.

use std::sync::Arc;

use async_trait::async_trait;

use super::held::Held;
use crate::broker::{Act, Error, Kind, Result, Settlement, Settler};

/// Acknowledges at once what is done; keeps by doing nothing until the scan closes.
pub struct Settling(pub Arc<Held>);

#[async_trait]
impl Settler for Settling {
    async fn settle(&self, settlements: Vec<Settlement>) -> Vec<Result<()>> {
        let done: Vec<u64> = settlements.iter().filter(|s| s.act == Act::Done).map(|s| s.token.0).collect();
        if done.is_empty() {
            return settlements.iter().map(|_| Ok(())).collect();
        }
        let mut fates = self.0.done(&done).await.into_iter();
        settlements
            .iter()
            .map(|s| match s.act {
                Act::Done => {
                    fates.next().unwrap_or_else(|| Err(Error::new(Kind::Other, "an acknowledgement has no outcome")))
                }
                Act::Keep => Ok(()),
            })
            .collect()
    }
}
