//! The look before a change: what would be selected, and where it would go.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::{Opened, editor};
use crate::broker::capability::Peek;
use crate::broker::{Depth, Error, Finding, Kind, Load, Result, ScanRequest, Sink, Source};
use crate::commands::expiring::Expiring;
use crate::death::{self, Death};
use crate::filter::Program;
use crate::message::{DeadLetter, Target};
use crate::output::human;
use crate::replay::canary::Spread;
use crate::replay::change::preview::{Preview, SHOWN};
use crate::replay::report::Planned;
use crate::replay::{Failure, LISTED, Outlook, PlanFacts, Treatment, look_with};
use crate::select::{Judged, Selection, Verdict};

/// Messages among which a canary is chosen where each look at one costs something.
const CANDIDATES: u64 = 1000;
/// Failures that are named.
const EXAMPLES: usize = 3;

/// Origins that are looked at where the topology alone names them.
const ORIGINS: usize = 20;

/// A destination.
pub(super) type Place = (String, Result<Vec<String>>, Vec<Finding>);

/// What is known before the question.
#[derive(Default)]
pub(super) struct Survey {
    /// Of the source.
    pub(super) depth: Option<Depth>,
    /// From a look at every message that would be read; none where nothing needed one.
    pub(super) planned: Option<Planned>,
    /// Each destination with who receives there, or why it cannot be used, and what is for and against sending there.
    pub(super) places: Vec<Place>,
    /// What would be sent to the one place, where there is one.
    pub(super) load: Load,
    /// Of what is selected; none where messages are not deleted for their age.
    pub(super) expiring: Option<Expiring>,
    /// The same.
    pub(super) targets: Vec<Arc<Target>>,
    /// Paths of the expression that no message had.
    pub(super) absent: Vec<String>,
    /// The expression failed on so many.
    pub(super) filter_errors: u64,
    /// What will be changed on the way, where something is to be.
    pub(super) preview: Option<Preview>,
    /// The messages themselves, where they are to be edited; no more than are needed to see that they are too many.
    pub(super) kept: Vec<DeadLetter>,
    /// Their ids, where the plan is to be written down.
    pub(super) ids: Vec<String>,
    /// Those of the canary.
    pub(super) canary: Vec<String>,
    /// How long will be waited for what becomes of them.
    pub(super) canary_wait: Option<Duration>,
    /// So many will not get through, though they have somewhere to go.
    pub(super) refused: u64,
    /// The first few of them.
    pub(super) refused_examples: Vec<Failure>,
    /// What will be left out to make messages fit, and of how many.
    pub(super) left_out: BTreeMap<String, u64>,
    /// So many will be sent without the mark.
    pub(super) unmarked: u64,
    /// Of the canary's candidates, those that have no room for the mark.
    pub(super) unmarkable: u64,
}

/// What is made of a message on the thread that judged it.
struct Note {
    death: Option<Death>,
    outlook: Outlook,
    /// Where it is among the first of its batch that will be changed.
    diff: Option<String>,
}

