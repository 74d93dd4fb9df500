//! Messages that are prepared and wait for room at the destination.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};

use crate::broker::Move;
use crate::message::DeadLetter;

/// A message ready to go, and its lane.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) go: Move,
    /// Bytes of the message.
    pub(super) size: usize,
    /// What was left out to make it fit.
    pub(super) left_out: Vec<String>,
    /// The mark is among that.
    pub(super) unmarked: bool,
    /// It was changed on the way.
    pub(super) changed: bool,
    /// As it was read, where that is wanted.
    pub(super) original: Option<Box<DeadLetter>>,
    /// What it had died of.
    pub(super) cause: Option<String>,
}

/// What a failure holds up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holding {
    Nothing,
    /// Its lane, of which one message goes at a time.
    OneAtATime,
    /// Its lane; who sends them holds back those that are under way or wait here.
    Behind,
}

/// In the order of reading; or, where a failure holds up its lane, one message of a lane at a time.
pub(super) struct Backlog {
    order: Order,
    /// Bytes of the messages waiting.
    bytes: usize,
}

enum Order {
    /// What is first in goes first.
    Plain(VecDeque<Ready>),
    /// The same, but for the lanes that are held.
    Behind(VecDeque<Ready>, HashSet<u64>),
    /// The fate of a message is known before the next of its lane goes: only so can a failure hold up all behind it.
    Strict(Lanes),
}

#[derive(Default)]
struct Lanes {
    /// Those that have a message among the runnable or under way, and those that are held: no others.
    lanes: HashMap<u64, Lane, BuildHasherDefault<Spread>>,
    /// One of each lane, and those of no lane.
    runnable: VecDeque<Ready>,
    /// Messages behind the first of their lane.
    behind: usize,
}

#[derive(Default)]
struct Lane {
    /// Behind the one that is runnable or under way.
    queue: VecDeque<Ready>,
    held: bool,
}

/// Lanes are hashes already.
#[derive(Default)]
struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxhash_rust::xxh3::xxh3_64_with_seed(bytes, self.0);
    }

    fn write_u64(&mut self, lane: u64) {
        self.0 = lane;
    }
}

impl Backlog {
    pub(super) fn new(holding: Holding) -> Self {
        let order = match holding {
            Holding::Nothing => Order::Plain(VecDeque::new()),
            Holding::OneAtATime => Order::Strict(Lanes::default()),
            Holding::Behind => Order::Behind(VecDeque::new(), HashSet::new()),
        };
        Backlog { order, bytes: 0 }
    }

    /// Whether one message of a lane goes at a time.
    pub(super) fn one_at_a_time(&self) -> bool {
        matches!(self.order, Order::Strict(_))
    }

    /// Bytes of the messages waiting.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Messages waiting.
    pub(super) fn len(&self) -> usize {
        match &self.order {
            Order::Plain(q) | Order::Behind(q, _) => q.len(),
            Order::Strict(l) => l.runnable.len() + l.behind,
        }
    }

    /// Messages that could go now, were there room.
    pub(super) fn ready(&self) -> usize {
        match &self.order {
            Order::Plain(q) | Order::Behind(q, _) => q.len(),
            Order::Strict(l) => l.runnable.len(),
        }
    }

    /// Adds one at the end of its lane; false where the lane is held.
    pub(super) fn push(&mut self, ready: Ready) -> bool {
        let size = ready.size;
        match &mut self.order {
            Order::Plain(q) => q.push_back(ready),
            Order::Behind(q, held) => {
                if !held.is_empty() && ready.go.outgoing.lane.is_some_and(|lane| held.contains(&lane)) {
                    return false;
                }
                q.push_back(ready);
            }
            Order::Strict(l) => {
                if !l.push(ready) {
                    return false;
                }
            }
        }
        self.bytes += size;
        true
    }

    /// Takes up to `n` that may go: no more once they have `bytes` together, but one always.
    pub(super) fn take(&mut self, n: usize, bytes: usize) -> Vec<Ready> {
        let mut out = Vec::with_capacity(n.min(self.ready()));
        let mut taken = 0;
        while out.len() < n && (taken < bytes || out.is_empty()) {
            let Some(ready) = self.order.next() else { break };
            taken += ready.size;
            out.push(ready);
        }
        self.bytes -= taken;
        out
    }

