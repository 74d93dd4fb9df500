//! What is kept of a change: who may begin it, that it was begun, and how it ended.

use std::sync::Arc;

use serde_json::Value;

use super::earlier::still_there;
use super::{Change, To, What};
use crate::broker::address::hide_argument;
use crate::broker::{Bound, Error, Kind, Result, Source};
use crate::cli;
use crate::commands::session::Session;
use crate::journal::{Begun, Claims, Journal, Ledger, Locks, Record, RunJournal, Trouble};
use crate::output::human;
use crate::replay::{Books, RunId};
use crate::select::Selection;
use crate::state::StateDir;

/// Numbers that messages of one attempt at a run may have.
const OF_AN_ATTEMPT: u64 = 1_000_000_000_000;

/// The record of one run.
pub(super) struct Recording {
    journal: Option<Journal>,
    _locks: Option<Locks>,
    /// Once it has begun.
    run: Option<Arc<RunJournal>>,
    /// What the engine writes its sends to.
    pub(super) books: Books,
    /// The number of the first message.
    pub(super) first: u64,
}

impl Recording {
    /// Opens the journal, and sees that no other run is over this queue and none was left unfinished.
    ///
    /// # Errors
    /// `Held` with the holder; `Guard` with the run to take up again; `Usage` where there is no place for a journal.
    pub(super) fn admit(change: &Change<'_>, session: &Session, source: &dyn Source, run: &RunId) -> Result<Recording> {
        let mut recording = Recording { journal: None, _locks: None, run: None, books: Books::none(), first: 0 };
        if change.args.safety.dry_run || change.args.record.no_journal {
            return Ok(recording);
        }
        let opened = StateDir::locate().and_then(|state| Ok((Journal::open(&state)?, state)));
        let (journal, state) = match opened {
            Ok(opened) => opened,
            // A copy takes nothing away, so that nothing is lost with its record.
            Err(e) if !change.what.removes() && change.args.record.run.is_none() => {
                session.ui.notice(&format!("no record is kept of this copy: {e}"));
                return Ok(recording);
            }
            Err(e) => return Err(e),
        };
        // A copy needs the queue for itself no more than a look does, but the same copy is not made twice at once.
        let mut places = if change.what.removes() { source.lock_names() } else { vec![] };
        if change.args.record.run.is_some() || change.args.resumes.is_some() {
            places.push(format!("run {}", change.args.record.run.as_deref().unwrap_or(run.as_str())));
        }
        recording._locks = Some(Locks::take(&state, &places, &source.address().shown, run)?);
        if change.what.removes() {
            if change.args.resumes.is_none() {
                none_is_open(&journal, source)?;
            }
            if let Some(why) = state.fleeting() {
                session.ui.notice(&format!(
                    "the record of this run, without which it cannot be taken up again, may not survive: {}: {why}; name \
                     another folder with DLQ_STATE_DIR=PATH",
                    state.path().display()
                ));
            }
        }
        if let Some(begun) = change.args.resumes.as_ref().map(|run| journal.find(run.as_str())).transpose()?.flatten() {
            still_there(&begun, change, source)?;
        }
        recording.journal = Some(journal);
        Ok(recording)
    }

    /// Writes down that the run begins, or is taken up again.
    ///
    /// # Errors
    /// The journal cannot be written.
    pub(super) fn begin(&mut self, begins: &Begins<'_>) -> Result<()> {
        let Some(journal) = &self.journal else { return Ok(()) };
        let (run, rows) = match &begins.change.args.resumes {
            Some(run) => {
                let (journal, unfinished) = journal.resume(run)?;
                self.first = (unfinished.attempt - 1) * OF_AN_ATTEMPT;
                (journal, unfinished.rows)
            }
            None => (journal.begin(&begins.begun())?, vec![]),
        };
        let run = Arc::new(run);
        let ledger: Arc<dyn Ledger> = Arc::clone(&run) as _;
        self.books = Books::new(ledger, Arc::new(Claims::new(rows)), run.next_batch());
        self.run = Some(run);
        Ok(())
    }

    /// Where what goes wrong with single messages is noted.
    pub(super) fn notes(&self) -> Notes {
        Notes(self.run.clone())
    }

