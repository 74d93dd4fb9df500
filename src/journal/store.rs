//! The file: its tables, and what is asked of them outside a run.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rusqlite::{Connection, ErrorCode, OptionalExtension, Row as SqlRow, params};
use serde_json::Value;

use super::record::{Begun, Record, Standing, Unfinished};
use super::rows::decode;
use super::writer::{RunJournal, Troubled};
use crate::broker::{Bound, Error, Kind, Result};
use crate::replay::RunId;
use crate::state::StateDir;

/// The journal of a state directory.
pub struct Journal {
    connection: Connection,
    path: PathBuf,
}

/// Runs that are kept; of those over it the oldest that ended go.
const KEPT: i64 = 500;
/// How long another process may hold the file.
const BUSY: Duration = Duration::from_secs(10);

const TABLES: &str = "
    CREATE TABLE runs (
        id TEXT PRIMARY KEY, name TEXT UNIQUE, verb TEXT NOT NULL, arguments TEXT NOT NULL, shown TEXT NOT NULL,
        folder TEXT NOT NULL, selection TEXT NOT NULL, source TEXT NOT NULL, places TEXT NOT NULL,
        destination TEXT, principal TEXT, started TEXT NOT NULL, attempts INTEGER NOT NULL, process INTEGER NOT NULL,
        finished TEXT, outcome TEXT, stopped_by TEXT, reports TEXT NOT NULL,
        arrived INTEGER NOT NULL
    );
    CREATE TABLE sends (
        run TEXT NOT NULL, batch INTEGER NOT NULL, rows BLOB NOT NULL, PRIMARY KEY (run, batch)
    ) WITHOUT ROWID;
    CREATE TABLE troubles (
        run TEXT NOT NULL, at TEXT NOT NULL, kind TEXT NOT NULL, message TEXT NOT NULL, cause TEXT, error TEXT NOT NULL
    );
    CREATE INDEX troubles_of_run ON troubles (run);
    PRAGMA user_version = 1;
";

/// What came after the first version.
const BOUNDS: &str = "
    CREATE TABLE bounds (run TEXT NOT NULL, at TEXT NOT NULL, messages INTEGER);
    CREATE INDEX bounds_of_run ON bounds (run);
    PRAGMA user_version = 2;
";

const COLUMNS: &str = "id, name, verb, arguments, folder, selection, source, places, destination, principal, \
                       started, attempts, finished, outcome, stopped_by, reports, process, arrived";

impl Journal {
    /// Opens the journal of a state directory, and makes it unless it is there.
    ///
    /// # Errors
    /// `Usage`, with the way to another folder.
    pub fn open(state: &StateDir) -> Result<Journal> {
        let path = state.create()?.join("journal.sqlite");
        let opened = connect(&path).and_then(|mut connection| {
            patiently(|| prepare(&mut connection))?;
            Ok(connection)
        });
        let connection = opened.map_err(|e| unusable(&path, &e))?;
        let version = version(&connection).map_err(|e| unusable(&path, &e))?;
        if version > VERSION {
            let text = format!("the journal {} was written by a newer version of dlq", path.display());
            return Err(Error::new(Kind::Usage, text).hint(format!("use that version, {ELSEWHERE}")));
        }
        Ok(Journal { connection, path })
    }

