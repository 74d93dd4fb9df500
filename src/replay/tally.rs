//! What came of a run: counts, capped lists, and the exit code they add up to.

use std::collections::BTreeMap;
use std::time::Duration;

use super::LISTED;
use super::canary::{Canary, Watched};
use crate::broker::{Closed, Error};
use crate::exit::Exit;

/// A list that stops growing at [`LISTED`] and counts the rest.
#[derive(Debug)]
pub struct Capped<T> {
    /// The first ones.
    pub listed: Vec<T>,
    /// How many more there were.
    pub omitted: u64,
}

impl<T> Default for Capped<T> {
    fn default() -> Self {
        Capped { listed: Vec::new(), omitted: 0 }
    }
}

impl<T> Capped<T> {
    /// Adds one, or counts it. `make` is called only where there is room.
    pub fn push_with(&mut self, make: impl FnOnce() -> T) {
        if self.listed.len() < LISTED {
            self.listed.push(make());
        } else {
            self.omitted += 1;
        }
    }

    /// Puts another behind.
    pub fn join(&mut self, later: Capped<T>) {
        later.listed.into_iter().for_each(|t| self.push_with(|| t));
        self.omitted += later.omitted;
    }

    /// How many there were.
    pub fn count(&self) -> u64 {
        self.listed.len() as u64 + self.omitted
    }
}

/// One message that did not get through.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Failure {
    /// Its id in the source.
    pub id: String,
    /// What went wrong.
    pub error: String,
}

/// Why a selected message was left where it was without an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Skip {
    /// This very run has replayed it, and it came back.
    CameBack,
    /// It has been replayed `--max-replays` times.
    MaxReplays,
    /// A message ahead of it in its lane failed.
    BehindFailure,
    /// The run was stopped before its turn.
    NotReached,
}

/// What ended a run before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stopped {
    /// Ctrl-C or SIGTERM.
    Signal,
    /// More than `--max-failures` failed.
    MaxFailures,
    /// `--on-failure stop`, and one failed.
    OnFailure,
    /// Messages of the canary died again.
    Canary,
    /// What became of the canary could not be known.
    UnknownCanary,
    /// An error that concerns more than one message: see [`Tally::error`].
    Error,
}

/// The result of a run. `selected = moved + failed + indeterminate + not_removed + skipped`, always.
#[derive(Debug, Default)]
pub struct Tally {
    /// Messages looked at.
    pub read: u64,
    /// Messages selected, up to `--limit`.
    pub selected: u64,
    /// Confirmed at the destination and removed here (or not to be removed).
    pub moved: u64,
    /// Not there, still here.
    pub failed: u64,
    /// Perhaps there, still here.
    pub indeterminate: u64,
    /// There, and perhaps still here.
    pub not_removed: u64,
    /// Left without an attempt.
    pub skipped: u64,
    /// The same by reason.
    pub skipped_because: BTreeMap<Skip, u64>,
    /// Messages the expression failed on; they are not selected.
    pub filter_errors: u64,
    /// The first few of them.
    pub filter_error_examples: Vec<Failure>,
    /// Replayed without the mark, for want of room.
    pub unmarked: u64,
    /// Changed on the way, as was asked for.
    pub changed: u64,
    /// What failed and was written to `--failed-to`.
    pub set_aside: u64,
    /// For how long nothing was sent because of `--hold-while-backlog`.
    pub held: Duration,
    /// What became of the canary.
    pub canary: Option<Canary>,
    /// What came back afterwards, where that was watched.
    pub watched: Option<Watched>,
    /// What was left out of messages to make them fit, and of how many.
    pub left_out: BTreeMap<String, u64>,
    /// Selected messages whose bodies are kept elsewhere.
    pub claim_checks: u64,
    /// Ids of those that may be in both places, or come twice.
    pub possible_duplicates: Capped<String>,
    /// What failed, and why.
    pub errors: Capped<Failure>,
    /// What ended the run before its time.
    pub stopped: Option<Stopped>,
    /// What went wrong with the run as a whole.
    pub error: Option<Error>,
    /// What went wrong when everything was closed: the last removals, or the giving back, are not certain.
    pub unclosed: Vec<Error>,
    /// Messages an earlier attempt had under way that were not among those seen: somebody may hold them still.
    pub unclaimed: u64,
    /// `--limit` or `--scan-limit` ended the reading.
    pub limited: bool,
    /// How the scan ended.
    pub closed: Closed,
}

impl Tally {
    /// Messages that did not get through as they should.
    pub fn failures(&self) -> u64 {
        self.failed + self.indeterminate + self.not_removed
    }

    /// Nothing that could have been read was not.
    pub(super) fn saw_everything(&self) -> bool {
        let whole = self.closed.cut.is_none() && self.closed.unseen.unwrap_or(0) == 0 && self.closed.bad_lines == 0;
        whole && !self.limited && self.stopped.is_none() && self.unclosed.is_empty()
    }

    /// Something has changed at the destination or here.
    fn acted(&self) -> bool {
        self.moved + self.indeterminate + self.not_removed > 0
    }

    /// The exit code. `on_signal` is the code of the signal that stopped the run, which only the caller knows.
    pub fn exit(&self, on_signal: Exit) -> Exit {
        match self.stopped {
            Some(Stopped::Signal) => return on_signal,
            Some(Stopped::MaxFailures | Stopped::Canary | Stopped::UnknownCanary) => return Exit::Guard,
            _ => {}
        }
        if let Some(e) = self.error.as_ref().or(self.unclosed.first()) {
            return if self.acted() { Exit::Partly } else { Exit::of(e.kind()) };
        }
        let cut = self.closed.cut.is_some() && !self.limited || self.unclaimed > 0;
        // Whoever asked takes 0 for none.
        if self.watched.as_ref().is_some_and(|w| w.returned.came_back > 0 || !w.returned.came_back_complete) {
            return Exit::Partly;
        }
        match (self.failures() > 0, self.acted()) {
            (true, false) => Exit::Failed,
            (true, true) => Exit::Partly,
            (false, _) if cut => Exit::Partly,
            (false, _) => Exit::Done,
        }
    }

