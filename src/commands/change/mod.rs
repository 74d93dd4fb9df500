//! What `replay`, `copy`, `move` and `purge` share: look, plan, ask, act, report.

mod plan;
mod remote;
mod report;
mod survey;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;

use super::selecting;
use super::session::{Opening, Session, address};
use crate::broker::capability::{Order, Removal};
use crate::broker::{Address, Error, Kind, Result, Sink, Source};
use crate::cli;
use crate::exit::Exit;
use crate::message::unwrap::Envelope;
use crate::replay::{Discard, Job, OnFailure, Rate, RunId, Tally, Treatment, Watch, run as run_engine};
use crate::select::Selection;
use crate::ui::Progress;

/// Which verb it is; its words are those of the plan and the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Back to work.
    Replay,
    /// As they are.
    Copy,
    /// As they are, and removed.
    Move,
    /// To an archive or nowhere, and removed.
    Purge,
}

impl What {
    /// `replay`.
    pub fn verb(self) -> &'static str {
        match self {
            What::Replay => "replay",
            What::Copy => "copy",
            What::Move => "move",
            What::Purge => "purge",
        }
    }

    fn doing(self) -> &'static str {
        match self {
            What::Replay => "replaying",
            What::Copy => "copying",
            What::Move => "moving",
            What::Purge => "purging",
        }
    }

    fn removes(self) -> bool {
        self != What::Copy
    }
}

/// Where the messages go.
pub enum To {
    /// Each where it came from.
    Origins,
    /// All to one place.
    Place(Address),
    /// Nowhere: a purge without a backup.
    Nowhere,
}

/// One change, as the verb understood its arguments.
pub struct Change<'a> {
    /// The verb.
    pub what: What,
    /// What was typed where the queue stands.
    pub queue: &'a str,
    /// Where to.
    pub to: To,
    /// Which messages, how fast, and the guards.
    pub args: &'a cli::Changing,
    /// For a replay.
    pub replay: Option<Replaying>,
    /// Everything goes, newcomers included, in one act of the broker, where it has one.
    pub whole: bool,
    /// The broker moves everything by itself.
    pub server_side: bool,
}

/// What a replay alone is told.
#[derive(Clone, Copy)]
pub struct Replaying {
    /// Keep the headers in which frameworks noted the death.
    pub keep_death_headers: bool,
    /// So many replays are too many.
    pub max_replays: u32,
    /// Messages in this envelope go as what is inside.
    pub unwrap: Option<&'static Envelope>,
}

/// A change with its source open.
struct Opened<'a> {
    change: &'a Change<'a>,
    session: &'a Session,
    source: Arc<dyn Source>,
    selection: Arc<Selection>,
    treatment: Treatment,
    rate: Option<Rate>,
    run: RunId,
    started: Timestamp,
    /// The broker empties the queue in one act.
    whole: bool,
}

/// Looks, plans, asks, acts and reports.
///
/// # Errors
/// Whatever ends it before anything was begun; afterwards errors are in the report.
pub async fn run(change: &Change<'_>, session: &Session) -> Result<Exit> {
    if change.server_side {
        remote::admit(change)?;
    }
    let selection = selecting::selection(&change.args.select, None, change.queue, &session.ui)?;
    let rate = change.args.pace.rate.as_deref().map(Rate::parse).transpose()?;
    not_itself(change, &address(change.queue, &change.args.connection)?)?;
    let opening = Opening {
        accept: &change.args.safety.accept.accept,
        skip_bad_lines: change.args.select.skip_bad_lines,
        exclusive: change.what.removes() && !change.args.safety.dry_run,
    };
    let source = session.source(change.queue, &change.args.connection, opening).await?;
    if change.what.removes() && source.capabilities().removal == Removal::None {
        let text = format!("{}: a message of a {} cannot be removed", source.address(), source.capabilities().kind);
        return Err(Error::new(Kind::Unsupported, text).hint("dlq copy sends copies and leaves the messages there"));
    }
    let started = Timestamp::now();
    let run = RunId::new(started);
    session.ui.set_run(run.as_str());
    let treatment = treatment(change, &*source).await?;
    let whole = change.whole && source.capabilities().whole_purge;
    let selection = Arc::new(selection);
    let opened = Opened { change, session, source, selection, treatment, rate, run, started, whole };
    if change.server_side {
        return remote::run(opened).await;
    }
    opened.go().await
}

