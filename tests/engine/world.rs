//! The truth: where each message is, and every broken rule, noted at the moment it is broken.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use dlq::broker::{Act, Batch, Delivery, Token};
use dlq::message::{DeadLetter, MARK_HEADER, Mark, Origin, Payload, Target, Value};
use dlq::replay::OnFailure;
use dlq::select::{Selection, Verdict};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::sync::Notify;

use super::scenario::{Mode, Scenario};

pub const RUN: &str = "20261123T181401-aaaaaa";

/// Where a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    Ready,
    Held(Token),
    Removed,
    Elsewhere,
}

pub struct Item {
    pub lane: u64,
    pub letter: DeadLetter,
    pub at: At,
    /// Handed out by this scan already, where it is not handed out twice.
    pub seen: bool,
    /// Copies the destination has stored, and copies it has confirmed.
    pub stored: u64,
    pub confirmed: u64,
    pub removals: u64,
    pub failed: bool,
    /// The sink has refused to fit it.
    pub unfit: bool,
    /// The sink was asked to fit it.
    pub fitted: bool,
    pub wanted: bool,
}

#[derive(Default)]
pub struct Counts {
    pub delivered: u64,
    pub removed_ok: u64,
    pub confirmed: u64,
    pub rejected: u64,
    pub unclear: u64,
    pub unmarked: u64,
    pub scans: u64,
    pub scans_closed: u64,
    pub sinks_closed: u64,
    pub movers: u64,
    pub movers_closed: u64,
    pub out_now: usize,
    /// Errors given when something was closed.
    pub close_errors: u64,
}

pub struct World {
    pub s: Scenario,
    pub selection: Arc<Selection>,
    pub rng: StdRng,
    pub items: Vec<Item>,
    pub deliveries: HashMap<Token, (usize, Option<Act>)>,
    pub failed_lanes: HashSet<u64>,
    pub stored_order: Vec<usize>,
    pub checked: HashMap<Option<Target>, bool>,
    pub broken: Vec<String>,
    pub counts: Counts,
    pub session_dead: bool,
    pub stopped: Option<tokio::time::Instant>,
    /// Since when the engine has been told that a connection is gone.
    pub gone: Option<tokio::time::Instant>,
    pub settled: Arc<Notify>,
}

#[derive(Clone)]
pub struct Shared(Arc<Mutex<World>>);

impl Shared {
    pub fn new(s: Scenario) -> Shared {
        let mut rng = StdRng::seed_from_u64(s.seed ^ 0x5eed);
        let ids = (s.every > 1).then(|| (0..s.messages).step_by(s.every as usize).map(|n| format!("m{n}")).collect());
        let selection = Arc::new(Selection { ids, limit: s.limit, scan_limit: s.scan_limit, ..Selection::default() });
        let items = (0..s.messages).map(|n| Item::new(letter(n, &mut rng), n % s.lanes, &selection)).collect();
        Shared(Arc::new(Mutex::new(World {
            s,
            selection,
            rng,
            items,
            deliveries: HashMap::new(),
            failed_lanes: HashSet::new(),
            stored_order: Vec::new(),
            checked: HashMap::new(),
            broken: Vec::new(),
            counts: Counts::default(),
            session_dead: false,
            stopped: None,
            gone: None,
            settled: Arc::new(Notify::new()),
        })))
    }

    pub fn lock(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }

    /// Takes a while, as brokers do.
    pub async fn pause(&self) {
        let wait = self.lock().delay();
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
    }
}

impl Item {
    fn new(letter: DeadLetter, lane: u64, selection: &Selection) -> Item {
        let one = Batch { lane, deliveries: vec![Delivery { token: Token(0), message: Box::new(letter.clone()) }] };
        let wanted = selection.judge(one).verdicts == [Verdict::Yes];
        Item {
            lane,
            letter,
            at: At::Ready,
            seen: false,
            stored: 0,
            confirmed: 0,
            removals: 0,
            failed: false,
            unfit: false,
            fitted: false,
            wanted,
        }
    }
}

fn letter(n: u64, rng: &mut StdRng) -> DeadLetter {
    let mut m = DeadLetter::new("fake".into(), Payload::Bytes(format!("body {n}").into()));
    m.id = format!("m{n}").into();
    m.headers.push("user", Value::text("kept"));
    m.headers.push("x-broker", Value::text("bookkeeping"));
    let origin = match rng.random_range(0..20) {
        0 => None,
        1 => Some("dlq".to_owned()),
        k => Some(format!("orders-{}", k % 3)),
    };
    m.origin = origin.map(|q| Origin { queue: Some(q.into()), ..Origin::default() });
    match rng.random_range(0..12) {
        0 => m.headers.push(MARK_HEADER, Mark { id: "other.7".into(), count: 3 }.to_value()),
        1 => m.headers.push(MARK_HEADER, Mark { id: "other.8".into(), count: 1 }.to_value()),
        _ => {}
    }
    m
}

