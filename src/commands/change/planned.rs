//! Plan files: writing one down, and acting on one.

use jiff::Timestamp;
use serde_json::Value;

use super::survey::Survey;
use super::{Change, Opened, To, What};
use crate::broker::{Address, Error, Kind, Result};
use crate::cli;
use crate::replay::plan_file::{PlanFile, Treatment};
use crate::replay::{Capped, Tally};
use crate::select::{Ids, Selection};

/// How old a plan may be where nothing else is said.
const DAY: std::time::Duration = std::time::Duration::from_secs(86_400);

/// The plan that `--plan` names.
///
/// # Errors
/// As [`PlanFile::read`].
pub fn plan_of(args: &cli::Changing) -> Result<Option<PlanFile>> {
    args.plan.plan.as_deref().map(PlanFile::read).transpose()
}

/// Narrows a selection to the messages of the plan, where there is one.
///
/// # Errors
/// `Usage` for a plan of something else, or a selection beside it; `Guard` for one that is too old.
pub(super) fn narrowed(change: &Change<'_>, source: &Address, selection: Selection) -> Result<Selection> {
    let Some(plan) = &change.plan else { return Ok(selection) };
    let other = |what: &str, of_plan: &str, here: &str| {
        let text = format!("the plan is for another {what}: {of_plan}, and this is {here}");
        Err(Error::new(Kind::Usage, text).hint("make a plan for it with --plan-out"))
    };
    if plan.verb != change.what.verb() {
        return other("verb", &plan.verb, change.what.verb());
    }
    if plan.source != source.shown {
        return other("queue", &plan.source, &source.shown);
    }
    let here = match &change.to {
        To::Place(to) => Some(to.shown.as_str()),
        To::Origins | To::Nowhere => None,
    };
    // A purge writes to an archive of its own.
    if change.what != What::Purge && plan.destination.as_deref() != here {
        let words = |d: Option<&str>| d.unwrap_or("where each message came from").to_owned();
        return other("destination", &words(plan.destination.as_deref()), &words(here));
    }
    let Selection { program, since, until, ids, cause, limit, scan_limit } = &selection;
    if program.is_some()
        || since.is_some()
        || until.is_some()
        || ids.is_some()
        || cause.is_some()
        || limit.is_some()
        || scan_limit.is_some()
    {
        return Err(Error::new(Kind::Usage, "--plan says which messages: a selection beside it contradicts it"));
    }
    // A run that is taken up again was begun in time.
    if change.args.resumes.is_none() {
        plan.fresh(Timestamp::now(), change.args.plan.plan_max_age.unwrap_or(DAY))?;
    }
    Ok(Selection { ids: Some(Ids::counted(plan.counted())), ..selection })
}

impl Opened<'_> {
    /// Writes the plan down where that is asked for.
    pub(super) fn write_plan(&self, survey: &Survey, shown: &Value) -> Result<()> {
        let Some(path) = &self.change.args.plan.plan_out else { return Ok(()) };
        let destination = match &self.change.to {
            To::Place(to) if self.change.what != What::Purge => Some(to.shown.as_str()),
            _ => None,
        };
        let treatment = self.change.replay.as_ref().map_or_else(Treatment::default, |r| r.treatment.clone());
        let mut plan = PlanFile::new(self.change.what.verb(), &self.source.address().shown, destination, treatment);
        plan.plan = shown.clone();
        plan.ids.clone_from(&survey.ids);
        let many = plan.ids.len() as u64;
        plan.write(path)?;
        let messages = crate::output::human::counted(many, "message");
        self.session.ui.notice(&format!(
            "the plan for {messages} is in {}; to act on it: dlq {} --plan {}",
            path.display(),
            self.change.what.verb(),
            path.display()
        ));
        Ok(())
    }

    /// Messages of the plan that were not there, or held by a consumer.
    pub(super) fn gone(&self, tally: &Tally) -> Option<Capped<String>> {
        self.change.plan.as_ref()?;
        // Of a run that ended early it is not known; nor of one that was taken up again, which has moved some before.
        if tally.stopped.is_some() || tally.error.is_some() || self.change.args.resumes.is_some() {
            return None;
        }
        let mut gone = Capped::default();
        for (id, many) in self.selection.ids.as_ref().map(Ids::gone).unwrap_or_default() {
            (0..many).for_each(|_| gone.push_with(|| id.to_owned()));
        }
        Some(gone)
    }
}