/// A queue that is its own destination would be read for ever, or lose what it holds.
fn not_itself(change: &Change<'_>, source: &Address) -> Result<()> {
    match &change.to {
        To::Place(to) if to.canonical == source.canonical && source.canonical != "-" => {
            Err(its_own_destination(&source.shown))
        }
        _ => Ok(()),
    }
}

fn its_own_destination(queue: &str) -> Error {
    Error::new(Kind::Usage, format!("{queue} is both the queue and the destination")).hint("name another destination")
}

async fn treatment(change: &Change<'_>, source: &dyn Source) -> Result<Treatment> {
    let Some(Replaying { keep_death_headers, max_replays, unwrap }) = change.replay else {
        return Ok(Treatment::Verbatim);
    };
    let to_one_place = !matches!(change.to, To::Origins);
    let fallback = if to_one_place { vec![] } else { source.origins().await? };
    Ok(Treatment::Replay { to_one_place, keep_death_headers, max_replays, fallback, unwrap })
}

impl Opened<'_> {
    async fn go(self) -> Result<Exit> {
        let mut sink = self.sink().await?;
        let ready = self.ready(sink.as_mut()).await;
        match ready {
            Ok(ControlFlow::Continue(_)) if self.whole => {
                sink.leave().await?;
                self.purge_whole().await
            }
            Ok(ControlFlow::Continue(total)) => self.act(sink, total).await,
            Ok(ControlFlow::Break(exit)) => {
                sink.leave().await?;
                Ok(if self.session.stop.is_cancelled() { self.session.stopped() } else { exit })
            }
            Err(e) => {
                // The first error is the one to tell.
                _ = sink.leave().await;
                Err(e)
            }
        }
    }

    async fn sink(&self) -> Result<Box<dyn Sink>> {
        match &self.change.to {
            To::Origins => self.source.home().await,
            To::Nowhere => Ok(Box::new(Discard::default())),
            // A dry run must not even create an archive.
            To::Place(to) if self.change.args.safety.dry_run && to.backend.creates && to.canonical != "-" => {
                Ok(Box::new(Discard::default()))
            }
            To::Place(to) => self.session.sink(to).await,
        }
    }

    /// The plan and the question. It goes on, with as many messages as there are to read where that is known, or ends here.
    async fn ready(&self, sink: &mut dyn Sink) -> Result<ControlFlow<Exit, Option<u64>>> {
        if !matches!(self.change.to, To::Origins) {
            sink.check(None).await?;
        }
        self.not_the_same_place(sink)?;
        self.is_kept(sink)?;
        let survey = survey::survey(self, sink).await?;
        if self.session.stop.is_cancelled() {
            return Ok(ControlFlow::Break(self.session.stopped()));
        }
        let (text, value) = plan::plan(self, sink, &survey).await;
        self.session.ui.plan(&text, value.clone());
        // With --yes it is said once, after the run.
        if let Some(planned) =
            survey.planned.as_ref().filter(|_| self.change.args.safety.dry_run || !self.change.args.safety.yes)
        {
            selecting::say_missing(&self.selection, planned.read, &self.session.ui);
        }
        survey.hazards(self)?;
        if self.change.args.safety.dry_run {
            report::dry_run(self, &survey, value)?;
            return Ok(ControlFlow::Break(Exit::Done));
        }
        // A copy to a place no consumer reads changes nothing for anyone.
        if self.change.what == What::Copy && sink.capabilities().private {
            return Ok(ControlFlow::Continue(survey.waiting()));
        }
        if survey.planned.as_ref().is_some_and(|p| p.selected == 0) {
            let nothing = Tally {
                read: survey.planned.as_ref().map_or(0, |p| p.read),
                filter_errors: survey.filter_errors,
                ..Tally::default()
            };
            let exit = self.exit(&nothing);
            report::ended(self, nothing, exit).await?;
            return Ok(ControlFlow::Break(exit));
        }
        let yes = self.session.ui.ask(&plan::question(self, &survey), &self.session.stop).await?;
        if !yes && !self.session.stop.is_cancelled() {
            self.session.ui.warn("not done: nothing was changed");
        }
        Ok(if yes { ControlFlow::Continue(survey.waiting()) } else { ControlFlow::Break(Exit::Done) })
    }

    /// The same queue under another name of its host.
    fn not_the_same_place(&self, sink: &dyn Sink) -> Result<()> {
        let from = self.source.places();
        if matches!(self.change.to, To::Place(_)) && sink.places().iter().any(|place| from.contains(place)) {
            return Err(its_own_destination(&self.source.address().shown));
        }
        Ok(())
    }

    /// A pipe takes bytes that its reader may never read; what is then removed would be nowhere.
    fn is_kept(&self, sink: &dyn Sink) -> Result<()> {
        let accepted = &self.change.args.safety.accept.accept;
        if !self.change.what.removes() || sink.keeps() || accepted.iter().any(|a| a == "unconfirmed") {
            return Ok(());
        }
        let text = format!("{} cannot confirm that a message arrived, and it would be removed here", sink.shown());
        Err(Error::new(Kind::Hazard("unconfirmed"), text)
            .hint("name an archive, file:PATH, or copy instead; or add --accept unconfirmed"))
    }

    async fn act(self, sink: Box<dyn Sink>, total: Option<u64>) -> Result<Exit> {
        let pace = &self.change.args.pace;
        let on_failure = match pace.on_failure {
            Some(cli::OnFailure::HoldLane) => OnFailure::HoldLane,
            Some(cli::OnFailure::Skip) => OnFailure::Skip,
            Some(cli::OnFailure::Stop) => OnFailure::Stop,
            // Where no consumer reads, order has no meaning.
            None if self.source.capabilities().order == Order::StrictLanes && !sink.capabilities().private => {
                OnFailure::HoldLane
            }
            None => OnFailure::Skip,
        };
        let watching = Watching::new(&self, total);
        let job = Job {
            source: Arc::clone(&self.source),
            sink,
            selection: Arc::clone(&self.selection),
            removes: self.change.what.removes(),
            treatment: self.treatment.clone(),
            on_failure,
            rate: self.rate,
            concurrency: pace.concurrency.map(|n| usize::try_from(n).unwrap_or(usize::MAX)),
            max_failures: pace.max_failures,
            run: self.run.clone(),
            stop: self.session.stop.clone(),
        };
        let tally = run_engine(job, &watching).await;
        drop(watching);
        if self.change.what == What::Purge && tally.moved > 0 {
            match self.source.trim().await {
                Ok(said) => said.iter().for_each(|text| self.session.ui.notice(text)),
                Err(e) => self.session.ui.warn(&format!("what was purged is marked, and its room was not freed: {e}")),
            }
        }
        if self.change.args.safety.yes {
            selecting::say_missing(&self.selection, tally.read, &self.session.ui);
        }
        let exit = self.exit(&tally);
        if exit == Exit::Done && reader_left(&tally) {
            return Ok(exit);
        }
        report::ended(&self, tally, exit).await?;
        Ok(exit)
    }

    fn exit(&self, tally: &Tally) -> Exit {
        match tally.exit(self.session.stopped()) {
            Exit::Done | Exit::Partly if reader_left(tally) && self.change.what == What::Copy => Exit::Done,
            Exit::Done if reader_left(tally) => Exit::Failed,
            Exit::Done if self.change.args.select.strict && (tally.filter_errors > 0 || tally.closed.bad_lines > 0) => {
                Exit::Partly
            }
            exit => exit,
        }
    }

    async fn purge_whole(self) -> Result<Exit> {
        let gone = self.source.purge_all().await?;
        let Some(gone) = gone else {
            return Err(Error::new(Kind::Unsupported, "this queue cannot be emptied in one act"));
        };
        let tally = Tally { read: gone, selected: gone, moved: gone, ..Tally::default() };
        report::ended(&self, tally, Exit::Done).await?;
        Ok(Exit::Done)
    }
}

/// Standard output was closed by who read it.
fn reader_left(tally: &Tally) -> bool {
    tally.error.as_ref().is_some_and(|e| e.kind() == Kind::ClosedPipe)
}

/// Shows progress, names failures, and knows what is in flight should a second Ctrl-C come.
struct Watching {
    progress: Progress,
    ui: crate::ui::Ui,
    told: Arc<[AtomicU64; 2]>,
    done: AtomicU64,
}

impl Watching {
    fn new(opened: &Opened<'_>, total: Option<u64>) -> Self {
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
        Watching { progress, ui: opened.session.ui.clone(), told, done: AtomicU64::new(0) }
    }
}

impl Watch for Watching {
    fn progress(&self, read: u64, selected: u64, done: u64) {
        self.told[0].store(selected, Ordering::Relaxed);
        self.told[1].store(done, Ordering::Relaxed);
        // What was read and not selected is as far along as what was done.
        let along = read - selected + done;
        self.progress.inc(along.saturating_sub(self.done.swap(along, Ordering::Relaxed)));
    }

    fn failed(&self, id: &str, error: &Error) {
        self.ui.failed(id, error);
    }
}