    /// The fate of the message under way in `lane` is known. After a failure, gives those that were waiting behind it.
    pub(super) fn done(&mut self, lane: Option<u64>, failed: bool) -> VecDeque<Ready> {
        let Some(lane) = lane else { return VecDeque::new() };
        if failed && let Order::Behind(_, held) = &mut self.order {
            held.insert(lane);
        }
        let Order::Strict(l) = &mut self.order else { return VecDeque::new() };
        let Some(state) = l.lanes.get_mut(&lane) else { return VecDeque::new() };
        if failed {
            state.held = true;
            l.behind -= state.queue.len();
            let behind = std::mem::take(&mut state.queue);
            self.bytes -= behind.iter().map(|r| r.size).sum::<usize>();
            return behind;
        }
        if let Some(next) = state.queue.pop_front() {
            l.behind -= 1;
            l.runnable.push_back(next);
        } else if !state.held {
            l.lanes.remove(&lane);
        }
        VecDeque::new()
    }

    /// A message failed before it could wait here: what is ahead of it goes on, what comes behind it does not.
    pub(super) fn hold_behind(&mut self, lane: Option<u64>) {
        let Some(lane) = lane else { return };
        match &mut self.order {
            Order::Plain(_) => {}
            Order::Behind(_, held) => _ = held.insert(lane),
            Order::Strict(l) => l.lanes.entry(lane).or_default().held = true,
        }
    }

    /// Empties it; how many there were.
    pub(super) fn clear(&mut self) -> u64 {
        let n = self.len() as u64;
        match &mut self.order {
            Order::Plain(q) | Order::Behind(q, _) => q.clear(),
            Order::Strict(l) => *l = Lanes::default(),
        }
        self.bytes = 0;
        n
    }
}

impl Lanes {
    /// Adds one; false where its lane is held.
    fn push(&mut self, ready: Ready) -> bool {
        let Some(of) = ready.go.outgoing.lane else {
            self.runnable.push_back(ready);
            return true;
        };
        match self.lanes.entry(of) {
            Entry::Occupied(lane) if lane.get().held => return false,
            Entry::Occupied(lane) => {
                lane.into_mut().queue.push_back(ready);
                self.behind += 1;
            }
            Entry::Vacant(none) => {
                none.insert(Lane::default());
                self.runnable.push_back(ready);
            }
        }
        true
    }
}

impl Order {
    /// The next that may go.
    fn next(&mut self) -> Option<Ready> {
        match self {
            Order::Plain(q) | Order::Behind(q, _) => q.pop_front(),
            Order::Strict(l) => l.runnable.pop_front(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::{Outgoing, Token};
    use crate::message::Payload;

    fn ready(lane: impl Into<Option<u64>>, size: usize) -> Ready {
        let message = Box::new(DeadLetter::new("q".into(), Payload::Absent));
        let outgoing = Outgoing { lane: lane.into(), ..Outgoing::verbatim(0, message) };
        let go = Move { token: Token(0), outgoing };
        Ready { go, size, left_out: vec![], unmarked: false, changed: false, original: None, cause: None }
    }

    #[test]
    fn what_is_taken_is_bounded_by_its_bytes_and_never_nothing() {
        for holding in [Holding::Nothing, Holding::OneAtATime, Holding::Behind] {
            let mut backlog = Backlog::new(holding);
            for lane in 0..5 {
                assert!(backlog.push(ready(lane, 100)));
            }
            assert_eq!((backlog.take(9, 150).len(), backlog.bytes()), (2, 300));
            assert_eq!((backlog.take(9, 0).len(), backlog.bytes()), (1, 200));
            assert_eq!((backlog.take(1, 999).len(), backlog.bytes()), (1, 100));
            assert_eq!((backlog.clear(), backlog.bytes()), (1, 0));
        }
    }

    #[test]
    fn bytes_that_wait_behind_a_failure_are_counted_off() {
        let mut backlog = Backlog::new(Holding::OneAtATime);
        for _ in 0..3 {
            assert!(backlog.push(ready(7, 10)));
        }
        assert_eq!(backlog.take(9, 999).len(), 1);
        assert_eq!(backlog.done(Some(7), true).len(), 2);
        assert_eq!((backlog.len(), backlog.bytes()), (0, 0));
        assert!(!backlog.push(ready(7, 10)));
        assert_eq!(backlog.bytes(), 0);
    }

    #[test]
    fn what_is_of_no_lane_waits_for_nobody() {
        for holding in [Holding::OneAtATime, Holding::Behind] {
            let mut backlog = Backlog::new(holding);
            for _ in 0..2 {
                assert!(backlog.push(ready(None, 10)) && backlog.push(ready(7, 10)));
            }
            let most = if holding == Holding::OneAtATime { 3 } else { 4 };
            assert_eq!((backlog.ready(), backlog.take(9, 999).len()), (most, most));
            backlog.done(None, true);
            backlog.hold_behind(None);
            backlog.done(Some(7), true);
            assert!(backlog.push(ready(None, 10)) && !backlog.push(ready(7, 10)));
            assert_eq!((backlog.len(), backlog.bytes()), (1, 10));
        }
    }
}