/// Looks where there is someone to show it to, or where something has to be known beforehand.
pub(super) async fn survey(opened: &Opened<'_>, sink: &dyn Sink) -> Result<Survey> {
    let Opened { change, session, source, selection, .. } = opened;
    let depth = source.depth().await.ok();
    let named = selection.program.as_ref().is_some_and(|p| !p.paths().is_empty());
    let shown = change.args.safety.dry_run || !change.args.safety.yes;
    let edits = change.replay.as_ref().is_some_and(|r| r.edit);
    let canary = opened.canary();
    let mut survey = Survey::counted(depth);
    if opened.whole {
        return Ok(survey);
    }
    if !(named || shown || edits || canary.is_some()) {
        survey.by_topology(opened, sink).await;
        return Ok(survey);
    }
    session.say_costs(&**source);
    let mut facts = PlanFacts::new(&opened.treatment, source.address());
    let mut spread = Spread::new(canary.unwrap_or(0));
    let trial = opened.trial(sink);
    let progress = session.ui.progress(survey.waiting(), "looking");
    // Where a look costs something and only the canary wants one, a part of the queue must do.
    let few = !(named || shown || edits) && source.capabilities().peek != Peek::Free;
    let at_most = few.then(|| canary.unwrap_or(0).saturating_mul(10).max(CANDIDATES));
    let request = ScanRequest { takes: false, at_most, again: !change.args.safety.dry_run };
    let changes = opened.changes().cloned();
    let changing = changes.is_some();
    let unwrap = opened.unwrap();
    let (retention, now) = (source.retention(), Timestamp::now());
    survey.expiring = retention.map(|_| Expiring::default());
    let work = move |judged: Judged| {
        let mut shown = 0;
        let note = |m: &DeadLetter| {
            let death = death::of(m);
            let outlook = trial.outlook(m);
            let changed = matches!(outlook, Outlook::Goes { changed: true, .. }) && shown < SHOWN;
            let diff = changes.as_ref().filter(|_| changed).and_then(|changes| {
                shown += 1;
                let inner = unwrap.and_then(|e| e.inner(m));
                changes.difference(&changes.base(m, inner.as_ref()), death.as_ref())
            });
            Note { death, outlook, diff }
        };
        let notes: Vec<Note> = judged.selected().map(note).collect();
        (judged, notes)
    };
    let looked = look_with(&**source, selection, request, &session.stop, work, |page| {
        let (judged, notes) = page.made;
        progress.inc(page.read);
        facts.read(page.read);
        let selected = judged.batch.deliveries.iter().zip(&judged.verdicts).filter(|(_, v)| **v == Verdict::Yes);
        let within = usize::try_from(page.selected).unwrap_or(usize::MAX);
        for ((delivery, _), note) in selected.zip(notes).take(within) {
            let m = &delivery.message;
            let goes = facts.selected(m, note.death.as_ref(), false);
            if let (Some(expiring), Some(retention)) = (&mut survey.expiring, retention) {
                expiring.note(m.time, retention, now);
            }
            let unmarked = survey.outlook(m, note.outlook, note.diff, goes, changing);
            if edits && survey.kept.len() <= editor::MOST {
                survey.kept.push((**m).clone());
            }
            if change.args.plan.plan_out.is_some() {
                survey.ids.push(m.id.to_string());
            }
            let cause = note.death.as_ref().map_or("", |d| d.cause.as_str());
            if goes && canary.is_some() && spread.wants(cause) {
                match unmarked {
                    Some(false) => spread.add(cause, &m.id),
                    Some(true) => survey.unmarkable += 1,
                    None => {}
                }
            }
        }
        ControlFlow::Continue(())
    })
    .await;
    progress.finish();
    if let Some(e) = looked.error.or(looked.unclosed) {
        return Err(e);
    }
    looked.closed.notices.iter().for_each(|n| session.ui.notice(n));
    let whole = at_most.is_none_or(|most| looked.read < most);
    let known = |load: &Load| if whole { *load } else { Load::at_most(None) };
    let targets: Vec<_> = facts.targets().iter().map(|(target, load)| (Arc::clone(target), known(load))).collect();
    survey.places = places(&**source, sink, &targets).await;
    survey.load = facts.load();
    survey.absent = selection.program.as_ref().map(Program::absent_paths).unwrap_or_default();
    survey.filter_errors = looked.filter_errors;
    survey.canary = spread.chosen();
    survey.targets = targets.into_iter().map(|(target, _)| target).collect();
    survey.planned = Some(facts.finish()).filter(|p| at_most.is_none_or(|most| p.read < most));
    if survey.planned.is_none() {
        session.ui.notice(&format!("the canary is chosen among the first {}", human::counted(looked.read, "message")));
    }
    Ok(survey)
}

