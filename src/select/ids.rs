//! The ids that were asked for, and which of them turned up.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

/// `--id` and `--ids-from`.
#[derive(Debug, Default)]
pub struct Ids(HashMap<String, AtomicBool>);

impl Ids {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// An empty list selects nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether it was asked for, which is then remembered as found.
    pub fn find(&self, id: &str) -> bool {
        self.0.get(id).inspect(|found| found.store(true, Ordering::Relaxed)).is_some()
    }

    /// All of them, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Those no message had, sorted.
    pub fn missing(&self) -> Vec<&str> {
        let missing = self.0.iter().filter(|(_, found)| !found.load(Ordering::Relaxed));
        let mut missing: Vec<&str> = missing.map(|(id, _)| id.as_str()).collect();
        missing.sort_unstable();
        missing
    }
}

impl<S: Into<String>> FromIterator<S> for Ids {
    fn from_iter<I: IntoIterator<Item = S>>(ids: I) -> Self {
        Ids(ids.into_iter().map(|id| (id.into(), AtomicBool::new(false))).collect())
    }
}
