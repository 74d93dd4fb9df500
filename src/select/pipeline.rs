//! Judging on all cores, in order.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use super::pool::{self, Watch};
use super::{Judged, Selection, timed_out};
use crate::broker::{Batch, Error, Kind};

/// How often a batch at work is looked at. An evaluation ends itself at its limit; this is for one that cannot.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// What it gets beyond its limit.
const GRACE: Duration = Duration::from_secs(1);

/// What is done with a judged batch on the same thread.
pub type Work<T> = Arc<dyn Fn(&Judged) -> T + Send + Sync>;

/// A stage of a pipeline: batches go in, judged batches and what was made of them come out in the same order.
///
/// Memory is bounded by the caller: push while [`Stage::has_room`], else take the next.
pub struct Stage<T> {
    selection: Arc<Selection>,
    width: usize,
    work: Work<T>,
    ahead: VecDeque<InFlight<T>>,
}

impl Stage<()> {
    /// A stage that judges. `width`: batches at once, 0 for as many as suit this machine.
    pub fn new(selection: Arc<Selection>, width: usize) -> Self {
        Stage::with_work(selection, width, |_| ())
    }
}

impl<T: Send + 'static> Stage<T> {
    /// A stage that also does `work` with each judged batch, on the same thread: what is costly, such as making text of it.
    pub fn with_work(
        selection: Arc<Selection>,
        width: usize,
        work: impl Fn(&Judged) -> T + Send + Sync + 'static,
    ) -> Self {
        // Twice the cores, so that none waits for the one who takes the results.
        let width = if width == 0 { 2 * pool::width() } else { width };
        Stage { selection, width, work: Arc::new(work), ahead: VecDeque::new() }
    }

    /// Whether another batch may be pushed before one is taken.
    pub fn has_room(&self) -> bool {
        self.ahead.len() < self.width
    }

    /// Nothing is in flight.
    pub fn is_empty(&self) -> bool {
        self.ahead.is_empty()
    }

    /// Starts judging a batch.
    pub fn push(&mut self, batch: Batch) {
        self.ahead.push_back(start(&self.selection, batch, Arc::clone(&self.work)));
    }

    /// The oldest batch, judged; `None` when nothing is in flight. What was made of it is absent where `fatal` came of a
    /// thread that hangs. Cancel safe.
    pub async fn next(&mut self) -> Option<(Judged, Option<T>)> {
        let done = self.ahead.front_mut()?.wait().await;
        self.ahead.pop_front();
        Some(done)
    }
}

/// A batch at work on a thread of the pool.
pub(super) struct InFlight<T> {
    done: oneshot::Receiver<(Judged, T)>,
    watch: Arc<Watch>,
    seen: Option<(usize, Duration)>,
    lane: u64,
    selection: Arc<Selection>,
}

/// Starts judging a batch.
pub(super) fn start<T: Send + 'static>(selection: &Arc<Selection>, batch: Batch, work: Work<T>) -> InFlight<T> {
    let (send, done) = oneshot::channel();
    let watch = Arc::new(Watch::default());
    let (lane, seen) = (batch.lane, None);
    let in_flight = InFlight { done, watch: Arc::clone(&watch), seen, lane, selection: Arc::clone(selection) };
    let selection = Arc::clone(selection);
    pool::run(move || {
        let judged = selection.judge_watched(batch, &watch);
        let made = work(&judged);
        // Nobody waits any more where the command has ended.
        drop(send.send((judged, made)));
    });
    in_flight
}

impl<T> InFlight<T> {
    /// Cancel safe.
    pub(super) async fn wait(&mut self) -> (Judged, Option<T>) {
        let limit = self.selection.program.as_ref().map(|p| p.timeout().saturating_add(GRACE));
        loop {
            match tokio::time::timeout(LOOK_EVERY, &mut self.done).await {
                Ok(Ok((judged, made))) => return (judged, Some(made)),
                Ok(Err(_)) => {
                    let e = Error::new(Kind::Other, "evaluating the filter failed");
                    return (self.lost(e), None);
                }
                Err(_) => {}
            }
            if let (Some(limit), Some(program)) = (limit, &self.selection.program)
                && let Some(id) = self.watch.hangs(&mut self.seen, limit)
            {
                return (self.lost(timed_out(&id, program)), None);
            }
        }
    }

    /// The thread has the batch and does not come back: what ends the command, and no deliveries.
    fn lost(&self, e: Error) -> Judged {
        Judged { batch: Batch { lane: self.lane, deliveries: vec![] }, verdicts: vec![], fatal: Some(e) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::Program;
    use crate::select::Verdict;
    use crate::select::tests::batch;

    fn selection(filter: &str, timeout: Duration) -> Arc<Selection> {
        let program = Some(Program::compile(filter, &[], timeout).unwrap());
        Arc::new(Selection { program, ..Selection::default() })
    }

    #[tokio::test]
    async fn comes_out_in_the_order_it_went_in() {
        // Every seventh batch is slow.
        let filter = "if .body.n % 7 == 0 then last(range(20000)) > 1 else true end";
        let mut stage = Stage::with_work(selection(filter, Duration::from_secs(5)), 4, |j| {
            j.selected().map(|m| m.id.clone()).collect::<Vec<_>>().join(",")
        });
        let (mut pushed, mut taken) = (0u64, 0u64);
        while taken < 60 {
            while stage.has_room() && pushed < 60 {
                stage.push(batch(&[&format!("{{\"n\":{pushed}}}"), "{\"n\":1}"]));
                pushed += 1;
            }
            let (judged, made) = stage.next().await.unwrap();
            assert!(judged.fatal.is_none());
            assert_eq!(judged.batch.deliveries[0].message.payload.as_bytes(), format!("{{\"n\":{taken}}}").as_bytes());
            assert_eq!(made.unwrap(), "0,1");
            taken += 1;
        }
        assert!(stage.is_empty() && stage.next().await.is_none());
    }

    #[tokio::test]
    async fn a_runaway_ends_the_stage_and_names_the_message() {
        let filter = "if .body == 2 then last(repeat(1)) else true end";
        let mut stage = Stage::new(selection(filter, Duration::from_millis(100)), 0);
        stage.push(batch(&["1", "2", "3"]));
        let (judged, _) = stage.next().await.unwrap();
        let e = judged.fatal.unwrap();
        assert_eq!((e.kind(), judged.verdicts.len()), (Kind::FilterTimeout, 1));
        assert_eq!(e.to_string(), "the filter ran longer than 100ms on message 1");
    }

    #[tokio::test]
    async fn a_thread_that_hangs_where_nothing_interrupts_is_left_behind() {
        // Comparing two values that share all their parts takes 2^60 steps and asks nobody.
        let filter = "(reduce range(60) as $x (1; [., .])) == (reduce range(60) as $x (1; [., .]))";
        let selection = selection(filter, Duration::from_millis(100));
        let judged = selection.judge_later(batch(&["1"])).await.unwrap();
        assert_eq!(judged.fatal.unwrap().kind(), Kind::FilterTimeout);
    }

    #[tokio::test]
    async fn without_a_program_nothing_is_evaluated() {
        let judged = Arc::new(Selection::default()).judge_later(batch(&["a", "b"])).await.unwrap();
        assert_eq!(judged.verdicts, [Verdict::Yes, Verdict::Yes]);
    }
}
