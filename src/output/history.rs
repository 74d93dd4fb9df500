//! Runs of the past.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Look, Summary, human};
use crate::broker::Bound;
use crate::journal::{Record, Standing, Troubled};
use crate::ui::table::{self, Column};

/// Messages named in words; the JSON has all.
const NAMED: usize = 20;

/// One line a run, the latest first, and what a reader must know besides.
pub fn table(records: &[Record], now: Timestamp, look: &Look) -> (String, Vec<String>) {
    let columns = [
        Column::text("RUN", 22, 40, 9),
        Column::text("VERB", 6, 8, 3),
        Column::text("FROM", 16, 60, 6),
        Column::text("TO", 7, 60, 4),
        Column::number("BEGUN", 6),
        Column::text("OUTCOME", 7, 14, 8),
        Column::number("DONE", 6),
        Column::number("FAILED", 6),
        Column::number("UNKNOWN", 6),
    ];
    let rows: Vec<Vec<String>> = records
        .iter()
        .map(|r| {
            vec![
                r.name.clone().unwrap_or_else(|| r.run.to_string()),
                r.verb.clone(),
                r.source.clone(),
                r.destination.clone().unwrap_or_else(|| "origins".into()),
                human::age(r.started, now),
                outcome(r).to_owned(),
                human::count(r.moved()),
                human::count(r.total("failed")),
                human::count(r.total("indeterminate") + r.total("not_removed")),
            ]
        })
        .collect();
    table::render(&columns, &rows, look)
}

/// `open`: it runs, or was cut off.
fn outcome(r: &Record) -> &str {
    match &r.standing {
        Standing::Open => "unfinished",
        Standing::Ended { outcome, .. } => outcome,
    }
}

/// The object of a run in a list.
pub fn value(r: &Record) -> Value {
    let (finished, stopped_by) = match &r.standing {
        Standing::Open => (None, None),
        Standing::Ended { at, stopped_by, .. } => (Some(at.to_string()), stopped_by.clone()),
    };
    json!({
        "run": r.run,
        "name": r.name,
        "verb": r.verb,
        "source": r.source,
        "destination": r.destination,
        "principal": r.principal,
        "started": r.started.to_string(),
        "finished": finished,
        "outcome": finished.as_ref().map(|_| outcome(r)),
        "stopped_by": stopped_by,
        "attempts": r.attempts,
        "done": r.moved(),
        "failed": r.total("failed"),
        "indeterminate": r.total("indeterminate"),
        "not_removed": r.total("not_removed"),
        "skipped": r.total("skipped"),
    })
}

/// Everything that is known of one run.
pub fn detail(r: &Record, troubles: &[Troubled]) -> Value {
    let mut value = value(r);
    value["arguments"] = shown(r).into();
    value["folder"] = r.folder.clone().into();
    value["backup"] = backups(r).into();
    value["unfinished_sends"] = r.unfinished.into();
    let bound = |b: &Bound| json!({ "at": b.at.to_string(), "messages": b.messages });
    value["bounds"] = r.bounds.iter().map(bound).collect();
    value["messages"] = json!(troubles);
    value["reports"] = r.reports.clone().into();
    value
}

/// Everything that is known of one run, in words.
pub fn text(r: &Record, troubles: &[Troubled], now: Timestamp) -> Summary {
    let mut text = Summary::new(format!("{} from {}", r.verb, r.source));
    text.row("run", r.run.to_string());
    if let Some(name) = &r.name {
        text.row("name", name.clone());
    }
    text.row("to", r.destination.clone().unwrap_or_else(|| "where each came from".into()));
    if let Some(principal) = &r.principal {
        text.row("as", principal.clone());
    }
    text.row("begun", format!("{}, {} ago", human::time(r.started), human::age(r.started, now)));
    if let Standing::Ended { at, .. } = &r.standing {
        text.row("ended", human::time(*at));
    }
    let by = match &r.standing {
        Standing::Ended { stopped_by: Some(by), .. } => format!(", stopped by {by}"),
        _ => String::new(),
    };
    text.row("outcome", format!("{}{by}", outcome(r)));
    text.row("attempts", human::count(r.attempts));
    text.list("start bound", r.bounds.iter().map(bound));
    text.row("done", human::count(r.moved()));
    for (label, field) in [
        ("failed", "failed"),
        ("outcome unknown", "indeterminate"),
        ("sent, not removed", "not_removed"),
        ("left alone", "skipped"),
    ] {
        if r.total(field) > 0 {
            // What failed in one attempt is tried again by the next.
            let over = if r.attempts > 1 { ", over all attempts" } else { "" };
            text.row(label, format!("{}{over}", human::count(r.total(field))));
        }
    }
    if r.unfinished > 0 {
        text.row("unfinished sends", human::count(r.unfinished));
    }
    text.list("backup", backups(r));
    text.row("command", format!("dlq {}", shown(r).join(" ")));
    text.list("messages", troubles.iter().take(NAMED).map(|t| format!("{} {}: {}", t.id, t.kind, t.error)));
    if troubles.len() > NAMED {
        text.note(format!("and {} more; -o json lists all", human::count((troubles.len() - NAMED) as u64)));
    }
    if r.standing == Standing::Open {
        text.note(format!("it runs, or it was cut off: dlq resume {} finishes it", r.run));
    }
    text
}

fn bound(Bound { at, messages }: &Bound) -> String {
    match messages {
        Some(n) => format!("{} at {}", human::counted(*n, "message"), human::time(*at)),
        None => format!("what was there at {}", human::time(*at)),
    }
}

/// The archives its purges wrote, or were about to when they were cut off.
fn backups(r: &Record) -> Vec<String> {
    let reported = r.reports.iter().filter_map(|report| report["backup"].as_str()).map(str::to_owned);
    let begun = r.destination.clone().filter(|_| r.verb == "purge");
    let mut backups: Vec<String> = begun.into_iter().chain(reported).collect();
    backups.dedup();
    backups
}

fn shown(r: &Record) -> Vec<String> {
    r.arguments.iter().map(|a| crate::broker::address::hide_argument(a)).collect()
}
