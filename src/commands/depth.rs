//! `dlq depth Q…`.

use jiff::Timestamp;
use serde_json::json;

use super::expiring::Expiring;
use super::probing::{self, How, Measured};
use super::session::Session;
use crate::broker::{ByPartition, Depth, Result};
use crate::cli;
use crate::exit::Exit;
use crate::output::{Format, depth, json, partitions};

/// How many messages there are, how old, and how far that can be trusted.
///
/// Touches no message without --age. A queue that cannot be read does not hide the others (exit 3).
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The queues
    #[arg(value_name = "QUEUE", required_unless_present = "all_named")]
    pub queues: Vec<String>,
    /// Every queue that has a name in the configuration
    #[arg(long)]
    pub all_named: bool,
    /// How old the oldest message is too, where that takes a look (on SQS it costs a receive)
    #[arg(long)]
    pub age: bool,
    /// Each partition of a topic too
    #[arg(long)]
    pub by_partition: bool,
    /// How far this consumer group has read, partition by partition
    #[arg(long, value_name = "GROUP")]
    pub group: Option<String>,
    #[command(flatten)]
    pub(crate) accept: cli::Accept,
    #[command(flatten)]
    pub(crate) connection: cli::Connection,
}

/// Measures them all at once.
///
/// # Errors
/// A wrong address; with one queue, whatever keeps it from being measured.
pub async fn run(args: &Args, session: &Session) -> Result<Exit> {
    let mut probes = probing::named(session, &args.queues, args.all_named, &args.connection)?;
    let how =
        How { accept: &args.accept.accept, age: args.age, within: Some(session.timeout()), until: None, local: false };
    let mut results = probing::all(session, &mut probes, how).await;
    if session.stop.is_cancelled() {
        return Ok(session.stopped());
    }
    if results.len() == 1 && results[0].is_err() {
        results.remove(0)?;
    }
    let now = Timestamp::now();
    let (mut rows, mut values, mut failed, mut parts) = (vec![], vec![], 0, vec![]);
    for (probe, result) in probes.iter().zip(results) {
        let shown = probe.address().shown.clone();
        let result = match result {
            Ok(measured) => by_partition(args, &measured, session).await.map(|by| (measured, by)),
            Err(e) => Err(e),
        };
        match result {
            Ok((measured, by_partition)) => {
                said(&shown, &measured, args.age, session);
                let mut value = depth::value(&shown, &measured.depth, now);
                if let Some(by) = by_partition {
                    partitions::add(&mut value, &by, now);
                    parts.push((shown.clone(), by));
                }
                values.push(value);
                rows.push((shown, measured.depth));
            }
            Err(e) => {
                failed += 1;
                session.ui.error(&e);
                values.push(json!({ "queue": shown, "error": e.to_string() }));
            }
        }
    }
    print(session, &rows, &parts, &values, now)?;
    Ok(match (failed, rows.is_empty()) {
        (0, _) => Exit::Done,
        (_, true) => Exit::Failed,
        _ => Exit::Partly,
    })
}

async fn by_partition(args: &Args, measured: &Measured, session: &Session) -> Result<Option<ByPartition>> {
    if !args.by_partition && args.group.is_none() {
        return Ok(None);
    }
    let asked = measured.source.depth_by_partition(args.group.as_deref());
    let asked = tokio::time::timeout(session.timeout(), asked).await;
    asked.unwrap_or_else(|_| Err(probing::silent(measured.source.address(), session.timeout()))).map(Some)
}

fn said(shown: &str, measured: &Measured, age: bool, session: &Session) {
    measured.notes.iter().for_each(|note| session.ui.notice(&format!("{shown}: {note}")));
    if let (true, Some(retention)) = (age, measured.source.retention()) {
        let mut expiring = Expiring::default();
        expiring.note(measured.depth.oldest, retention, measured.at);
        expiring.say(&session.ui);
    }
}

fn print(
    session: &Session,
    rows: &[(String, Depth)],
    parts: &[(String, ByPartition)],
    values: &[serde_json::Value],
    now: Timestamp,
) -> Result<()> {
    let look = session.ui.look();
    let mut out = vec![];
    match session.format.resolve(look.tty, true) {
        Format::Json => {
            json::pretty(serde_json::Value::from(values.to_vec()).to_string().as_bytes(), &look, &mut out);
            out.push(b'\n');
        }
        Format::Jsonl => {
            for value in values {
                json::compact(value.to_string().as_bytes(), &look, &mut out);
                out.push(b'\n');
            }
        }
        _ => {
            let (text, notes) = depth::render(rows, now, &look);
            out.extend_from_slice(text.as_bytes());
            notes.iter().for_each(|n| session.ui.notice(n));
            for (queue, by) in parts {
                out.extend_from_slice(partitions::render(queue, by, now, &look).as_bytes());
            }
        }
    }
    let mut data = session.ui.data();
    data.write(&out)?;
    data.finish()
}
