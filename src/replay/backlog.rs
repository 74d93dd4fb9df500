//! Messages that are prepared and wait for room at the destination.

use std::collections::{HashMap, VecDeque};

use crate::broker::Move;

/// A message ready to go, and its lane.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) lane: u64,
    pub(super) go: Move,
    /// Bytes of the message.
    pub(super) size: usize,
    /// What was left out to make it fit.
    pub(super) left_out: Vec<String>,
    /// The mark is among that.
    pub(super) unmarked: bool,
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
    /// The fate of a message is known before the next of its lane goes: only so can a failure hold up all behind it.
    Strict(Lanes),
}

#[derive(Default)]
struct Lanes {
    lanes: HashMap<u64, Lane>,
    runnable: VecDeque<u64>,
    waiting: usize,
}

#[derive(Default)]
struct Lane {
    queue: VecDeque<Ready>,
    busy: bool,
    held: bool,
}

impl Backlog {
    pub(super) fn new(strict: bool) -> Self {
        let order = if strict { Order::Strict(Lanes::default()) } else { Order::Plain(VecDeque::new()) };
        Backlog { order, bytes: 0 }
    }

    /// Bytes of the messages waiting.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Messages waiting.
    pub(super) fn len(&self) -> usize {
        match &self.order {
            Order::Plain(q) => q.len(),
            Order::Strict(l) => l.waiting,
        }
    }

    /// Messages that could go now, were there room.
    pub(super) fn ready(&self) -> usize {
        match &self.order {
            Order::Plain(q) => q.len(),
            Order::Strict(l) => l.runnable.len(),
        }
    }

    /// Adds one at the end of its lane; false where the lane is held.
    pub(super) fn push(&mut self, ready: Ready) -> bool {
        let size = ready.size;
        match &mut self.order {
            Order::Plain(q) => q.push_back(ready),
            Order::Strict(l) => {
                let lane = l.lanes.entry(ready.lane).or_default();
                if lane.held {
                    return false;
                }
                if !lane.busy && lane.queue.is_empty() {
                    l.runnable.push_back(ready.lane);
                }
                lane.queue.push_back(ready);
                l.waiting += 1;
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
    pub(super) fn done(&mut self, lane: u64, failed: bool) -> VecDeque<Ready> {
        let Order::Strict(l) = &mut self.order else { return VecDeque::new() };
        let Some(state) = l.lanes.get_mut(&lane) else { return VecDeque::new() };
        state.busy = false;
        if failed {
            state.held = true;
            l.waiting -= state.queue.len();
            let behind = std::mem::take(&mut state.queue);
            self.bytes -= behind.iter().map(|r| r.size).sum::<usize>();
            return behind;
        }
        if !state.queue.is_empty() {
            l.runnable.push_back(lane);
        } else if !state.held {
            l.lanes.remove(&lane);
        }
        VecDeque::new()
    }

    /// A message failed before it could wait here: what is ahead of it goes on, what comes behind it does not.
    pub(super) fn hold_behind(&mut self, lane: u64) {
        if let Order::Strict(l) = &mut self.order {
            l.lanes.entry(lane).or_default().held = true;
        }
    }

    /// Empties it; how many there were.
    pub(super) fn clear(&mut self) -> u64 {
        let n = self.len() as u64;
        match &mut self.order {
            Order::Plain(q) => q.clear(),
            Order::Strict(l) => *l = Lanes::default(),
        }
        self.bytes = 0;
        n
    }
}

impl Order {
    /// The next that may go.
    fn next(&mut self) -> Option<Ready> {
        match self {
            Order::Plain(q) => q.pop_front(),
            Order::Strict(l) => loop {
                let lane = l.lanes.get_mut(&l.runnable.pop_front()?)?;
                if let Some(ready) = lane.queue.pop_front() {
                    lane.busy = true;
                    l.waiting -= 1;
                    return Some(ready);
                }
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::{Outgoing, Token};
    use crate::message::{DeadLetter, Payload};

    fn ready(lane: u64, size: usize) -> Ready {
        let message = DeadLetter::new("q".into(), Payload::Absent);
        let outgoing = Outgoing { sequence: 0, message, target: None, verbatim: true };
        Ready { lane, go: Move { token: Token(0), outgoing }, size, left_out: vec![], unmarked: false }
    }

    #[test]
    fn what_is_taken_is_bounded_by_its_bytes_and_never_nothing() {
        for strict in [false, true] {
            let mut backlog = Backlog::new(strict);
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
        let mut backlog = Backlog::new(true);
        for _ in 0..3 {
            assert!(backlog.push(ready(7, 10)));
        }
        assert_eq!(backlog.take(9, 999).len(), 1);
        assert_eq!(backlog.done(7, true).len(), 2);
        assert_eq!((backlog.len(), backlog.bytes()), (0, 0));
        assert!(!backlog.push(ready(7, 10)));
        assert_eq!(backlog.bytes(), 0);
    }
}