    /// The journal where there is one; nothing is made.
    ///
    /// # Errors
    /// As [`Journal::open`].
    pub fn existing(state: &StateDir) -> Result<Option<Journal>> {
        if state.path().join("journal.sqlite").exists() { Journal::open(state).map(Some) } else { Ok(None) }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes down that a run begins, and opens what its sends are written to.
    ///
    /// # Errors
    /// The file cannot be written, or there is a run of that name.
    pub fn begin(&self, begun: &Begun) -> Result<RunJournal> {
        let run = begun.run.as_str();
        let json = |v: &[String]| Value::from(v.to_vec()).to_string();
        let select = serde_json::to_string(&begun.select).map_err(|e| self.failed(e))?;
        self.connection
            .execute(
                "INSERT INTO runs VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,1,?13,NULL,NULL,NULL,'[]',0)",
                params![
                    run,
                    begun.name,
                    begun.verb,
                    json(&begun.arguments),
                    json(&begun.shown),
                    begun.folder,
                    select,
                    begun.source,
                    json(&begun.places),
                    begun.destination,
                    begun.principal,
                    begun.started.to_string(),
                    std::process::id(),
                ],
            )
            .map_err(|e| self.failed(e))?;
        self.prune().map_err(|e| self.failed(e))?;
        RunJournal::open(&self.path, run, vec![], 0)
    }

    /// Writes down that a run is taken up again.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub fn resume(&self, run: &RunId) -> Result<(RunJournal, Unfinished)> {
        let begin = || -> rusqlite::Result<u64> {
            self.connection.query_row(
                "UPDATE runs SET attempts = attempts + 1, process = ?2, finished = NULL, outcome = NULL, stopped_by = NULL
                 WHERE id = ?1 RETURNING attempts",
                params![run.as_str(), std::process::id()],
                |row| row.get(0),
            )
        };
        let attempt = begin().map_err(|e| self.failed(e))?;
        let batches = self.batches(run).map_err(|e| self.failed(e))?;
        let next = batches.last().map_or(0, |(batch, _)| batch + 1);
        let mut old = vec![];
        for (batch, bytes) in batches {
            let rows = decode(&bytes)
                .ok_or_else(|| Error::new(Kind::Corrupt, format!("{}: sends of {run} cannot be read", self.shown())))?;
            old.push((batch, rows));
        }
        let rows = old.iter().flat_map(|(_, rows)| rows).cloned().collect();
        Ok((RunJournal::open(&self.path, run.as_str(), old, next)?, Unfinished { rows, attempt }))
    }

    fn batches(&self, run: &RunId) -> rusqlite::Result<Vec<(u64, Vec<u8>)>> {
        let mut asked = self.connection.prepare("SELECT batch, rows FROM sends WHERE run = ?1 ORDER BY batch")?;
        asked.query_map([run.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
    }

    /// How many sends nothing says are finished.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn open_sends(&self, run: &RunId) -> Result<u64> {
        Ok(self.unfinished(run)?.0)
    }

    /// The same, and how many of them have arrived.
    fn unfinished(&self, run: &RunId) -> Result<(u64, u64)> {
        let batches = self.batches(run).map_err(|e| self.failed(e))?;
        let rows = batches.iter().filter_map(|(_, bytes)| decode(bytes)).flatten();
        Ok(rows.fold((0, 0), |(all, arrived), row| (all + 1, arrived + u64::from(row.confirmed))))
    }

    /// A run by its own name, or by the one the user gave it.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn find(&self, name: &str) -> Result<Option<Record>> {
        let text = format!("SELECT {COLUMNS} FROM runs WHERE id = ?1 OR name = ?1");
        let found = self.connection.query_row(&text, [name], record).optional().map_err(|e| self.failed(e))?;
        let Some(mut record) = found else { return Ok(None) };
        (record.unfinished, record.open_arrived) = self.unfinished(&record.run)?;
        record.bounds = self.bounds(&record.run).map_err(|e| self.failed(e))?;
        Ok(Some(record))
    }

    fn bounds(&self, run: &RunId) -> rusqlite::Result<Vec<Bound>> {
        let mut asked = self.connection.prepare("SELECT at, messages FROM bounds WHERE run = ?1 ORDER BY rowid")?;
        let bounds = asked.query_map([run.as_str()], |row| {
            let at = row.get::<_, String>(0)?.parse().unwrap_or(Timestamp::UNIX_EPOCH);
            Ok(Bound { at, messages: row.get(1)? })
        })?;
        bounds.collect()
    }

