//! The queue, as one process sees it.

use std::sync::Arc;

use async_trait::async_trait;
use dlq::broker::address::Secret;
use dlq::broker::capability::{Coverage, IdentityKind, Lease, Order, Peek, Removal};
use dlq::broker::{
    Accuracy, Act, Address, Batch, Bound, Capabilities, Closed, Delivery, Depth, Error, Kind as Wrong, Mover, Result,
    Scan, ScanRequest, Settlement, Settler, Sink, SinkCapabilities, Source, Token,
};
use dlq::message::{DeadLetter, Identity, REDELIVERED, Target, Value};
use jiff::Timestamp;

use super::broker::FakeMover;
use super::world::{At, Kind, Shared, World, number_of};

pub struct FakeSource {
    world: Shared,
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
        Err(Error::new(Wrong::Unsupported, "no depth"))
    }
    async fn origins(&self) -> Result<Vec<Target>> {
        Ok(vec![])
    }
    async fn receivers(&self, _: &Target) -> Result<Vec<String>> {
        Ok(vec![])
    }
    async fn home(&self) -> Result<Box<dyn Sink>> {
        Err(Error::new(Wrong::Unsupported, "no home"))
    }
    fn strip(&self, _: &mut DeadLetter) -> Vec<String> {
        vec![]
    }
    async fn scan(&self, _: ScanRequest) -> Result<Box<dyn Scan>> {
        self.world.step().await;
        let w = self.world.lock();
        let unseen = w.items.iter().filter(|i| i.at == At::Hidden).count() as u64;
        let bound = Bound { at: Timestamp::UNIX_EPOCH, messages: None };
        Ok(Box::new(FakeScan { world: self.world.clone(), bound, unseen }))
    }
    async fn purge_all(&self) -> Result<Option<u64>> {
        Ok(None)
    }
}

struct FakeScan {
    world: Shared,
    bound: Bound,
    unseen: u64,
}

#[async_trait]
impl Scan for FakeScan {
    async fn next(&mut self) -> Result<Option<Batch>> {
        self.world.step().await;
        let mut guard = self.world.lock();
        let w = &mut *guard;
        // A lease that ran out brings a message back to the very scan that had it.
        let again = w.s.kind == Kind::Lease;
        let free: Vec<usize> =
            (0..w.items.len()).filter(|n| w.items[*n].at == At::Ready && (again || !w.items[*n].seen)).collect();
        let mut deliveries = vec![];
        for n in free.into_iter().take(w.s.batch) {
            w.tokens += 1;
            let token = Token(w.tokens);
            let item = &mut w.items[n];
            (item.at, item.seen) = (At::Held(token), true);
            let mut message = Box::new(item.letter.clone());
            if w.s.kind == Kind::Session {
                message.properties.set(REDELIVERED, Value::Bool(item.redelivered));
            }
            deliveries.push(Delivery { token, message });
        }
        Ok((!deliveries.is_empty()).then_some(Batch { lane: 0, deliveries }))
    }

    fn settler(&self) -> Arc<dyn Settler> {
        Arc::new(FakeSettler(self.world.clone()))
    }

    fn bound(&self) -> &Bound {
        &self.bound
    }

    async fn mover(&mut self, _: &SinkCapabilities) -> Result<Option<Box<dyn Mover>>> {
        let whole = self.world.lock().s.kind == Kind::Whole;
        Ok(whole.then(|| Box::new(FakeMover(self.world.clone())) as _))
    }

    async fn close(self: Box<Self>) -> Result<Closed> {
        self.world.step().await;
        let mut w = self.world.lock();
        for n in 0..w.items.len() {
            if matches!(w.items[n].at, At::Held(_)) {
                w.items[n].at = At::Ready;
                w.items[n].redelivered = true;
            }
        }
        Ok(Closed { unseen: Some(self.unseen).filter(|n| *n > 0), ..Closed::default() })
    }
}

struct FakeSettler(Shared);

#[async_trait]
impl Settler for FakeSettler {
    async fn settle(&self, settlements: Vec<Settlement>) -> Vec<Result<()>> {
        let mut out = vec![];
        for Settlement { token, act } in settlements {
            if act == Act::Done {
                self.0.step().await;
            }
            out.push(if act == Act::Done { remove(&mut self.0.lock(), token) } else { Ok(()) });
        }
        // Carried out, and not answered yet.
        self.0.step().await;
        // Leases that have run out by now; a backend does not hand out again what it still is asked to remove.
        let mut guard = self.0.lock();
        let w = &mut *guard;
        for n in 0..w.items.len() {
            let failed = matches!(w.items[n].at, At::Held(token) if w.not_removed.remove(&token));
            if failed && w.s.kind == Kind::Lease && w.chance(0.5) {
                w.items[n].at = At::Ready;
            }
        }
        out
    }
}

fn remove(w: &mut World, token: Token) -> Result<()> {
    let Some(n) = w.items.iter().position(|i| i.at == At::Held(token)) else {
        w.breaks(format!("{token:?} is removed, and is not held"));
        return Ok(());
    };
    let (identity, id) = (w.items[n].letter.identity, w.items[n].letter.id.clone());
    let of = number_of(identity);
    // Written down as arrived: by this attempt, or known from one before where that proves anything.
    let known = w.durable_rows().iter().filter(|r| r.identity == identity && r.confirmed).count() as u64;
    let exact = matches!(identity, Identity::Exact(_));
    if known == 0 {
        w.breaks(format!("{id} is removed before its arrival is written down"));
    }
    let confirmed = w.confirmed.get(&of).copied().unwrap_or(0);
    if !exact && confirmed == 0 {
        w.breaks(format!("{id} is removed, and none like it was confirmed in this attempt"));
    }
    w.confirmed.insert(of, confirmed.saturating_sub(1));
    let (fails, unknown) = (w.s.faults.removal_fails, w.s.faults.removal_unknown);
    if w.chance(fails) {
        w.not_removed.insert(token);
        return Err(Error::new(Wrong::Rejected, "the removal failed"));
    }
    w.items[n].at = At::Removed;
    if w.chance(unknown) {
        return Err(Error::new(Wrong::Indeterminate, "the removal was not answered"));
    }
    Ok(())
}
