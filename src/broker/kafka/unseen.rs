//! Commits whose end was not seen yet where their records went. A cluster can leave out the marker of a commit in a partition, as it
//! can that of an abort (see [`super::leftover`]): what was committed there is hidden then, and shares the fate of what the same
//! producer sends there next. Should that be aborted, what was done is undone, which is told by nobody: so it is looked for here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::connect::Link;
use super::offsets::{self, Ends, Span};
use super::reader::{Into, Reader};
use super::sys::Record;
use crate::broker::Result;

/// A topic and a partition of it.
pub(super) type Place = (String, i32);

/// It is looked whether commits have ended after so many records, each told with its place and with the set, or so many commits.
const MUCH: usize = 200_000;
const MANY: usize = 64;

/// What one transaction has in one place.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Commit {
    /// Where its first record is there.
    pub(super) first: i64,
    /// The dead letters its records are of, by their offsets; none where an earlier run committed it.
    pub(super) of: Vec<i64>,
}

/// By place, in the order they were committed in.
#[derive(Debug, Default)]
pub(super) struct Unseen {
    by_place: BTreeMap<Place, Vec<Commit>>,
    /// Of these, where something of ours was open when last looked at.
    open: BTreeSet<Place>,
    /// Commits, and their records, since it was last looked.
    since: (usize, usize),
    /// Something was aborted since: that a commit has ended there does not tell how.
    doubted: bool,
}

impl Unseen {
    pub(super) fn note(&mut self, place: Place, commit: Commit) {
        self.since = (self.since.0 + 1, self.since.1 + commit.of.len());
        let here = self.by_place.entry(place).or_default();
        let at = here.partition_point(|c| c.first < commit.first);
        match here.get_mut(at).filter(|c| c.first == commit.first) {
            // An earlier run's, or ours that was met again: what is known of it is kept.
            Some(same) if same.of.len() < commit.of.len() => same.of = commit.of,
            Some(_) => {}
            None => here.insert(at, commit),
        }
    }

    pub(super) fn unite(&mut self, other: Unseen) {
        for (place, commits) in other.by_place {
            commits.into_iter().for_each(|c| self.note(place.clone(), c));
        }
        self.doubted |= other.doubted;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_place.is_empty()
    }

    /// Whether it is time to look.
    pub(super) fn is_much(&self) -> bool {
        self.since.0 >= MANY || self.since.1 >= MUCH
    }

    /// To be called before anything is aborted whose producer these are of.
    pub(super) fn doubt(&mut self) {
        self.doubted |= !self.is_empty();
    }

    /// Forgets those that have ended, while nothing of it is in doubt.
    ///
    /// # Errors
    /// That the cluster does not answer.
    pub(super) fn forget_ended(&mut self, link: &Arc<Link>) -> Result<()> {
        if !self.doubted {
            self.look(link, Duration::ZERO)?;
        }
        Ok(())
    }

    /// Looks which have ended, and forgets those that may be read. Gives what was undone. Waits so long for those that are ours and
    /// open: a marker comes a moment after the commit.
    ///
    /// # Errors
    /// That the cluster does not answer; what is not known is kept.
    pub(super) fn look(&mut self, link: &Arc<Link>, patience: Duration) -> Result<Vec<(Place, Commit)>> {
        let began = Instant::now();
        let mut undone = Vec::new();
        // Where it is not answered, neither is the next question.
        self.since = (0, 0);
        while !self.is_empty() {
            match self.look_once(link, &mut undone) {
                Ok(true) if began.elapsed() < patience => std::thread::sleep(Duration::from_millis(5)),
                Ok(_) => break,
                // What was found out is told; the rest is asked for another time.
                Err(_) if !undone.is_empty() => break,
                Err(e) => return Err(e),
            }
        }
        Ok(undone)
    }

    /// Whether something of ours is open.
    fn look_once(&mut self, link: &Arc<Link>, undone: &mut Vec<(Place, Commit)>) -> Result<bool> {
        self.open.clear();
        let mut failed = None;
        for (topic, partitions) in self.places() {
            let ends = match offsets::ends(link, &topic, &partitions) {
                Ok(ends) => ends,
                // The others' are not to wait for it.
                Err(e) => {
                    failed.get_or_insert(e);
                    continue;
                }
            };
            for (p, ends) in ends {
                let place = (topic.clone(), p);
                let Some(commits) = self.by_place.get_mut(&place) else { continue };
                if is_open(ends, commits) {
                    self.open.insert(place.clone());
                }
                let mut ended = take_ended(ends, commits);
                if self.doubted {
                    match undone_of(link, &place, ends, &ended) {
                        Ok(from) => undone.extend(ended.drain(from..).map(|c| (place.clone(), c))),
                        Err(e) => {
                            commits.splice(0..0, ended);
                            failed.get_or_insert(e);
                        }
                    }
                }
                if commits.is_empty() {
                    self.by_place.remove(&place);
                }
            }
        }
        self.doubted &= !self.is_empty();
        failed.map_or(Ok(!self.open.is_empty()), Err)
    }

    /// Whether something of ours is the first that is open in this place.
    pub(super) fn is_open(&self, place: &Place, ends: Ends) -> bool {
        self.by_place.get(place).is_some_and(|commits| is_open(ends, commits))
    }

