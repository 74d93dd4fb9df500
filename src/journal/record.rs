//! One run, as it is written down.

use jiff::Timestamp;
use serde_json::Value;

use super::ledger::Row;
use crate::broker::Bound;
use crate::cli::Select;
use crate::replay::RunId;

/// What is known of a run when it begins.
#[derive(Clone, Debug)]
pub struct Begun {
    /// Its name.
    pub run: RunId,
    /// What the user calls it: `--run NAME`.
    pub name: Option<String>,
    /// `replay`.
    pub verb: &'static str,
    /// The command line without the program. It may hold passwords, and is kept so only until the run is finished.
    pub arguments: Vec<String>,
    /// The same without passwords.
    pub shown: Vec<String>,
    /// The folder it was typed in.
    pub folder: String,
    /// The selection with times and ids as they were understood then.
    pub select: Select,
    /// The queue, without passwords.
    pub source: String,
    /// Names of the very queue: see [`crate::broker::Source::places`].
    pub places: Vec<String>,
    /// The destination, without passwords; `None` where each message went to its own place.
    pub destination: Option<String>,
    /// The account or user.
    pub principal: Option<String>,
    /// When it began.
    pub started: Timestamp,
}

/// How far a run has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It was begun, and nothing says that it ended: it runs, or its process is gone.
    Open,
    /// It ended.
    Ended {
        /// When.
        at: Timestamp,
        /// The exit code as a word: `done`, `partly`, `guard`, …
        outcome: String,
        /// What ended it before its time.
        stopped_by: Option<String>,
    },
}

/// A run that was begun.
#[derive(Clone, Debug)]
pub struct Record {
    /// What was known when it began.
    pub run: RunId,
    /// `--run NAME`.
    pub name: Option<String>,
    /// `replay`.
    pub verb: String,
    /// The command line without the program; without passwords once it is finished.
    pub arguments: Vec<String>,
    /// The folder it was typed in.
    pub folder: String,
    /// The selection as it was understood.
    pub select: Select,
    /// The queue.
    pub source: String,
    /// Names of the very queue.
    pub places: Vec<String>,
    /// The destination.
    pub destination: Option<String>,
    /// The account or user.
    pub principal: Option<String>,
    /// When it began.
    pub started: Timestamp,
    /// How often it was begun: 1, and once more for every time it was taken up again.
    pub attempts: u64,
    /// How far it has come.
    pub standing: Standing,
    /// The report of each attempt that ended by itself.
    pub reports: Vec<Value>,
    /// Its process, while it was running.
    pub process: u32,
    /// Messages whose arrival was written down, over all attempts; 0 where a broker moves them in transactions of its own.
    pub arrived: u64,
    /// Of those, what nothing says is removed.
    pub open_arrived: u64,
    /// Sends that nothing says are finished, those included; 0 in a list of runs.
    pub unfinished: u64,
    /// Where reading the queue was to end, of each attempt that opened it; none in a list of runs.
    pub bounds: Vec<Bound>,
}

impl Record {
    /// It ended with everything done.
    pub fn is_done(&self) -> bool {
        matches!(&self.standing, Standing::Ended { outcome, .. } if outcome == "done")
    }

    /// What a report counts, summed over the attempts.
    pub fn total(&self, field: &str) -> u64 {
        self.reports.iter().filter_map(|r| r[field].as_u64()).sum()
    }

    /// Messages that went where they should, over all attempts, whatever the verb calls it.
    pub fn moved(&self) -> u64 {
        let told = ["replayed", "moved", "copied", "purged"].iter().map(|field| self.total(field)).sum();
        self.arrived.max(told)
    }
}

/// What a run that is taken up again finds.
#[derive(Debug)]
pub struct Unfinished {
    /// Sends that nothing says are finished.
    pub rows: Vec<Row>,
    /// Which attempt this is, from 2.
    pub attempt: u64,
}
