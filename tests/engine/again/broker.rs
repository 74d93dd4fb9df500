//! The destination, and the act that is both sending and removing.

use std::sync::Arc;

use async_trait::async_trait;
use dlq::broker::{
    Confirms, Error, Fit, Kind as Wrong, Move, Mover, Outcome, Outgoing, Receipt, Result, Sink, SinkCapabilities,
};
use dlq::message::Target;
use futures::future::BoxFuture;

use super::world::{At, Kind, Shared, number_of};

pub struct FakeSink {
    world: Shared,
    capabilities: SinkCapabilities,
}

impl FakeSink {
    pub fn new(world: Shared) -> Self {
        let s = world.lock().s.clone();
        let capabilities = SinkCapabilities {
            tombstones: true,
            properties: None,
            kind: "fake",
            transaction_domain: (s.kind == Kind::Whole).then(|| "one".to_owned()),
            max_message: None,
            batch: s.batch,
            window: s.window,
            proves_routing: true,
            private: false,
        };
        FakeSink { world, capabilities }
    }
}

#[async_trait]
impl Sink for FakeSink {
    fn shown(&self) -> &str {
        "fake"
    }
    fn capabilities(&self) -> &SinkCapabilities {
        &self.capabilities
    }
    async fn check(&self, _: Option<&Target>) -> Result<()> {
        Ok(())
    }
    async fn receivers(&self) -> Result<Vec<String>> {
        Ok(vec![])
    }
    fn fit(&self) -> Fit {
        Arc::new(|_: &mut Outgoing| Ok(vec![]))
    }

    async fn publish(&mut self, batch: Vec<Outgoing>) -> Confirms {
        let mut fates = vec![];
        for o in batch {
            self.world.step().await;
            let mut w = self.world.lock();
            w.sending(&o);
            let (rejected, unclear) = (w.s.faults.rejected, w.s.faults.unclear);
            let fate = if w.chance(rejected) {
                Err(Error::new(Wrong::Rejected, "the queue is full"))
            } else if w.chance(unclear) {
                if w.chance(0.5) {
                    w.store(&o);
                }
                Err(Error::new(Wrong::Indeterminate, "no answer came"))
            } else {
                w.store(&o);
                Ok(number_of(o.message.identity))
            };
            fates.push(fate);
        }
        let (answer, confirms) = tokio::sync::oneshot::channel();
        let world = self.world.clone();
        tokio::spawn(async move {
            world.step().await;
            let mut w = world.lock();
            let confirmed = |fate: Result<u128>| {
                fate.map(|of| {
                    *w.confirmed.entry(of).or_default() += 1;
                    Receipt::default()
                })
            };
            _ = answer.send(fates.into_iter().map(confirmed).collect());
        });
        Box::pin(async move { confirms.await.unwrap_or_default() })
    }

    async fn close(self: Box<Self>) -> Result<()> {
        self.world.step().await;
        Ok(())
    }
}

pub struct FakeMover(pub Shared);

#[async_trait]
impl Mover for FakeMover {
    async fn submit(&mut self, batch: Vec<Move>) -> BoxFuture<'static, Vec<Outcome>> {
        self.0.step().await;
        let outcomes: Vec<Outcome> = {
            let mut w = self.0.lock();
            let (rejected, unclear) = (w.s.faults.rejected, w.s.faults.unclear);
            let (aborts, unclear) = (w.chance(rejected), w.chance(unclear));
            let happens = !aborts && (!unclear || w.chance(0.5));
            let mut one = |m: Move| {
                if happens {
                    w.store(&m.outgoing);
                    let n = w.items.iter().position(|i| i.at == At::Held(m.token)).unwrap();
                    w.items[n].at = At::Removed;
                }
                match (aborts, unclear) {
                    (true, _) => Outcome::Failed(Error::new(Wrong::Rejected, "aborted")),
                    (_, true) => Outcome::Indeterminate(Error::new(Wrong::Indeterminate, "not answered")),
                    _ => Outcome::Moved(Receipt::default()),
                }
            };
            batch.into_iter().map(&mut one).collect()
        };
        self.0.step().await;
        Box::pin(std::future::ready(outcomes))
    }

    async fn close(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}
