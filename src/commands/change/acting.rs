//! The change itself: runs the engine, shows how far it is, reports.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::canary::Receipts;
use super::recording::Notes;
use super::survey::Survey;
use super::{Opened, Ready, What, reader_left, report};
use crate::broker::capability::Order;
use crate::broker::{Bound, Error, Kind, Receipt, Result, Sink};
use crate::cli;
use crate::exit::Exit;
use crate::journal::Trouble;
use crate::message::Target;
use crate::message::unwrap::Envelope;
use crate::output::human;
use crate::replay::{Aside, HoldWhile, Job, OnFailure, Tally, Treatment, Trial, Watch, cannot_hold, run as run_engine};
use crate::ui::{Progress, Ui};

impl Opened<'_> {
    /// Acts, and reports.
    pub(super) async fn act(mut self, sink: Box<dyn Sink>, ready: Ready) -> Result<Exit> {
        let watches = self.change.replay.as_ref().is_some_and(|r| r.canary.watch_return.is_some());
        let before = if watches { self.source.depth().await.ok().and_then(|d| d.waiting()) } else { None };
        let mut tally = match ready.canary {
            Some(canary) => self.with_canary(sink, canary, ready.total).await,
            None => self.work(sink, ready.total, None).await,
        };
        if self.change.what == What::Purge && tally.moved > 0 {
            match self.source.trim().await {
                Ok(said) => said.iter().for_each(|text| self.session.ui.notice(text)),
                Err(e) => self.session.ui.warn(&format!("what was purged is marked, and its room was not freed: {e}")),
            }
        }
        if self.change.args.safety.yes && self.change.plan.is_none() {
            self.say_missing(tally.read);
        }
        self.watch_return(&mut tally, before).await;
        let exit = self.exit(&tally);
        if exit == Exit::Done && reader_left(&tally) {
            report::recorded(&self, tally, exit, None).await;
            return Ok(exit);
        }
        match report::ended(&self, tally, exit).await {
            // That nobody reads the report makes nothing of what it says better.
            Err(e) if e.kind() == Kind::ClosedPipe => Ok(exit),
            ended => ended.map(|()| exit),
        }
    }

    /// Runs the engine over the selection.
    pub(super) async fn work(&self, sink: Box<dyn Sink>, total: Option<u64>, sent: Option<Arc<Receipts>>) -> Tally {
        let pace = &self.change.args.pace;
        let aside = match &self.failed_to {
            Some(to) => match self.session.sink(to).await {
                Ok(sink) => Some(Aside::start(sink)),
                Err(e) => {
                    let mut tally = Tally::default();
                    tally.unclosed.extend(sink.leave().await.err());
                    tally.end(crate::replay::Stopped::Error, Some(e));
                    return tally;
                }
            },
            None => None,
        };
        let watching = Watching::new(self, total, sent);
        let job = Job {
            source: Arc::clone(&self.source),
            on_failure: self.on_failure(&*sink),
            hold: pace.hold_while_backlog.and_then(|most| Some(HoldWhile { gauge: sink.gauge()?, most })),
            sink,
            selection: Arc::clone(&self.selection),
            removes: self.change.what.removes(),
            treatment: self.treatment.clone(),
            rate: self.rate,
            concurrency: pace.concurrency.map(|n| usize::try_from(n).unwrap_or(usize::MAX)),
            max_failures: pace.max_failures,
            run: self.run.clone(),
            stop: self.session.stop.clone(),
            books: self.recording.books.clone(),
            first: self.recording.first,
            resumed: self.change.args.resumes.is_some(),
            aside,
        };
        run_engine(job, &watching).await
    }

    fn on_failure(&self, sink: &dyn Sink) -> OnFailure {
        match self.change.args.pace.on_failure {
            Some(cli::OnFailure::HoldLane) => OnFailure::HoldLane,
            Some(cli::OnFailure::Skip) => OnFailure::Skip,
            Some(cli::OnFailure::Stop) => OnFailure::Stop,
            // Where no consumer reads, order has no meaning.
            None if self.source.capabilities().order == Order::StrictLanes && !sink.capabilities().private => {
                OnFailure::HoldLane
            }
            None => OnFailure::Skip,
        }
    }

    /// The envelope messages are taken out of.
    pub(super) fn unwrap(&self) -> Option<&'static Envelope> {
        match &self.treatment {
            Treatment::Replay { unwrap, .. } => *unwrap,
            Treatment::Verbatim => None,
        }
    }

    /// Tells what would be sent.
    pub(super) fn trial(&self, sink: &dyn Sink) -> Trial {
        Trial::new(Arc::clone(&self.source), self.treatment.clone(), self.run.clone(), sink.fit())
    }

    /// Refuses `--hold-while-backlog` where how much waits cannot be known.
    pub(super) async fn can_hold(&self, survey: &Survey, sink: &dyn Sink) -> Result<()> {
        if self.change.args.pace.hold_while_backlog.is_none() {
            return Ok(());
        }
        let gauge = sink.gauge().ok_or_else(cannot_hold)?;
        let to_one_place = !matches!(self.treatment, Treatment::Replay { to_one_place: false, .. });
        let one: &[Option<&Target>] = if to_one_place { &[None] } else { &[] };
        for target in survey.targets.iter().map(|t| Some(&**t)).chain(one.iter().copied()) {
            gauge.backlog(target).await?.ok_or_else(cannot_hold)?;
        }
        Ok(())
    }
}