    /// The first reason counts; so does the first error, even if a signal came before it.
    pub fn end(&mut self, why: Stopped, e: Option<Error>) {
        self.stopped.get_or_insert(why);
        if self.error.is_none() {
            self.error = e;
        }
    }

    /// Adds what came of a part of the run that came later.
    pub fn join(&mut self, later: Tally) {
        self.read += later.read;
        self.selected += later.selected;
        self.moved += later.moved;
        self.failed += later.failed;
        self.indeterminate += later.indeterminate;
        self.not_removed += later.not_removed;
        later.skipped_because.into_iter().for_each(|(why, n)| self.skip(why, n));
        self.filter_failed(later.filter_errors, later.filter_error_examples);
        self.unmarked += later.unmarked;
        self.changed += later.changed;
        self.set_aside += later.set_aside;
        self.held += later.held;
        for (what, n) in later.left_out {
            *self.left_out.entry(what).or_default() += n;
        }
        self.claim_checks += later.claim_checks;
        self.possible_duplicates.join(later.possible_duplicates);
        self.errors.join(later.errors);
        self.unclosed.extend(later.unclosed);
        if let Some(why) = later.stopped {
            self.end(why, later.error);
        }
        self.unclaimed = later.unclaimed;
        self.limited = later.limited;
        let notices = std::mem::take(&mut self.closed.notices);
        self.closed = later.closed;
        self.closed.notices.splice(0..0, notices);
    }

    pub(super) fn skip(&mut self, why: Skip, messages: u64) {
        if messages > 0 {
            self.skipped += messages;
            *self.skipped_because.entry(why).or_default() += messages;
        }
    }

    pub(super) fn fail(&mut self, id: &str, e: &Error) {
        self.errors.push_with(|| Failure { id: id.to_owned(), error: sentence(e) });
    }

    pub(super) fn leave_out(&mut self, what: String) {
        // Texts are few; should a backend put a name of the user's in one, the map must not grow with the queue.
        let what = if self.left_out.len() < LISTED { what } else { "other parts".to_owned() };
        *self.left_out.entry(what).or_default() += 1;
    }

    pub(super) fn filter_failed(&mut self, many: u64, examples: impl IntoIterator<Item = Failure>) {
        self.filter_errors += many;
        let room = FILTER_EXAMPLES - self.filter_error_examples.len().min(FILTER_EXAMPLES);
        self.filter_error_examples.extend(examples.into_iter().take(room));
    }
}

/// Filter errors that are kept with their text.
pub(super) const FILTER_EXAMPLES: usize = 3;

/// An error with its hint, for a list where there is no other line to put it on.
fn sentence(e: &Error) -> String {
    match e.get_hint() {
        Some(hint) => format!("{e} ({hint})"),
        None => e.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::Kind;

    fn exit(t: Tally) -> Exit {
        t.exit(Exit::Terminated)
    }

    #[test]
    fn exit_codes_follow_the_counts() {
        let t = Tally::default;
        assert_eq!(exit(t()), Exit::Done, "nothing to do is done");
        assert_eq!(exit(Tally { moved: 3, ..t() }), Exit::Done);
        assert_eq!(exit(Tally { failed: 3, ..t() }), Exit::Failed);
        assert_eq!(exit(Tally { failed: 3, moved: 1, ..t() }), Exit::Partly);
        assert_eq!(exit(Tally { indeterminate: 1, ..t() }), Exit::Partly, "unknown is neither done nor failed");
        assert_eq!(exit(Tally { not_removed: 1, ..t() }), Exit::Partly);
        assert_eq!(exit(Tally { moved: 1, unclaimed: 1, ..t() }), Exit::Partly, "there is more to take up");
        assert_eq!(exit(Tally { moved: 1, stopped: Some(Stopped::Signal), ..t() }), Exit::Terminated);
        assert_eq!(exit(Tally { moved: 1, failed: 9, stopped: Some(Stopped::MaxFailures), ..t() }), Exit::Guard);
        assert_eq!(exit(Tally { failed: 1, stopped: Some(Stopped::OnFailure), ..t() }), Exit::Failed);
        assert_eq!(exit(Tally { error: Some(Error::new(Kind::Usage, "")), ..t() }), Exit::Usage);
        assert_eq!(exit(Tally { error: Some(Error::new(Kind::Usage, "")), moved: 1, ..t() }), Exit::Partly);
        assert_eq!(exit(Tally { unclosed: vec![Error::new(Kind::Unreachable, "")], moved: 1, ..t() }), Exit::Partly);
        let cut = || Closed { cut: Some("the broker's timeout was near".into()), ..Closed::default() };
        assert_eq!(exit(Tally { moved: 1, closed: cut(), ..t() }), Exit::Partly);
        assert_eq!(exit(Tally { moved: 1, closed: cut(), limited: true, ..t() }), Exit::Done);
    }

    #[test]
    fn lists_are_capped_and_counted() {
        let mut list = Capped::default();
        for n in 0..250 {
            list.push_with(|| n);
        }
        assert_eq!((list.listed.len(), list.omitted, list.count()), (100, 150, 250));
    }
}
