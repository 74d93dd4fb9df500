//! `dlq stats Q`.

use std::ops::ControlFlow;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::looking::{Unprinted, ended, open};
use super::selecting;
use super::session::Session;
use crate::broker::{Result, ScanRequest, Source};
use crate::cli;
use crate::death;
use crate::exit::Exit;
use crate::filter::Program;
use crate::output::stats::{By, render, value};
use crate::output::{Format, human, json as formatted};
use crate::replay::report::{Coverage, Head};
use crate::replay::{Looked, Page, RunId, look_with};
use crate::select::Judged;
use crate::select::stats::{Group, MAX_GROUPS, Stats};

/// Group messages by why they died, or by any expression.
///
/// For each group: how many, which share of all, the first and last death, and the id of an example. The largest comes first.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The queue
    #[arg(value_name = "QUEUE")]
    pub queue: String,
    /// Group by what this jq expression gives instead of by cause
    #[arg(long, value_name = "JQ")]
    pub by: Option<String>,
    #[command(flatten)]
    pub(crate) select: cli::Select,
    #[command(flatten)]
    pub(crate) accept: cli::Accept,
    #[command(flatten)]
    pub(crate) connection: cli::Connection,
}

/// Groups that a table or report lists.
const LISTED: usize = 100;

/// What the threads make of a batch. Where there is a limit, it is known only later how much of the batch counts.
enum Made {
    Counts(Counts),
    Batch(Judged),
}

#[derive(Default)]
struct Counts {
    stats: Stats,
    ungrouped: Unprinted,
}

/// Counts and prints.
///
/// # Errors
/// Whatever keeps the queue from being opened or standard output from being written.
pub async fn run(args: &Args, session: &Session) -> Result<Exit> {
    let started = Timestamp::now();
    let selection = Arc::new(selecting::selection(&args.select, None, &args.queue, &session.ui)?);
    let by = args.by.as_deref().map(|by| selecting::program(by, &args.select)).transpose()?;
    let grouped = if by.is_some() { By::Value } else { By::Cause };
    let looking = cli::Looking {
        select: args.select.clone(),
        accept: args.accept.clone(),
        connection: args.connection.clone(),
        ..cli::Looking::default()
    };
    let source = open(session, &args.queue, &looking).await?;
    let total = source.depth().await.ok().and_then(|d| d.waiting());
    let progress = session.ui.progress(total, "counting");
    let request = ScanRequest { takes: false, at_most: None, again: false };
    let by = by.map(Arc::new);
    let (limited, program) = (selection.limit.is_some(), by.clone());
    let work = move |judged: Judged| match limited {
        false => Made::Counts(count(&judged, program.as_deref(), usize::MAX)),
        true => Made::Batch(judged),
    };
    let mut all = Counts::default();
    let each = |page: Page<Made>| {
        progress.inc(page.read);
        let counts = match page.made {
            Made::Counts(counts) => counts,
            Made::Batch(judged) => count(&judged, by.as_deref(), usize::try_from(page.selected).unwrap_or(usize::MAX)),
        };
        all.stats.merge(counts.stats);
        all.ungrouped.merge(counts.ungrouped);
        ControlFlow::Continue(())
    };
    let looked = look_with(&*source, &selection, request, &session.stop, work, each).await;
    progress.finish();
    let (groups, others) = all.stats.finish();
    let exit = ended(session, &selection, &looked, &all.ungrouped, args.select.strict);
    selecting::say_missing(&selection, looked.read, &session.ui);
    let found = Found { groups, others, by: grouped, started, exit, ungrouped: all.ungrouped.count };
    found.print(session, &*source, &looked)?;
    Ok(exit)
}

fn count(judged: &Judged, by: Option<&Program>, within: usize) -> Counts {
    let mut counts = Counts::default();
    for m in judged.selected().take(within) {
        let death = death::of(m);
        match by {
            None => {
                let cause = death.as_ref().map(|d| d.cause.clone()).unwrap_or_default();
                counts.stats.add(cause, m, death);
            }
            Some(by) => match named(by, m) {
                Ok(name) => counts.stats.add(name, m, death),
                Err(e) => counts.ungrouped.add(m, e),
            },
        }
    }
    counts
}

/// The value of a message as JSON; of none null, of several an array.
fn named(by: &Program, m: &crate::message::DeadLetter) -> std::result::Result<String, String> {
    let mut out = vec![];
    by.print(m, false, b"\n", &mut out)?;
    let text = String::from_utf8_lossy(&out);
    let values: Vec<&str> = text.lines().collect();
    Ok(match values.as_slice() {
        [] => "null".to_owned(),
        [one] => (*one).to_owned(),
        several => format!("[{}]", several.join(",")),
    })
}

struct Found {
    groups: Vec<Group>,
    others: u64,
    by: By,
    started: Timestamp,
    exit: Exit,
    ungrouped: u64,
}

impl Found {
    fn print(&self, session: &Session, source: &dyn Source, looked: &Looked) -> Result<()> {
        let look = session.ui.look();
        let of = self.groups.iter().map(|g| g.count).sum::<u64>() + self.others;
        let listed = &self.groups[..self.groups.len().min(LISTED)];
        let omitted = self.groups.len() - listed.len();
        let mut out = vec![];
        match session.format.resolve(look.tty, true) {
            Format::Json => {
                let report = self.report(source, looked, of).to_string();
                formatted::pretty(report.as_bytes(), &look, &mut out);
                out.push(b'\n');
            }
            Format::Jsonl => {
                for group in &self.groups {
                    formatted::compact(value(group, self.by, of).to_string().as_bytes(), &look, &mut out);
                    out.push(b'\n');
                }
            }
            _ => {
                let (text, notes) = render(listed, self.by, of, Timestamp::now(), &look);
                out.extend_from_slice(text.as_bytes());
                notes.iter().for_each(|n| session.ui.notice(n));
                if omitted > 0 {
                    session.ui.notice(&format!("and {}; -o jsonl lists all", human::counted(omitted as u64, "group")));
                }
            }
        }
        if self.others > 0 {
            let n = human::counted(self.others, "message");
            session.ui.warn(&format!("only the first {MAX_GROUPS} groups are told apart: {n} are in others"));
        }
        session.ui.notice(&format!(
            "{} in {}; {} read",
            human::counted(of, "message"),
            human::counted(self.groups.len() as u64, "group"),
            human::count(looked.read)
        ));
        let mut data = session.ui.data();
        data.write(&out)?;
        data.finish()
    }

    fn report(&self, source: &dyn Source, looked: &Looked, of: u64) -> Value {
        let head = Head::new(&RunId::new(self.started), self.exit, None, self.started);
        let mut report = serde_json::to_value(head).unwrap_or_default();
        let groups: Vec<Value> = self.groups.iter().take(LISTED).map(|g| value(g, self.by, of)).collect();
        let omitted = self.groups.len() - groups.len();
        let rest = json!({
            "source": source.address().shown,
            "read": looked.read,
            "selected": looked.selected,
            "groups": groups,
            "groups_omitted": omitted,
            "in_other_groups": self.others,
            "not_grouped": self.ungrouped,
            "filter_errors": looked.filter_errors,
            "coverage": Coverage::of_look(looked),
        });
        if let (Some(report), Value::Object(rest)) = (report.as_object_mut(), rest) {
            report.extend(rest);
        }
        report
    }
}
