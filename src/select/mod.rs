//! Which messages: everything a selection flag can say, evaluated on all cores in order. Pure.

use std::collections::HashSet;
use std::sync::Arc;

use jiff::Timestamp;

use crate::broker::Batch;
use crate::filter::Program;

/// A whole selection. An empty one selects everything.
#[derive(Default)]
pub struct Selection {
    /// `--filter`.
    pub program: Option<Program>,
    /// `--since`, inclusive, against `death.last`, else `time`. A message with neither is not selected.
    pub since: Option<Timestamp>,
    /// `--until`, exclusive.
    pub until: Option<Timestamp>,
    /// `--id`, `--ids-from`.
    pub ids: Option<HashSet<String>>,
    /// `--cause`, a prefix.
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
    pub fatal: Option<crate::broker::Error>,
}

impl Selection {
    /// Judges a batch on this thread. `limit` and `scan_limit` are the caller's to count.
    pub fn judge(&self, batch: Batch) -> Judged {
        let verdicts = vec![Verdict::Yes; batch.deliveries.len()];
        Judged { batch, verdicts, fatal: None }
    }

    /// Judges a batch on a thread of the pool. Keep a few of these in order.
    pub fn judge_later(self: &Arc<Self>, batch: Batch) -> tokio::task::JoinHandle<Judged> {
        let me = Arc::clone(self);
        tokio::task::spawn_blocking(move || me.judge(batch))
    }
}
