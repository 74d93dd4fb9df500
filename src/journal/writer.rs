//! Writing while a run goes on: one thread, and one commit for everything that waits.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use futures::future::BoxFuture;
use jiff::Timestamp;
use rusqlite::{Connection, TransactionBehavior, params};
use serde_json::Value;
use tokio::sync::oneshot;

use super::ledger::{Entry, Ledger, Row};
use super::rows::encode;
use super::store::{connect, failed, forget};
use crate::broker::{Bound, Error, Result};

/// What went wrong with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Not there, still here.
    Failed,
    /// Perhaps there, still here.
    Indeterminate,
    /// There, and perhaps still here.
    NotRemoved,
    /// There, perhaps twice.
    PossibleDuplicate,
}

impl Trouble {
    /// As it is written, and printed: `not-removed`.
    pub fn name(self) -> &'static str {
        match self {
            Trouble::Failed => "failed",
            Trouble::Indeterminate => "indeterminate",
            Trouble::NotRemoved => "not-removed",
            Trouble::PossibleDuplicate => "possible-duplicate",
        }
    }
}

/// A message with which something went wrong.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Troubled {
    /// When, in UTC.
    pub at: String,
    /// [`Trouble::name`].
    pub kind: String,
    /// Its id in the queue.
    pub id: String,
    /// What it had died of, where that is known.
    pub cause: Option<String>,
    /// What went wrong, in words.
    pub error: String,
}

type Answer = oneshot::Sender<Result<()>>;

enum Order {
    Entries(Vec<Entry>, Option<Answer>),
    Trouble(Troubled),
    Began(Bound),
    End { outcome: String, stopped_by: Option<String>, report: Box<Value>, answer: Answer },
}

/// The journal of one run that is going on.
pub struct RunJournal {
    orders: Sender<Order>,
    thread: Option<JoinHandle<()>>,
    path: PathBuf,
    next_batch: u64,
}

impl RunJournal {
    /// `old`: what earlier attempts left, by batch.
    pub(super) fn open(path: &Path, run: &str, old: Vec<(u64, Vec<Row>)>, next_batch: u64) -> Result<RunJournal> {
        let connection = connect(path).map_err(|e| failed(path, e))?;
        let (orders, received) = channel();
        let mut scribe = Scribe { connection, run: run.to_owned(), path: path.to_owned(), old: Old::new(old) };
        let thread = std::thread::Builder::new()
            .name("journal".into())
            .spawn(move || scribe.write_all(&received))
            .map_err(|e| failed(path, e))?;
        Ok(RunJournal { orders, thread: Some(thread), path: path.to_owned(), next_batch })
    }

    /// The number of the first batch of this attempt.
    pub fn next_batch(&self) -> u64 {
        self.next_batch
    }

    /// Notes where reading the queue will end.
    pub fn began(&self, bound: &Bound) {
        _ = self.orders.send(Order::Began(bound.clone()));
    }

    /// Notes what went wrong with a message.
    pub fn trouble(&self, trouble: Trouble, id: &str, cause: Option<&str>, error: &str) {
        let troubled = Troubled {
            at: Timestamp::now().to_string(),
            kind: trouble.name().to_owned(),
            id: id.to_owned(),
            cause: cause.map(str::to_owned),
            error: error.to_owned(),
        };
        // Gone only after its thread, whose end the next answer tells.
        _ = self.orders.send(Order::Trouble(troubled));
    }

    /// Writes down how the run ended. Sends that are not finished stay, for whoever takes it up again, unless it is done.
    ///
    /// # Errors
    /// The file cannot be written.
    pub async fn end(&self, outcome: &str, stopped_by: Option<&str>, report: Value) -> Result<()> {
        let (answer, written) = oneshot::channel();
        let (outcome, stopped_by) = (outcome.to_owned(), stopped_by.map(str::to_owned));
        _ = self.orders.send(Order::End { outcome, stopped_by, report: Box::new(report), answer });
        written.await.unwrap_or_else(|_| Err(self.gone()))
    }

    fn gone(&self) -> Error {
        failed(&self.path, "the thread that writes it has ended")
    }
}

impl Ledger for RunJournal {
    fn write(&self, entries: Vec<Entry>) -> BoxFuture<'static, Result<()>> {
        let (answer, written) = oneshot::channel();
        _ = self.orders.send(Order::Entries(entries, Some(answer)));
        let gone = self.gone();
        Box::pin(async move { written.await.unwrap_or(Err(gone)) })
    }

    fn note(&self, entries: Vec<Entry>) {
        _ = self.orders.send(Order::Entries(entries, None));
    }
}

impl Drop for RunJournal {
    fn drop(&mut self) {
        let (nobody, _) = channel();
        drop(std::mem::replace(&mut self.orders, nobody));
        // What was noted last is written before the process ends.
        if let Some(thread) = self.thread.take() {
            _ = thread.join();
        }
    }
}