    /// The last `most` runs, the latest first.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn latest(&self, most: u64) -> Result<Vec<Record>> {
        self.records("TRUE", most)
    }

    /// Runs of which nothing says that they ended, the latest first.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn open_runs(&self) -> Result<Vec<Record>> {
        self.records("finished IS NULL", u64::MAX)
    }

    fn records(&self, which: &str, most: u64) -> Result<Vec<Record>> {
        let read = || -> rusqlite::Result<Vec<Record>> {
            let text = format!("SELECT {COLUMNS} FROM runs WHERE {which} ORDER BY started DESC, id DESC LIMIT ?1");
            let mut asked = self.connection.prepare(&text)?;
            asked.query_map([i64::try_from(most).unwrap_or(i64::MAX)], record)?.collect()
        };
        read().map_err(|e| self.failed(e))
    }

    /// What went wrong with messages of a run, in the order it was noted; `most` at most.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn troubles(&self, run: &RunId, most: u64) -> Result<Vec<Troubled>> {
        let read = || -> rusqlite::Result<Vec<Troubled>> {
            let mut asked = self.connection.prepare(
                "SELECT at, kind, message, cause, error FROM troubles WHERE run = ?1 ORDER BY rowid LIMIT ?2",
            )?;
            let rows = asked.query_map(params![run.as_str(), i64::try_from(most).unwrap_or(i64::MAX)], |row| {
                Ok(Troubled {
                    at: row.get(0)?,
                    kind: row.get(1)?,
                    id: row.get(2)?,
                    cause: row.get(3)?,
                    error: row.get(4)?,
                })
            })?;
            rows.collect()
        };
        read().map_err(|e| self.failed(e))
    }

    /// Writes down that a run is given up: nobody will take it up again.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn abandon(&self, run: &RunId) -> Result<()> {
        let write = || -> rusqlite::Result<()> {
            let now = Timestamp::now().to_string();
            self.connection.execute(
                "UPDATE runs SET finished = ?2, outcome = 'abandoned', arguments = shown WHERE id = ?1",
                params![run.as_str(), now],
            )?;
            self.connection.execute("DELETE FROM sends WHERE run = ?1", [run.as_str()])?;
            forget(&self.connection);
            Ok(())
        };
        write().map_err(|e| self.failed(e))
    }

    /// Forgets the oldest runs that ended.
    fn prune(&self) -> rusqlite::Result<()> {
        let old = "SELECT id FROM runs WHERE finished IS NOT NULL ORDER BY started DESC LIMIT -1 OFFSET ?1";
        for table in ["sends", "troubles", "bounds"] {
            self.connection.execute(&format!("DELETE FROM {table} WHERE run IN ({old})"), [KEPT])?;
        }
        self.connection.execute(&format!("DELETE FROM runs WHERE id IN ({old})"), [KEPT])?;
        Ok(())
    }

    fn shown(&self) -> String {
        self.path.display().to_string()
    }

    fn failed(&self, e: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        failed(&self.path, e)
    }
}

/// Opens the file as every part of this program does: what is committed survives a loss of power.
pub(super) fn connect(path: &Path) -> rusqlite::Result<Connection> {
    own(path);
    patiently(|| connect_once(path))
}

/// The file is turned to write-ahead logging by whoever comes first, and back by whoever goes last: in such a moment it was seen
/// locked in spite of the time to wait that SQLite was given.
fn patiently<T>(mut act: impl FnMut() -> rusqlite::Result<T>) -> rusqlite::Result<T> {
    let until = Instant::now() + BUSY;
    loop {
        match act() {
            Err(e) if e.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && Instant::now() < until => {
                std::thread::sleep(Duration::from_millis(10));
            }
            other => return other,
        }
    }
}

fn connect_once(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY)?;
    // Passwords that were taken out of a row are not to be found in the room it had.
    connection.pragma_update(None, "secure_delete", "ON")?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    Ok(connection)
}

/// What [`BOUNDS`] leaves.
const VERSION: i64 = 2;

fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

fn prepare(connection: &mut Connection) -> rusqlite::Result<()> {
    if version(connection)? < VERSION {
        // Another process may be about to do the same.
        let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        for (there, tables) in [(0, TABLES), (1, BOUNDS)] {
            if version(&transaction)? == there {
                transaction.execute_batch(tables)?;
            }
        }
        transaction.commit()?;
    }
    Ok(())
}

/// Arguments may hold a password while a run is unfinished.
///
/// The files that SQLite makes beside this one take its mode, so that it is set before they are made.
fn own(path: &Path) {
    use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
    // Where that does not work, opening it tells why.
    _ = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    // On a filesystem without modes nothing more can be done.
    _ = std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600));
}

/// Takes what was written before out of the file beside the journal, where passwords that were taken out of a row still are.
pub(super) fn forget(connection: &Connection) {
    // Where another process is reading it is done by whoever ends last.
    _ = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
}

