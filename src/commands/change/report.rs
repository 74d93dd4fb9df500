//! The report of a change, in words and as JSON.

use serde_json::Value;

use super::survey::Survey;
use super::{Opened, To, What};
use crate::broker::Result;
use crate::exit::Exit;
use crate::output::{Format, Summary, human};
use crate::replay::canary::{Returned, Verdict, Watched};
use crate::replay::report::{Around, Counted, Head, Moving, Purging, Verb};
use crate::replay::{Skip, Tally};

/// Failures named in words; the JSON has up to a hundred.
const NAMED: usize = 5;

/// Reports a run that has ended. Where standard output carries the messages themselves, the report is talk.
pub(super) async fn ended(opened: &Opened<'_>, tally: Tally, exit: Exit) -> Result<()> {
    let remaining = opened.source.remaining().await;
    let text = words(opened, &tally, remaining);
    if let (What::Purge, n @ 1..) = (opened.change.what, tally.claim_checks) {
        opened.session.ui.warn(&left_behind(n));
    }
    for e in tally.error.iter().chain(&tally.unclosed) {
        opened.session.ui.error(e);
    }
    let value = recorded(opened, tally, exit, remaining).await;
    print(opened, &text, &value)
}

/// Writes the report of a run that has ended into its record, and gives it.
pub(super) async fn recorded(opened: &Opened<'_>, tally: Tally, exit: Exit, remaining: Option<u64>) -> Value {
    let value = value(opened, tally, exit, remaining);
    opened.recording.end(opened.session, &value).await;
    value
}

/// Reports a dry run: the shape of a real report, with nothing done, and the plan.
pub(super) fn dry_run(opened: &Opened<'_>, survey: &Survey, plan: Value) -> Result<()> {
    let planned = survey.planned.as_ref();
    let tally = Tally {
        read: planned.map_or(0, |p| p.read),
        selected: planned.map_or(0, |p| p.selected),
        filter_errors: survey.filter_errors,
        ..Tally::default()
    };
    let remaining = survey.waiting();
    let mut value = value(opened, tally, Exit::Done, remaining);
    value["plan"] = plan;
    let text = Summary::new("dry run: nothing was changed");
    print(opened, &text, &value)
}

fn print(opened: &Opened<'_>, text: &Summary, value: &Value) -> Result<()> {
    let ui = &opened.session.ui;
    let format = opened.session.format.resolve(ui.look().tty, true);
    match &opened.change.to {
        To::Place(to) if to.canonical == "-" => {
            ui.report_as_talk(text, value);
            Ok(())
        }
        _ if ui.options().quiet && format == Format::Table => Ok(()),
        _ => ui.report(text, value, format),
    }
}

fn value(opened: &Opened<'_>, tally: Tally, exit: Exit, remaining: Option<u64>) -> Value {
    let Opened { change, source, run, started, .. } = opened;
    let head = Head::new(run, exit, tally.stopped, *started);
    let principal = source.principal();
    let place = match &change.to {
        To::Place(to) => Some(to.shown.as_str()),
        _ => None,
    };
    let around = Around {
        source: &source.address().shown,
        destination: place,
        principal: principal.as_deref(),
        dry_run: change.args.safety.dry_run,
        remaining,
        changes: opened.changes().is_some(),
        failed_to: opened.failed_to.as_ref().map(|to| to.shown.as_str()),
        gone: opened.gone(&tally),
    };
    let value = match change.what {
        What::Purge => serde_json::to_value(Purging::new(head, around, place, tally)),
        What::Replay => serde_json::to_value(Moving::new(Verb::Replay, head, around, tally)),
        What::Move => serde_json::to_value(Moving::new(Verb::Move, head, around, tally)),
        What::Copy => serde_json::to_value(Moving::new(Verb::Copy, head, around, tally)),
    };
    // Reports are plain structures with text keys.
    value.expect("a report is always JSON")
}

