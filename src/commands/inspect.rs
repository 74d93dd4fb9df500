//! `dlq inspect Q`.

use std::sync::Arc;

use super::looking::{Printing, ended, open, print_selected};
use super::selecting;
use super::session::Session;
use crate::broker::{Error, Kind, Result, ScanRequest};
use crate::cli;
use crate::exit::Exit;
use crate::output::human;
use crate::replay::Looked;

/// Show messages without taking them.
///
/// Shows the first 20 unless -n or --id says otherwise, and says so. With one --id, all of that message.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The queue
    #[arg(value_name = "QUEUE")]
    pub queue: String,
    #[command(flatten)]
    pub(crate) look: cli::Looking,
}

/// Messages shown where nothing says how many.
const SHOWN: u64 = 20;

/// Shows them.
///
/// # Errors
/// Whatever keeps the queue from being opened or standard output from being written.
pub async fn run(args: &Args, session: &Session) -> Result<Exit> {
    let mut selection = selecting::selection(&args.look.select, None, &args.queue, &session.ui)?;
    let single = selection.ids.as_ref().is_some_and(|ids| ids.len() == 1);
    let printing = Printing::new(session, &args.look.print, &args.look.select, single)?;
    let unasked = selection.limit.is_none() && selection.ids.is_none();
    if unasked {
        selection.limit = Some(SHOWN);
    }
    let selection = Arc::new(selection);
    let source = open(session, &args.queue, &args.look).await?;
    // Counting an archive means reading it: only where the count will be told.
    let all = if unasked { source.depth().await.ok().and_then(|d| d.waiting()) } else { None };
    let request = ScanRequest { takes: false, at_most: None, again: false };
    let (looked, unprinted) = print_selected(session, &*source, &selection, request, printing, None).await?;
    let exit = ended(session, &selection, &looked, &unprinted, args.look.select.strict);
    if unasked && looked.limited && looked.selected == SHOWN {
        let of = all.map_or_else(String::new, |n| format!(" of {}", human::count(n)));
        session.ui.notice(&format!("these are the first {SHOWN}{of}; -n N shows more, filter streams all"));
    }
    if let Some(ids) = &selection.ids {
        said(session, ids.len() as u64, &looked);
        if !single {
            selecting::say_missing(&selection, looked.read, &session.ui);
        }
    }
    if looked.selected == 0 && looked.error.is_none() && !looked.stopped {
        session.ui.notice(&format!("no message to show: {} read", human::counted(looked.read, "message")));
        if single {
            return Err(Error::new(Kind::NotFound, format!("no message of {} has that id", source.address()))
                .hint("ids are printed by: dlq filter QUEUE true --print .id -o raw"));
        }
    }
    Ok(exit)
}

/// Several messages can share an id where the broker has none.
fn said(session: &Session, ids: u64, looked: &Looked) {
    if looked.selected > ids {
        let n = human::counted(looked.selected, "message");
        session.ui.warn(&format!("{n} share {}: equal messages have equal ids here", human::counted(ids, "id")));
    }
}