    /// The dead letters of what is hidden in a topic.
    pub(super) fn hidden_of(&self, topic: &str) -> Vec<i64> {
        self.hidden().filter(|((of, _), _)| of == topic).flat_map(|(_, c)| c.of.iter().copied()).collect()
    }

    /// Whether it is not known of what is left how it ended.
    pub(super) fn is_doubted(&self) -> bool {
        self.doubted
    }

    /// What is left.
    pub(super) fn all(&self) -> impl Iterator<Item = (&Place, &Commit)> {
        self.by_place.iter().flat_map(|(place, commits)| commits.iter().map(move |c| (place, c)))
    }

    /// Of what is left, that which was open when last looked at: the rest is behind what somebody else has open.
    pub(super) fn hidden(&self) -> impl Iterator<Item = (&Place, &Commit)> {
        self.all().filter(|(place, _)| self.open.contains(*place))
    }

    fn places(&self) -> BTreeMap<String, Vec<i32>> {
        let mut places: BTreeMap<String, Vec<i32>> = BTreeMap::new();
        for (topic, p) in self.by_place.keys() {
            places.entry(topic.clone()).or_default().push(*p);
        }
        places
    }
}

/// Whether one of these is the first thing that is open there. Where somebody else's is open before it, nobody can tell.
fn is_open(ends: Ends, commits: &[Commit]) -> bool {
    ends.stable < ends.high && commits.iter().any(|c| c.first == ends.stable)
}

/// Those that have ended, one way or the other.
fn take_ended(ends: Ends, commits: &mut Vec<Commit>) -> Vec<Commit> {
    if ends.stable >= ends.high {
        return std::mem::take(commits);
    }
    let open = commits.iter().position(|c| c.first >= ends.stable).unwrap_or(commits.len());
    commits.drain(..open).collect()
}

/// From which on they were undone: the marker that shows one shows all before it.
fn undone_of(link: &Arc<Link>, place: &Place, ends: Ends, commits: &[Commit]) -> Result<usize> {
    let mut from = commits.len();
    while from > 0 && is_undone(link, place, ends, commits[from - 1].first)? {
        from -= 1;
    }
    Ok(from)
}

/// Whether a record is stored and, with nothing open before it, not to be read. One that is not stored was trimmed or compacted, or
/// its topic made anew: it may have been read before.
fn is_undone(link: &Arc<Link>, (topic, partition): &Place, ends: Ends, offset: i64) -> Result<bool> {
    if offset >= ends.high {
        return Ok(false);
    }
    // Clients of their own: others read the same partitions through theirs.
    Ok(!is_read(&link.apart()?, topic, *partition, offset)?
        && is_read(&link.uncommitted()?, topic, *partition, offset)?)
}

fn is_read(link: &Arc<Link>, topic: &str, partition: i32, offset: i64) -> Result<bool> {
    let spans = offsets::spans(link, topic, &[partition])?;
    let Some(span) = spans.into_iter().find(|s| (s.from..s.to).contains(&offset)) else { return Ok(false) };
    let mut reader = Reader::of(link, topic, vec![Span { from: offset, to: offset + 1, hidden: 0, ..span }]);
    let mut found = Found::default();
    reader.read(&mut found)?;
    Ok(found.0.contains(&offset))
}

#[derive(Default)]
struct Found(BTreeSet<i64>);

impl Into for Found {
    fn take(&mut self, _: i32, records: &[Record<'_>]) -> bool {
        self.0.extend(records.iter().map(|r| r.offset()));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commits(firsts: &[i64]) -> Vec<Commit> {
        firsts.iter().map(|first| Commit { first: *first, of: vec![*first] }).collect()
    }

    #[test]
    fn what_begins_where_the_readable_part_ends_is_open_with_all_behind_it() {
        let ends = |stable, high| Ends { stable, high };
        for (at, open, ended) in [
            (ends(30, 30), false, 3),
            (ends(20, 30), true, 2),
            (ends(10, 30), true, 1),
            (ends(5, 30), true, 0),
            (ends(4, 30), false, 0),
            (ends(15, 30), false, 2),
            (ends(21, 30), false, 3),
        ] {
            let mut all = commits(&[5, 10, 20]);
            assert_eq!(is_open(at, &all), open, "{at:?}");
            assert_eq!((take_ended(at, &mut all).len(), all.len()), (ended, 3 - ended), "{at:?}");
        }
    }

    #[test]
    fn it_is_looked_at_after_many_commits_or_records_and_doubt_needs_something_to_doubt() {
        let mut unseen = Unseen::default();
        unseen.doubt();
        assert!(!unseen.doubted);
        for n in 0..64 {
            assert!(!unseen.is_much(), "{n}");
            unseen.note(("t".into(), 0), Commit { first: n, of: vec![n] });
        }
        assert!(unseen.is_much());
        let mut unseen = Unseen::default();
        unseen.note(("t".into(), 0), Commit { first: 0, of: vec![0; MUCH - 1] });
        assert!(!unseen.is_much());
        unseen.note(("t".into(), 1), Commit { first: 0, of: vec![0] });
        assert!(unseen.is_much());
        unseen.doubt();
        assert!(unseen.doubted);
        assert_eq!((unseen.all().count(), unseen.hidden().count(), unseen.hidden_of("t").len()), (2, 0, 0));
    }
}
