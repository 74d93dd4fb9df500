//! What publish-then-settle writes down of a batch: before it is sent, when it is confirmed, and when it is removed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::future::BoxFuture;

use crate::broker::{Move, Outcome, Result};
use crate::journal::{Claims, Entry, Ledger, Row};
use crate::message::DeadLetter;

/// Where sends are written, and what is known from an earlier attempt. Without a ledger nothing is written.
#[derive(Clone)]
pub struct Books {
    ledger: Option<Arc<dyn Ledger>>,
    claims: Arc<Claims>,
    next_batch: Arc<AtomicU64>,
}

impl Books {
    /// Batches are numbered from `first_batch` on.
    pub fn new(ledger: Arc<dyn Ledger>, claims: Arc<Claims>, first_batch: u64) -> Books {
        Books { ledger: Some(ledger), claims, next_batch: Arc::new(AtomicU64::new(first_batch)) }
    }

    /// Nothing is written.
    pub fn none() -> Books {
        Books { ledger: None, claims: Arc::new(Claims::none()), next_batch: Arc::default() }
    }

    /// Anything is written at all.
    pub fn keeps(&self) -> bool {
        self.ledger.is_some()
    }

    /// What is known from an earlier attempt.
    pub fn claims(&self) -> &Arc<Claims> {
        &self.claims
    }

    /// An earlier attempt may have sent the message with this number, and it goes again.
    pub(super) fn may_be_there(&self, sequence: u64) -> bool {
        self.claims.earlier(sequence).is_some() && !self.claims.is_arrived(sequence)
    }

    /// Begins the entry of a batch; it is being written when this returns.
    pub(super) fn open(&self, moves: &[Move]) -> Written {
        let mut written = Written { durable: None, batch: 0, rows: vec![] };
        let Some(ledger) = &self.ledger else { return written };
        written.batch = self.next_batch.fetch_add(1, Ordering::Relaxed);
        written.rows = moves.iter().map(|m| self.line(m)).collect();
        let replaces = moves
            .iter()
            .filter_map(|m| self.claims.earlier(m.outgoing.sequence))
            .filter(|n| !self.claims.is_arrived(*n));
        let entry = Entry { replaces: replaces.collect(), ..written.entry(|line| !line.arrived) };
        if !entry.rows.is_empty() {
            written.durable = Some(ledger.write(vec![entry]));
        }
        written
    }

    fn line(&self, m: &Move) -> Line {
        let sequence = m.outgoing.sequence;
        let DeadLetter { identity, id, .. } = &*m.outgoing.message;
        let row = Row { sequence, identity: *identity, id: id.clone(), confirmed: false };
        let (arrived, again) = (self.claims.is_arrived(sequence), self.may_be_there(sequence));
        Line { row, arrived, again, open: true }
    }

    /// Writes entries that must survive before anything else is done.
    pub(super) async fn write(&self, entries: Vec<Entry>) -> Result<()> {
        match &self.ledger {
            Some(ledger) if !entries.is_empty() => ledger.write(entries).await,
            _ => Ok(()),
        }
    }

    /// Writes entries nobody waits for.
    pub(super) fn note(&self, entries: Vec<Entry>) {
        if let Some(ledger) = self.ledger.as_ref().filter(|_| !entries.is_empty()) {
            ledger.note(entries);
        }
    }

    /// Counts messages whose sends are not written down.
    pub(super) fn count(&self, arrived: u64) {
        if arrived > 0 {
            let batch = self.next_batch.fetch_add(1, Ordering::Relaxed);
            self.note(vec![Entry { batch, arrived, ..Entry::default() }]);
        }
    }

    /// What an earlier attempt had under way and is in the queue no more: makes an end of it, and gives those of which it is
    /// not known whether they arrived.
    pub(super) fn unaccounted(&self) -> Vec<Row> {
        let rows = self.claims.unclaimed();
        let replaces = rows.iter().map(|r| r.sequence).collect::<Vec<_>>();
        if !replaces.is_empty() {
            let batch = self.next_batch.fetch_add(1, Ordering::Relaxed);
            self.note(vec![Entry { batch, replaces, ..Entry::default() }]);
        }
        rows.into_iter().filter(|r| !r.confirmed).collect()
    }
}

/// What is written of one batch; a line for each of its messages, in order.
pub(super) struct Written {
    durable: Option<BoxFuture<'static, Result<()>>>,
    batch: u64,
    rows: Vec<Line>,
}

struct Line {
    row: Row,
    /// It is not sent: it has arrived before.
    arrived: bool,
    /// It may have arrived before, and goes again: that this attempt failed ends nothing.
    again: bool,
    /// It is not known to be finished.
    open: bool,
}

impl Written {
    /// Returns once the batch is written down.
    pub(super) async fn durable(&mut self) -> Result<()> {
        match self.durable.take() {
            Some(durable) => durable.await,
            None => Ok(()),
        }
    }

    /// What has arrived of it: the entry that says so.
    pub(super) fn confirm(&mut self, outcomes: &[Outcome]) -> Option<Entry> {
        for (line, outcome) in self.rows.iter_mut().zip(outcomes) {
            line.row.confirmed = matches!(outcome, Outcome::Moved(_));
            line.open = line.again || matches!(outcome, Outcome::Moved(_) | Outcome::Indeterminate(_));
        }
        let arrived = self.rows.iter().filter(|line| line.row.confirmed && !line.arrived).count() as u64;
        let sent = self.rows.iter().any(|line| !line.arrived);
        sent.then(|| Entry { arrived, ..self.entry(|line| line.open && !line.arrived) })
    }

    /// What is left of it once what arrived is removed: the entry that says so.
    pub(super) fn settle(&mut self, outcomes: &[Outcome], books: &Books) -> Option<Entry> {
        if self.rows.is_empty() {
            return None;
        }
        let mut replaces = vec![];
        for (line, outcome) in self.rows.iter_mut().zip(outcomes) {
            line.open &= !matches!(outcome, Outcome::Moved(_));
            if line.arrived && !line.open {
                replaces.push(line.row.sequence);
            }
            if line.row.confirmed && line.open {
                books.claims.arrived(line.row.clone());
            }
        }
        Some(Entry { replaces, ..self.entry(|line| line.open && !line.arrived) })
    }

    fn entry(&self, which: impl Fn(&Line) -> bool) -> Entry {
        let rows = self.rows.iter().filter(|line| which(line)).map(|line| line.row.clone()).collect();
        Entry { batch: self.batch, rows, ..Entry::default() }
    }
}
