//! A run that was begun before: under the name that was given, or over the queue that was named.

use std::path::Path;

use super::recording::open_over;
use super::{Change, To, What};
use crate::broker::{Address, Error, Kind, Result, Source, registry};
use crate::commands::resume::{Anew, agree, done, take_up};
use crate::commands::selecting;
use crate::commands::session::Session;
use crate::exit::Exit;
use crate::journal::{Journal, Record};
use crate::state::StateDir;

/// `--run NAME`: ends at once where that run is done, takes it up where it is not; `None` where there is none.
///
/// # Errors
/// It was begun with other arguments, or whatever keeps it from being taken up.
pub(super) async fn named(change: &Change<'_>, address: &Address, session: &Session) -> Result<Option<Exit>> {
    let args = change.args;
    let Some(name) = args.record.run.as_ref().filter(|_| args.resumes.is_none() && !args.safety.dry_run) else {
        return Ok(None);
    };
    let Some(record) = Journal::open(&StateDir::locate()?)?.find(name)? else { return Ok(None) };
    agree(&record, &session.arguments)?;
    same_places(&record, change, address)?;
    if let Some(flag) = selecting::rewritten(&args.select, &record.select) {
        let text = format!("run {name:?} was begun with another list: the file of {flag} has changed since");
        return Err(Error::new(Kind::Usage, text)
            .hint("another list is another task: give it another --run NAME, or put the file back as it was"));
    }
    same_plan(&record, change)?;
    if record.is_done() {
        session.ui.notice(&done(&record));
        return Ok(Some(Exit::Done));
    }
    take_up(&record, &anew(change), session).await.map(Some)
}

/// On a terminal, asks whether the run that was cut off is to be finished; otherwise the refusal stands.
///
/// # Errors
/// The refusal, or whatever keeps it from being taken up.
pub(super) async fn offered(
    change: &Change<'_>,
    session: &Session,
    source: std::sync::Arc<dyn Source>,
    refusal: Error,
) -> Result<Exit> {
    if refusal.kind() != Kind::Unfinished || !session.ui.asks() {
        return Err(refusal);
    }
    let journal = Journal::open(&StateDir::locate()?)?;
    let Some(record) = open_over(&journal, &*source)? else { return Err(refusal) };
    session.ui.error(&refusal);
    if !session.ui.ask(&format!("Finish run {} now?", record.run), &session.stop).await? {
        return Ok(if session.stop.is_cancelled() { session.stopped() } else { Exit::Guard });
    }
    let record = journal.find(record.run.as_str())?.unwrap_or(record);
    // What it holds, the run is going to want.
    drop((source, journal));
    take_up(&record, &anew(change), session).await
}

/// The same words can mean another queue: in another folder, or after the configuration was changed.
///
/// # Errors
/// `Usage`, with both.
fn same_places(record: &Record, change: &Change<'_>, address: &Address) -> Result<()> {
    let here = std::env::current_dir().unwrap_or_default();
    let moved = |shown: &str| here != Path::new(&record.folder) && relative(shown);
    if record.source != address.shown || moved(&address.shown) {
        return Err(elsewhere(record, "source", &record.source, &address.shown));
    }
    let to = match &change.to {
        To::Place(to) => Some(to.shown.as_str()),
        To::Origins | To::Nowhere => None,
    };
    // Where a purge keeps what it removes it may have chosen itself.
    let differs = record.destination.as_deref() != to || to.is_some_and(moved);
    if differs && change.what != What::Purge {
        let words = |to: Option<&str>| to.unwrap_or("where each message came from").to_owned();
        return Err(elsewhere(record, "destination", &words(record.destination.as_deref()), &words(to)));
    }
    Ok(())
}

/// An archive whose path begins in the folder one is in.
fn relative(shown: &str) -> bool {
    registry::of_address(shown).is_ok_and(|b| b.creates())
        && shown != "-"
        && Path::new(shown.strip_prefix("file:").unwrap_or(shown)).is_relative()
}

/// The file may hold another plan by now.
///
/// # Errors
/// `Usage`.
fn same_plan(record: &Record, change: &Change<'_>) -> Result<()> {
    match (&record.select.plan, &change.plan) {
        (Some(then), Some(now)) if *then != now.hash => {
            let text = format!("run {} was begun with another plan: the file of --plan has changed since", record.run);
            Err(Error::new(Kind::Usage, text)
                .hint("another plan is another task: give it another --run NAME, or put the file back as it was"))
        }
        _ => Ok(()),
    }
}

/// A run that is taken up again must be over the queue it was begun with.
///
/// # Errors
/// `Usage`, with both.
pub(super) fn still_there(record: &Record, change: &Change<'_>, source: &dyn Source) -> Result<()> {
    if !source.lock_names().iter().any(|name| record.places.contains(name)) {
        return Err(elsewhere(record, "source", &record.source, &source.address().shown));
    }
    same_plan(record, change)?;
    same_places(record, change, source.address())
}

fn elsewhere(record: &Record, what: &str, then: &str, now: &str) -> Error {
    let Record { run, folder, .. } = record;
    let text = if then == now {
        format!("run {run} was begun with another {what}: {then} in {folder}, which is not what that names here")
    } else {
        format!("run {run} was begun with another {what}: {then}, and now it would be {now}")
    };
    Error::new(Kind::Usage, text).hint(format!(
        "put the configuration, the environment or the folder back as it was; or begin another run under another name, \
         and give this one up: dlq resume {run} --abandon"
    ))
}

fn anew<'a>(change: &'a Change<'_>) -> Anew<'a> {
    let args = change.args;
    Anew { yes: args.safety.yes, accept: &args.safety.accept.accept, pace: &args.pace }
}