fn words(opened: &Opened<'_>, t: &Tally, remaining: Option<u64>) -> Summary {
    let done = match opened.change.what {
        What::Replay => "replayed",
        What::Move => "moved",
        What::Copy => "copied",
        What::Purge => "purged",
    };
    let mut text = Summary::new(format!("{} {done}", human::counted(t.moved, "message")));
    text.row("read", human::count(t.read));
    text.row("selected", human::count(t.selected));
    let mut row = |label: &str, n: u64| {
        if n > 0 {
            text.row(label, human::count(n));
        }
    };
    row("failed", t.failed);
    row("outcome unknown", t.indeterminate);
    row("sent, not removed", t.not_removed);
    row("filter errors", t.filter_errors);
    row("unmarked", t.unmarked);
    if opened.changes().is_some() {
        text.row("changed", human::count(t.changed));
    }
    if t.held.as_secs() > 0 {
        text.row("held back", format!("for {} by --hold-while-backlog", human::duration(t.held)));
    }
    if let (Some(to), n @ 1..) = (&opened.failed_to, t.set_aside) {
        text.row("set aside", format!("{} in {}", human::counted(n, "failed message"), to.shown));
    }
    if let Some(canary) = &t.canary {
        let verdict = match canary.verdict {
            Verdict::Consumed => "consumed",
            Verdict::CameBack => "came back",
            Verdict::Unknown => "unknown",
        };
        text.row("canary", format!("{}: {verdict}", human::counted(canary.messages, "message")));
        text.list("came back", returned(&canary.returned));
    }
    if let Some(Watched { watched, returned: back }) = &t.watched {
        let back_text = human::counted(back.came_back, "message");
        text.row("came back", format!("{back_text} within {}", human::duration(*watched)));
        text.list("because of", returned(back));
        match (back.came_back_complete, t.unmarked) {
            (true, _) => {}
            (false, 0) => _ = text.note("not all of the queue could be looked through for what came back"),
            (false, n) => {
                let n = human::counted(n, "message");
                text.note(format!("{n} went without the mark: whether they came back cannot be told"));
            }
        }
    }
    if let Some(gone) = opened.gone(t).filter(|g| g.count() > 0) {
        let first = gone.listed.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
        let n = human::counted(gone.count(), "message");
        text.row("gone", format!("{n} of the plan, no longer there or held by a consumer: {first}"));
    }
    let skipped = t.skipped_because.iter().map(|(why, n)| format!("{} {}", human::count(*n), because(*why)));
    text.list("left alone", skipped);
    let left_out = t.left_out.iter().map(|(what, n)| format!("{what}: {}", human::counted(*n, "message")));
    text.list("left out", left_out);
    let mut failures: Vec<String> =
        t.errors.listed.iter().take(NAMED).map(|f| format!("{}: {}", f.id, f.error)).collect();
    let more = t.errors.count().saturating_sub(failures.len() as u64);
    if more > 0 {
        failures.push(format!("and {} more; -o json lists up to 100", human::count(more)));
    }
    text.list("failures", failures);
    text.list("may come twice", t.possible_duplicates.listed.iter().take(NAMED).cloned());
    if let Some(n) = t.closed.unseen.filter(|n| *n > 0) {
        text.row("not seen", format!("{} held by consumers", human::count(n)));
    }
    if t.unclaimed > 0 {
        text.note(format!(
            "{} under way when this run was cut off were not among those seen: something may hold them still; dlq resume {} \
             looks again",
            human::counted(t.unclaimed, "message"),
            opened.run,
        ));
    }
    if t.closed.bad_lines > 0 {
        text.row("bad lines", human::count(t.closed.bad_lines));
    }
    if let Some(cut) = &t.closed.cut {
        text.row("cut short", cut.clone());
    }
    if opened.change.what.removes() {
        text.row("remaining", human::known(remaining));
    }
    if let (What::Purge, To::Place(to)) = (opened.change.what, &opened.change.to) {
        text.row("backup", to.shown.clone());
    }
    text.row("run", opened.run.to_string());
    t.closed.notices.iter().for_each(|n| _ = text.note(n.clone()));
    text
}

/// Causes of what came back.
fn returned(back: &Returned) -> Vec<String> {
    let line = |c: &Counted| {
        let name = if c.name.is_empty() { "no cause known" } else { &c.name };
        format!("{} × {name} {}", human::count(c.count), c.detail).trim_end().to_owned()
    };
    back.came_back_causes.iter().take(NAMED).map(line).collect()
}

/// What a purge does not reach.
pub(super) fn left_behind(claim_checks: u64) -> String {
    let n = human::counted(claim_checks, "message");
    format!("the bodies of {n} are objects in S3, which stay there: a purge removes the pointers alone")
}

fn because(why: Skip) -> &'static str {
    match why {
        Skip::CameBack => "came back during this run",
        Skip::MaxReplays => "replayed --max-replays times already",
        Skip::BehindFailure => "behind a failed message of their lane",
        Skip::NotReached => "not reached before the run was stopped",
    }
}
