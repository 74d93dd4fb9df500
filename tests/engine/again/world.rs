//! The truth about every message, over all attempts.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use dlq::broker::{Outgoing, Token};
use dlq::journal::Row;
use dlq::message::{DeadLetter, Identity, Mark, Payload, Value};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::sync::Notify;

/// How the source hands out messages, and what finds them again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Held by a session, found by a fingerprint that equal messages share, flagged when they come again.
    Session,
    /// Leased, each with an id of its own.
    Lease,
    /// Read by position.
    Log,
    /// The same, and sent and removed in one act.
    Whole,
}

#[derive(Clone, Debug)]
pub struct Scenario {
    pub seed: u64,
    pub kind: Kind,
    pub messages: u64,
    /// So many different bodies among those that have equals.
    pub equals: u64,
    pub batch: usize,
    pub window: usize,
    pub replays: bool,
    /// The destination stores nothing twice that has the same id, as a FIFO queue.
    pub drops_repeats: bool,
    pub slow: u64,
    /// The steps after which each attempt is cut off; the others go to their end.
    pub cuts: Vec<u64>,
    pub faults: Faults,
}

/// Chances, while attempts are cut off.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    pub rejected: f64,
    pub unclear: f64,
    pub removal_fails: f64,
    pub removal_unknown: f64,
    pub disk_full: f64,
    /// What a dead process held is not back when the next begins.
    pub hidden: f64,
    /// Another consumer takes what is given back.
    pub taken: f64,
}

