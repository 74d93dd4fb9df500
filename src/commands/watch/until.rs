//! Whether what is waited for holds, and for how long it has.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::condition::Condition;
use crate::broker::{Accuracy, Depth, Error, Kind, Result};
use crate::output::human;

/// Estimates lag behind by up to a minute; several readings that agree are better than one.
const ESTIMATES: Duration = Duration::from_secs(30);

/// What is waited for, and since when it holds of each queue.
pub struct Until {
    /// The condition.
    pub wanted: Condition,
    hold: Option<Duration>,
    since: Vec<Option<Instant>>,
    /// As long as it must hold of each queue.
    needed: Vec<Duration>,
}

impl Until {
    /// Of so many queues, none of which has been read yet.
    pub fn new(wanted: Condition, hold: Option<Duration>, queues: usize) -> Until {
        Until { wanted, hold, since: vec![None; queues], needed: vec![Duration::ZERO; queues] }
    }

    /// A reading. What a user must know of it, at the first.
    ///
    /// # Errors
    /// `Unsupported` where the queue does not tell what the condition asks for.
    pub fn take(&mut self, place: usize, queue: &str, d: &Depth, at: Timestamp, first: bool) -> Result<Vec<String>> {
        let holds = self.wanted.holds(d, at);
        if holds.is_none() && self.wanted.is_of_age() && d.waiting().is_some() {
            let text =
                format!("{queue} does not tell how old its messages are, so {} cannot be waited for", self.wanted);
            return Err(Error::new(Kind::Unsupported, text).hint("wait for a depth, or for empty"));
        }
        self.since[place] = holds.filter(|holds| *holds).and(self.since[place].or_else(|| Some(Instant::now())));
        let lags = d.accuracy == Accuracy::Approximate;
        self.needed[place] = self.hold.unwrap_or(if lags { ESTIMATES } else { Duration::ZERO });
        let note = (first && lags && self.hold.is_none()).then(|| {
            format!(
                "counts of {queue} are estimates: {} must hold for {} there (--for says otherwise)",
                self.wanted,
                human::duration(ESTIMATES)
            )
        });
        Ok(note.into_iter().collect())
    }

    /// It cannot be read: whatever held is not known to hold.
    pub fn lose(&mut self, place: usize) {
        self.since[place] = None;
    }

    /// Whether it holds of all, for long enough.
    pub fn is_met(&self, now: Instant) -> bool {
        let long =
            |(since, needed): (&Option<Instant>, &Duration)| since.is_some_and(|s| now.duration_since(s) >= *needed);
        self.since.iter().zip(&self.needed).all(long)
    }

    /// ` for 3 queues`, where there are several.
    pub fn everywhere(&self) -> String {
        if self.since.len() == 1 { String::new() } else { format!(" for {} queues", self.since.len()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn depth(n: u64, accuracy: Accuracy) -> Depth {
        Depth { kind: "any", ready: Some(n), in_flight: None, delayed: None, unresolved: None, oldest: None, accuracy }
    }

    #[tokio::test(start_paused = true)]
    async fn it_must_hold_of_all_and_of_estimates_for_a_while() {
        let at = Timestamp::UNIX_EPOCH;
        let mut until = Until::new(Condition::Empty, None, 2);
        assert!(!until.is_met(Instant::now()));
        assert!(until.take(0, "a", &depth(0, Accuracy::Exact), at, true).expect("told").is_empty());
        assert!(!until.is_met(Instant::now()), "the other was not read yet");
        assert_eq!(until.take(1, "b", &depth(0, Accuracy::Approximate), at, true).expect("told").len(), 1);
        assert!(!until.is_met(Instant::now()));
        tokio::time::advance(Duration::from_secs(31)).await;
        assert!(until.is_met(Instant::now()));
        until.lose(0);
        assert!(!until.is_met(Instant::now()), "unknown is not empty");
        until.take(0, "a", &depth(0, Accuracy::Exact), at, false).expect("told");
        assert!(until.is_met(Instant::now()));
        until.take(1, "b", &depth(1, Accuracy::Approximate), at, false).expect("told");
        until.take(1, "b", &depth(0, Accuracy::Approximate), at, false).expect("told");
        assert!(!until.is_met(Instant::now()), "it begins anew");
    }

    #[test]
    fn an_age_that_is_never_told_cannot_be_waited_for() {
        let wanted = Condition::parse("age<1h").expect("a condition");
        let mut until = Until::new(wanted, None, 1);
        let e = until.take(0, "q", &depth(3, Accuracy::Exact), Timestamp::UNIX_EPOCH, true).expect_err("refused");
        assert_eq!(e.kind(), Kind::Unsupported);
    }
}
