//! What `replay`, `copy`, `move` and `purge` share: look, plan, ask, act, report.

mod acting;
mod altering;
mod canary;
mod earlier;
mod editor;
mod plan;
mod planned;
mod protection;
mod recording;
mod remote;
mod report;
mod survey;

use std::ops::ControlFlow;
use std::sync::Arc;

use jiff::Timestamp;

use super::selecting;
use super::session::{Opening, Session};
use crate::broker::address::hide;
use crate::broker::capability::Removal;
use crate::broker::{Address, Error, Finding, Kind, Result, Sink, Source};
use crate::cli;
use crate::exit::Exit;
use crate::message::unwrap;
use crate::replay::change::Changes;
use crate::replay::plan_file::{self, PlanFile};
use crate::replay::{Discard, Rate, RunId, Tally, Treatment};
use crate::select::Selection;
pub use planned::plan_of;
use recording::{Begins, Recording};

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
    /// `--plan`.
    pub plan: Option<PlanFile>,
    /// Everything goes, newcomers included, in one act of the broker, where it has one.
    pub whole: bool,
    /// The broker moves everything by itself.
    pub server_side: bool,
}

/// What a replay alone is told.
pub struct Replaying {
    /// What is done to the messages.
    pub treatment: plan_file::Treatment,
    /// `--edit`.
    pub edit: bool,
    /// A few first.
    pub canary: cli::Canary,
}

/// What was settled with the plan.
struct Ready {
    /// Messages there are to read, where that is known.
    total: Option<u64>,
    canary: Option<canary::Prepared>,
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
    recording: Recording,
    /// Where what fails is written.
    failed_to: Option<Address>,
    /// The queue is protected: this name must be typed.
    name: Option<String>,
}

/// Looks, plans, asks, acts and reports.
///
/// # Errors
/// Whatever ends it before anything was begun; afterwards errors are in the report.
pub async fn run(change: &Change<'_>, session: &Session) -> Result<Exit> {
    if change.server_side {
        remote::admit(change)?;
    }
    let address = session.address(change.queue, &change.args.connection)?;
    if let Some(exit) = earlier::named(change, &address, session).await? {
        return Ok(exit);
    }
    let (selection, changes, failed_to) = understood(change, session)?;
    let rate = change.args.pace.rate.as_deref().map(Rate::parse).transpose()?;
    let name = protection::wanted(change, &address, session)?;
    let opening = Opening {
        accept: &change.args.safety.accept.accept,
        skip_bad_lines: change.args.select.skip_bad_lines,
        exclusive: change.what.removes() && !change.args.safety.dry_run,
    };
    let source = session.open(&address, &session.context(opening)).await?;
    if change.what.removes() && source.capabilities().removal == Removal::None {
        let text = format!("{}: a message of a {} cannot be removed", source.address(), source.capabilities().kind);
        return Err(Error::new(Kind::Unsupported, text).hint("dlq copy sends copies and leaves the messages there"));
    }
    let started = Timestamp::now();
    let run = change.args.resumes.clone().unwrap_or_else(|| RunId::new(started));
    session.ui.set_run(run.as_str());
    let recording = match Recording::admit(change, session, &*source, &run) {
        Ok(recording) => recording,
        Err(refusal) => return earlier::offered(change, session, source, refusal).await,
    };
    let treatment = treatment(change, &*source, changes).await?;
    let whole = change.whole && source.capabilities().whole_purge;
    let selection = Arc::new(selection);
    let opened =
        Opened { change, session, source, selection, treatment, rate, run, started, whole, recording, failed_to, name };
    if change.server_side {
        return remote::run(opened).await;
    }
    opened.go().await
}

/// What the arguments say, before any queue is opened.
fn understood(change: &Change<'_>, session: &Session) -> Result<(Selection, Changes, Option<Address>)> {
    let selection = selecting::selection(&change.args.select, None, change.queue, &session.ui)?;
    let source = session.address(change.queue, &change.args.connection)?;
    not_itself(change, &source)?;
    let selection = planned::narrowed(change, &source, selection)?;
    let changes = match &change.replay {
        Some(replay) => {
            altering::admit_edit(replay, change.args.resumes.is_some(), session.ui.has_terminal())?;
            altering::changes(&replay.treatment, &change.args.select)?
        }
        None => Changes::default(),
    };
    let failed_to = change.args.pace.failed_to.as_deref().map(|typed| failed_to(typed, change, &source)).transpose()?;
    Ok((selection, changes, failed_to))
}

