//! The ids that were asked for, and which of them turned up.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

/// `--id` and `--ids-from`, and the messages of a plan.
#[derive(Clone, Debug, Default)]
pub struct Ids(HashMap<String, Wanted>);

#[derive(Debug)]
struct Wanted {
    /// So many messages with this id; `None`: all there are.
    most: Option<u64>,
    found: AtomicU64,
}

impl Clone for Wanted {
    fn clone(&self) -> Self {
        Wanted { most: self.most, found: AtomicU64::new(self.found.load(Ordering::Relaxed)) }
    }
}

impl Ids {
    /// The same, less these messages, of those that are wanted a number of times.
    #[must_use]
    pub fn less(&self, taken: &[String]) -> Ids {
        let mut less = self.clone();
        for id in taken {
            if let Some(most) = less.0.get_mut(id).and_then(|w| w.most.as_mut()) {
                *most = most.saturating_sub(1);
            }
        }
        less
    }

    /// So many messages of each id, where equal messages share one.
    pub fn counted(ids: impl IntoIterator<Item = (String, u64)>) -> Ids {
        let wanted = |most| Wanted { most: Some(most), found: AtomicU64::new(0) };
        Ids(ids.into_iter().map(|(id, most)| (id, wanted(most))).collect())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// An empty list selects nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a message with it is wanted, which is then remembered as found.
    pub fn find(&self, id: &str) -> bool {
        let Some(wanted) = self.0.get(id) else { return false };
        let most = wanted.most.unwrap_or(u64::MAX);
        let one_more = |n: u64| (n < most).then(|| n + 1);
        wanted.found.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).is_ok()
    }

    /// Forgets what was found: the queue is read once more.
    pub fn start(&self) {
        self.0.values().for_each(|w| w.found.store(0, Ordering::Relaxed));
    }

    /// All of them, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Those no message had, sorted.
    pub fn missing(&self) -> Vec<&str> {
        let missing = self.0.iter().filter(|(_, wanted)| wanted.found.load(Ordering::Relaxed) == 0);
        let mut missing: Vec<&str> = missing.map(|(id, _)| id.as_str()).collect();
        missing.sort_unstable();
        missing
    }

    /// Messages that were wanted and not there: by id, sorted, where each is wanted a number of times.
    pub fn gone(&self) -> Vec<(&str, u64)> {
        let short = |w: &Wanted| w.most.unwrap_or(0).saturating_sub(w.found.load(Ordering::Relaxed));
        let mut gone: Vec<_> = self.0.iter().map(|(id, w)| (id.as_str(), short(w))).filter(|(_, n)| *n > 0).collect();
        gone.sort_unstable();
        gone
    }
}

impl<S: Into<String>> FromIterator<S> for Ids {
    fn from_iter<I: IntoIterator<Item = S>>(ids: I) -> Self {
        let wanted = || Wanted { most: None, found: AtomicU64::new(0) };
        Ids(ids.into_iter().map(|id| (id.into(), wanted())).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_equal_messages_so_many_are_taken_and_the_rest_told_as_gone() {
        let ids = Ids::counted([("a".to_owned(), 2), ("b".to_owned(), 1), ("c".to_owned(), 3)]);
        assert_eq!(["a", "a", "a", "b", "x"].map(|id| ids.find(id)), [true, true, false, true, false]);
        ids.find("c");
        assert_eq!(ids.gone(), [("c", 2)]);
        ids.start();
        assert!(ids.find("b"));
        assert_eq!(ids.gone(), [("a", 2), ("c", 3)]);
    }
}
