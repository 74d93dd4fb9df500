//! The fake destination.

use std::sync::Arc;

use async_trait::async_trait;
use dlq::broker::{Confirms, Error, Fit, Kind, Outgoing, Receipt, Result, Sink, SinkCapabilities};
use dlq::message::{MARK_HEADER, Target};

use super::scenario::Mode;
use super::world::{Shared, World};

pub struct FakeSink {
    world: Shared,
    capabilities: SinkCapabilities,
    dead: bool,
    closed: bool,
}

impl FakeSink {
    pub fn new(world: Shared) -> Self {
        let capabilities = {
            let w = world.lock();
            SinkCapabilities {
                kind: "fake",
                transaction_domain: w.s.whole.then(|| "one".to_owned()),
                max_message: None,
                batch: w.s.batch,
                window: w.s.window,
                proves_routing: true,
                private: false,
                tombstones: true,
                properties: None,
            }
        };
        FakeSink { world, capabilities, dead: false, closed: false }
    }
}

impl Drop for FakeSink {
    fn drop(&mut self) {
        let mut w = self.world.lock();
        if !self.closed && w.s.drop_at.is_none() {
            w.breaks("a sink was dropped and not closed");
        }
    }
}

/// What will come of one message, decided when it is sent.
enum Fate {
    Confirmed,
    Rejected,
    /// No answer; whether it was stored is the broker's secret.
    Unclear,
    Gone,
}

fn fate(w: &mut World, dead: bool) -> (Fate, bool) {
    let f = w.s.faults.clone();
    if dead {
        (Fate::Gone, false)
    } else if w.chance(f.rejected / 4.0) {
        (Fate::Rejected, false)
    } else if w.chance(f.indeterminate / 4.0) {
        let stored = w.chance(0.5);
        (Fate::Unclear, stored)
    } else {
        (Fate::Confirmed, true)
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

    async fn check(&self, target: Option<&Target>) -> Result<()> {
        self.world.pause().await;
        let mut w = self.world.lock();
        let p = w.s.faults.target_missing;
        let there = !w.chance(p);
        if w.checked.insert(target.cloned(), there).is_some() {
            w.breaks(format!("{target:?} is checked twice"));
        }
        if there { Ok(()) } else { Err(Error::new(Kind::NotFound, "no such queue")) }
    }

    async fn receivers(&self) -> Result<Vec<String>> {
        Ok(vec![])
    }

    fn fit(&self) -> Fit {
        let world = self.world.clone();
        Arc::new(move |o: &mut Outgoing| {
            let mut guard = world.lock();
            let w = &mut *guard;
            let n = w.index(&o.message);
            w.items[n].fitted = true;
            let faults = w.s.faults.clone();
            if w.chance(faults.unfit) {
                w.items[n].unfit = w.s.mode != Mode::Lease;
                return Err(Error::new(Kind::TooLarge, "too large"));
            }
            if !o.verbatim && w.chance(faults.no_room_for_mark) {
                o.message.headers.remove_if(|name, _| name == MARK_HEADER);
                return Ok(vec!["the replay mark".into()]);
            }
            Ok(vec![])
        })
    }

    async fn publish(&mut self, batch: Vec<Outgoing>) -> Confirms {
        let world = self.world.clone();
        let (many, fates, delay) = {
            let mut guard = world.lock();
            let w = &mut *guard;
            if self.closed || batch.is_empty() {
                w.breaks("a batch is published after the close, or is empty");
            }
            w.counts.out_now += batch.len();
            let allowed = w.s.window.min(w.s.concurrency.unwrap_or(usize::MAX));
            if w.counts.out_now > allowed {
                let out = w.counts.out_now;
                w.breaks(format!("{out} are unconfirmed at once, of {allowed}"));
            }
            let p = w.s.faults.channel_dies / 4.0;
            let dies = w.chance(p);
            let mut fates = Vec::new();
            for o in &batch {
                let n = w.index(&o.message);
                w.sending(n, o);
                let (fate, stored) = fate(w, self.dead);
                if stored {
                    w.store(n, &o.message);
                }
                // A channel that dies takes with it every answer that is still out, this batch's first of all.
                let fate = if dies && matches!(fate, Fate::Confirmed | Fate::Rejected) { Fate::Unclear } else { fate };
                fates.push((n, fate));
            }
            self.dead |= dies;
            (batch.len(), fates, (w.delay(), w.delay()))
        };
        let (answer, confirms) = tokio::sync::oneshot::channel();
        let later = world.clone();
        tokio::spawn(async move {
            tokio::time::sleep(delay.1).await;
            let mut guard = later.lock();
            let w = &mut *guard;
            w.counts.out_now -= many;
            let short = w.s.faults.confirms_short / 4.0;
            let short = w.chance(short);
            let mut results: Vec<Result<Receipt>> = Vec::new();
            let last = fates.len() - 1;
            for (at, (n, fate)) in fates.into_iter().enumerate() {
                if short && at == last {
                    w.counts.unclear += 1;
                    w.has_failed(n);
                    break;
                }
                results.push(match fate {
                    Fate::Confirmed => {
                        w.items[n].confirmed += 1;
                        w.counts.confirmed += 1;
                        Ok(Receipt::default())
                    }
                    Fate::Rejected => {
                        w.counts.rejected += 1;
                        w.has_failed(n);
                        Err(Error::new(Kind::Rejected, "the queue is full"))
                    }
                    Fate::Gone => {
                        w.tells_of_the_end();
                        w.counts.rejected += 1;
                        w.has_failed(n);
                        Err(Error::new(Kind::Unreachable, "the channel is gone"))
                    }
                    Fate::Unclear => {
                        w.counts.unclear += 1;
                        w.has_failed(n);
                        Err(Error::new(Kind::Indeterminate, "no answer came"))
                    }
                });
            }
            // Nobody need be waiting: the run may have been dropped.
            let _ = answer.send(results);
        });
        // The pipe is full for a while.
        if !delay.0.is_zero() {
            tokio::time::sleep(delay.0 / 2).await;
        }
        Box::pin(async move { confirms.await.unwrap_or_default() })
    }

    async fn close(mut self: Box<Self>) -> Result<()> {
        self.closed = true;
        self.world.pause().await;
        let mut w = self.world.lock();
        w.counts.sinks_closed += 1;
        if w.counts.out_now > 0 {
            w.breaks("the sink is closed while answers are out");
        }
        let p = w.s.faults.sink_close_fails;
        if w.chance(p) {
            w.counts.close_errors += 1;
            return Err(Error::new(Kind::Io, "the last sync failed"));
        }
        Ok(())
    }
}