/// `--failed-to`: an archive that is nothing else of this run.
fn failed_to(typed: &str, change: &Change<'_>, source: &Address) -> Result<Address> {
    let to = Address::parse(typed, &[])?;
    if !to.backend.creates() || typed == "-" {
        let text = format!("--failed-to {:?} is not an archive file", hide(typed));
        return Err(Error::new(Kind::Usage, text).hint("write it as file:PATH"));
    }
    let destination = match &change.to {
        To::Place(place) => Some(&place.canonical),
        _ => None,
    };
    if to.canonical == source.canonical || Some(&to.canonical) == destination {
        return Err(Error::new(Kind::Usage, format!("--failed-to names {}, which this run reads or writes", to.shown))
            .hint("name another archive"));
    }
    Ok(to)
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

async fn treatment(change: &Change<'_>, source: &dyn Source, changes: Changes) -> Result<Treatment> {
    let Some(plan_file::Treatment { keep_death_headers, max_replays, unwrap, .. }) =
        change.replay.as_ref().map(|r| r.treatment.clone())
    else {
        return Ok(Treatment::Verbatim);
    };
    let to_one_place = !matches!(change.to, To::Origins);
    let fallback = if to_one_place { vec![] } else { source.origins().await? };
    let (unwrap, changes) = (unwrap.as_deref().and_then(unwrap::named), Arc::new(changes));
    Ok(Treatment::Replay { to_one_place, keep_death_headers, max_replays, fallback, unwrap, changes })
}

impl Opened<'_> {
    async fn go(mut self) -> Result<Exit> {
        let mut sink = match self.sink().await {
            Ok(sink) => sink,
            Err(e) => {
                let known = plan::may(&self).await.unwrap_or_default();
                self.say_refused(&Discard::default(), &known, &e);
                return Err(e);
            }
        };
        self.fit_changes(sink.capabilities());
        let mut ready = self.ready(sink.as_mut()).await;
        if let Ok(ControlFlow::Continue(_)) = ready
            && let Err(e) = self.begin()
        {
            ready = Err(e);
        }
        match ready {
            Ok(ControlFlow::Continue(_)) if self.whole => {
                sink.leave().await?;
                let purged = self.purge_whole().await;
                self.recording.end_badly(self.session, purged.as_ref().err()).await;
                purged
            }
            Ok(ControlFlow::Continue(ready)) => self.act(sink, ready).await,
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

    /// Writes down that it begins. From here on it ends with a report.
    fn begin(&mut self) -> Result<()> {
        let Opened { change, session, source, selection, run, started, recording, .. } = self;
        recording.begin(&Begins { change, session, source: &**source, selection, run, started: *started })
    }

    async fn sink(&self) -> Result<Box<dyn Sink>> {
        match &self.change.to {
            To::Origins => self.source.home().await,
            To::Nowhere => Ok(Box::new(Discard::default())),
            // A dry run must not even create an archive.
            To::Place(to) if self.change.args.safety.dry_run && to.backend.creates() && to.canonical != "-" => {
                Ok(Box::new(Discard::instead_of(to)))
            }
            To::Place(to) => self.session.sink(to).await,
        }
    }

    /// The plan and the question. It goes on, with as many messages as there are to read where that is known, or ends here.
    async fn ready(&mut self, sink: &mut dyn Sink) -> Result<ControlFlow<Exit, Ready>> {
        self.not_the_same_place(sink)?;
        let known = plan::may(self).await;
        if !matches!(self.change.to, To::Origins)
            && let Err(e) = sink.check(None).await
        {
            self.say_refused(sink, known.as_deref().unwrap_or_default(), &e);
            return Err(e);
        }
        self.is_kept(sink)?;
        let mut survey = match survey::survey(self, sink).await {
            Ok(survey) => survey,
            Err(e) => {
                if let Some((text, value)) = plan::stopped(self, sink, known.as_deref().unwrap_or_default(), None) {
                    self.session.ui.plan(&text, value);
                }
                return Err(e);
            }
        };
        let edits = self.change.replay.as_ref().is_some_and(|r| r.edit);
        let edited = self.session.stop.is_cancelled() || !edits || self.edit(&mut survey).await?;
        if self.session.stop.is_cancelled() {
            return Ok(ControlFlow::Break(self.session.stopped()));
        }
        if !edited {
            return Ok(ControlFlow::Break(Exit::Done));
        }
        self.can_hold(&survey, sink).await?;
        let canary = self.prepare_canary(&survey, sink).await?;
        survey.canary_wait = canary.as_ref().map(|c| c.wait);
        let (text, value) = plan::plan(self, sink, &survey, known.as_deref()).await;
        self.session.ui.plan(&text, value.clone());
        // With --yes it is said once, after the run.
        if let Some(planned) = survey
            .planned
            .as_ref()
            .filter(|_| !edits && (self.change.args.safety.dry_run || !self.change.args.safety.yes))
        {
            self.say_missing(planned.read);
        }
        survey.hazards(self)?;
        if self.change.args.safety.dry_run {
            self.write_plan(&survey, &value)?;
            report::dry_run(self, &survey, value)?;
            return Ok(ControlFlow::Break(Exit::Done));
        }
        // A copy to a place no consumer reads changes nothing for anyone.
        if self.change.what == What::Copy && sink.capabilities().private {
            return Ok(ControlFlow::Continue(Ready { total: survey.waiting(), canary }));
        }
        // A run that is taken up again has to be brought to its end even so: what was under way may be gone, and is named then.
        if self.change.args.resumes.is_none() && survey.planned.as_ref().is_some_and(|p| p.selected == 0) {
            let nothing = Tally {
                read: survey.planned.as_ref().map_or(0, |p| p.read),
                filter_errors: survey.filter_errors,
                ..Tally::default()
            };
            let exit = self.exit(&nothing);
            report::ended(self, nothing, exit).await?;
            return Ok(ControlFlow::Break(exit));
        }
        let yes = self.asked(&survey).await?;
        if !yes && !self.session.stop.is_cancelled() {
            self.session.ui.warn("not done: nothing was changed");
        }
        let ready = Ready { total: survey.waiting(), canary };
        Ok(if yes { ControlFlow::Continue(ready) } else { ControlFlow::Break(Exit::Done) })
    }

    /// Asks whether to go on; of a protected queue for its name.
    async fn asked(&self, survey: &survey::Survey) -> Result<bool> {
        let (question, stop) = (plan::question(self, survey), &self.session.stop);
        match &self.name {
            Some(name) => self.session.ui.ask_for(&question, name, stop).await,
            None => self.session.ui.ask(&question, stop).await,
        }
    }

    /// The plan as far as it goes where the destination refuses. What was typed wrong, or cannot be at all, has no plan.
    fn say_refused(&self, sink: &dyn Sink, known: &[Finding], e: &Error) {
        if matches!(e.kind(), Kind::Usage | Kind::Unsupported | Kind::Stopped { .. }) {
            return;
        }
        if let Some((text, value)) = plan::stopped(self, sink, known, Some(e)) {
            self.session.ui.plan(&text, value);
        }
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

    /// What was asked for and is not there, unless an earlier attempt at this run may have removed it.
    pub(super) fn say_missing(&self, read: u64) {
        if self.change.args.resumes.is_none() {
            selecting::say_missing(&self.selection, read, &self.session.ui);
        }
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

    async fn purge_whole(&self) -> Result<Exit> {
        let gone = self.source.purge_all().await?;
        let Some(gone) = gone else {
            return Err(Error::new(Kind::Unsupported, "this queue cannot be emptied in one act"));
        };
        let tally = Tally { read: gone, selected: gone, moved: gone, ..Tally::default() };
        report::ended(self, tally, Exit::Done).await?;
        Ok(Exit::Done)
    }
}

/// Standard output was closed by who read it.
fn reader_left(tally: &Tally) -> bool {
    tally.error.as_ref().is_some_and(|e| e.kind() == Kind::ClosedPipe)
}