/// Shows progress, names failures, and knows what is in flight should a second Ctrl-C come.
struct Watching {
    progress: Progress,
    ui: Ui,
    told: Arc<[AtomicU64; 2]>,
    done: AtomicU64,
    notes: Notes,
    sent: Option<Arc<Receipts>>,
}

impl Watching {
    fn new(opened: &Opened<'_>, total: Option<u64>, sent: Option<Arc<Receipts>>) -> Self {
        let told = Arc::new([AtomicU64::new(0), AtomicU64::new(0)]);
        let (what, run, seen) = (opened.change.what, opened.run.clone(), Arc::clone(&told));
        opened.session.signals.unknown(move || {
            let [selected, done] = [&seen[0], &seen[1]].map(|n| n.load(Ordering::Relaxed));
            format!(
                "{done} messages of run {run} were done with; of up to {} more it is not known whether they were sent; \
                 those still in the queue may come twice if the {} is run again",
                selected.saturating_sub(done),
                what.verb(),
            )
        });
        let progress = opened.session.ui.progress(total, what.doing());
        let notes = opened.recording.notes();
        Watching { progress, ui: opened.session.ui.clone(), told, done: AtomicU64::new(0), notes, sent }
    }
}

/// What was read and not selected is as far along as what was done. What an earlier attempt had under way counts as selected,
/// and is perhaps in the queue no more.
fn along(read: u64, selected: u64, done: u64) -> u64 {
    (read + done).saturating_sub(selected)
}

impl Watch for Watching {
    fn began(&self, bound: &Bound) {
        self.notes.began(bound);
    }

    fn progress(&self, read: u64, selected: u64, done: u64) {
        self.told[0].store(selected, Ordering::Relaxed);
        self.told[1].store(done, Ordering::Relaxed);
        let along = along(read, selected, done);
        self.progress.inc(along.saturating_sub(self.done.swap(along, Ordering::Relaxed)));
    }

    fn failed(&self, what: Trouble, id: &str, cause: Option<&str>, error: &Error) {
        self.notes.trouble(what, id, cause, &error.to_string());
        self.ui.failed(id, error);
    }

    fn arrived(&self, target: Option<&Arc<Target>>, receipt: &Receipt) {
        if let Some(sent) = &self.sent {
            sent.add(target, receipt);
        }
    }

    fn held(&self, waiting: Option<u64>) {
        let (held, text) = match waiting {
            None => (None, None),
            // It could not be asked.
            Some(u64::MAX) => (Some("held: how much waits at the destination is not answered".to_owned()), None),
            Some(n) => {
                let text = format!("held: {} at the destination", human::counted(n, "message"));
                (Some(text.clone()), Some(n))
            }
        };
        self.ui.event("held", serde_json::json!({ "held": held.is_some(), "backlog": text }));
        self.progress.say(held);
    }

    fn doubled(&self, id: &str, cause: Option<&str>) {
        self.notes.trouble(Trouble::PossibleDuplicate, id, cause, "it was being sent when this run was cut off");
    }
}

#[cfg(test)]
mod tests {
    use super::along;

    #[test]
    fn progress_is_what_was_passed_over_and_what_was_done() {
        assert_eq!(along(10, 4, 3), 9);
        assert_eq!(along(300, 812, 300), 0, "most of what is selected was taken away by others");
    }
}
