//! The report of a change, in words and as JSON.

use serde_json::Value;

use super::survey::Survey;
use super::{Opened, To, What};
use crate::broker::Result;
use crate::exit::Exit;
use crate::output::{Format, Summary, human};
use crate::replay::report::{Around, Head, Moving, Purging, Verb};
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
    let value = value(opened, tally, exit, remaining);
    print(opened, &text, &value)
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
    };
    let value = match change.what {
        What::Purge => serde_json::to_value(Purging::new(head, &around, place, tally)),
        What::Replay => serde_json::to_value(Moving::new(Verb::Replay, head, &around, tally)),
        What::Move => serde_json::to_value(Moving::new(Verb::Move, head, &around, tally)),
        What::Copy => serde_json::to_value(Moving::new(Verb::Copy, head, &around, tally)),
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
