//! The fake source: a session, leases, or a log.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use dlq::broker::address::Secret;
use dlq::broker::capability::{Coverage, IdentityKind, Lease, Order, Peek, Removal};
use dlq::broker::{
    Accuracy, Act, Address, Batch, Bound, Capabilities, Closed, Delivery, Depth, Error, Kind, Mover, Result, Scan,
    ScanRequest, Settlement, Settler, Sink, SinkCapabilities, Source, Token,
};
use dlq::message::{DeadLetter, Target};
use jiff::Timestamp;
use rand::RngExt;
use tokio::time::Instant;

use super::mover::FakeMover;
use super::scenario::Mode;
use super::world::{At, Item, Shared};

pub struct FakeSource {
    pub world: Shared,
    address: Address,
    capabilities: Capabilities,
}

impl FakeSource {
    pub fn new(world: Shared) -> Self {
        let shown = "fake://h/dlq".to_owned();
        FakeSource {
            world,
            address: Address {
                backend: dlq::broker::registry::BACKENDS[0],
                typed: Secret::new(shown.clone()),
                canonical: shown.clone(),
                shown,
                options: Default::default(),
            },
            capabilities: Capabilities {
                kind: "fake",
                peek: Peek::Free,
                coverage: Coverage::Free,
                removal: Removal::Each,
                lease: Lease::Timed,
                order: Order::Lanes,
                identity: IdentityKind::Like,
                accuracy: Accuracy::Exact,
                whole_purge: false,
            },
        }
    }
}

#[async_trait]
impl Source for FakeSource {
    fn address(&self) -> &Address {
        &self.address
    }
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }
    fn principal(&self) -> Option<String> {
        None
    }
    async fn depth(&self) -> Result<Depth> {
        Err(Error::new(Kind::Unsupported, "no depth"))
    }
    async fn origins(&self) -> Result<Vec<Target>> {
        Ok(vec![])
    }
    async fn receivers(&self, _: &Target) -> Result<Vec<String>> {
        Ok(vec![])
    }
    async fn home(&self) -> Result<Box<dyn Sink>> {
        Err(Error::new(Kind::Unsupported, "no home"))
    }
    fn strip(&self, m: &mut DeadLetter) -> Vec<String> {
        m.headers.remove_if(|name, _| name == "x-broker")
    }
    async fn scan(&self, request: ScanRequest) -> Result<Box<dyn Scan>> {
        self.world.pause().await;
        let mut w = self.world.lock();
        if request.takes != w.s.removes {
            w.breaks("the scan is asked for another purpose than the run has");
        }
        let p = w.s.faults.scan_refused;
        if w.chance(p) {
            return Err(Error::new(Kind::Held, "another run holds the queue"));
        }
        w.counts.scans += 1;
        let messages = w.items.len() as u64;
        // A backend may hand out whole pages, beyond what it was asked for.
        let pages = w.s.seed.is_multiple_of(3);
        let left = request.at_most.filter(|_| !pages).map_or(messages, |most| most.min(messages));
        Ok(Box::new(FakeScan {
            world: self.world.clone(),
            bound: Bound { at: Timestamp::UNIX_EPOCH, messages: Some(messages) },
            left,
            wake: None,
            began: false,
            cut: None,
            closed: false,
        }))
    }
    async fn purge_all(&self) -> Result<Option<u64>> {
        Ok(None)
    }
}

struct FakeScan {
    world: Shared,
    bound: Bound,
    left: u64,
    wake: Option<Instant>,
    began: bool,
    cut: Option<String>,
    closed: bool,
}

impl Drop for FakeScan {
    fn drop(&mut self) {
        let mut w = self.world.lock();
        if !self.closed {
            // As a broker does when a connection is cut. Only a run that was itself dropped may do this.
            w.kill_session();
            if w.s.drop_at.is_none() {
                w.breaks("a scan was dropped and not closed");
            }
        }
    }
}

enum Turn {
    Batch(Batch),
    End,
    Wait,
}

impl FakeScan {
    fn turn(&mut self) -> Result<Turn> {
        let mut guard = self.world.lock();
        let w = &mut *guard;
        let faults = w.s.faults.clone();
        if w.session_dead {
            return Err(Error::new(Kind::Unreachable, "the session is gone"));
        }
        if w.chance(faults.session_dies) && w.s.mode == Mode::Session {
            w.kill_session();
            return Err(Error::new(Kind::Unreachable, "the session broke"));
        }
        if w.chance(faults.read_fails) {
            return Err(Error::new(Kind::Corrupt, "line 7 is torn"));
        }
        // Another consumer, and leases that run out.
        for n in 0..w.items.len() {
            if w.items[n].at == At::Ready && !w.items[n].seen && w.chance(faults.taken_by_others / 10.0) {
                w.items[n].at = At::Elsewhere;
            }
            if w.s.mode == Mode::Lease && matches!(w.items[n].at, At::Held(_)) && w.chance(faults.lease_expires) {
                w.items[n].at = At::Ready;
            }
        }
        let held = w.held();
        if self.left > 0 && held >= w.s.hold {
            // Kept, or its removal failed: either way it stays held until the end.
            let stays = |i: &&Item| matches!(i.at, At::Held(t) if w.deliveries[&t].1.is_some());
            let kept = w.items.iter().filter(stays).count();
            let nothing_is_settled = !w.s.removes;
            if kept >= held || nothing_is_settled {
                self.cut = Some("no more may be held at once".into());
                return Ok(Turn::End);
            }
            return Ok(Turn::Wait);
        }
        let again = w.s.mode == Mode::Lease;
        let free = |i: &Item| i.at == At::Ready && (again || !i.seen);
        let lanes: Vec<u64> = (0..w.s.lanes).filter(|l| w.items.iter().any(|i| i.lane == *l && free(i))).collect();
        if self.left == 0 || lanes.is_empty() {
            return Ok(Turn::End);
        }
        let lane = lanes[w.rng.random_range(0..lanes.len())];
        let most = w.s.read_batch.min(w.s.hold - held).min(self.left as usize);
        let taken: Vec<usize> =
            (0..w.items.len()).filter(|n| w.items[*n].lane == lane && free(&w.items[*n])).take(most).collect();
        let mut deliveries = Vec::new();
        for n in taken {
            let token = Token(w.deliveries.len() as u64);
            w.deliveries.insert(token, (n, None));
            w.items[n].at = At::Held(token);
            w.items[n].seen = true;
            w.counts.delivered += 1;
            deliveries.push(Delivery { token, message: Box::new(w.items[n].letter.clone()) });
        }
        self.left -= deliveries.len() as u64;
        Ok(Turn::Batch(Batch { lane, deliveries }))
    }
}

