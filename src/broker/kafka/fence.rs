//! The right to change one partition's resolved set, and to send what it holds: a transactional producer whose id is made of
//! topic and partition. Whoever opens it shuts out the one before, wherever that runs.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::producer::{BaseRecord, Producer as _};
use tokio_util::sync::CancellationToken;

use super::error;
use super::produce::{self, Fates, Producer};
use super::resolved::{Offsets, State, transactional_id};
use crate::broker::{Error, Kind, Result};

/// A transaction that marks is tried so often.
const TRIES: u8 = 3;
/// A run that was killed holds back readers of its destinations for so long at most.
const TRANSACTION: &str = "15000";

/// What failed, by number. Numbers are never used twice: what an aborted transaction gave up may be told late.
#[derive(Default)]
pub(super) struct Failures(Mutex<Vec<(usize, Error)>>);

impl Fates for Failures {
    const TOGETHER: bool = true;

    fn known(&self, number: usize, fate: Result<(i32, i64)>) {
        if let Err(e) = fate {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push((number, e));
        }
    }
}

impl Failures {
    fn take(&self) -> Vec<(usize, Error)> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A partition that is ours.
pub(super) struct Fence {
    pub(super) partition: i32,
    pub(super) set: Offsets,
    state: State,
    producer: Producer<Failures>,
    failures: Arc<Failures>,
    begun: bool,
    /// The number of the first record of the transaction.
    base: usize,
    longest: Duration,
}

/// How a transaction ended.
pub(super) enum Ended {
    Committed,
    /// Nothing of it counts. These records, by number, are why; none where the transaction as such failed.
    Aborted(Vec<(usize, Error)>, Error),
    /// Another run has taken over, or the producer cannot go on; nothing more can be done through this fence.
    Lost(Error),
}

impl Fence {
    /// Takes it over, and reads what was done before.
    ///
    /// # Errors
    /// `Denied` without the permissions a transaction takes; `Held`; that the cluster does not answer.
    pub(super) fn open(state: &State, partition: i32, batch: u64, stop: &CancellationToken) -> Result<Fence> {
        let doing = "taking over the partition";
        let longest = state.link.longest;
        let mut config = produce::config(&state.link.base, longest, batch);
        config.set("transactional.id", transactional_id(&state.topic_id, partition));
        if config.get("transaction.timeout.ms").is_none() {
            config.set("transaction.timeout.ms", TRANSACTION);
            config.set("message.timeout.ms", TRANSACTION);
        }
        let failures = Arc::new(Failures::default());
        let producer = produce::open(&config, Arc::clone(&failures))?;
        // Asked at once it waits half a second for a coordinator it does not know yet.
        std::thread::sleep(Duration::from_millis(60));
        producer.init_transactions(longest).map_err(|e| {
            let e = error::map(&e, doing);
            match e.kind() {
                Kind::Denied => e.hint(format!(
                    "marking what is done takes WRITE and DESCRIBE on transactional ids that begin with dlq-, and READ and \
                     WRITE on {}",
                    state.topic
                )),
                _ => e,
            }
        })?;
        let set = state.settled(partition, stop)?;
        Ok(Fence { partition, set, state: state.clone(), producer, failures, begun: false, base: 0, longest })
    }

    /// Begins a transaction unless one is begun.
    ///
    /// # Errors
    /// `Held` where another run has taken over.
    pub(super) fn begin(&mut self) -> Result<()> {
        if !self.begun {
            self.producer.begin_transaction().map_err(|e| self.lost(&e))?;
            self.begun = true;
        }
        Ok(())
    }

    /// The number of the record at this place of the transaction.
    pub(super) fn number(&self, at: usize) -> usize {
        self.base + at
    }

    /// Its producer, for records of the transaction that is begun.
    pub(super) fn producer(&self) -> &Producer<Failures> {
        &self.producer
    }

    /// Says that these are done, in a transaction of their own.
    ///
    /// # Errors
    /// They are not marked, or it is not known whether they are.
    pub(super) fn mark(&mut self, offsets: &[i64]) -> Result<()> {
        let mut tries = 0;
        loop {
            self.begin()?;
            tries += 1;
            match self.commit(offsets) {
                Ended::Committed => return Ok(()),
                Ended::Aborted(_, e) if tries >= TRIES => return Err(e),
                Ended::Aborted(..) => {}
                Ended::Lost(e) => return Err(e),
            }
        }
    }

