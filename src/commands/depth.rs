//! `dlq depth Q…`.

use futures::future::join_all;
use jiff::Timestamp;
use serde_json::json;

use super::looking::Expiring;
use super::session::{Opening, Session, address};
use crate::broker::{Depth, Result};
use crate::cli;
use crate::exit::Exit;
use crate::output::{Format, depth, json};

/// How many messages there are, how old, and how far that can be trusted.
///
/// Touches no message without --age. A queue that cannot be read does not hide the others (exit 3).
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The queues
    #[arg(value_name = "QUEUE", required = true)]
    pub queues: Vec<String>,
    /// How old the oldest message is too, where that takes a look (on SQS it costs a receive)
    #[arg(long)]
    pub age: bool,
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
    for queue in &args.queues {
        address(queue, &args.connection)?;
    }
    let mut results = join_all(args.queues.iter().map(|queue| measure(queue, args, session))).await;
    if results.len() == 1 && results[0].1.is_err() {
        results.remove(0).1?;
    }
    let now = Timestamp::now();
    let (mut rows, mut values, mut failed) = (vec![], vec![], 0);
    for (queue, result) in results {
        match result {
            Ok((shown, measured)) => {
                values.push(depth::value(&shown, &measured, now));
                rows.push((shown, measured));
            }
            Err(e) => {
                failed += 1;
                session.ui.error(&e);
                values.push(json!({ "queue": queue, "error": e.to_string() }));
            }
        }
    }
    print(session, &rows, &values, now)?;
    Ok(match (failed, rows.is_empty()) {
        (0, _) => Exit::Done,
        (_, true) => Exit::Failed,
        _ => Exit::Partly,
    })
}

async fn measure(queue: &str, args: &Args, session: &Session) -> (String, Result<(String, Depth)>) {
    let shown = address(queue, &args.connection).map_or_else(|_| queue.to_owned(), |a| a.shown);
    let result = async {
        let opening = Opening { accept: &args.accept.accept, ..Opening::default() };
        let source = session.source(queue, &args.connection, opening).await?;
        let mut depth = source.depth().await?;
        if args.age && depth.oldest.is_none() {
            let oldest = source.oldest().await?;
            depth.oldest = oldest.at;
            let shown = &source.address().shown;
            oldest.notes.iter().for_each(|note| session.ui.notice(&format!("{shown}: {note}")));
        }
        if let (true, Some(retention)) = (args.age, source.retention()) {
            let mut expiring = Expiring::default();
            expiring.note(depth.oldest, retention, Timestamp::now());
            expiring.say(&session.ui);
        }
        Ok((source.address().shown.clone(), depth))
    };
    (shown, result.await)
}

fn print(session: &Session, rows: &[(String, Depth)], values: &[serde_json::Value], now: Timestamp) -> Result<()> {
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
        }
    }
    let mut data = session.ui.data();
    data.write(&out)?;
    data.finish()
}
