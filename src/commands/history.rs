//! `dlq history [RUN]`.

use jiff::Timestamp;
use serde_json::Value;

use super::session::Session;
use crate::broker::{Error, Kind, Result};
use crate::exit::Exit;
use crate::journal::Journal;
use crate::output::{Format, history, json};
use crate::state::StateDir;

/// What runs there were, and how they ended.
///
/// With RUN all that is known of it, and with -o json every message that failed, is unknown, or may have come twice.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The run, by its own name or that of --run
    #[arg(value_name = "RUN")]
    pub run: Option<String>,
    /// At most so many runs, the latest first
    #[arg(short = 'n', long, value_name = "N", default_value = "20")]
    pub limit: u64,
}

/// Prints them.
///
/// # Errors
/// No such run; a journal that cannot be read.
pub fn run(args: &Args, session: &Session) -> Result<Exit> {
    let state = StateDir::locate()?;
    let journal = Journal::existing(&state)?;
    let look = session.ui.look();
    let format = session.format.resolve(look.tty, true);
    let now = Timestamp::now();
    let mut out = vec![];
    match (&args.run, journal) {
        (Some(name), journal) => {
            let record = journal.as_ref().map(|j| j.find(name)).transpose()?.flatten();
            let (Some(journal), Some(record)) = (journal, record) else {
                let text = format!("there is no run {name:?} in {}", state.path().display());
                return Err(Error::new(Kind::NotFound, text).hint("dlq history lists the runs there were"));
            };
            let troubles = journal.troubles(&record.run, u64::MAX)?;
            match format {
                Format::Json => print(&history::detail(&record, &troubles), true, session, &mut out),
                Format::Jsonl => print(&history::detail(&record, &troubles), false, session, &mut out),
                _ => out = history::text(&record, &troubles, now).render(&look).into_bytes(),
            }
        }
        (None, journal) => {
            let records = journal.map(|j| j.latest(args.limit)).transpose()?.unwrap_or_default();
            match format {
                Format::Json => {
                    print(
                        &Value::from(records.iter().map(history::value).collect::<Vec<_>>()),
                        true,
                        session,
                        &mut out,
                    );
                }
                Format::Jsonl => records.iter().for_each(|r| print(&history::value(r), false, session, &mut out)),
                _ if records.is_empty() => {
                    session.ui.notice(&format!("no run is recorded in {}", state.path().display()));
                }
                _ => {
                    let (text, notes) = history::table(&records, now, &look);
                    out = text.into_bytes();
                    notes.iter().for_each(|n| session.ui.notice(n));
                }
            }
        }
    }
    let mut data = session.ui.data();
    data.write(&out)?;
    data.finish()?;
    Ok(Exit::Done)
}

fn print(value: &Value, pretty: bool, session: &Session, out: &mut Vec<u8>) {
    let (bytes, look) = (value.to_string().into_bytes(), session.ui.look());
    if pretty {
        json::pretty(&bytes, &look, out)
    } else {
        json::compact(&bytes, &look, out)
    }
    out.push(b'\n');
}