impl Scenario {
    pub fn draw(seed: u64) -> Scenario {
        let mut r = StdRng::seed_from_u64(seed);
        let messages = r.random_range(1..20);
        let cuts = (0..r.random_range(1..4)).map(|_| r.random_range(1..14 * messages)).collect();
        let mut p = |most: f64| if r.random_bool(0.3) { r.random_range(0.0..most) } else { 0.0 };
        let faults = Faults {
            rejected: p(0.3),
            unclear: p(0.3),
            removal_fails: p(0.3),
            removal_unknown: p(0.3),
            disk_full: p(0.05),
            hidden: p(0.6),
            taken: p(0.1),
        };
        Scenario {
            seed,
            kind: [Kind::Session, Kind::Session, Kind::Lease, Kind::Log, Kind::Whole][r.random_range(0..5)],
            messages,
            equals: r.random_range(1..4),
            batch: r.random_range(1..6),
            window: r.random_range(1..12),
            replays: r.random_bool(0.7),
            drops_repeats: r.random_bool(0.4),
            slow: r.random_range(0..6),
            cuts,
            faults,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    Ready,
    Held(Token),
    /// By a process that is gone.
    Hidden,
    Removed,
    Elsewhere,
}

pub struct Item {
    pub letter: DeadLetter,
    pub at: At,
    pub redelivered: bool,
    /// Read by this attempt.
    pub seen: bool,
}

pub struct World {
    pub s: Scenario,
    pub rng: StdRng,
    pub items: Vec<Item>,
    /// What the destination has: the message's id, and of replays the id in the mark.
    pub stored: Vec<(String, Option<String>)>,
    /// By which it knows repeats.
    known: HashSet<(u128, u64)>,
    /// Confirmed in this attempt, by identity.
    pub confirmed: HashMap<u128, u64>,
    /// Whose removal was refused.
    pub not_removed: HashSet<Token>,
    /// What is written down for good.
    pub durable: BTreeMap<u64, Vec<Row>>,
    named: Vec<String>,
    /// Named in this attempt, written down or not.
    pub told: Vec<String>,
    named_before: usize,
    /// Ids of what was known to have arrived when an attempt began, where that proves nothing.
    arrived_before: Vec<String>,
    /// Written down as arrived, where that proves it.
    proven: HashSet<u128>,
    /// Named in this attempt as sent again.
    doubled: HashMap<String, usize>,
    pub disk_full: bool,
    pub tokens: u64,
    steps: u64,
    cut_at: Option<u64>,
    gone: bool,
    pub broken: Vec<String>,
}

#[derive(Clone)]
pub struct Shared(Arc<Mutex<World>>, Arc<Notify>);

fn letter(n: u64, s: &Scenario) -> DeadLetter {
    // Every second one has equals; in a log or a queue with ids they are told apart nevertheless.
    let of = if n.is_multiple_of(2) { n / 2 % s.equals } else { 1000 + n };
    let mut m = DeadLetter::new("fake".into(), Payload::Bytes(format!("body {of}").into()));
    if s.kind == Kind::Session {
        (m.id, m.identity) = (format!("f{of}").into(), Identity::Like(of.into()));
        m.properties.push("redelivered", Value::Bool(false));
    } else {
        (m.id, m.identity) = (format!("m{n}").into(), Identity::Exact(n.into()));
    }
    m
}

pub fn number_of(identity: Identity) -> u128 {
    let (Identity::Exact(n) | Identity::Like(n)) = identity;
    n
}

impl Shared {
    pub fn new(s: Scenario) -> Shared {
        let item = |n| Item { letter: letter(n, &s), at: At::Ready, redelivered: false, seen: false };
        let world = World {
            rng: StdRng::seed_from_u64(s.seed ^ 0x5eed),
            items: (0..s.messages).map(item).collect(),
            stored: vec![],
            known: HashSet::new(),
            confirmed: HashMap::new(),
            not_removed: HashSet::new(),
            durable: BTreeMap::new(),
            named: vec![],
            told: vec![],
            named_before: 0,
            arrived_before: vec![],
            proven: HashSet::new(),
            doubled: HashMap::new(),
            disk_full: false,
            tokens: 0,
            steps: 0,
            cut_at: None,
            gone: false,
            broken: vec![],
            s,
        };
        Shared(Arc::new(Mutex::new(world)), Arc::default())
    }

    pub fn lock(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }

    /// Something is about to happen, or has happened. If the process is gone, it never returns.
    pub async fn step(&self) {
        let wait = {
            let mut w = self.lock();
            w.steps += 1;
            w.gone |= w.cut_at.is_some_and(|at| w.steps >= at);
            if w.gone {
                self.1.notify_one();
                None
            } else {
                let most = w.s.slow;
                Some(Duration::from_millis(w.rng.random_range(0..=most)))
            }
        };
        match wait {
            None => std::future::pending().await,
            Some(wait) if wait.is_zero() => {}
            Some(wait) => tokio::time::sleep(wait).await,
        }
        if self.lock().gone {
            std::future::pending().await
        }
    }

    pub async fn cut_off(&self) {
        self.1.notified().await;
    }
}

impl World {
    pub fn chance(&mut self, p: f64) -> bool {
        // Faults come while attempts are cut off; those after them are to find their way.
        p > 0.0 && self.cut_at.is_some() && self.rng.random_bool(p)
    }

    pub fn breaks(&mut self, what: impl Into<String>) {
        self.broken.push(what.into());
    }

    pub fn begins(&mut self, number: u64) {
        self.cut_at = self.s.cuts.get(number as usize).copied();
        (self.steps, self.gone, self.disk_full) = (0, false, false);
        self.confirmed.clear();
        self.told.clear();
        self.doubled.clear();
        self.named_before = self.named.len();
        let arrived: Vec<String> =
            self.durable_rows().into_iter().filter(|r| r.confirmed).map(|r| r.id.to_string()).collect();
        self.arrived_before.extend(arrived);
        let hidden = self.s.faults.hidden;
        for n in 0..self.items.len() {
            self.items[n].seen = false;
            if self.items[n].at == At::Hidden && !self.chance(hidden) {
                self.give_back(n);
            }
        }
    }

    /// What a process held, once it is gone or gives it back.
    pub fn give_back(&mut self, n: usize) {
        let taken = self.s.faults.taken;
        self.items[n].at = if self.chance(taken) { At::Elsewhere } else { At::Ready };
        self.items[n].redelivered = true;
    }

    pub fn ends(&mut self, by_itself: bool) {
        for item in &mut self.items {
            if matches!(item.at, At::Held(_)) {
                item.at = At::Hidden;
            }
        }
        if by_itself {
            // It has reported, on paper or not.
            self.named.truncate(self.named_before);
            self.named.append(&mut self.told);
        }
    }

    pub fn name(&mut self, id: String) {
        self.named.push(id);
    }

    /// It is named as sent again.
    pub fn doubles(&mut self, id: &str) {
        let again = self.items.iter().filter(|i| i.letter.id == id && i.redelivered).count();
        let named = self.doubled.entry(id.to_owned()).or_default();
        *named += 1;
        if *named > again && self.s.kind == Kind::Session {
            self.breaks(format!("{id} is named, and only {again} like it were delivered before"));
        }
    }

    pub fn durable_rows(&self) -> Vec<Row> {
        self.durable.values().flatten().cloned().collect()
    }

    pub fn next_batch(&self) -> u64 {
        self.durable.keys().max().map_or(0, |n| n + 1)
    }

    /// What is written down of a batch, from now on.
    pub fn write(&mut self, entry: dlq::journal::Entry) {
        for (batch, rows) in &mut self.durable {
            if *batch != entry.batch {
                rows.retain(|r| !entry.replaces.contains(&r.sequence));
            }
        }
        for row in entry.rows.iter().filter(|r| r.confirmed) {
            if let Identity::Exact(n) = row.identity {
                self.proven.insert(n);
            }
        }
        self.durable.insert(entry.batch, entry.rows);
        self.durable.retain(|_, rows| !rows.is_empty());
    }

    /// A message is in the pipe.
    pub fn sending(&mut self, o: &Outgoing) {
        let (identity, id) = (o.message.identity, &o.message.id);
        let rows = self.durable_rows();
        if self.s.kind != Kind::Whole {
            if matches!(identity, Identity::Exact(n) if self.proven.contains(&n)) {
                self.breaks(format!("{id} is known to have arrived, and is sent again"));
            }
            if !rows.iter().any(|r| r.sequence == o.sequence && r.identity == identity) {
                self.breaks(format!("{id} is sent before that is written down"));
            }
        }
    }

    /// The destination has taken it: it has it now, or had it before.
    pub fn store(&mut self, o: &Outgoing) {
        let number = match o.message.identity {
            Identity::Exact(_) => 0,
            Identity::Like(_) => o.sequence,
        };
        let new = self.known.insert((number_of(o.message.identity), number));
        if new || !self.s.drops_repeats {
            let mark = Mark::of(&o.message.headers).map(|m| m.id);
            self.stored.push((o.message.id.to_string(), mark));
        }
    }

    fn count(&self, id: &str, at: impl Fn(At) -> bool) -> usize {
        self.items.iter().filter(|i| i.letter.id == id && at(i.at)).count()
    }

    fn copies(&self, id: &str) -> usize {
        self.stored.iter().filter(|(of, _)| of == id).count()
    }

    fn ids(&self) -> HashSet<String> {
        self.items.iter().map(|i| i.letter.id.to_string()).collect()
    }

    pub fn nothing_is_lost(&mut self) {
        for id in self.ids() {
            let (removed, copies) = (self.count(&id, |at| at == At::Removed), self.copies(&id));
            if removed > copies {
                self.breaks(format!("{id}: {removed} removed, and {copies} arrived"));
            }
        }
    }

    /// The run says that nothing is left to do.
    pub fn is_done(&mut self, attempt: u64) {
        self.nothing_is_lost();
        for id in self.ids() {
            let left = self.count(&id, |at| !matches!(at, At::Removed | At::Elsewhere));
            if left > 0 && self.broken.is_empty() {
                self.breaks(format!("{id}: done after attempt {attempt}, and {left} are left"));
            }
            let (all, copies) = (self.count(&id, |_| true), self.copies(&id));
            let named = self.named.iter().filter(|n| **n == id).count();
            if copies > all + named {
                self.breaks(format!("{id}: {copies} copies of {all}, and {named} named"));
            }
            let again = if self.s.kind == Kind::Session { &self.arrived_before[..] } else { &[] };
            let again = again.iter().filter(|n| **n == id).count();
            if copies > all + again && self.s.drops_repeats {
                self.breaks(format!("{id}: {copies} copies of {all} where repeats are dropped, and {again} sent anew"));
            }
        }
        let mut marks = HashSet::new();
        let twice: Vec<_> =
            self.stored.iter().filter(|(_, mark)| mark.is_some() && !marks.insert(mark)).cloned().collect();
        for (id, mark) in twice {
            if !self.named.contains(&id) {
                self.breaks(format!("{id} is there twice with the mark {mark:?}, and not named"));
            }
        }
        if !self.durable.is_empty() && self.broken.is_empty() && !self.disk_full {
            let rows = self.durable_rows();
            self.breaks(format!("done, and not by the journal: {rows:?}"));
        }
        let removed = self.items.iter().filter(|i| i.at == At::Removed).count();
        if self.s.kind == Kind::Whole && self.stored.len() != removed {
            self.breaks("one act, and not once each");
        }
    }
}