    /// Stores that these are done, and commits what was sent with it.
    pub(super) fn commit(&mut self, done: &[i64]) -> Ended {
        let new: Vec<i64> = done.iter().copied().filter(|at| self.set.insert(*at)).collect();
        let ended = self.try_commit(done.len());
        if !matches!(ended, Ended::Committed) {
            new.into_iter().for_each(|at| self.set.take_back(at));
        }
        ended
    }

    fn try_commit(&mut self, sent: usize) -> Ended {
        let (base, mut own) = (self.base, self.base + sent);
        for (key, value) in self.state.records(self.partition, &self.set) {
            let home = self.state.home(self.partition);
            let record = BaseRecord::with_opaque_to(&self.state.topic, own).partition(home).key(&key).payload(&value);
            if let Err((e, _)) = self.producer.send(record) {
                let e = error::map(&e, "storing the resolved set");
                return self.abort(Vec::new(), e);
            }
            own += 1;
        }
        self.base = own;
        let drained = self.drain();
        // The set's own come behind those that were sent.
        let here = |(number, e): (usize, Error)| (base..base + sent).contains(&number).then(|| (number - base, e));
        let mut failed = self.failures.take();
        failed.retain(|(number, _)| *number >= base);
        if let Err(e) = drained {
            return self.abort(failed.into_iter().filter_map(here).collect(), e);
        }
        if let Some((_, e)) = failed.first() {
            let e = e.again();
            return self.abort(failed.into_iter().filter_map(here).collect(), e);
        }
        let began = Instant::now();
        loop {
            match self.producer.commit_transaction(self.longest) {
                Ok(()) => {
                    self.begun = false;
                    self.set.stored();
                    return Ended::Committed;
                }
                Err(KafkaError::Transaction(e)) if e.txn_requires_abort() => {
                    let e = error::map(&KafkaError::Transaction(e), "committing");
                    return self.abort(Vec::new(), e);
                }
                Err(KafkaError::Transaction(e)) if e.is_retriable() && began.elapsed() < self.longest => {}
                Err(e) => return Ended::Lost(self.lost(&e)),
            }
        }
    }

    /// Waits until every record has its answer. The library's own flush looks every tenth of a second only.
    fn drain(&self) -> Result<()> {
        let began = Instant::now();
        drop(self.producer.flush(Duration::ZERO));
        while self.producer.in_flight_count() > 0 {
            if self.producer.client().fatal_error().is_some() || began.elapsed() > self.longest {
                return Err(error::of_code(Code::OperationTimedOut).during("sending"));
            }
            std::thread::sleep(Duration::from_micros(500));
        }
        Ok(())
    }

    fn abort(&mut self, failed: Vec<(usize, Error)>, why: Error) -> Ended {
        if let Some((code, text)) = self.producer.client().fatal_error() {
            return Ended::Lost(self.fatal(code, &text));
        }
        match self.producer.abort_transaction(self.longest) {
            Ok(()) => {
                self.begun = false;
                Ended::Aborted(failed, why)
            }
            Err(e) => Ended::Lost(self.lost(&e)),
        }
    }

    fn lost(&self, e: &KafkaError) -> Error {
        match self.producer.client().fatal_error() {
            Some((code, text)) => self.fatal(code, &text),
            None => error::map(e, "committing"),
        }
    }

    fn fatal(&self, code: Code, text: &str) -> Error {
        if error::kind(code) == Kind::Held {
            return taken_over(self.partition);
        }
        error::of_code(code).because(text.to_owned()).during("committing")
    }

    /// What is stored of the set now, by whoever: tells how a commit went whose answer was lost.
    ///
    /// # Errors
    /// That it cannot be read.
    pub(super) fn stored(state: &State, partition: i32, stop: &CancellationToken) -> Result<Offsets> {
        state.settled(partition, stop)
    }
}

/// Why a run that another one has shut out ends.
pub(super) fn taken_over(partition: i32) -> Error {
    Error::new(Kind::Held, format!("another run of dlq has taken over partition {partition} of this topic"))
        .hint("what this run had committed stays done; the other run goes on with the rest")
}
