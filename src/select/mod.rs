//! Which messages: everything a selection flag can say, evaluated on all cores in order. Pure.

mod ids;
pub mod judging;
mod pool;
pub mod sample;
pub mod stats;
pub mod times;

use std::sync::Arc;

use jiff::Timestamp;

use crate::broker::{Batch, Error, Hints, Kind};
use crate::death::{self, Death};
use crate::filter::{Program, Truth};
use crate::message::DeadLetter;
pub use ids::Ids;
use pool::Watch;

/// A whole selection. An empty one selects everything.
#[derive(Clone, Default)]
pub struct Selection {
    /// `--filter`.
    pub program: Option<Program>,
    /// `--since`, inclusive, against `death.last`, else `time`. A message with neither is not selected.
    pub since: Option<Timestamp>,
    /// `--until`, exclusive.
    pub until: Option<Timestamp>,
    /// `--id`, `--ids-from`.
    pub ids: Option<Ids>,
    /// `--cause`: a prefix of `death.cause`, or of `death.reason`.
    pub cause: Option<String>,
    /// `--limit`: messages selected.
    pub limit: Option<u64>,
    /// `--scan-limit`: messages read.
    pub scan_limit: Option<u64>,
}

/// What the selection said of one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Selected.
    Yes,
    /// Not selected.
    No,
    /// Not selected since the expression failed on it.
    Failed(String),
}

/// A batch with a verdict for each of its deliveries, in order. `fatal` ends the command (several outputs, time-out),
/// naming the message; verdicts then end before the one that caused it.
pub struct Judged {
    /// The batch.
    pub batch: Batch,
    /// As many as deliveries, or fewer when `fatal` is set.
    pub verdicts: Vec<Verdict>,
    /// What ends the command.
    pub fatal: Option<Error>,
}

impl Judged {
    /// The selected messages, in order.
    pub fn selected(&self) -> impl Iterator<Item = &DeadLetter> {
        let both = self.batch.deliveries.iter().zip(&self.verdicts);
        both.filter(|(_, v)| **v == Verdict::Yes).map(|(d, _)| &*d.message)
    }
}

impl Selection {
    /// Every message that is read is selected.
    pub fn takes_all(&self) -> bool {
        self.program.is_none()
            && self.ids.is_none()
            && self.cause.is_none()
            && self.since.is_none()
            && self.until.is_none()
    }

    /// What a backend may leave out without reading it.
    pub fn hints(&self) -> Hints {
        Hints { ids: self.ids.as_ref().map(|ids| ids.iter().map(str::to_owned).collect()), since: self.since }
    }

    /// The queue is about to be read from its beginning.
    pub fn start(&self) {
        self.ids.iter().for_each(Ids::start);
    }

    /// Judges a batch on this thread. `limit` and `scan_limit` are the caller's to count.
    pub fn judge(&self, batch: Batch) -> Judged {
        self.judge_watched(batch, &Watch::default())
    }

    /// As [`Selection::judge`], telling `watch` which message is at hand.
    fn judge_watched(&self, batch: Batch, watch: &Watch) -> Judged {
        let mut verdicts = Vec::with_capacity(batch.deliveries.len());
        let mut fatal = None;
        for (i, d) in batch.deliveries.iter().enumerate() {
            if self.program.is_some() {
                watch.at(i, &d.message.id);
            }
            match self.verdict(&d.message) {
                Ok(v) => verdicts.push(v),
                Err(e) => {
                    fatal = Some(e);
                    break;
                }
            }
        }
        watch.done();
        Judged { batch, verdicts, fatal }
    }

    /// Judges one message: the cheap tests first.
    ///
    /// # Errors
    /// What ends the command, naming the message.
    pub fn verdict(&self, m: &DeadLetter) -> Result<Verdict, Error> {
        if self.ids.as_ref().is_some_and(|ids| !ids.find(&m.id)) {
            return Ok(Verdict::No);
        }
        let dated = self.since.is_some() || self.until.is_some();
        let death = (dated || self.cause.is_some()).then(|| death::of(m)).flatten();
        if !self.has_cause(death.as_ref()) || (dated && !self.is_in_time(m, death.as_ref())) {
            return Ok(Verdict::No);
        }
        let Some(program) = &self.program else { return Ok(Verdict::Yes) };
        match program.truth_knowing(m, death.as_ref()) {
            Truth::Yes => Ok(Verdict::Yes),
            Truth::No => Ok(Verdict::No),
            Truth::Failed(e) => Ok(Verdict::Failed(e)),
            Truth::Several => Err(several(&m.id)),
            Truth::TimedOut => Err(timed_out(&m.id, program)),
        }
    }

    fn has_cause(&self, death: Option<&Death>) -> bool {
        let Some(wanted) = &self.cause else { return true };
        death.is_some_and(|d| {
            d.cause.starts_with(wanted.as_str()) || d.reason.as_ref().is_some_and(|r| r.starts_with(wanted.as_str()))
        })
    }

    fn is_in_time(&self, m: &DeadLetter, death: Option<&Death>) -> bool {
        let Some(t) = death.and_then(|d| d.last).or(m.time) else { return false };
        self.since.is_none_or(|s| t >= s) && self.until.is_none_or(|u| t < u)
    }

    /// Judges a batch on a thread of the pool. Keep a few of these in order.
    pub fn judge_later(self: &Arc<Self>, batch: Batch) -> tokio::task::JoinHandle<Judged> {
        let lane = batch.lane;
        let judged = judging::judge_and(self, batch, |judged| judged);
        tokio::spawn(async move { judged.await.unwrap_or_else(|e| judging::lost(lane, e)) })
    }
}

fn several(id: &str) -> Error {
    Error::new(Kind::Usage, format!("the filter gives more than one output for message {id}"))
        .hint("a condition has one: combine several with any(…) or all(…), as in any(.body.items[]; .price > 10)")
}

fn timed_out(id: &str, program: &Program) -> Error {
    let took = program.timeout();
    Error::new(Kind::FilterTimeout, format!("the filter ran longer than {took:?} on message {id}"))
        .hint("if it does end, allow more with --filter-timeout; --scan-limit and --id help to find out")
}

#[cfg(test)]
mod tests;
