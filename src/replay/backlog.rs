//! Messages that are prepared and wait for room at the destination.

use std::collections::{HashMap, VecDeque};

use crate::broker::Move;

/// A message ready to go, and its lane.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) lane: u64,
    pub(super) go: Move,
    /// What was left out to make it fit.
    pub(super) left_out: Vec<String>,
    /// The mark is among that.
    pub(super) unmarked: bool,
}

/// In the order of reading; or, where a failure holds up its lane, one message of a lane at a time.
pub(super) enum Backlog {
    /// What is first in goes first.
    Plain(VecDeque<Ready>),
    /// The fate of a message is known before the next of its lane goes: only so can a failure hold up all behind it.
    Strict(Lanes),
}

#[derive(Default)]
pub(super) struct Lanes {
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
        if strict { Backlog::Strict(Lanes::default()) } else { Backlog::Plain(VecDeque::new()) }
    }

    /// Messages waiting.
    pub(super) fn len(&self) -> usize {
        match self {
            Backlog::Plain(q) => q.len(),
            Backlog::Strict(l) => l.waiting,
        }
    }

    /// Messages that could go now, were there room.
    pub(super) fn ready(&self) -> usize {
        match self {
            Backlog::Plain(q) => q.len(),
            Backlog::Strict(l) => l.runnable.len(),
        }
    }

    /// Adds one at the end of its lane; false where the lane is held.
    pub(super) fn push(&mut self, ready: Ready) -> bool {
        match self {
            Backlog::Plain(q) => q.push_back(ready),
            Backlog::Strict(l) => {
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
        true
    }

    /// Takes up to `n` that may go.
    pub(super) fn take(&mut self, n: usize) -> Vec<Ready> {
        match self {
            Backlog::Plain(q) => q.drain(..n.min(q.len())).collect(),
            Backlog::Strict(l) => {
                let mut out = Vec::with_capacity(n.min(l.runnable.len()));
                while out.len() < n {
                    let Some(id) = l.runnable.pop_front() else { break };
                    let Some(lane) = l.lanes.get_mut(&id) else { continue };
                    if let Some(ready) = lane.queue.pop_front() {
                        lane.busy = true;
                        l.waiting -= 1;
                        out.push(ready);
                    }
                }
                out
            }
        }
    }

    /// The fate of the message under way in `lane` is known. After a failure, gives those that were waiting behind it.
    pub(super) fn done(&mut self, lane: u64, failed: bool) -> VecDeque<Ready> {
        let Backlog::Strict(l) = self else { return VecDeque::new() };
        let Some(state) = l.lanes.get_mut(&lane) else { return VecDeque::new() };
        state.busy = false;
        if failed {
            state.held = true;
            l.waiting -= state.queue.len();
            return std::mem::take(&mut state.queue);
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
        if let Backlog::Strict(l) = self {
            l.lanes.entry(lane).or_default().held = true;
        }
    }

    /// Empties it; how many there were.
    pub(super) fn clear(&mut self) -> u64 {
        let n = self.len() as u64;
        match self {
            Backlog::Plain(q) => q.clear(),
            Backlog::Strict(l) => *l = Lanes::default(),
        }
        n
    }
}
