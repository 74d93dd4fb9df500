//! `dlq purge Q`.

use std::path::Path;

use jiff::Timestamp;

use super::change::{self, Change, To, What};
use super::session::Session;
use crate::broker::address::hide;
use crate::broker::{Address, Error, Kind, Result};
use crate::cli;
use crate::exit::Exit;
use crate::journal::Journal;
use crate::replay::RunId;
use crate::state::StateDir;

/// Remove messages, after writing them to an archive.
///
/// Removes what the archive holds and no more. Without a selection it wants --all.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The queue
    #[arg(value_name = "QUEUE")]
    pub queue: String,
    /// Every message of the queue
    #[arg(long)]
    pub all: bool,
    /// Where to write the messages first; the default is a new file in this folder
    #[arg(long, value_name = "file:PATH", conflicts_with = "no_backup")]
    pub backup: Option<String>,
    /// Write no archive: what is removed is gone
    #[arg(long)]
    pub no_backup: bool,
    #[command(flatten)]
    pub(crate) change: cli::Changing,
}

/// Purges.
///
/// # Errors
/// No selection and no `--all`; whatever ends it before anything was begun.
pub async fn run(args: &Args, session: &Session) -> Result<Exit> {
    let s = &args.change.select;
    let selects = s.filter.is_some()
        || s.filter_file.is_some()
        || s.since.is_some()
        || s.until.is_some()
        || !s.id.is_empty()
        || s.ids_from.is_some()
        || s.cause.is_some()
        || s.limit.is_some()
        || s.scan_limit.is_some();
    let planned = args.change.plan.plan.is_some();
    if !selects && !args.all && !planned {
        return Err(Error::new(Kind::Usage, "purge wants a selection, such as --filter, --cause or --id")
            .hint("to purge every message of the queue, say so with --all"));
    }
    if (selects || planned) && args.all {
        return Err(Error::new(Kind::Usage, "--all and a selection contradict each other: give one of them"));
    }
    let queue = session.address(&args.queue, &args.change.connection)?;
    let to = match (&args.backup, args.no_backup) {
        (Some(backup), _) => To::Place(archive(backup)?),
        (None, true) => To::Nowhere,
        (None, false) => To::Place(archive(&match begun_with(&args.change)? {
            Some(backup) => backup,
            None => backup_name(&queue, Timestamp::now()),
        })?),
    };
    let change = Change {
        what: What::Purge,
        queue: &args.queue,
        to,
        args: &args.change,
        replay: None,
        plan: change::plan_of(&args.change)?,
        whole: args.all && args.no_backup,
        server_side: false,
    };
    change::run(&change, session).await
}

/// Where a purge of a queue writes its backup unless told otherwise.
///
/// # Errors
/// `Usage`.
pub(super) fn backup(queue: &Address) -> Result<Address> {
    archive(&backup_name(queue, Timestamp::now()))
}

/// The backup of an earlier attempt at the same run: there is one for the whole of it.
fn begun_with(change: &cli::Changing) -> Result<Option<String>> {
    let of = change.resumes.as_ref().map(RunId::as_str).or(change.record.run.as_deref());
    let Some(run) = of.filter(|_| !change.record.no_journal) else { return Ok(None) };
    let Some(journal) = Journal::existing(&StateDir::locate()?)? else { return Ok(None) };
    Ok(journal.find(run)?.filter(|r| r.verb == What::Purge.verb()).and_then(|r| r.destination))
}

fn archive(typed: &str) -> Result<Address> {
    let address = Address::parse(typed, &[])?;
    if !address.backend.creates() || typed == "-" {
        return Err(Error::new(Kind::Usage, format!("the backup {:?} is not an archive file", hide(typed)))
            .hint("write it as file:PATH; to send messages to another queue use dlq move"));
    }
    Ok(address)
}

/// `file:orders.dlq-20261123T181401Z.ndjson`, in this folder.
fn backup_name(queue: &Address, now: Timestamp) -> String {
    let name = queue.shown.rsplit(['/', ':']).next().unwrap_or("queue");
    let safe: String = name.chars().map(|c| if c.is_alphanumeric() || "._-".contains(c) { c } else { '_' }).collect();
    let base = format!("{safe}-{}", now.strftime("%Y%m%dT%H%M%SZ"));
    let mut name = format!("{base}.ndjson");
    let mut second = 2;
    // Two purges in one second: a backup holds what one purge removed, and no more.
    while Path::new(&name).exists() {
        name = format!("{base}-{second}.ndjson");
        second += 1;
    }
    format!("file:{name}")
}
