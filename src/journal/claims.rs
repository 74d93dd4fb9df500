//! What an earlier attempt at the same run left unfinished, and which message of the queue each of it is.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use super::ledger::Row;
use crate::message::Identity;

/// What is known of a message that an earlier attempt had under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It may have been sent: it goes again under the number it had.
    SameNumber(u64),
    /// An equal one has arrived, perhaps this: it goes under a new number, since a destination that drops repeats would drop
    /// it for good.
    NewNumber,
    /// This very message has arrived: it is removed without being sent.
    Arrived(u64),
}

/// Unfinished sends by the identity of their message.
#[derive(Debug)]
pub struct Claims {
    /// Read first: nearly always false, and then no lock is taken.
    any: AtomicBool,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    open: HashMap<Identity, VecDeque<Row>>,
    /// Of this attempt: arrived, and not removed.
    stuck: HashMap<Identity, Row>,
    /// Claimed, by the number the message has now.
    taken: BTreeMap<u64, Taken>,
}

/// A claim in effect.
#[derive(Clone, Copy, Debug)]
struct Taken {
    was: u64,
    arrived: bool,
}

impl Claims {
    /// Claims on these rows.
    pub fn new(rows: impl IntoIterator<Item = Row>) -> Claims {
        let mut inner = Inner::default();
        for row in rows {
            let of_id = inner.open.entry(row.identity).or_default();
            // Of equal messages those that have not arrived are claimed first: they are the ones still in the queue.
            if row.confirmed { of_id.push_back(row) } else { of_id.push_front(row) }
        }
        Claims { any: AtomicBool::new(!inner.open.is_empty()), inner: Mutex::new(inner) }
    }

    /// None at all.
    pub fn none() -> Claims {
        Claims::new([])
    }

    /// Whether the message with this identity was under way before. `number` is the one it has if it is sent as new. `again`: the
    /// broker says that it was delivered before; `None` where it does not say. What is delivered for the first time was
    /// never sent.
    pub fn claim(&self, identity: Identity, number: u64, again: Option<bool>) -> Option<Claim> {
        let exact = matches!(identity, Identity::Exact(_));
        if !self.any() || (!exact && again == Some(false)) {
            return None;
        }
        let mut inner = self.lock();
        let row = inner.take(identity)?;
        let claim = match (row.confirmed, exact) {
            (false, _) => Claim::SameNumber(row.sequence),
            (true, true) => Claim::Arrived(row.sequence),
            (true, false) => Claim::NewNumber,
        };
        let now = if claim == Claim::NewNumber { number } else { row.sequence };
        inner.taken.insert(now, Taken { was: row.sequence, arrived: matches!(claim, Claim::Arrived(_)) });
        Some(claim)
    }

    /// The message with this number has arrived at its destination and is still to be removed, which did not work: should it
    /// be delivered again, it is not sent again.
    pub fn arrived(&self, row: Row) {
        if matches!(row.identity, Identity::Exact(_)) {
            self.lock().stuck.insert(row.identity, Row { confirmed: true, ..row });
            self.any.store(true, Ordering::Relaxed);
        }
    }

    /// Whether a message that now has this number is not to be sent, but removed alone.
    pub fn is_arrived(&self, number: u64) -> bool {
        self.any() && self.lock().taken.get(&number).is_some_and(|t| t.arrived)
    }

    /// The number that a message had in an earlier attempt.
    pub fn earlier(&self, number: u64) -> Option<u64> {
        if !self.any() {
            return None;
        }
        self.lock().taken.get(&number).map(|t| t.was)
    }

    /// Whether there were or are any.
    pub fn any(&self) -> bool {
        self.any.load(Ordering::Relaxed)
    }

    /// What an earlier attempt left and no message of the queue has claimed.
    pub fn unclaimed(&self) -> Vec<Row> {
        let mut rows: Vec<Row> = self.lock().open.values().flatten().cloned().collect();
        rows.sort_by_key(|r| r.sequence);
        rows
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Inner {
    fn take(&mut self, identity: Identity) -> Option<Row> {
        let Some(rows) = self.open.get_mut(&identity) else { return self.stuck.remove(&identity) };
        let row = rows.pop_front();
        if rows.is_empty() {
            self.open.remove(&identity);
        }
        row
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(make: fn(u128) -> Identity, rows: &[(u64, u128, bool)]) -> Vec<Row> {
        let row = |&(sequence, of, confirmed): &(u64, u128, bool)| {
            let identity = make(of);
            Row { sequence, identity, id: of.to_string().into(), confirmed }
        };
        rows.iter().map(row).collect()
    }

    #[test]
    fn an_exact_identity_proves_what_arrived_and_a_fingerprint_does_not() {
        let both = [(1, 10, true), (2, 20, false)];
        let exact = Claims::new(rows(Identity::Exact, &both));
        assert_eq!(exact.claim(Identity::Exact(10), 90, None), Some(Claim::Arrived(1)));
        assert_eq!(exact.claim(Identity::Exact(20), 91, None), Some(Claim::SameNumber(2)));
        assert_eq!(exact.claim(Identity::Exact(30), 92, None), None);
        assert!(exact.is_arrived(1) && !exact.is_arrived(2));

        let like = Claims::new(rows(Identity::Like, &both));
        assert_eq!(like.claim(Identity::Like(10), 90, Some(true)), Some(Claim::NewNumber));
        assert_eq!(like.claim(Identity::Like(20), 91, Some(true)), Some(Claim::SameNumber(2)));
        assert_eq!((like.earlier(90), like.earlier(2), like.earlier(1)), (Some(1), Some(2), None));
        assert!(!like.is_arrived(90));
    }

    #[test]
    fn of_equal_messages_each_claims_one_and_the_others_are_new() {
        let a = Identity::Like(10);
        let claims = Claims::new(rows(Identity::Like, &[(1, 10, true), (2, 10, false)]));
        assert_eq!(claims.claim(a, 90, Some(false)), None, "it was never delivered, so it was never sent");
        assert_eq!(claims.claim(a, 91, Some(true)), Some(Claim::SameNumber(2)), "what has not arrived goes first");
        assert_eq!(claims.claim(a, 92, Some(true)), Some(Claim::NewNumber));
        assert_eq!(claims.claim(a, 93, Some(true)), None);
        assert!(claims.unclaimed().is_empty());
    }

    #[test]
    fn what_arrived_and_could_not_be_removed_is_not_sent_again_in_the_same_run() {
        let claims = Claims::none();
        assert!(!claims.any());
        rows(Identity::Exact, &[(7, 10, false)]).into_iter().for_each(|row| claims.arrived(row));
        assert!(claims.unclaimed().is_empty(), "it is for whoever takes the run up again");
        assert_eq!(claims.claim(Identity::Exact(10), 90, None), Some(Claim::Arrived(7)));
        let like = Claims::none();
        rows(Identity::Like, &[(7, 10, false)]).into_iter().for_each(|row| like.arrived(row));
        assert_eq!(like.claim(Identity::Like(10), 90, Some(true)), None);
    }
}