/// Orders taken together at most.
const TOGETHER: usize = 4096;

struct Scribe {
    connection: Connection,
    run: String,
    path: PathBuf,
    old: Old,
}

impl Scribe {
    fn write_all(&mut self, orders: &Receiver<Order>) {
        while let Ok(first) = orders.recv() {
            let mut together = vec![first];
            while together.len() < TOGETHER
                && let Ok(order) = orders.try_recv()
            {
                together.push(order);
            }
            let written = self.commit(&together).map_err(|e| Arc::new(failed(&self.path, e)));
            if together.iter().any(|order| matches!(order, Order::End { .. })) {
                forget(&self.connection);
            }
            for order in together {
                let (Order::Entries(_, Some(answer)) | Order::End { answer, .. }) = order else { continue };
                // Nobody waits any more when the run was dropped at the second Ctrl-C.
                _ = answer.send(written.as_ref().map_err(|e| e.again().hint(FULL)).copied());
            }
        }
    }

    fn commit(&mut self, orders: &[Order]) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        {
            let mut put = transaction.prepare_cached("INSERT OR REPLACE INTO sends VALUES (?1, ?2, ?3)")?;
            let mut delete = transaction.prepare_cached("DELETE FROM sends WHERE run = ?1 AND batch = ?2")?;
            let mut arrived = 0;
            let mut write = |batch: u64, rows: &[Row]| match rows {
                [] => delete.execute(params![self.run, batch]),
                rows => put.execute(params![self.run, batch, encode(rows)]),
            };
            for order in orders {
                match order {
                    Order::Entries(entries, _) => {
                        for entry in entries {
                            write(entry.batch, &entry.rows)?;
                            arrived += entry.arrived;
                            for (batch, rows) in self.old.without(&entry.replaces) {
                                write(batch, rows)?;
                            }
                        }
                    }
                    Order::Trouble(t) => {
                        transaction
                            .prepare_cached("INSERT INTO troubles VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?
                            .execute(params![self.run, t.at, t.kind, t.id, t.cause, t.error])?;
                    }
                    Order::Began(Bound { at, messages }) => {
                        transaction.prepare_cached("INSERT INTO bounds VALUES (?1, ?2, ?3)")?.execute(params![
                            self.run,
                            at.to_string(),
                            messages
                        ])?;
                    }
                    Order::End { outcome, stopped_by, report, .. } => {
                        end(&transaction, &self.run, outcome, stopped_by.as_deref(), report)?;
                    }
                }
            }
            if arrived > 0 {
                transaction
                    .prepare_cached("UPDATE runs SET arrived = arrived + ?2 WHERE id = ?1")?
                    .execute(params![self.run, arrived])?;
            }
        }
        transaction.commit()
    }
}

const FULL: &str = "make room, or name another state directory with DLQ_STATE_DIR=PATH; dlq resume goes on from here";

fn end(
    connection: &Connection,
    run: &str,
    outcome: &str,
    stopped_by: Option<&str>,
    report: &Value,
) -> rusqlite::Result<()> {
    let now = Timestamp::now().to_string();
    connection.execute(
        "UPDATE runs SET finished = ?2, outcome = ?3, stopped_by = ?4, reports = json_insert(reports, '$[#]', json(?5))
         WHERE id = ?1",
        params![run, now, outcome, stopped_by, report.to_string()],
    )?;
    if outcome == "done" {
        connection.execute("UPDATE runs SET arguments = shown WHERE id = ?1", [run])?;
        connection.execute("DELETE FROM sends WHERE run = ?1", [run])?;
    }
    Ok(())
}

/// What earlier attempts left, so that a message that is dealt with can be taken out of its old batch.
struct Old {
    batches: HashMap<u64, Vec<Row>>,
    of: HashMap<u64, u64>,
}

impl Old {
    fn new(batches: Vec<(u64, Vec<Row>)>) -> Old {
        let of = batches.iter().flat_map(|(batch, rows)| rows.iter().map(|r| (r.sequence, *batch))).collect();
        Old { batches: batches.into_iter().collect(), of }
    }

    /// Takes these out; gives the batches that changed, as they are now.
    fn without(&mut self, sequences: &[u64]) -> Vec<(u64, &[Row])> {
        let mut changed = std::collections::BTreeSet::new();
        for sequence in sequences {
            if let Some(batch) = self.of.remove(sequence)
                && let Some(rows) = self.batches.get_mut(&batch)
            {
                rows.retain(|r| r.sequence != *sequence);
                changed.insert(batch);
            }
        }
        changed.into_iter().filter_map(|batch| Some((batch, self.batches.get(&batch)?.as_slice()))).collect()
    }
}
