//! The look before a change: what would be selected, and where it would go.

use std::ops::ControlFlow;

use super::Opened;
use crate::broker::{Depth, Error, Kind, Result, ScanRequest, Sink};
use crate::death;
use crate::filter::Program;
use crate::output::human;
use crate::replay::report::Planned;
use crate::replay::{PlanFacts, look};
use crate::select::Verdict;

/// What is known before the question.
pub(super) struct Survey {
    /// Of the source.
    pub(super) depth: Option<Depth>,
    /// From a look at every message that would be read; none where nothing needed one.
    pub(super) planned: Option<Planned>,
    /// Each destination with who receives there, or why it cannot be used.
    pub(super) places: Vec<(String, Result<Vec<String>>)>,
    /// Paths of the expression that no message had.
    pub(super) absent: Vec<String>,
    /// The expression failed on so many.
    pub(super) filter_errors: u64,
}

/// Looks where there is someone to show it to, or where a named path may be absent everywhere.
pub(super) async fn survey(opened: &Opened<'_>, sink: &dyn Sink) -> Result<Survey> {
    let Opened { change, session, source, selection, .. } = opened;
    let depth = source.depth().await.ok();
    let named = selection.program.as_ref().is_some_and(|p| !p.paths().is_empty());
    let shown = change.args.safety.dry_run || !change.args.safety.yes;
    let mut survey = Survey::counted(depth);
    if opened.whole || !(named || shown) {
        return Ok(survey);
    }
    session.say_costs(&**source);
    let mut facts = PlanFacts::new(&opened.treatment, source.address());
    let progress = session.ui.progress(survey.waiting(), "looking");
    let request = ScanRequest { takes: false, at_most: None, again: !change.args.safety.dry_run };
    let looked = look(&**source, selection, request, &session.stop, |judged| {
        progress.inc(judged.batch.deliveries.len() as u64);
        facts.read(judged.batch.deliveries.len() as u64);
        for (delivery, verdict) in judged.batch.deliveries.iter().zip(&judged.verdicts) {
            if *verdict == Verdict::Yes {
                facts.selected(&delivery.message, death::of(&delivery.message).as_ref(), false);
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
    for target in facts.targets() {
        let receivers = match sink.check(Some(target)).await {
            Ok(()) => source.receivers(target).await,
            Err(e) => Err(e),
        };
        survey.places.push((target.to_string(), receivers));
    }
    survey.absent = selection.program.as_ref().map(Program::absent_paths).unwrap_or_default();
    survey.filter_errors = looked.filter_errors;
    survey.planned = Some(facts.finish());
    Ok(survey)
}

impl Survey {
    /// Of a queue that is not looked through.
    pub(super) fn counted(depth: Option<Depth>) -> Survey {
        Survey { depth, planned: None, places: vec![], absent: vec![], filter_errors: 0 }
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