#[async_trait]
impl Scan for FakeScan {
    async fn next(&mut self) -> Result<Option<Batch>> {
        self.began = true;
        loop {
            let wait = self.world.lock().delay();
            let wake = *self.wake.get_or_insert_with(|| Instant::now() + wait);
            tokio::time::sleep_until(wake).await;
            self.wake = None;
            match self.turn()? {
                Turn::Batch(batch) => return Ok(Some(batch)),
                Turn::End => return Ok(None),
                // It waits for room, which only settling makes.
                Turn::Wait => self.wake = Some(Instant::now() + Duration::from_millis(3)),
            }
        }
    }

    fn settler(&self) -> Arc<dyn Settler> {
        Arc::new(FakeSettler(self.world.clone()))
    }

    fn bound(&self) -> &Bound {
        &self.bound
    }

    async fn mover(&mut self, to: &SinkCapabilities) -> Result<Option<Box<dyn Mover>>> {
        if self.began {
            self.world.lock().breaks("a mover is asked for after the first read");
        }
        if to.transaction_domain.is_none() {
            return Ok(None);
        }
        self.world.lock().counts.movers += 1;
        Ok(Some(Box::new(FakeMover::new(self.world.clone()))))
    }

    async fn close(mut self: Box<Self>) -> Result<Closed> {
        self.world.pause().await;
        self.closed = true;
        let mut w = self.world.lock();
        w.counts.scans_closed += 1;
        w.give_back();
        let p = w.s.faults.scan_close_fails;
        if w.session_dead || w.chance(p) {
            w.session_dead = true;
            w.counts.close_errors += 1;
            return Err(Error::new(Kind::Unreachable, "giving back was not answered"));
        }
        w.session_dead = true;
        Ok(Closed { cut: self.cut.take(), ..Closed::default() })
    }
}

pub struct FakeSettler(pub Shared);

#[async_trait]
impl Settler for FakeSettler {
    async fn settle(&self, settlements: Vec<Settlement>) -> Vec<Result<()>> {
        if settlements.iter().any(|s| s.act == Act::Done) {
            self.0.pause().await;
        }
        let mut guard = self.0.lock();
        let w = &mut *guard;
        let faults = w.s.faults.clone();
        let acts: Vec<Act> = settlements.iter().map(|s| s.act).collect();
        let mut out: Vec<Result<()>> = settlements.into_iter().map(|s| settle_one(w, s)).collect();
        // An answer that never came for the last of them.
        if out.last().is_some_and(Result::is_ok) && w.chance(faults.settle_short) {
            out.pop();
        }
        let answered = acts.iter().zip(&out).filter(|(act, answer)| **act == Act::Done && answer.is_ok());
        w.counts.removed_ok += answered.count() as u64;
        w.settled.notify_waiters();
        out
    }
}

fn settle_one(w: &mut super::world::World, Settlement { token, act }: Settlement) -> Result<()> {
    let Some((n, before)) = w.deliveries.get(&token).copied() else {
        w.breaks(format!("{token:?} is settled, and was never delivered"));
        return Ok(());
    };
    if let Some(before) = before {
        w.breaks(format!("m{n} is settled twice: {before:?}, then {act:?}"));
    }
    if w.counts.scans_closed > 0 {
        w.breaks(format!("m{n} is settled after the scan was closed"));
    }
    w.deliveries.insert(token, (n, Some(act)));
    if act == Act::Keep {
        return Ok(());
    }
    if !w.s.removes {
        w.breaks(format!("m{n} is removed, and was only to be copied"));
    }
    w.items[n].removals += 1;
    if w.items[n].removals > w.items[n].confirmed {
        w.breaks(format!("m{n} is removed before it is confirmed"));
    }
    let faults = w.s.faults.clone();
    if w.session_dead {
        w.tells_of_the_end();
        return Err(Error::new(Kind::Unreachable, "the session is gone"));
    }
    if w.items[n].at != At::Held(token) {
        return Err(Error::new(Kind::Rejected, "the lease has run out"));
    }
    if w.chance(faults.session_dies / 4.0) && w.s.mode == Mode::Session {
        w.kill_session();
        return Err(Error::new(Kind::Unreachable, "the session broke"));
    }
    if w.chance(faults.removal_fails) {
        return Err(Error::new(Kind::Rejected, "the removal failed"));
    }
    w.items[n].at = At::Removed;
    if w.chance(faults.removal_unknown) {
        return Err(Error::new(Kind::Indeterminate, "the removal was not answered"));
    }
    Ok(())
}
