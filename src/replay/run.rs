//! The name of a run: short, unique, and sorted by time.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;

/// `20261123T181401-x7k2q9`: the second it began, in UTC, and six letters or digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(Arc<str>);

impl RunId {
    /// A new name for a run that begins `at`.
    pub fn new(at: Timestamp) -> Self {
        // No vowels and no look-alikes: it is read aloud on calls and must not spell words.
        const LETTERS: &[u8] = b"23456789bcdfghjkmnpqrstvwxz";
        let tail: String = (0..6).map(|_| char::from(LETTERS[rand::random_range(0..LETTERS.len())])).collect();
        RunId(format!("{}-{tail}", at.strftime("%Y%m%dT%H%M%S")).into())
    }

    /// A name that was chosen or stored before.
    pub fn named(name: &str) -> Self {
        RunId(name.into())
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl serde::Serialize for RunId {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.0)
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorts_by_time_and_fits_in_a_mark() {
        let early = RunId::new("2026-11-23T18:14:01Z".parse().unwrap());
        let late = RunId::new("2026-11-23T18:14:02.5Z".parse().unwrap());
        assert!(early < late);
        assert!(early.as_str().starts_with("20261123T181401-"), "{early}");
        assert_eq!(early.as_str().len(), 22);
        assert!(!early.as_str().contains(['.', '"', ',']), "the mark is `RUN.SEQUENCE` in quotes");
    }
}
