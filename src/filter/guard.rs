//! Limits on one evaluation. jaq has none, so a program is rewritten ([`super::rewrite`]) to call [`tick`] wherever it can
//! loop, and a tick ends the evaluation when its time, its stack or its memory is used up.

use std::cell::Cell;
use std::time::{Duration, Instant};

use jaq_json::Val;

/// What ran out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trip {
    /// `--filter-timeout`.
    Time,
    /// The program calls itself too deep, or nests a value too deep.
    Depth,
    /// What it builds is too large.
    Memory,
}

/// The exit code with which a tripped evaluation is unwound: unlike an error, `try` cannot catch it.
pub const TRIPPED: i32 = i32::MIN;

/// The most one string may be, in bytes.
pub const MAX_STRING: usize = 64 << 20;
/// The most elements an addition may give an array.
pub const MAX_ARRAY: usize = 4 << 20;
/// The largest integer, in bits; larger ones take seconds to multiply or print.
pub const MAX_BITS: u64 = 1 << 20;
/// How much memory the process may gain during one evaluation.
const MAX_GROWTH: u64 = 1 << 30;
/// Values are dropped, compared and printed by recursion, so their depth is stack.
const MAX_NESTING: usize = 2000;
/// Looking at the clock costs as much as a tick.
const CLOCK_EVERY: u32 = 16;
/// Looking at the process's memory costs a system call.
const MEMORY_EVERY: Duration = Duration::from_millis(20);
/// What may be used of a stack nobody told us about: threads have 2 MiB unless asked for more.
const DEFAULT_ROOM: usize = 1 << 20;

struct State {
    deadline: Cell<Option<Instant>>,
    tripped: Cell<Option<Trip>>,
    ticks: Cell<u32>,
    calls: Cell<usize>,
    base: Cell<usize>,
    room: Cell<usize>,
    memory: Cell<Option<(Instant, u64)>>,
}

thread_local! {
    static STATE: State = const {
        State {
            deadline: Cell::new(None),
            tripped: Cell::new(None),
            ticks: Cell::new(0),
            calls: Cell::new(0),
            base: Cell::new(0),
            room: Cell::new(DEFAULT_ROOM),
            memory: Cell::new(None),
        }
    };
}

/// Tells how much of this thread's stack an evaluation may use.
pub fn set_room(bytes: usize) {
    STATE.with(|s| s.room.set(bytes));
}

/// One evaluation on this thread; ends when dropped.
pub struct Scope(());

/// Begins an evaluation.
pub fn enter(timeout: Duration) -> Scope {
    STATE.with(|s| {
        s.deadline.set(Instant::now().checked_add(timeout));
        s.tripped.set(None);
        s.ticks.set(0);
        s.calls.set(0);
        s.base.set(stack_position());
        s.memory.set(None);
    });
    Scope(())
}

impl Scope {
    /// What ran out, if anything did.
    pub fn tripped(&self) -> Option<Trip> {
        STATE.with(|s| s.tripped.get())
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        STATE.with(|s| s.deadline.set(None));
    }
}

/// Stacks grow downwards on every platform there is a compiler for.
#[inline(never)]
fn stack_position() -> usize {
    let here = 0u8;
    std::ptr::from_ref(std::hint::black_box(&here)).addr()
}

/// Ends the evaluation for this reason.
pub fn trip(why: Trip) {
    STATE.with(|s| {
        if s.tripped.get().is_none() {
            s.tripped.set(Some(why));
        }
    });
}

/// Called wherever a program can loop, with the value it works on; false when the evaluation is to end.
pub fn tick(v: &Val) -> bool {
    STATE.with(|s| {
        if s.tripped.get().is_some() {
            return false;
        }
        if s.deadline.get().is_none() {
            return true;
        }
        if s.base.get().saturating_sub(stack_position()) > s.room.get() {
            s.tripped.set(Some(Trip::Depth));
            return false;
        }
        let n = s.ticks.get().wrapping_add(1);
        s.ticks.set(n);
        n % CLOCK_EVERY != 0 || look_around(s, v)
    })
}

/// Whether there is time left; for natives that take long over one value.
pub fn in_time() -> bool {
    STATE.with(|s| match s.deadline.get() {
        Some(d) if Instant::now() >= d => {
            trip(Trip::Time);
            false
        }
        _ => true,
    })
}

/// As [`tick`], for calls whose closures grow with each of them: a chain of closures is dropped by recursion, so as many as
/// fit the stack are allowed.
pub fn tick_call(v: &Val) -> bool {
    STATE.with(|s| {
        let n = s.calls.get() + 1;
        s.calls.set(n);
        if n > s.room.get() / 1024 {
            s.tripped.set(Some(Trip::Depth));
        }
    });
    tick(v)
}

fn look_around(s: &State, v: &Val) -> bool {
    let now = Instant::now();
    let why = if s.deadline.get().is_some_and(|d| now >= d) {
        Trip::Time
    } else if nests_deeper_than(v, MAX_NESTING) {
        Trip::Depth
    } else if grew_too_much(s, now) {
        Trip::Memory
    } else {
        return true;
    };
    s.tripped.set(Some(why));
    false
}

/// Follows one chain of containers. A loop that nests deeper each time does so in one place.
fn nests_deeper_than(v: &Val, limit: usize) -> bool {
    let mut at = v;
    for _ in 0..limit {
        let next = match at {
            Val::Arr(a) => a.iter().take(4).chain(a.last()).find(|v| is_container(v)),
            Val::Obj(o) => o.values().take(4).chain(o.last().map(|(_, v)| v)).find(|v| is_container(v)),
            _ => None,
        };
        match next {
            Some(next) => at = next,
            None => return false,
        }
    }
    true
}

fn is_container(v: &Val) -> bool {
    matches!(v, Val::Arr(_) | Val::Obj(_))
}

fn grew_too_much(s: &State, now: Instant) -> bool {
    match s.memory.get() {
        None => {
            // The first look is the base line.
            s.memory.set(resident().map(|r| (now, r)));
            false
        }
        Some((at, _)) if now.duration_since(at) < MEMORY_EVERY => false,
        Some((_, base)) => {
            s.memory.set(Some((now, base)));
            resident().is_some_and(|r| r.saturating_sub(base) > MAX_GROWTH)
        }
    }
}

/// Resident memory of this process, where the system tells cheaply.
fn resident() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = text.split(' ').nth(1)?.parse().ok()?;
    Some(pages * 4096)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tick_outside_an_evaluation_never_ends_anything() {
        assert!((0..1000).all(|_| tick(&Val::Null)));
    }

    #[test]
    fn time_runs_out_once_and_for_all_until_the_next_evaluation() {
        let scope = enter(Duration::ZERO);
        assert!((0..CLOCK_EVERY).any(|_| !tick(&Val::Null)));
        assert_eq!(scope.tripped(), Some(Trip::Time));
        assert!(!tick(&Val::Null));
        drop(scope);
        let scope = enter(Duration::from_secs(60));
        assert!((0..1000).all(|_| tick(&Val::Null)));
        assert_eq!(scope.tripped(), None);
    }

    #[test]
    fn nesting_is_seen() {
        let mut v = Val::Null;
        for _ in 0..=MAX_NESTING {
            assert!(!nests_deeper_than(&v, MAX_NESTING));
            v = [Val::from(1usize), v].into_iter().collect();
        }
        assert!(nests_deeper_than(&v, MAX_NESTING));
    }

    #[test]
    fn memory_is_read_where_there_is_proc() {
        if std::path::Path::new("/proc/self/statm").exists() {
            assert!(resident().unwrap() > 1 << 20);
        }
    }
}