/// Each of these, with who receives there, or why it cannot be used, and what is for and against sending it so much.
async fn places(source: &dyn Source, sink: &dyn Sink, targets: &[(Arc<Target>, Load)]) -> Vec<Place> {
    let mut errors = Vec::with_capacity(targets.len());
    for (target, _) in targets {
        errors.push(sink.check(Some(target)).await.err());
    }
    let there: Vec<_> = targets.iter().zip(&errors).filter(|(_, e)| e.is_none()).map(|(t, _)| t.clone()).collect();
    let mut found = sink.can_each(&there).await.into_iter();
    let mut places = Vec::with_capacity(targets.len());
    for ((target, _), e) in targets.iter().zip(errors) {
        places.push(match e {
            Some(e) => (target.to_string(), Err(e), vec![]),
            None => (target.to_string(), source.receivers(target).await, found.next().unwrap_or_default()),
        });
    }
    places
}

impl Survey {
    /// Of a replay that nothing is looked at for: where messages go that do not say themselves where they came from.
    pub(super) async fn by_topology(&mut self, opened: &Opened<'_>, sink: &dyn Sink) {
        let Treatment::Replay { to_one_place: false, fallback, .. } = &opened.treatment else { return };
        // Of several it is not known which gets how many.
        let most = if fallback.len() == 1 { self.load(&opened.selection).messages } else { None };
        let load = Load::at_most(most);
        let targets: Vec<_> = fallback.iter().take(ORIGINS).map(|target| (Arc::new(target.clone()), load)).collect();
        self.places = places(&*opened.source, sink, &targets).await;
    }

    /// Of a queue that is not looked through.
    pub(super) fn counted(depth: Option<Depth>) -> Survey {
        Survey { depth, ..Survey::default() }
    }

    /// Counts what will become of one message; whether it will be sent without the mark, if it will be sent.
    fn outlook(
        &mut self,
        m: &DeadLetter,
        outlook: Outlook,
        diff: Option<String>,
        goes: bool,
        changing: bool,
    ) -> Option<bool> {
        match outlook {
            Outlook::Goes { left_out, unmarked, changed } => {
                if changing {
                    self.preview.get_or_insert_default().add(&m.id, changed, diff);
                }
                self.unmarked += u64::from(unmarked);
                for what in left_out {
                    let what = if self.left_out.len() < LISTED { what } else { "other parts".to_owned() };
                    *self.left_out.entry(what).or_default() += 1;
                }
                Some(unmarked)
            }
            // That it has nowhere to go is told as such.
            Outlook::Fails(error) if goes => {
                self.refused += 1;
                if self.refused_examples.len() < EXAMPLES {
                    self.refused_examples.push(Failure { id: m.id.to_string(), error });
                }
                None
            }
            Outlook::Fails(_) | Outlook::Stays => None,
        }
    }

    /// What would be sent to the one place, as far as it is known.
    pub(super) fn load(&self, selection: &Selection) -> Load {
        match &self.planned {
            Some(_) => Load { messages: Some(self.load.messages.unwrap_or(0)), ..self.load },
            None => {
                let most = [self.waiting(), selection.limit, selection.scan_limit].into_iter().flatten().min();
                Load { at_most: !selection.takes_all(), ..Load::at_most(most) }
            }
        }
    }

    /// How many there are to read, where that is known.
    pub(super) fn waiting(&self) -> Option<u64> {
        self.depth.as_ref().and_then(Depth::waiting)
    }

    /// Refuses what must be accepted by name.
    pub(super) fn hazards(&self, opened: &Opened<'_>) -> Result<()> {
        let accepted = &opened.change.args.safety.accept.accept;
        if self.absent.is_empty() || accepted.iter().any(|a| a == "absent-path") {
            return Ok(());
        }
        let read = self.planned.as_ref().map_or(0, |p| p.read);
        let text = format!(
            "{} {} in none of the {} read: in jq it is null there, which is less than any number, and the expression may \
             select what it was not meant to",
            self.absent.join(" and "),
            if self.absent.len() == 1 { "was" } else { "were" },
            human::counted(read, "message"),
        );
        Err(Error::new(Kind::Hazard("absent-path"), text)
            .hint("correct the path, write it with ? if it is optional, or add --accept absent-path"))
    }
}
