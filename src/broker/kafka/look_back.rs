//! What becomes of commits after they are made: see [`super::unseen`].

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::connect::Link;
use super::fence::{Ended, Fence};
use super::offsets::{self, Ends};
use super::resolved::{Offsets, Went};
use super::unseen::{Commit, Place, Unseen};
use crate::broker::{Error, Kind, Result};

/// A marker is waited for so long where nothing hangs on it.
const SOON: Duration = Duration::from_millis(100);
/// The markers of the last commit are waited for so long.
const LAST: Duration = Duration::from_secs(5);

impl Fence {
    /// Where the transaction's records are stored, so far as it is known; without the set's own.
    pub(super) fn went(&self) -> Went {
        let mut went = self.told.went();
        went.leave_out(&self.state.topic);
        went
    }

    /// What the transaction has in each place, the first of whose records has the number `base`.
    pub(super) fn commits(&self, base: usize, done: &[i64]) -> Vec<(Place, Commit)> {
        let went = self.told.went();
        let mut commits = Vec::new();
        for (place, numbers) in self.told.by_place() {
            let Some(first) = went.at(&place.0, place.1) else { continue };
            // The set's own are of all of them.
            let of = match place.0 == self.state.topic {
                true => done.to_vec(),
                false => numbers.into_iter().filter_map(|n| done.get(n.checked_sub(base)?).copied()).collect(),
            };
            commits.push((place, Commit { first, of }));
        }
        commits
    }

    /// What it has to look after, for a fence behind it.
    pub(super) fn carried(&mut self) -> Carried {
        Carried {
            set: self.set.clone(),
            unseen: std::mem::take(&mut self.unseen),
            perhaps: std::mem::take(&mut self.perhaps),
            pending: std::mem::take(&mut self.pending),
            undone: std::mem::take(&mut self.undone),
        }
    }

    /// The same, of one that may have left a transaction behind: it is undone, and how its commits end is to be looked at.
    pub(super) fn shut(&mut self) -> Carried {
        self.unseen.doubt();
        self.carried()
    }

    /// Goes on where a fence before it left off, whose transaction, if it had one, was aborted.
    pub(super) fn go_on(&mut self, carried: Carried) {
        self.undone.unite(carried.undone);
        // All in it was committed. Where the set's own record is what was undone, it is to be stored once more.
        let lost = carried.set.beyond(&self.set) > 0;
        self.set.unite(&carried.set);
        self.unseen.unite(carried.unseen);
        let committed = |c: &Commit| c.of.iter().any(|at| self.set.contains(*at));
        for (place, commit) in carried.perhaps.into_iter().filter(|(_, c)| committed(c)) {
            self.unseen.note(place, commit);
        }
        self.unseen.doubt();
        if carried.pending.is_empty() {
            self.look_again(SOON);
        } else {
            self.put_back(carried.pending);
        }
        // Where it is in doubt, it is for the next commit to store.
        if lost && !self.unseen.is_doubted() {
            self.store_set();
        }
    }

    /// To be called before a transaction is aborted: the last commit has its markers by now, or never will, since nothing could be
    /// sent to the next transaction before.
    pub(super) fn before_abort(&mut self) {
        if let Err(e) = self.unseen.forget_ended(&self.state.link) {
            log::debug!("whether what was committed is shown: {e}");
        }
        self.unseen.doubt();
    }

    /// To be called when it is aborted, with the numbers of its records.
    pub(super) fn after_abort(&mut self, sent: Range<usize>) {
        if self.told.has_all(sent) {
            for place in self.open_still() {
                self.met.remove(&place.0);
                self.stuck.insert(place);
            }
        } else {
            // Some may be stored all the same, nobody knows where.
            self.stuck_topics.append(&mut self.met);
        }
        self.look_again(Duration::ZERO);
    }

