//! The canary: a few messages of every cause first, and what became of them. Pure.

use std::time::Duration;

use serde::Serialize;

use super::report::Counted;

/// Chooses messages so that every cause is among them, as far as there are enough to choose.
#[derive(Debug)]
pub struct Spread {
    wanted: usize,
    /// In the order in which they turned up.
    causes: Vec<(String, Vec<String>)>,
}

impl Spread {
    /// Of this many messages.
    pub fn new(wanted: u64) -> Self {
        Spread { wanted: usize::try_from(wanted).unwrap_or(usize::MAX), causes: vec![] }
    }

    /// Whether a message of this cause could still be chosen.
    pub fn wants(&self, cause: &str) -> bool {
        match self.causes.iter().find(|(c, _)| c == cause) {
            Some((_, ids)) => ids.len() < self.wanted,
            None => self.causes.len() < self.wanted,
        }
    }

    /// One that may be chosen.
    pub fn add(&mut self, cause: &str, id: &str) {
        match self.causes.iter_mut().find(|(c, _)| c == cause) {
            Some((_, ids)) => ids.push(id.to_owned()),
            None => self.causes.push((cause.to_owned(), vec![id.to_owned()])),
        }
    }

    /// One of each cause, then a second of each, and so on.
    pub fn chosen(&self) -> Vec<String> {
        let rounds = (0..).map_while(|round| {
            let of_round: Vec<_> = self.causes.iter().filter_map(|(_, ids)| ids.get(round)).cloned().collect();
            (!of_round.is_empty()).then_some(of_round)
        });
        rounds.flatten().take(self.wanted).collect()
    }
}

/// What became of the canary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// At least one is in the dead-letter queue again.
    CameBack,
    /// Their consumers are through with them, and none came back.
    Consumed,
    /// None came back, and whether they were consumed is not known.
    Unknown,
}

/// The verdict. `consumed`: what each destination said, where it could tell; `looked`: the dead-letter queue was seen.
pub fn verdict(came_back: u64, looked: bool, consumed: &[Option<bool>]) -> Verdict {
    if came_back > 0 {
        return Verdict::CameBack;
    }
    let all = !consumed.is_empty() && consumed.iter().all(|c| *c == Some(true));
    if looked && all { Verdict::Consumed } else { Verdict::Unknown }
}

/// What is reported of a canary.
#[derive(Clone, Debug, Serialize)]
pub struct Canary {
    /// So many messages were replayed.
    pub messages: u64,
    /// For how long it was waited.
    #[serde(rename = "waited_seconds", serialize_with = "seconds")]
    pub waited: Duration,
    /// What became of them.
    pub verdict: Verdict,
    /// Those that are in the dead-letter queue again, and of what they died this time.
    #[serde(flatten)]
    pub returned: Returned,
}

/// Messages of a run that are in the dead-letter queue again.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Returned {
    /// How many.
    pub came_back: u64,
    /// Of what they died this time, the most frequent first.
    pub came_back_causes: Vec<Counted>,
    /// Whether all of the queue was seen, or it is known without a look that none came back.
    pub came_back_complete: bool,
}

/// What is reported of `--watch-return`.
#[derive(Clone, Debug, Serialize)]
pub struct Watched {
    /// For how long it was waited.
    #[serde(rename = "watched_seconds", serialize_with = "seconds")]
    pub watched: Duration,
    /// What was found.
    #[serde(flatten)]
    pub returned: Returned,
}

fn seconds<S: serde::Serializer>(d: &Duration, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_u64(d.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_is_among_the_chosen() {
        let mut spread = Spread::new(4);
        for (cause, id) in [("a", "1"), ("a", "2"), ("a", "3"), ("b", "4"), ("a", "5"), ("a", "6"), ("c", "7")] {
            if spread.wants(cause) {
                spread.add(cause, id);
            }
        }
        assert_eq!(spread.chosen(), ["1", "4", "7", "2"]);
        let mut few = Spread::new(9);
        few.add("a", "1");
        assert_eq!(few.chosen(), ["1"]);
        assert!(Spread::new(3).chosen().is_empty());
    }

    #[test]
    fn more_causes_than_messages_are_not_all_remembered() {
        let mut spread = Spread::new(2);
        for n in 0..1000 {
            let cause = n.to_string();
            if spread.wants(&cause) {
                spread.add(&cause, &cause);
            }
        }
        assert_eq!((spread.chosen(), spread.causes.len()), (vec!["0".to_owned(), "1".to_owned()], 2));
    }

    #[test]
    fn only_what_is_known_of_every_destination_is_consumed() {
        use Verdict::*;
        assert_eq!(verdict(1, true, &[Some(true)]), CameBack);
        assert_eq!(verdict(0, true, &[Some(true), Some(true)]), Consumed);
        assert_eq!(verdict(0, true, &[Some(true), None]), Unknown);
        assert_eq!(verdict(0, true, &[Some(true), Some(false)]), Unknown);
        assert_eq!(verdict(0, true, &[]), Unknown);
        assert_eq!(verdict(0, false, &[Some(true)]), Unknown, "what was not looked for may have come back");
    }
}
