//! The report objects of `-o json`: a public interface. Fields keep their order, and unknown is null.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::canary::{Canary, Watched};
use super::look::Looked;
use super::plan::Unroutable;
use super::run::RunId;
use super::tally::{Capped, Failure, Skip, Stopped, Tally};
use crate::broker::Closed;
use crate::exit::Exit;

/// Version of the shape of reports; raised when a field changes its meaning or goes.
pub const SCHEMA: u32 = 1;

/// What all reports begin with.
#[derive(Debug, Serialize)]
pub struct Head {
    /// Version of the shape.
    pub schema: u32,
    /// Name of the run.
    pub run: RunId,
    /// How it ended: the exit code as a word.
    pub outcome: Exit,
    /// What ended it before its time.
    pub stopped_by: Option<Stopped>,
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub finished: Timestamp,
    /// Version of the program.
    pub version: &'static str,
}

impl Head {
    /// The head of a run that has just ended. Where the clock was set back meanwhile it ended when it began: it did not end before.
    pub fn new(run: &RunId, outcome: Exit, stopped_by: Option<Stopped>, started: Timestamp) -> Self {
        Head {
            schema: SCHEMA,
            run: run.clone(),
            outcome,
            stopped_by,
            started,
            finished: Timestamp::now().max(started),
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}

/// How much of the queue was seen.
#[derive(Debug, Default, Serialize)]
pub struct Coverage {
    /// Everything that was there when the run began, and could be, was read.
    pub complete: bool,
    /// Why the reading ended before everything was seen.
    pub cut: Option<String>,
    /// Messages held by others or invisible, where that is known.
    pub unseen: Option<u64>,
    /// Archive lines that could not be read.
    pub bad_lines: u64,
}

impl Coverage {
    /// What a run saw.
    pub fn of(t: &Tally) -> Self {
        Coverage::new(&t.closed, t.limited || t.stopped.is_some() || !t.unclosed.is_empty())
    }

    /// What a look saw.
    pub fn of_look(l: &Looked) -> Self {
        Coverage::new(&l.closed, l.limited || l.stopped || l.error.is_some() || l.unclosed.is_some())
    }

    fn new(closed: &Closed, ended_early: bool) -> Self {
        Coverage {
            complete: closed.cut.is_none() && closed.bad_lines == 0 && closed.unseen.unwrap_or(0) == 0 && !ended_early,
            cut: closed.cut.clone(),
            unseen: closed.unseen,
            bad_lines: closed.bad_lines,
        }
    }
}

/// What a `replay`, `move`, `copy` or `purge` was called with and found around itself.
pub struct Around<'a> {
    /// Address of the source, without secrets.
    pub source: &'a str,
    /// Address of the destination; `None` where each message went to its own place.
    pub destination: Option<&'a str>,
    /// The account or user.
    pub principal: Option<&'a str>,
    /// Nothing was changed.
    pub dry_run: bool,
    /// Messages left in the source; `None` where the broker cannot say.
    pub remaining: Option<u64>,
    /// Messages were to be changed on the way.
    pub changes: bool,
    /// `--failed-to`, without secrets.
    pub failed_to: Option<&'a str>,
    /// Messages of a plan file that were not there any more.
    pub gone: Option<Capped<String>>,
}

/// What is reported only where it was asked for.
#[derive(Debug, Serialize)]
struct More {
    /// Messages changed on the way.
    #[serde(skip_serializing_if = "Option::is_none")]
    changed: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failed_to: Option<String>,
    /// Messages written there.
    #[serde(skip_serializing_if = "Option::is_none")]
    written_to_failed: Option<u64>,
    /// For how long `--hold-while-backlog` held it back.
    #[serde(skip_serializing_if = "Option::is_none")]
    held_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    canary: Option<Canary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    returned: Option<Watched>,
    /// Messages of the plan that were not there any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    gone: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gone_omitted: Option<u64>,
}

impl More {
    fn new(around: &mut Around<'_>, t: &mut Tally) -> More {
        let (gone, gone_omitted) = around.gone.take().map(|g| (g.listed, g.omitted)).unzip();
        More {
            changed: around.changes.then_some(t.changed),
            failed_to: around.failed_to.map(str::to_owned),
            written_to_failed: around.failed_to.map(|_| t.set_aside),
            held_seconds: Some(t.held.as_secs()).filter(|s| *s > 0),
            canary: t.canary.take(),
            returned: t.watched.take(),
            gone,
            gone_omitted,
        }
    }
}

/// Which verb moved the messages, and so what their count is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// `replayed`.
    Replay,
    /// `moved`.
    Move,
    /// `copied`.
    Copy,
}

