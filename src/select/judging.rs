//! Judging a batch on another thread, and giving it up where it hangs.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::sync::oneshot;

use super::pool::{self, Watch};
use super::{Judged, Selection, timed_out};
use crate::broker::{Batch, Error, Kind, Result};

/// How often a batch at work is looked at. An evaluation ends itself at its limit; this is for one that cannot.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// What it gets beyond its limit.
const GRACE: Duration = Duration::from_secs(1);

/// Judges a batch and does `work` with it, at once, on a thread of the pool; makes progress unpolled.
///
/// # Errors
/// A thread that hangs or broke off; what it had is lost with it.
pub fn judge_and<R: Send + 'static>(
    selection: &Arc<Selection>,
    batch: Batch,
    work: impl FnOnce(Judged) -> R + Send + 'static,
) -> BoxFuture<'static, Result<R>> {
    let mut in_flight = start(selection, batch, work);
    Box::pin(async move { in_flight.wait().await })
}

/// A batch at work on a thread of the pool.
pub(super) struct InFlight<R> {
    done: oneshot::Receiver<R>,
    watch: Arc<Watch>,
    seen: Option<(usize, Duration)>,
    selection: Arc<Selection>,
}

/// Starts judging a batch.
pub(super) fn start<R: Send + 'static>(
    selection: &Arc<Selection>,
    batch: Batch,
    work: impl FnOnce(Judged) -> R + Send + 'static,
) -> InFlight<R> {
    let (send, done) = oneshot::channel();
    let watch = Arc::new(Watch::default());
    let in_flight = InFlight { done, watch: Arc::clone(&watch), seen: None, selection: Arc::clone(selection) };
    let selection = Arc::clone(selection);
    pool::run(move || {
        let made = work(selection.judge_watched(batch, &watch));
        // Nobody waits any more where the command has ended.
        drop(send.send(made));
    });
    in_flight
}

impl<R> InFlight<R> {
    /// Cancel safe.
    pub(super) async fn wait(&mut self) -> Result<R> {
        let limit = self.selection.program.as_ref().map(|p| p.timeout().saturating_add(GRACE));
        loop {
            match tokio::time::timeout(LOOK_EVERY, &mut self.done).await {
                Ok(Ok(made)) => return Ok(made),
                Ok(Err(_)) => return Err(Error::new(Kind::Other, "evaluating the filter failed")),
                Err(_) => {}
            }
            if let (Some(limit), Some(program)) = (limit, &self.selection.program)
                && let Some(id) = self.watch.hangs(&mut self.seen, limit)
            {
                return Err(timed_out(&id, program));
            }
        }
    }
}

/// What ends the command, and no deliveries: the thread has the batch and does not come back.
pub(super) fn lost(lane: u64, e: Error) -> Judged {
    Judged { batch: Batch { lane, deliveries: vec![] }, verdicts: vec![], fatal: Some(e) }
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
    async fn what_is_made_of_a_batch_comes_from_the_thread_that_judged_it() {
        let here = std::thread::current().id();
        let judged =
            judge_and(&selection(".body.n > 1", Duration::from_secs(5)), batch(&["{\"n\":1}", "{\"n\":2}"]), |j| {
                (j.selected().map(|m| m.id.clone()).collect::<Vec<_>>(), std::thread::current().id())
            });
        let (ids, there) = judged.await.unwrap();
        assert_eq!(ids, ["1"]);
        assert_ne!(here, there);
    }

    #[tokio::test]
    async fn a_runaway_ends_the_command_and_names_the_message() {
        let filter = "if .body == 2 then last(repeat(1)) else true end";
        let judged = selection(filter, Duration::from_millis(100)).judge_later(batch(&["1", "2", "3"])).await.unwrap();
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