/// An error of the journal's file.
pub(super) fn failed(path: &Path, e: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(Kind::Journal, format!("the journal {} failed", path.display())).because(e)
}

const ELSEWHERE: &str =
    "name another state directory with DLQ_STATE_DIR=PATH, or do without a record of the run: --no-journal";

fn unusable(path: &Path, e: &rusqlite::Error) -> Error {
    Error::new(Kind::Usage, format!("the journal {} cannot be used: {e}", path.display())).hint(ELSEWHERE)
}

fn record(row: &SqlRow<'_>) -> rusqlite::Result<Record> {
    let finished: Option<String> = row.get("finished")?;
    let standing = match finished {
        None => Standing::Open,
        Some(at) => Standing::Ended {
            at: at.parse().unwrap_or(Timestamp::UNIX_EPOCH),
            outcome: row.get::<_, Option<String>>("outcome")?.unwrap_or_default(),
            stopped_by: row.get("stopped_by")?,
        },
    };
    let id: String = row.get("id")?;
    Ok(Record {
        run: RunId::named(&id),
        name: row.get("name")?,
        verb: row.get("verb")?,
        arguments: json(row, "arguments")?,
        folder: row.get("folder")?,
        select: json(row, "selection")?,
        source: row.get("source")?,
        places: json(row, "places")?,
        destination: row.get("destination")?,
        principal: row.get("principal")?,
        started: row.get::<_, String>("started")?.parse().unwrap_or(Timestamp::UNIX_EPOCH),
        attempts: row.get("attempts")?,
        standing,
        reports: json(row, "reports")?,
        process: row.get("process")?,
        arrived: row.get("arrived")?,
        open_arrived: 0,
        unfinished: 0,
        bounds: vec![],
    })
}

fn json<T: serde::de::DeserializeOwned>(row: &SqlRow<'_>, column: &str) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text)
        .map_err(|e| rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(e)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Select;

    fn begun(run: &str) -> Begun {
        Begun {
            run: RunId::named(run),
            name: None,
            verb: "replay",
            arguments: vec!["replay".into(), "amqp://me:hunter2@h/q".into()],
            shown: vec!["replay".into(), "amqp://me:***@h/q".into()],
            folder: "/".into(),
            select: Select::default(),
            source: "amqp://me@h/q".into(),
            places: vec!["amqp://h:5672/%2F/q".into()],
            destination: None,
            principal: None,
            started: Timestamp::now(),
        }
    }

    fn holds(dir: &Path, secret: &str) -> bool {
        let files = std::fs::read_dir(dir).expect("a folder").map(|f| f.expect("a file").path());
        files.filter(|f| f.is_file()).any(|f| {
            let bytes = std::fs::read(f).expect("read");
            bytes.windows(secret.len()).any(|w| w == secret.as_bytes())
        })
    }

    #[tokio::test]
    async fn a_password_is_in_no_file_once_its_run_is_done_or_given_up() {
        let dir = tempfile::tempdir().expect("a folder");
        let journal = Journal::open(&StateDir::at(dir.path())).expect("made");
        for run in ["r1", "r2"] {
            let writer = journal.begin(&begun(run)).expect("begun");
            assert!(holds(dir.path(), "hunter2"), "it is wanted when the run is taken up again");
            if run == "r1" {
                writer.end("done", None, Value::Null).await.expect("ended");
            } else {
                drop(writer);
                journal.abandon(&RunId::named(run)).expect("given up");
            }
            assert!(!holds(dir.path(), "hunter2"), "{run}");
            assert!(holds(dir.path(), "me:***@h"), "{run}");
        }
    }

    #[test]
    fn a_journal_that_others_open_and_close_meanwhile_is_waited_for() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("journal.sqlite");
        let other = Connection::open(&path).expect("opened");
        other.execute_batch("CREATE TABLE t (a); BEGIN; SELECT * FROM t").expect("being read");
        let state = StateDir::at(dir.path());
        std::thread::scope(|threads| {
            let opening = threads.spawn(|| Journal::open(&state).map(drop));
            std::thread::sleep(Duration::from_millis(200));
            assert!(!opening.is_finished(), "it cannot be turned while it is read");
            other.execute_batch("COMMIT").expect("let go");
            opening.join().expect("no panic").expect("opened");
        });
    }
}