/// The report of `replay`, `move` and `copy`.
#[derive(Debug, Serialize)]
pub struct Moving {
    #[serde(flatten)]
    head: Head,
    source: String,
    destination: Option<String>,
    principal: Option<String>,
    dry_run: bool,
    read: u64,
    selected: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    replayed: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    moved: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    copied: Option<u64>,
    skipped: u64,
    skipped_because: BTreeMap<Skip, u64>,
    failed: u64,
    indeterminate: u64,
    not_removed: u64,
    remaining: Option<u64>,
    filter_errors: u64,
    filter_error_examples: Vec<Failure>,
    unmarked: u64,
    left_out: BTreeMap<String, u64>,
    possible_duplicates: Vec<String>,
    possible_duplicates_omitted: u64,
    coverage: Coverage,
    notices: Vec<String>,
    error: Option<String>,
    unclosed: Vec<String>,
    errors: Vec<Failure>,
    errors_omitted: u64,
    #[serde(flatten)]
    more: More,
}

impl Moving {
    /// The report of a run that has ended.
    pub fn new(verb: Verb, head: Head, mut around: Around<'_>, mut t: Tally) -> Self {
        let more = More::new(&mut around, &mut t);
        let coverage = Coverage::of(&t);
        let count = |v| (verb == v).then_some(t.moved);
        let (replayed, moved, copied) = (count(Verb::Replay), count(Verb::Move), count(Verb::Copy));
        let (error, unclosed) = texts(&t);
        let Capped { listed: possible_duplicates, omitted: possible_duplicates_omitted } = t.possible_duplicates;
        let Capped { listed: errors, omitted: errors_omitted } = t.errors;
        Moving {
            head,
            source: around.source.to_owned(),
            destination: around.destination.map(str::to_owned),
            principal: around.principal.map(str::to_owned),
            dry_run: around.dry_run,
            read: t.read,
            selected: t.selected,
            replayed,
            moved,
            copied,
            skipped: t.skipped,
            skipped_because: t.skipped_because,
            failed: t.failed,
            indeterminate: t.indeterminate,
            not_removed: t.not_removed,
            remaining: around.remaining,
            filter_errors: t.filter_errors,
            filter_error_examples: t.filter_error_examples,
            unmarked: t.unmarked,
            left_out: t.left_out,
            possible_duplicates,
            possible_duplicates_omitted,
            coverage,
            notices: t.closed.notices,
            error,
            unclosed,
            errors,
            errors_omitted,
            more,
        }
    }
}

/// The report of `purge`.
#[derive(Debug, Serialize)]
pub struct Purging {
    #[serde(flatten)]
    head: Head,
    source: String,
    principal: Option<String>,
    dry_run: bool,
    read: u64,
    selected: u64,
    purged: u64,
    skipped: u64,
    failed: u64,
    indeterminate: u64,
    not_removed: u64,
    remaining: Option<u64>,
    filter_errors: u64,
    backup: Option<String>,
    coverage: Coverage,
    notices: Vec<String>,
    error: Option<String>,
    unclosed: Vec<String>,
    errors: Vec<Failure>,
    errors_omitted: u64,
    #[serde(flatten)]
    more: More,
}

impl Purging {
    /// The report of a run that has ended. `backup` is the archive, where one was written.
    pub fn new(head: Head, mut around: Around<'_>, backup: Option<&str>, mut t: Tally) -> Self {
        let more = More::new(&mut around, &mut t);
        let coverage = Coverage::of(&t);
        let (error, unclosed) = texts(&t);
        Purging {
            head,
            source: around.source.to_owned(),
            principal: around.principal.map(str::to_owned),
            dry_run: around.dry_run,
            read: t.read,
            selected: t.selected,
            purged: t.moved,
            skipped: t.skipped,
            failed: t.failed,
            indeterminate: t.indeterminate,
            not_removed: t.not_removed,
            remaining: around.remaining,
            filter_errors: t.filter_errors,
            backup: backup.map(str::to_owned),
            coverage,
            notices: t.closed.notices,
            error,
            unclosed,
            errors: t.errors.listed,
            errors_omitted: t.errors.omitted,
            more,
        }
    }
}

fn texts(t: &Tally) -> (Option<String>, Vec<String>) {
    (t.error.as_ref().map(ToString::to_string), t.unclosed.iter().map(ToString::to_string).collect())
}

