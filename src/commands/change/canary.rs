//! `--canary` and `--watch-return`: replay a few, wait, and see what became of them.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::Opened;
use super::survey::Survey;
use crate::broker::capability::{Accuracy, Peek};
use crate::broker::{Error, Gauge, Kind, Receipt, Result, ScanRequest, Sink};
use crate::death;
use crate::message::{Mark, Target};
use crate::output::human;
use crate::replay::canary::{Canary, Returned, Verdict, Watched, verdict};
use crate::replay::plan::{Tallied, in_words};
use crate::replay::{Stopped, Tally, look};
use crate::select::{Ids, Selection};

/// Between two questions what became of them.
const BEAT: Duration = Duration::from_secs(1);
/// Between two looks at a queue that is free to look at.
const LOOK: Duration = Duration::from_secs(5);
/// Receipts of each destination that are kept: a canary is small.
const RECEIPTS: usize = 10_000;

/// What went where, as it was confirmed.
pub(super) type Sent = Vec<(Option<Arc<Target>>, Vec<Receipt>)>;

/// Gathers it.
#[derive(Default)]
pub(super) struct Receipts(Mutex<Sent>);

impl Receipts {
    pub(super) fn add(&self, target: Option<&Arc<Target>>, receipt: &Receipt) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match all.iter_mut().find(|(t, _)| t.as_ref() == target) {
            Some((_, of_target)) if of_target.len() < RECEIPTS => of_target.push(receipt.clone()),
            Some(_) => {}
            None => all.push((target.cloned(), vec![receipt.clone()])),
        }
    }

    fn take(&self) -> Sent {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What a canary goes by: settled before the question.
pub(super) struct Prepared {
    /// The messages.
    pub(super) ids: Vec<String>,
    /// How long to wait.
    pub(super) wait: Duration,
}

impl Opened<'_> {
    /// How many first. A run that its canary has stopped, and that is taken up again all the same, needs no other.
    pub(super) fn canary(&self) -> Option<u64> {
        let args = self.change.args;
        let known = args.resumes.is_some() && args.safety.accept.accept.iter().any(|a| a.ends_with("canary"));
        self.change.replay.as_ref()?.canary.canary.filter(|_| !known)
    }

    /// Chooses and says how long it will take; `None` where there is no canary, or nothing to send.
    ///
    /// # Errors
    /// `Usage` where the wait is not given and not known; `Guard` where none of the messages has room for the mark.
    pub(super) async fn prepare_canary(&self, survey: &Survey, sink: &dyn Sink) -> Result<Option<Prepared>> {
        let Some(replay) = self.change.replay.as_ref().filter(|_| self.canary().is_some()) else { return Ok(None) };
        let ids = survey.canary.clone();
        if ids.is_empty() && survey.unmarkable > 0 {
            let text =
                "no message to try first has room for the mark, without which it cannot be told that it came back";
            return Err(
                Error::new(Kind::Guard, text).hint("replay without --canary, or drop a header with --drop-header")
            );
        }
        if ids.is_empty() && survey.planned.as_ref().is_none_or(|p| p.selected > 0) {
            let text = "none of the messages that were seen would be sent, so there is nothing to try first";
            return Err(Error::new(Kind::Guard, text).hint("--dry-run tells what would become of them"));
        }
        if ids.is_empty() {
            return Ok(None);
        }
        let wait = match replay.canary.canary_wait {
            Some(wait) => wait,
            None => self.patience(survey, sink).await?,
        };
        Ok(Some(Prepared { ids, wait }))
    }

    /// How long a failing message takes to come back, where every destination tells.
    async fn patience(&self, survey: &Survey, sink: &dyn Sink) -> Result<Duration> {
        let unknown = || {
            Error::new(Kind::Usage, "how long a failing message takes to come back is not known here")
                .hint("say how long to wait with --canary-wait, such as 5m")
        };
        let gauge = sink.gauge().ok_or_else(unknown)?;
        let mut longest = None;
        let targets = survey.targets.iter().map(|t| Some(&**t));
        let all: Vec<Option<&Target>> = if survey.targets.is_empty() { vec![None] } else { targets.collect() };
        for target in all {
            longest = longest.max(Some(gauge.patience(target).await?.ok_or_else(unknown)?));
        }
        longest.ok_or_else(unknown)
    }

    /// Replays the canary, waits, and goes on with the rest where that is right.
    pub(super) async fn with_canary(&mut self, sink: Box<dyn Sink>, canary: Prepared, total: Option<u64>) -> Tally {
        let ui = &self.session.ui;
        let Prepared { ids, wait } = canary;
        let many = ids.len() as u64;
        ui.notice(&format!(
            "canary: {} first, then a wait of {}",
            human::counted(many, "message"),
            human::duration(wait)
        ));
        let gauge = sink.gauge();
        let before = self.source.depth().await.ok().and_then(|d| d.waiting());
        let counts = ids.iter().fold(std::collections::BTreeMap::new(), |mut all, id| {
            *all.entry(id.clone()).or_insert(0) += 1;
            all
        });
        let of_canary = Selection { ids: Some(Ids::counted(counts)), limit: Some(many), ..Selection::default() };
        let whole = std::mem::replace(&mut self.selection, Arc::new(of_canary));
        let receipts = Arc::new(Receipts::default());
        let mut tally = self.work(sink, Some(many), Some(Arc::clone(&receipts))).await;
        self.selection = whole;
        tally.limited = false;
        if tally.stopped.is_some() || tally.error.is_some() || !tally.unclosed.is_empty() || tally.failures() > 0 {
            self.session.ui.warn("the canary did not get through, so the rest was not begun");
            return tally;
        }
        if tally.moved == 0 {
            self.session.ui.warn("the messages of the canary were gone, so the rest was not begun");
            return tally;
        }
        let wants = before.map(|n| n.saturating_sub(tally.moved));
        let (waited, returned, consumed) = self.await_canary(gauge, &receipts.take(), wait, wants).await;
        if self.session.stop.is_cancelled() {
            tally.end(Stopped::Signal, None);
            return tally;
        }
        let verdict = verdict(returned.came_back, returned.came_back_complete, &consumed);
        let report = Canary { messages: tally.moved, waited, verdict, returned };
        self.say_verdict(&report);
        let accepts = |name: &str| self.change.args.safety.accept.accept.iter().any(|a| a == name);
        let stopped = match verdict {
            Verdict::Consumed => None,
            Verdict::CameBack if accepts("canary") => None,
            Verdict::Unknown if accepts("unknown-canary") => None,
            Verdict::CameBack => Some((Stopped::Canary, came_back(&report))),
            Verdict::Unknown => Some((Stopped::UnknownCanary, unknown(&report))),
        };
        tally.canary = Some(report);
        if let Some((why, e)) = stopped {
            tally.end(why, Some(e));
            return tally;
        }
        self.rest(tally, &ids, total).await
    }

    /// Everything but the canary.
    async fn rest(&mut self, mut tally: Tally, canary: &[String], total: Option<u64>) -> Tally {
        let whole = &*self.selection;
        let limit = whole.limit.map(|most| most.saturating_sub(tally.moved));
        let ids = whole.ids.as_ref().map(|ids| ids.less(canary));
        if limit == Some(0) {
            return tally;
        }
        self.selection = Arc::new(Selection { limit, ids, ..whole.clone() });
        // Its numbers go on where those of the canary ended.
        self.recording.first += tally.read;
        let sink = match self.sink().await {
            Ok(sink) => sink,
            Err(e) => {
                tally.end(Stopped::Error, Some(e));
                return tally;
            }
        };
        let rest = self.work(sink, total.map(|n| n.saturating_sub(tally.moved)), None).await;
        tally.join(rest);
        tally
    }

    /// Waits, and ends early only where one has come back.
    async fn await_canary(
        &self,
        gauge: Option<Arc<dyn Gauge>>,
        sent: &Sent,
        wait: Duration,
        wants: Option<u64>,
    ) -> (Duration, Returned, Vec<Option<bool>>) {
        let began = Instant::now();
        let progress = self.session.ui.progress(Some(wait.as_secs().max(1)), "waiting for the canary, seconds");
        let free = self.source.capabilities().peek == Peek::Free;
        let mut consumed: Vec<Option<bool>> = sent.iter().map(|_| None).collect();
        let (mut looked, mut told) = (began, 0);
        loop {
            let left = wait.saturating_sub(began.elapsed());
            tokio::select! {
                () = tokio::time::sleep(left.min(BEAT)) => {}
                () = self.session.stop.cancelled() => return (began.elapsed(), Returned::default(), consumed),
            }
            let now = began.elapsed().as_secs();
            progress.inc(now - told);
            told = now;
            if let Some(gauge) = &gauge {
                for ((target, receipts), consumed) in sent.iter().zip(&mut consumed) {
                    *consumed = gauge.consumed(target.as_deref(), receipts).await.unwrap_or(None);
                }
            }
            let last = began.elapsed() >= wait;
            if last || free && looked.elapsed() >= LOOK {
                looked = Instant::now();
                let returned = self.returned(wants).await;
                if last || returned.came_back > 0 {
                    progress.finish();
                    return (began.elapsed(), returned, consumed);
                }
            }
        }
    }

    /// The messages of this run that are in the queue again. `wants`: no more than so many are there if none is, so that
    /// a count may do instead of a look.
    async fn returned(&self, wants: Option<u64>) -> Returned {
        let depth = self.source.depth().await.ok();
        let counted = depth
            .as_ref()
            .filter(|d| matches!(d.accuracy, Accuracy::Exact | Accuracy::UpperBound))
            .and_then(|d| d.waiting());
        if let (Some(now), Some(wants)) = (counted, wants)
            && now <= wants
        {
            return Returned { came_back_complete: true, ..Returned::default() };
        }
        self.session.say_costs(&*self.source);
        let (mut came_back, mut causes) = (0, Tallied::default());
        let run = self.run.clone();
        let request = ScanRequest { takes: false, at_most: None, again: true };
        let all = Arc::new(Selection::default());
        let looked = look(&*self.source, &all, request, &self.session.stop, |judged| {
            for m in judged.selected() {
                if Mark::of(&m.headers).is_some_and(|mark| mark.run() == run.as_str()) {
                    came_back += 1;
                    let death = death::of(m);
                    causes.add(death.as_ref().map_or("", |d| d.cause.as_str()), || {
                        death.as_ref().map(in_words).unwrap_or_default()
                    });
                }
            }
            ControlFlow::Continue(())
        })
        .await;
        for e in looked.error.iter().chain(&looked.unclosed) {
            self.session.ui.warn(&format!("the queue could not be looked through for what came back: {e}"));
        }
        let whole = looked.error.is_none() && looked.closed.cut.is_none() && !looked.stopped;
        Returned { came_back, came_back_causes: causes.named().0, came_back_complete: whole }
    }

    /// `--watch-return`: after the run, waits and tells what came back.
    pub(super) async fn watch_return(&self, tally: &mut Tally, before: Option<u64>) {
        let Some(wait) = self.change.replay.as_ref().and_then(|r| r.canary.watch_return) else { return };
        if tally.moved == 0 || tally.stopped.is_some() || tally.error.is_some() {
            return;
        }
        let began = Instant::now();
        self.session.ui.notice(&format!("watching for {} what comes back", human::duration(wait)));
        let progress = self.session.ui.progress(None, "watching what comes back");
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = self.session.stop.cancelled() => {}
        }
        progress.finish();
        if self.session.stop.is_cancelled() {
            self.session.ui.warn("stopped before it was known what came back");
            tally.end(Stopped::Signal, None);
            return;
        }
        let mut returned = self.returned(before.map(|n| n.saturating_sub(tally.moved))).await;
        // Those cannot be told from others.
        returned.came_back_complete &= tally.unmarked == 0;
        tally.watched = Some(Watched { watched: began.elapsed(), returned });
    }

    fn say_verdict(&self, canary: &Canary) {
        let n = human::counted(canary.messages, "message");
        let waited = human::duration(canary.waited);
        let ui = &self.session.ui;
        match canary.verdict {
            Verdict::Consumed => ui.notice(&format!("canary: consumed; none of the {n} came back in {waited}")),
            Verdict::CameBack => {
                let back = canary.returned.came_back;
                ui.warn(&format!("canary: {} of the {n} came back within {waited}", human::count(back)));
            }
            Verdict::Unknown => {
                ui.warn(&format!("canary: none of the {n} was seen to come back in {waited}, nor to be consumed"))
            }
        }
    }
}

fn came_back(canary: &Canary) -> Error {
    let causes = &canary.returned.came_back_causes;
    let causes: Vec<String> = causes.iter().map(|c| format!("{} × {} {}", c.count, c.name, c.detail)).collect();
    let text = format!(
        "{} of {} died again ({}), so the rest was not begun",
        human::count(canary.returned.came_back),
        human::counted(canary.messages, "message"),
        causes.join("; ").trim_end().to_owned(),
    );
    Error::new(Kind::Hazard("canary"), text)
        .hint("mend what they die of first: dlq stats tells more; to go on all the same, add --accept canary")
}

fn unknown(canary: &Canary) -> Error {
    let text = format!(
        "whether the {} of the canary were consumed is not known, so the rest was not begun",
        human::counted(canary.messages, "message")
    );
    Error::new(Kind::Hazard("unknown-canary"), text).hint(
        "see whether they were; a longer --canary-wait may tell; to go on all the same, add --accept unknown-canary",
    )
}