impl World {
    pub fn chance(&mut self, p: f64) -> bool {
        p > 0.0 && self.rng.random_bool(p.min(1.0))
    }

    pub fn delay(&mut self) -> Duration {
        let most = self.s.slow;
        Duration::from_millis(self.rng.random_range(0..=most))
    }

    pub fn breaks(&mut self, what: impl Into<String>) {
        self.broken.push(what.into());
    }

    /// Whose message this is. The id says so, whatever has been done to the rest.
    pub fn index(&mut self, m: &DeadLetter) -> usize {
        m.id.strip_prefix('m').and_then(|n| n.parse().ok()).expect("an id of the fake")
    }

    pub fn has_failed(&mut self, n: usize) {
        self.items[n].failed = true;
        let lane = self.items[n].lane;
        self.failed_lanes.insert(lane);
    }

    /// A message is being sent: every rule that can be judged at this moment.
    pub fn sending(&mut self, n: usize, sent: &dlq::broker::Outgoing) {
        if let Some(at) = self.stopped.filter(|at| *at < tokio::time::Instant::now()) {
            self.breaks(format!("m{n} is sent {:?} after the stop", at.elapsed()));
        }
        // What is under way when it is told, and the questions it is waiting for, take a while.
        if self.gone.is_some_and(|at| at.elapsed() > Duration::from_millis(80)) {
            self.breaks(format!("m{n} is sent although a connection is known to be gone"));
        }
        if self.s.on_failure == OnFailure::HoldLane && self.failed_lanes.contains(&self.items[n].lane) {
            self.breaks(format!("m{n} is sent although one ahead of it in its lane has failed"));
        }
        let lane = self.items[n].lane;
        let ahead = |i: &Item| i.lane == lane && (i.failed || i.unfit);
        if self.s.on_failure == OnFailure::HoldLane && self.s.mode != Mode::Lease && self.items[..n].iter().any(ahead) {
            self.breaks(format!("m{n} is sent although one ahead of it could not be"));
        }
        if self.items[n].unfit || !self.items[n].fitted {
            self.breaks(format!("m{n} is sent although it does not fit"));
        }
        if !self.items[n].wanted {
            self.breaks(format!("m{n} is sent, but was not selected"));
        }
        if self.checked.get(&sent.target.as_deref().cloned()) != Some(&true) {
            self.breaks(format!("m{n} is sent to a target that was not checked, or is not there"));
        }
        let before = &self.items[n].letter;
        let mut trouble = Vec::new();
        if sent.message.payload != before.payload || sent.message.headers.text("user") != Some("kept") {
            trouble.push("the user's data was changed");
        }
        if self.s.replays {
            let was = Mark::of(&before.headers);
            if was.as_ref().is_some_and(|m| m.run() == RUN) {
                trouble.push("it came back during this run, and is sent again");
            }
            if was.as_ref().is_some_and(|m| m.count >= 3) {
                trouble.push("it was replayed three times before");
            }
            if sent.message.headers.last("x-broker").is_some() {
                trouble.push("bookkeeping was not stripped");
            }
            match Mark::of(&sent.message.headers) {
                None => self.counts.unmarked += 1,
                Some(m) if m.run() == RUN && m.count == was.map_or(0, |m| m.count) + 1 => {}
                Some(_) => trouble.push("the mark is wrong"),
            }
        } else if *sent.message != *before || !sent.verbatim {
            trouble.push("a verbatim message was changed");
        }
        for what in trouble {
            self.breaks(format!("m{n}: {what}"));
        }
    }

    /// The destination has it now. It may come back to the queue while the run goes on.
    pub fn store(&mut self, n: usize, sent: &DeadLetter) {
        self.items[n].stored += 1;
        self.stored_order.push(n);
        let p = self.s.faults.comes_back;
        if self.s.replays && self.items.len() < 200 && Mark::of(&sent.headers).is_some() && self.chance(p) {
            let mut back = sent.clone();
            back.id = format!("m{}", self.items.len()).into();
            back.headers.push("x-broker", Value::text("bookkeeping"));
            let lane = self.items[n].lane;
            let item = Item::new(back, lane, &self.selection);
            self.items.push(item);
        }
    }

    /// The session is gone: whatever it held is in the queue again.
    pub fn kill_session(&mut self) {
        self.session_dead = true;
        self.give_back();
    }

    pub fn give_back(&mut self) {
        for item in &mut self.items {
            if matches!(item.at, At::Held(_)) {
                item.at = At::Ready;
            }
        }
        self.settled.notify_waiters();
    }

    /// The engine is about to be told.
    pub fn tells_of_the_end(&mut self) {
        self.gone.get_or_insert_with(tokio::time::Instant::now);
    }

    /// Deliveries out that are not removed.
    pub fn held(&self) -> usize {
        self.items.iter().filter(|i| matches!(i.at, At::Held(_))).count()
    }
}
