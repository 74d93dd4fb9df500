//! The settling half of a scan.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use super::error;
use super::removed::SideLog;
use crate::broker::{Act, Error, Kind, Result, Settlement, Settler};

/// Notes removals in the side log; one that has none refuses them.
pub(super) struct FileSettler {
    log: Arc<Mutex<Option<SideLog>>>,
}

impl FileSettler {
    pub(super) fn new(log: Option<SideLog>) -> Self {
        FileSettler { log: Arc::new(Mutex::new(log)) }
    }

    /// Takes the side log away: nothing can be settled after.
    pub(super) fn end(&self) -> Option<SideLog> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

#[async_trait]
impl Settler for FileSettler {
    async fn settle(&self, settlements: Vec<Settlement>) -> Vec<Result<()>> {
        let done: Vec<u64> = settlements.iter().filter(|s| s.act == Act::Done).map(|s| s.token.0).collect();
        let log = Arc::clone(&self.log);
        let outcome = if done.is_empty() {
            Ok(())
        } else {
            error::blocking(move || match log.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
                Some(log) => log.append(&done),
                None => Err(Error::new(Kind::Unsupported, "this scan removes nothing: it only looks, or it is closed")),
            })
            .await
        };
        let one = |s: &Settlement| match (&outcome, s.act) {
            (Err(e), Act::Done) => Err(e.again()),
            _ => Ok(()),
        };
        settlements.iter().map(one).collect()
    }
}