    /// Writes down that it ended before anything was done, if it did.
    pub(super) async fn end_badly(&self, session: &Session, e: Option<&Error>) {
        if let Some(e) = e {
            self.end(session, &serde_json::json!({ "outcome": "failed", "error": e.to_string() })).await;
        }
    }

    /// Writes down how it ended.
    pub(super) async fn end(&self, session: &Session, report: &Value) {
        let Some(run) = &self.run else { return };
        let word = |field: &str| report[field].as_str();
        let written = run.end(word("outcome").unwrap_or_default(), word("stopped_by"), report.clone()).await;
        if let Err(e) = written {
            session.ui.warn(&format!("how this run ended is not in its record: {e}"));
        }
    }
}

/// Notes what goes wrong with single messages.
#[derive(Clone)]
pub(super) struct Notes(Option<Arc<RunJournal>>);

impl Notes {
    pub(super) fn began(&self, bound: &Bound) {
        if let Some(run) = &self.0 {
            run.began(bound);
        }
    }

    pub(super) fn trouble(&self, what: Trouble, id: &str, cause: Option<&str>, error: &str) {
        if let Some(run) = &self.0 {
            run.trouble(what, id, cause, error);
        }
    }
}

/// A run that begins.
pub(super) struct Begins<'a> {
    pub(super) change: &'a Change<'a>,
    pub(super) session: &'a Session,
    pub(super) source: &'a dyn Source,
    pub(super) selection: &'a Selection,
    pub(super) run: &'a RunId,
    pub(super) started: jiff::Timestamp,
}

impl Begins<'_> {
    fn begun(&self) -> Begun {
        let Begins { change, session, source, .. } = self;
        Begun {
            run: self.run.clone(),
            name: change.args.record.run.clone(),
            verb: change.what.verb(),
            shown: session.arguments.iter().map(|a| hide_argument(a)).collect(),
            arguments: session.arguments.clone(),
            folder: std::env::current_dir().unwrap_or_default().display().to_string(),
            select: frozen(change, self.selection),
            source: source.address().shown.clone(),
            places: source.lock_names(),
            destination: match &change.to {
                To::Place(to) => Some(to.shown.clone()),
                To::Origins | To::Nowhere => None,
            },
            principal: source.principal(),
            started: self.started,
        }
    }
}

/// The selection as it was understood: files and standard input read, times counted from when it was typed.
fn frozen(change: &Change<'_>, selection: &Selection) -> cli::Select {
    let mut frozen = change.args.select.clone();
    frozen.plan = change.plan.as_ref().map(|plan| plan.hash.clone());
    frozen.since = selection.since.map(|t| t.to_string());
    frozen.until = selection.until.map(|t| t.to_string());
    if let Some(path) = frozen.filter_file.take() {
        // It was read a moment ago. Should it be gone already, the name is kept and the next attempt says so.
        match std::fs::read_to_string(&path) {
            Ok(text) => frozen.filter = Some(text),
            Err(_) => frozen.filter_file = Some(path),
        }
    }
    if frozen.ids_from.take().is_some() {
        frozen.id = selection.ids.iter().flat_map(|ids| ids.iter()).map(str::to_owned).collect();
        frozen.id.sort_unstable();
    }
    frozen
}

/// The run over this queue that was cut off, if one was.
///
/// # Errors
/// The journal cannot be read.
pub(super) fn open_over(journal: &Journal, source: &dyn Source) -> Result<Option<Record>> {
    let names = source.lock_names();
    let of_this_queue = |r: &Record| r.verb != What::Copy.verb() && r.places.iter().any(|place| names.contains(place));
    Ok(journal.open_runs()?.into_iter().find(of_this_queue))
}

/// A run that was cut off may have sent what is still in the queue.
fn none_is_open(journal: &Journal, source: &dyn Source) -> Result<()> {
    let Some(open) = open_over(journal, source)? else { return Ok(()) };
    let sends = journal.open_sends(&open.run)?;
    let Record { run, verb, source, started, .. } = &open;
    let mut text = format!("run {run} ({verb} from {source}, begun {started:.0}) was cut off");
    if sends > 0 {
        text.push_str(&format!(", and {} may have been sent already", human::counted(sends, "message")));
    }
    Err(Error::new(Kind::Unfinished, text)
        .hint(format!("to finish it: dlq resume {}; to give it up: dlq resume {} --abandon", open.run, open.run)))
}