/// The plan of a change, as JSON: what a dry run prints besides its report.
#[derive(Debug, Serialize)]
pub struct Planned {
    /// Messages looked at.
    pub read: u64,
    /// Messages selected.
    pub selected: u64,
    /// Selected messages by cause, the most frequent first.
    pub causes: Vec<Counted>,
    /// Causes beyond those.
    pub causes_omitted: u64,
    /// Selected messages by where they would go, the most frequent first.
    pub destinations: Vec<Counted>,
    /// Destinations beyond those.
    pub destinations_omitted: u64,
    /// Selected messages by the group of consumers that failed on them, where they tell.
    pub groups: Vec<Counted>,
    /// Groups beyond those.
    pub groups_omitted: u64,
    /// Selected although a path the expression names was absent.
    pub absent_path: u64,
    /// Of the selected, those that are envelopes with a message inside; only a replay asks.
    pub enveloped: u64,
    /// Of the selected, those whose bodies are kept elsewhere.
    pub claim_checks: u64,
    /// Would be left alone: replayed `--max-replays` times already.
    pub over_max_replays: u64,
    /// Would fail: nothing says where they go.
    pub unroutable: u64,
    /// The first few of those.
    pub unroutable_examples: Vec<Unroutable>,
}

/// How many of what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Counted {
    /// What.
    pub name: String,
    /// What is known of it besides, for people; empty where that is nothing.
    pub detail: String,
    /// How many.
    pub count: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::{Error, Kind};

    fn tally() -> Tally {
        let mut t =
            Tally { read: 10, selected: 6, moved: 1, failed: 2, indeterminate: 1, not_removed: 1, ..Tally::default() };
        t.skip(Skip::MaxReplays, 1);
        t.fail("m1", &Error::new(Kind::Rejected, "the queue is full").hint("raise its limit"));
        t.possible_duplicates.push_with(|| "m2".into());
        t
    }

    fn head() -> Head {
        let at: Timestamp = "2026-11-23T18:14:01Z".parse().unwrap();
        Head { finished: at, version: "9", ..Head::new(&RunId::named("r1"), Exit::Partly, None, at) }
    }

    fn around() -> Around<'static> {
        Around {
            source: "amqp://h/q",
            destination: None,
            principal: Some("guest"),
            dry_run: false,
            remaining: None,
            changes: false,
            failed_to: None,
            gone: None,
        }
    }

    #[test]
    fn no_run_ends_before_it_began_however_the_clock_is_set() {
        let later = Timestamp::now() + jiff::SignedDuration::from_hours(1);
        assert_eq!(Head::new(&RunId::named("r1"), Exit::Done, None, later).finished, later);
    }

    #[test]
    fn a_replay_reports_exactly_this() {
        let shape = serde_json::to_string(&Moving::new(Verb::Replay, head(), around(), tally())).unwrap();
        assert_eq!(
            shape,
            concat!(
                r#"{"schema":1,"run":"r1","outcome":"partly","stopped_by":null,"started":"2026-11-23T18:14:01Z","#,
                r#""finished":"2026-11-23T18:14:01Z","version":"9","source":"amqp://h/q","destination":null,"#,
                r#""principal":"guest","dry_run":false,"read":10,"selected":6,"replayed":1,"skipped":1,"#,
                r#""skipped_because":{"max-replays":1},"failed":2,"indeterminate":1,"not_removed":1,"remaining":null,"#,
                r#""filter_errors":0,"filter_error_examples":[],"unmarked":0,"left_out":{},"possible_duplicates":["m2"],"#,
                r#""possible_duplicates_omitted":0,"coverage":{"complete":true,"cut":null,"unseen":null,"bad_lines":0},"#,
                r#""notices":[],"error":null,"unclosed":[],"#,
                r#""errors":[{"id":"m1","error":"the queue is full (raise its limit)"}],"errors_omitted":0}"#
            )
        );
    }

    #[test]
    fn each_verb_has_its_own_word_for_done() {
        for (verb, word) in [(Verb::Replay, "replayed"), (Verb::Move, "moved"), (Verb::Copy, "copied")] {
            let v = serde_json::to_value(Moving::new(verb, head(), around(), tally())).unwrap();
            let there: Vec<_> = ["replayed", "moved", "copied"].into_iter().filter(|w| v.get(w).is_some()).collect();
            assert_eq!(there, [word]);
        }
        let v = serde_json::to_value(Purging::new(head(), around(), Some("file:b.ndjson"), tally())).unwrap();
        assert_eq!((&v["purged"], &v["backup"]), (&1.into(), &"file:b.ndjson".into()));
        assert!(v.get("moved").is_none());
    }

    #[test]
    fn coverage_is_complete_only_where_nothing_was_missed() {
        let complete = |t: Tally| Coverage::of(&t).complete;
        assert!(complete(Tally::default()));
        assert!(!complete(Tally { limited: true, ..Tally::default() }));
        assert!(!complete(Tally { stopped: Some(Stopped::Signal), ..Tally::default() }));
        assert!(!complete(Tally { closed: Closed { unseen: Some(1), ..Closed::default() }, ..Tally::default() }));
        assert!(!complete(Tally { closed: Closed { bad_lines: 1, ..Closed::default() }, ..Tally::default() }));
    }
}
