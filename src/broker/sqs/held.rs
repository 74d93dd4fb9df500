//! What a scan holds: leases to renew, to give up by removing, or to give back.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Removed messages that are remembered: a standard queue may bring one again.
const REMEMBERED: usize = 50_000;

/// A message that was received and not yet removed or given back.
struct Entry {
    id: u128,
    /// Of the newest receive of it.
    handle: Box<str>,
    /// When it was received or its lease last renewed.
    leased: Instant,
    /// Its fate is decided: it stays until the scan closes.
    kept: bool,
}

/// All of them, by token, which is the order they came in.
#[derive(Default)]
struct Table {
    entries: BTreeMap<u64, Entry>,
    tokens: HashMap<u128, u64>,
    removed: HashSet<u128>,
    oldest_removed: VecDeque<u128>,
    next: u64,
    undecided: usize,
    expired: u64,
}

/// Shared by the receivers, the settler and the keeper of leases.
#[derive(Default)]
pub struct Held(Mutex<Table>);

/// A lease, to be renewed, removed or given back.
#[derive(Clone, Debug)]
pub struct Lease {
    /// Of the delivery.
    pub token: u64,
    /// What calls name it by.
    pub handle: String,
}

/// What a received message is to this scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Came {
    /// Seen for the first time.
    New(u64),
    /// Held already; the lease is the newer one now.
    Again,
    /// Removed already: the queue brought it once more.
    Removed(u64),
}

impl Held {
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in what was received. Everything is held from here on, so that nothing is forgotten to be given back.
    pub fn take_in(&self, id: u128, handle: String) -> Came {
        let mut t = self.lock();
        let now = Instant::now();
        if let Some(token) = t.tokens.get(&id).copied()
            && let Some(entry) = t.entries.get_mut(&token)
        {
            entry.handle = handle.into_boxed_str();
            entry.leased = now;
            return Came::Again;
        }
        let token = t.next;
        t.next += 1;
        t.entries.insert(token, Entry { id, handle: handle.into_boxed_str(), leased: now, kept: false });
        t.tokens.insert(id, token);
        t.undecided += 1;
        if t.removed.contains(&id) { Came::Removed(token) } else { Came::New(token) }
    }

    /// How many are held.
    pub fn len(&self) -> usize {
        self.lock().entries.len()
    }

    /// How many of them somebody is still working on.
    pub fn undecided(&self) -> usize {
        self.lock().undecided
    }

    /// These stay where they are.
    pub fn keep(&self, tokens: impl IntoIterator<Item = u64>) {
        let mut t = self.lock();
        for token in tokens {
            if let Some(entry) = t.entries.get_mut(&token).filter(|e| !e.kept) {
                entry.kept = true;
                t.undecided -= 1;
            }
        }
    }

    /// The leases of these; `None` for what is not held.
    pub fn leases(&self, tokens: &[u64]) -> Vec<Option<Lease>> {
        let t = self.lock();
        let lease = |token: &u64| Some(Lease { token: *token, handle: t.entries.get(token)?.handle.to_string() });
        tokens.iter().map(lease).collect()
    }

    /// These are gone from the queue.
    pub fn removed(&self, tokens: &[u64]) {
        let mut t = self.lock();
        for token in tokens {
            if let Some(id) = t.forget(*token)
                && t.removed.insert(id)
            {
                t.oldest_removed.push_back(id);
            }
        }
        while t.oldest_removed.len() > REMEMBERED {
            if let Some(id) = t.oldest_removed.pop_front() {
                t.removed.remove(&id);
            }
        }
    }

    /// These were given back.
    pub fn given_back(&self, tokens: &[u64]) {
        let mut t = self.lock();
        for token in tokens {
            t.forget(*token);
        }
    }

    /// Leases older than `age`, oldest first.
    pub fn due(&self, age: Duration) -> Vec<Lease> {
        let t = self.lock();
        let mut due: Vec<_> = t.entries.iter().filter(|(_, e)| e.leased.elapsed() >= age).collect();
        due.sort_by_key(|(_, e)| e.leased);
        due.into_iter().map(|(token, e)| Lease { token: *token, handle: e.handle.to_string() }).collect()
    }

    /// These were renewed by a call that was made at `at`.
    pub fn renewed(&self, tokens: &[u64], at: Instant) {
        let mut t = self.lock();
        for token in tokens {
            if let Some(entry) = t.entries.get_mut(token) {
                entry.leased = entry.leased.max(at);
            }
        }
    }

    /// The lease of these ran out, as the queue says; others may have them. Counted once each.
    pub fn expired(&self, tokens: &[u64]) {
        let mut t = self.lock();
        for token in tokens {
            if let Some(entry) = t.entries.get_mut(token) {
                // There is nothing to renew any more; the receipt may yet do for a removal.
                entry.leased = Instant::now() + Duration::from_secs(86_400);
                t.expired += 1;
            }
        }
    }

    /// How many leases ran out while they were needed.
    pub fn lost(&self) -> u64 {
        self.lock().expired
    }

    /// Everything that is held, in the order it came.
    pub fn all(&self) -> Vec<Lease> {
        let t = self.lock();
        t.entries.iter().map(|(token, e)| Lease { token: *token, handle: e.handle.to_string() }).collect()
    }
}

impl Table {
    fn forget(&mut self, token: u64) -> Option<u128> {
        let entry = self.entries.remove(&token)?;
        self.tokens.remove(&entry.id);
        self.undecided -= usize::from(!entry.kept);
        Some(entry.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(held: &Held, id: u128) -> u64 {
        match held.take_in(id, format!("h{id}")) {
            Came::New(token) => token,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_newest_receipt_counts() {
        let held = Held::default();
        let token = new(&held, 7);
        assert_eq!(held.take_in(7, "later".into()), Came::Again);
        assert_eq!(held.leases(&[token, 99])[0].as_ref().unwrap().handle, "later");
        assert!(held.leases(&[99])[0].is_none());
        assert_eq!((held.len(), held.undecided()), (1, 1));
    }

    #[test]
    fn what_was_removed_is_known_when_it_comes_again() {
        let held = Held::default();
        let token = new(&held, 7);
        held.removed(&[token]);
        assert_eq!((held.len(), held.undecided()), (0, 0));
        assert!(matches!(held.take_in(7, "again".into()), Came::Removed(t) if t != token));
        assert_eq!(held.len(), 1, "it is held, to be removed or given back");
        for id in 100..100 + REMEMBERED as u128 {
            let token = new(&held, id);
            held.removed(&[token]);
        }
        held.given_back(&[1]);
        assert!(matches!(held.take_in(7, "long after".into()), Came::New(_)), "memory is bounded");
    }

    #[tokio::test(start_paused = true)]
    async fn leases_fall_due_by_age_and_keeping_decides() {
        let held = Held::default();
        let (a, b) = (new(&held, 1), new(&held, 2));
        held.keep([a, a]);
        assert_eq!(held.undecided(), 1);
        tokio::time::advance(Duration::from_secs(60)).await;
        let at = Instant::now();
        assert_eq!(held.due(Duration::from_secs(60)).len(), 2);
        held.renewed(&[b], at);
        assert_eq!(held.due(Duration::from_secs(60)).iter().map(|l| l.token).collect::<Vec<_>>(), [a]);
        held.expired(&[a]);
        assert!(held.due(Duration::from_secs(60)).is_empty());
        assert_eq!((held.lost(), held.all().len()), (1, 2));
    }
}
