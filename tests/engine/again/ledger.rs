//! The journal in memory: what waits is written in one go, takes a while, may fail, and is lost with the process until then.

use std::sync::Arc;

use dlq::broker::{Error, Kind, Result};
use dlq::journal::{Entry, Ledger};
use futures::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};

use super::world::Shared;

enum Order {
    Entries(Vec<Entry>, Option<oneshot::Sender<Result<()>>>),
    Name(String),
    Flush(oneshot::Sender<()>),
}

pub struct FakeLedger {
    orders: mpsc::UnboundedSender<Order>,
}

impl FakeLedger {
    pub fn start(world: Shared) -> FakeLedger {
        let (orders, mut received) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            let mut together = vec![];
            while received.recv_many(&mut together, 64).await > 0 {
                world.step().await;
                let full = {
                    let mut w = world.lock();
                    let full = w.s.faults.disk_full;
                    w.disk_full |= w.chance(full);
                    w.disk_full
                };
                let mut answers = vec![];
                for order in together.drain(..) {
                    let mut w = world.lock();
                    match order {
                        Order::Entries(entries, answer) => {
                            if !full {
                                entries.into_iter().for_each(|entry| w.write(entry));
                            }
                            answers.extend(answer);
                        }
                        Order::Name(id) if !full => w.name(id),
                        Order::Name(_) => {}
                        Order::Flush(answer) => _ = answer.send(()),
                    }
                }
                // Written down, and nobody knows it yet.
                world.step().await;
                for answer in answers {
                    _ = answer.send(if full { Err(Error::new(Kind::Journal, "the disk is full")) } else { Ok(()) });
                }
            }
        });
        FakeLedger { orders }
    }

    pub fn name(&self, id: &str) {
        _ = self.orders.send(Order::Name(id.to_owned()));
    }

    pub async fn flush(self: &Arc<Self>) {
        let (answer, flushed) = oneshot::channel();
        _ = self.orders.send(Order::Flush(answer));
        _ = flushed.await;
    }
}

impl Ledger for FakeLedger {
    fn write(&self, entries: Vec<Entry>) -> BoxFuture<'static, Result<()>> {
        let (answer, written) = oneshot::channel();
        _ = self.orders.send(Order::Entries(entries, Some(answer)));
        Box::pin(async move { written.await.unwrap() })
    }

    fn note(&self, entries: Vec<Entry>) {
        _ = self.orders.send(Order::Entries(entries, None));
    }
}
