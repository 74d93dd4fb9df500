//! The fake backend's own transaction: stored there and removed here, or neither.

use std::sync::Arc;

use async_trait::async_trait;
use dlq::broker::{Act, Error, Kind, Move, Mover, Outcome, Receipt, Result};
use futures::future::BoxFuture;

use super::world::{At, Shared};

pub struct FakeMover {
    world: Shared,
    /// Transactions commit one after the other.
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl FakeMover {
    pub fn new(world: Shared) -> Self {
        FakeMover { world, turn: Arc::default() }
    }
}

#[async_trait]
impl Mover for FakeMover {
    async fn submit(&mut self, batch: Vec<Move>) -> BoxFuture<'static, Vec<Outcome>> {
        let world = self.world.clone();
        for m in &batch {
            let mut w = world.lock();
            let n = w.index(&m.outgoing.message);
            w.sending(n, &m.outgoing);
        }
        self.world.pause().await;
        let turn = Arc::clone(&self.turn).lock_owned();
        let committed = tokio::spawn(async move {
            let _turn = turn.await;
            world.pause().await;
            let mut guard = world.lock();
            let w = &mut *guard;
            let faults = w.s.faults.clone();
            let (aborts, unclear) = (w.chance(faults.rejected), w.chance(faults.indeterminate));
            let happens = !aborts && (!unclear || w.chance(0.5));
            batch
                .into_iter()
                .map(|m| {
                    let n = w.index(&m.outgoing.message);
                    // Its own business to know that this one is done with, one way or the other.
                    w.deliveries.insert(m.token, (n, Some(if happens { Act::Done } else { Act::Keep })));
                    if happens && !w.session_dead {
                        w.store(n, &m.outgoing.message);
                        w.items[n].confirmed += 1;
                        w.items[n].at = At::Removed;
                    }
                    if aborts || w.session_dead {
                        w.has_failed(n);
                        w.counts.rejected += 1;
                        Outcome::Failed(Error::new(Kind::Rejected, "the transaction was aborted"))
                    } else if unclear {
                        w.has_failed(n);
                        w.counts.unclear += 1;
                        Outcome::Indeterminate(Error::new(Kind::Indeterminate, "the commit was not answered"))
                    } else {
                        w.counts.confirmed += 1;
                        w.counts.removed_ok += 1;
                        Outcome::Moved(Receipt::default())
                    }
                })
                .collect::<Vec<_>>()
        });
        Box::pin(async move { committed.await.unwrap_or_default() })
    }

    async fn close(self: Box<Self>) -> Result<()> {
        self.world.lock().counts.movers_closed += 1;
        Ok(())
    }
}
