//! The settling half of a scan.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::Notify;

use super::batch;
use super::connect::Link;
use super::held::{Held, Lease};
use super::queue::Queue;
use crate::broker::{Act, Error, Kind, Result, Settlement, Settler};

/// Removes at once what is done; keeps by holding until the scan closes.
pub struct Settling {
    pub(super) link: Arc<Link>,
    pub(super) queue: Queue,
    pub(super) held: Arc<Held>,
    pub(super) changed: Arc<Notify>,
}

#[async_trait]
impl Settler for Settling {
    async fn settle(&self, settlements: Vec<Settlement>) -> Vec<Result<()>> {
        let of = |act: Act| settlements.iter().filter(move |s| s.act == act).map(|s| s.token.0);
        self.held.keep(of(Act::Keep));
        let done: Vec<u64> = of(Act::Done).collect();
        let mut fates = if done.is_empty() { Vec::new() } else { self.remove(&done).await }.into_iter();
        self.changed.notify_waiters();
        settlements
            .iter()
            .map(|s| match s.act {
                Act::Done => fates.next().unwrap_or_else(|| Err(Error::new(Kind::Other, "a removal has no outcome"))),
                Act::Keep => Ok(()),
            })
            .collect()
    }
}

impl Settling {
    async fn remove(&self, tokens: &[u64]) -> Vec<Result<()>> {
        let leases = self.held.leases(tokens);
        let known: Vec<Lease> = leases.iter().flatten().cloned().collect();
        let fates = batch::delete(&self.link, &self.queue.url, &self.queue.shown(), &known).await;
        let gone: Vec<u64> = known.iter().zip(&fates).filter(|(_, f)| f.is_ok()).map(|(l, _)| l.token).collect();
        let stay: Vec<u64> = known.iter().zip(&fates).filter(|(_, f)| f.is_err()).map(|(l, _)| l.token).collect();
        self.held.removed(&gone);
        self.held.keep(stay);
        let mut fates = fates.into_iter();
        leases
            .into_iter()
            .map(|lease| match lease {
                Some(_) => fates.next().unwrap_or_else(|| Err(Error::new(Kind::Other, "a removal has no outcome"))),
                None => Err(Error::new(Kind::Other, "this message is not held: it was settled before")),
            })
            .collect()
    }
}