    /// Where what was just aborted is open still, or may be.
    fn open_still(&self) -> Vec<Place> {
        let began = Instant::now();
        let went = self.went();
        loop {
            let mut open = Vec::new();
            for (topic, partitions) in went.by_topic() {
                let ends = offsets::ends(&self.state.link, topic, &partitions.keys().copied().collect::<Vec<_>>());
                for (p, first) in partitions {
                    let place = (topic.clone(), *p);
                    let is_open =
                        |e: &Ends| e.stable < e.high && (e.stable == *first || self.unseen.is_open(&place, *e));
                    if ends.as_ref().map_or(true, |ends| ends.get(p).is_some_and(is_open)) {
                        open.push(place);
                    }
                }
            }
            if open.is_empty() || began.elapsed() >= SOON {
                return open;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Looks how commits have ended. What an abort has undone of them is in the queue again. To be called with no transaction begun.
    pub(super) fn look_again(&mut self, patience: Duration) {
        match self.unseen.look(&self.state.link, patience) {
            Ok(undone) if undone.is_empty() => {}
            Ok(undone) => self.put_back(undone),
            Err(e) => log::debug!("whether what was committed is shown: {e}"),
        }
    }

    fn put_back(&mut self, undone: Vec<(Place, Commit)>) {
        let (own, sent): (Vec<_>, Vec<_>) = undone.into_iter().partition(|((topic, _), _)| *topic == self.state.topic);
        let again: Vec<i64> = sent.iter().flat_map(|(_, c)| c.of.iter().copied()).collect();
        log::debug!("undone that was committed: {} records, and the set in {} commits", again.len(), own.len());
        again.iter().for_each(|at| self.set.take_out(*at));
        own.iter().flat_map(|(_, c)| &c.of).for_each(|at| self.set.store_again(*at));
        // The set's own needs no more than to be stored; of an earlier run's nobody knows what they are of.
        let (earlier, sent): (Vec<_>, Vec<_>) = sent.into_iter().partition(|(_, c)| c.of.is_empty());
        self.undone.places.extend(earlier.iter().map(|(place, c)| told(place, c, GONE)));
        self.pending.extend(sent);
        // What does not come to be stored now is with the next commit.
        self.store_set();
    }

    /// Stores what has changed in the set. Whether it did.
    fn store_set(&mut self) -> bool {
        match self.begin().map(|()| self.commit(&[])) {
            Ok(Ended::Lost(e)) | Err(e) => {
                self.dead = Some(e);
                false
            }
            Ok(ended) => matches!(ended, Ended::Committed),
        }
    }

    /// Waits for the end of what was committed last, and tells what does not come to it. To be called when nothing more is to be
    /// sent.
    pub(super) fn finish(&mut self) -> Undone {
        match self.unseen.look(&self.state.link, LAST) {
            // Asking once more would take as long.
            Err(e) => return self.carried().unanswered(&e),
            Ok(undone) if undone.is_empty() => {}
            Ok(undone) => self.put_back(undone),
        }
        // What is hidden of the set itself shows with whatever is committed there next.
        let own = self.unseen.hidden_of(&self.state.topic);
        if !own.is_empty() && self.ended().is_none() {
            own.iter().for_each(|at| self.set.store_again(*at));
            if self.store_set() {
                self.look_again(LAST);
            }
        }
        self.carried().finish(&self.state.link)
    }
}

/// What is to be looked after when its fence is gone.
pub(super) struct Carried {
    set: Offsets,
    unseen: Unseen,
    perhaps: Vec<(Place, Commit)>,
    pending: Vec<(Place, Commit)>,
    undone: Undone,
}

impl Carried {
    /// Tells what is left.
    pub(super) fn finish(mut self, link: &Arc<Link>) -> Undone {
        match self.unseen.look(link, Duration::ZERO) {
            Err(e) => return self.unanswered(&e),
            Ok(undone) => self.pending.extend(undone),
        }
        let unseen = &self.unseen;
        let places = &mut self.undone.places;
        if unseen.is_doubted() {
            places.extend(unseen.all().map(|(place, c)| told(place, c, DOUBTED)));
        } else {
            places.extend(unseen.hidden().map(|(place, c)| told(place, c, HIDDEN)));
        }
        places.extend(self.pending.iter().map(|(place, c)| told(place, c, GONE)));
        self.undone
    }

    /// Tells what is left, where that is not answered.
    fn unanswered(mut self, e: &Error) -> Undone {
        let how = format!("could not be asked after: {e}");
        self.undone.places.extend(self.unseen.all().map(|(place, c)| told(place, c, &how)));
        self.undone.places.extend(self.pending.iter().map(|(place, c)| told(place, c, GONE)));
        self.undone
    }
}

/// What was committed once and is not any more, or not to be read.
#[derive(Debug, Default)]
pub(super) struct Undone {
    /// Dead letters that are in the queue again.
    again: u64,
    /// What is hidden or gone and yet done by the set: where, and how.
    places: BTreeSet<String>,
}

const HIDDEN: &str = "are committed and hidden: the end of their transaction is not there after 5 s, and the next replay from here \
                      to there shows them";
const DOUBTED: &str =
    "are committed, and behind something that was aborted: whether they are shown there could not be seen yet";
const GONE: &str = "are undone, and done by the set: copy -X include-resolved=true has what they were made of";

fn told((topic, partition): &Place, commit: &Commit, how: &str) -> String {
    let many = match commit.of.len() {
        0 => "sent by an earlier run".to_owned(),
        many => format!("{many} of them"),
    };
    format!("records in partition {partition} of {topic} from offset {} on, {many}, {how}", commit.first)
}

impl Undone {
    pub(super) fn unite(&mut self, other: Undone) {
        self.again += other.again;
        self.places.extend(other.places);
    }

    /// These are in the queue again.
    pub(super) fn again(&mut self, stored: Vec<(Place, Commit)>) {
        self.again += stored.iter().map(|(_, c)| c.of.len() as u64).sum::<u64>();
    }

    /// # Errors
    /// That there is any.
    pub(super) fn told(self) -> Result<()> {
        let Undone { again, places } = self;
        let mut texts: Vec<String> = places.into_iter().collect();
        if again > 0 {
            texts.insert(
                0,
                format!("{again} records that the cluster had committed are undone: it ended their transaction without a marker"),
            );
        }
        if texts.is_empty() {
            return Ok(());
        }
        let e = Error::new(Kind::Unreachable, texts.join("; "));
        Err(if again > 0 { e.hint("they are in the queue still: run this once more") } else { e })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_undone_is_told_and_an_error() {
        assert!(Undone::default().told().is_ok());
        let mut undone = Undone { again: 2, ..Undone::default() };
        let mut other = Undone::default();
        let commit = Commit { first: 7, of: vec![1, 2, 3] };
        other.places.insert(told(&("orders".into(), 1), &commit, HIDDEN));
        undone.unite(other);
        let e = undone.told().unwrap_err();
        assert_eq!(e.kind(), Kind::Unreachable);
        let text = e.to_string();
        assert!(text.starts_with("2 records that the cluster had committed are undone"), "{text}");
        assert!(
            text.contains("records in partition 1 of orders from offset 7 on, 3 of them, are committed and hidden"),
            "{text}"
        );
        assert_eq!(e.get_hint(), Some("they are in the queue still: run this once more"));
    }
}
