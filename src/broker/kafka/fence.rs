//! The right to change one partition's resolved set, and to send what it holds: a transactional producer whose id is made of
//! topic and partition. Whoever opens it shuts out the one before, wherever that runs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::producer::{BaseRecord, Producer as _};
use tokio_util::sync::CancellationToken;

use super::error;
use super::leftover::{self, Left};
use super::look_back::{Carried, Undone};
use super::offsets::{self, Ends};
use super::produce::{self, Producer};
use super::resolved::{Offsets, State, or_local, transactional_id};
use super::sys;
use super::told::Told;
use super::unseen::{Commit, Place, Unseen};
use crate::broker::{Error, Kind, Result};

/// A transaction that marks is tried so often.
const TRIES: u8 = 3;
/// While it is flushed, a producer is looked after so often.
const FLUSH: Duration = Duration::from_millis(20);
/// A run that was killed holds back readers of its destinations for so long at most.
const TRANSACTION: &str = "15000";

/// A partition that is ours.
pub(super) struct Fence {
    pub(super) partition: i32,
    pub(super) set: Offsets,
    pub(super) state: State,
    producer: Producer<Told>,
    pub(super) told: Arc<Told>,
    batch: u64,
    /// Topics where nothing of a dead run is open, or is no harm: more may be sent there.
    pub(super) met: BTreeSet<String>,
    /// Of these, partitions where records that are done are hidden until something is committed there.
    hidden: BTreeSet<Place>,
    /// Where what was aborted may be open still: more is sent there once it is hidden for good.
    pub(super) stuck: BTreeSet<Place>,
    /// The same of all a topic's partitions: it is not known which.
    pub(super) stuck_topics: BTreeSet<String>,
    pub(super) unseen: Unseen,
    /// Undone, out of the set here, and not yet in what is stored.
    pub(super) pending: Vec<(Place, Commit)>,
    /// Why nothing more can be done through it, where the producer does not say.
    pub(super) dead: Option<Error>,
    /// What it is not known of whether it is committed.
    pub(super) perhaps: Vec<(Place, Commit)>,
    pub(super) undone: Undone,
    begun: bool,
    /// When the transaction was begun, by both clocks: one of them stands still while the machine sleeps, the other may be set.
    since: (Instant, SystemTime),
    /// How long the cluster lets one be open.
    limit: Duration,
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
        let longest = state.link.longest;
        let (config, limit) = config(state, partition, batch);
        let told = Arc::new(Told::default());
        let mut producer = take_over(&config, &told, state)?;
        if leftover::is_open(&state.link, &state.topic, state.home(partition))? {
            leftover::undo(&config, &state.link, &state.topic, &[state.home(partition)])?;
            producer = take_over(&config, &told, state)?;
        }
        let set = match state.settled(partition, stop) {
            Err(e) if e.kind() == Kind::Held && !stop.is_cancelled() => release(&config, state, partition, e, stop)?,
            settled => settled?,
        };
        Ok(Fence {
            partition,
            set,
            state: state.clone(),
            producer,
            told,
            batch,
            met: BTreeSet::new(),
            hidden: BTreeSet::new(),
            stuck: BTreeSet::new(),
            stuck_topics: BTreeSet::new(),
            pending: Vec::new(),
            dead: None,
            unseen: Unseen::default(),
            perhaps: Vec::new(),
            undone: Undone::default(),
            begun: false,
            since: now(),
            limit,
            base: 0,
            longest,
        })
    }

    /// Whether it was seen to what a dead run may have left open at this destination.
    pub(super) fn has_met(&self, topic: &str) -> bool {
        self.met.contains(topic)
    }

    /// Looks what a dead run left open at this destination: its fate would be that of what is sent there next. Where there is
    /// anything, [`Fence::clear`] is to follow, with no transaction open.
    ///
    /// # Errors
    /// As [`leftover::look`].
    pub(super) fn meet(&mut self, topic: &str, stop: &CancellationToken) -> Result<Left> {
        let mut left = leftover::look(&self.state.link, topic, &self.set.went, stop)?;
        // Of what was done and then aborted beside it, the one cannot be shown without the other.
        let all = self.stuck_topics.remove(topic);
        let stuck = |p: &i32| all || self.stuck.contains(&(topic.to_owned(), *p));
        left.undone.extend(left.done.iter().copied().filter(stuck));
        left.done.retain(|p| !stuck(p));
        self.stuck.retain(|(of, _)| of != topic);
        if left.is_empty() {
            self.met.insert(topic.to_owned());
        }
        Ok(left)
    }

    /// Sees to what was left there. Takes the partition over once more where that takes it; what there was to look after is to be
    /// handed to [`Fence::go_on`] then.
    ///
    /// # Errors
    /// As [`Fence::open`]; it is of no use then.
    pub(super) fn clear(&mut self, topic: &str, left: Left, stop: &CancellationToken) -> Result<Option<Carried>> {
        let mut carried = None;
        if !left.undone.is_empty() {
            let (config, _) = config(&self.state, self.partition, self.batch);
            let link = &self.state.link;
            let before = offsets::ends(link, topic, &left.undone)?;
            leftover::undo(&config, link, topic, &left.undone)?;
            let fresh = Fence::open(&self.state, self.partition, self.batch, stop)?;
            // The marker takes an offset, and is there by now unless the cluster has left it out once more.
            let after = offsets::ends(link, topic, &left.undone)?;
            let high = |ends: &BTreeMap<i32, Ends>, p: i32| ends.get(&p).map(|e| e.high);
            if let Some(p) = left.undone.iter().find(|p| high(&after, **p) <= high(&before, **p)) {
                let text = format!("what an earlier run left open in partition {p} of {topic} could not be ended");
                return Err(Error::new(Kind::Unreachable, text).hint("try again when all brokers are there"));
            }
            carried = Some(self.give_way(fresh));
        }
        self.met.insert(topic.to_owned());
        for p in left.done {
            let place = (topic.to_owned(), p);
            let first = self.set.went.at(topic, p);
            first.into_iter().for_each(|first| self.unseen.note(place.clone(), Commit { first, of: Vec::new() }));
            self.hidden.insert(place);
        }
        Ok(carried)
    }

    /// Bytes of a batch, at most.
    pub(super) fn batch(&self) -> u64 {
        self.batch
    }

    /// Takes the partition over once more, for smaller batches, with no transaction open; what there was to look after is to be
    /// handed to [`Fence::go_on`] then.
    ///
    /// # Errors
    /// As [`Fence::open`]; it is of no use then.
    pub(super) fn narrow(&mut self, batch: u64, stop: &CancellationToken) -> Result<Carried> {
        let fresh = Fence::open(&self.state, self.partition, batch, stop)?;
        Ok(self.give_way(fresh))
    }

    fn give_way(&mut self, mut fresh: Fence) -> Carried {
        fresh.met = std::mem::take(&mut self.met);
        fresh.hidden = std::mem::take(&mut self.hidden);
        fresh.stuck = std::mem::take(&mut self.stuck);
        fresh.stuck_topics = std::mem::take(&mut self.stuck_topics);
        let carried = self.shut();
        let old = std::mem::replace(self, fresh);
        // Closing it takes a moment.
        std::thread::spawn(move || drop(old));
        carried
    }

    /// Whether something that is done is hidden until the next commit: the less that holds, the less can undo it.
    pub(super) fn hides(&self) -> bool {
        !self.hidden.is_empty()
    }

    /// Begins a transaction unless one is begun.
    ///
    /// # Errors
    /// `Held` where another run has taken over.
    pub(super) fn begin(&mut self) -> Result<()> {
        if !self.begun {
            if self.unseen.is_much() {
                self.look_again(Duration::ZERO);
            }
            self.producer.begin_transaction().map_err(|e| self.lost(&e))?;
            (self.begun, self.since) = (true, now());
            self.told.begin();
        }
        Ok(())
    }

    /// The number of the record at this place of the transaction.
    pub(super) fn number(&self, at: usize) -> usize {
        self.base + at
    }

    /// Its producer, for records of the transaction that is begun.
    pub(super) fn producer(&self) -> &Producer<Told> {
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
        let base = self.base;
        let ended = self.try_commit(done);
        if !matches!(ended, Ended::Committed) {
            new.into_iter().for_each(|at| self.set.take_back(at));
        }
        // Not before what was aborted is out of the set: it may be stored.
        if matches!(ended, Ended::Aborted(..)) {
            self.after_abort(base..base + done.len());
        }
        ended
    }

    fn try_commit(&mut self, done: &[i64]) -> Ended {
        let (base, sent) = (self.base, done.len());
        self.base += sent;
        let mut went = self.went();
        let mut own = self.state.records(self.partition, &self.set);
        own.extend(self.state.records_to(self.partition, &self.set, &went));
        if let Err(e) = self.store(own) {
            return self.abort(Vec::new(), e);
        }
        let mut drained = self.drain();
        let all = self.went();
        if drained.is_ok() && all.len() > went.len() {
            drained = self.store(self.state.records_to(self.partition, &self.set, &all)).and_then(|()| self.drain());
            went = all;
        }
        // The set's own come behind those that were sent.
        let here = |(number, e): (usize, Error)| (base..base + sent).contains(&number).then(|| (number - base, e));
        let mut failed = self.told.failed();
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
                    self.undone.again(std::mem::take(&mut self.pending));
                    for (place, commit) in self.commits(base, done) {
                        self.unseen.note(place, commit);
                    }
                    self.hidden.retain(|(topic, p)| went.at(topic, *p).is_none());
                    self.set.went.update(&went);
                    return Ended::Committed;
                }
                Err(KafkaError::Transaction(e)) if e.txn_requires_abort() => {
                    let e = error::map(&KafkaError::Transaction(e), "committing");
                    return self.abort(Vec::new(), e);
                }
                Err(KafkaError::Transaction(e)) if e.is_retriable() && began.elapsed() < self.longest => {}
                Err(e) => {
                    self.perhaps = self.commits(base, done);
                    return Ended::Lost(self.lost(&e));
                }
            }
        }
    }

    /// Sends what is to be stored of the set.
    fn store(&mut self, records: Vec<(String, Vec<u8>)>) -> Result<()> {
        let home = self.state.home(self.partition);
        for (key, value) in records {
            let number = self.base;
            self.base += 1;
            let record =
                BaseRecord::with_opaque_to(&self.state.topic, number).partition(home).key(&key).payload(&value);
            self.producer.send(record).map_err(|(e, _)| error::map(&e, "storing the resolved set"))?;
        }
        Ok(())
    }

    /// Waits until every record has its answer.
    fn drain(&self) -> Result<()> {
        let began = Instant::now();
        while self.producer.in_flight_count() > 0 {
            if self.producer.client().fatal_error().is_some() || began.elapsed() > self.longest {
                return Err(error::of_code(Code::OperationTimedOut).during("sending"));
            }
            sys::flush(self.producer.client(), FLUSH);
        }
        Ok(())
    }

    fn abort(&mut self, failed: Vec<(usize, Error)>, why: Error) -> Ended {
        if let Some(why) = self.ended() {
            return Ended::Lost(why);
        }
        self.before_abort();
        match self.producer.abort_transaction(self.longest) {
            Ok(()) => {
                self.begun = false;
                Ended::Aborted(failed, why)
            }
            // It can fail for the very reason why it is to be ended, which is then the one to tell.
            Err(e) if error::map(&e, "").kind() == Kind::Held => Ended::Lost(self.lost(&e)),
            Err(_) => Ended::Lost(why),
        }
    }

    /// Why nothing more can be done through it, where that is so.
    pub(super) fn ended(&self) -> Option<Error> {
        self.dead.as_ref().map(Error::again).or_else(|| self.fatal_error())
    }

    fn fatal_error(&self) -> Option<Error> {
        self.producer.client().fatal_error().map(|(code, text)| self.fatal(code, &text))
    }

    fn lost(&self, e: &KafkaError) -> Error {
        self.ended().unwrap_or_else(|| self.unless_late(error::map(e, "committing")))
    }

    fn fatal(&self, code: Code, text: &str) -> Error {
        if error::kind(code) == Kind::Held {
            return self.unless_late(taken_over(self.partition));
        }
        error::of_code(code).because(text.to_owned()).during("committing")
    }

    fn unless_late(&self, e: Error) -> Error {
        if !self.begun {
            return e;
        }
        let (steady, wall) = (self.since.0.elapsed(), self.since.1.elapsed().unwrap_or_default());
        unless_late(e, steady.max(wall), self.limit)
    }

    /// What is stored of the set now, by whoever: tells how a commit went whose answer was lost.
    ///
    /// # Errors
    /// That it cannot be read.
    pub(super) fn stored(state: &State, partition: i32, stop: &CancellationToken) -> Result<Offsets> {
        state.settled(partition, stop)
    }
}

/// Of the producer, and how long a transaction of it may be open.
fn config(state: &State, partition: i32, batch: u64) -> (ClientConfig, Duration) {
    let longest = state.link.longest;
    let mut config = produce::config(&state.link.base, longest, batch);
    config.set("transactional.id", transactional_id(&state.topic_id, partition));
    if config.get("transaction.timeout.ms").is_none() {
        config.set("transaction.timeout.ms", TRANSACTION);
    }
    let limit = config.get("transaction.timeout.ms").and_then(|t| t.parse().ok()).unwrap_or(u64::MAX);
    // Longer than its transaction no record is waited for.
    config.set("message.timeout.ms", limit.min(u64::try_from(longest.as_millis()).unwrap_or(limit)).max(1).to_string());
    (config, Duration::from_millis(limit))
}

/// Opens the producer: whoever had its id before is shut out, and what it had begun undone.
fn take_over(config: &ClientConfig, told: &Arc<Told>, state: &State) -> Result<Producer<Told>> {
    let producer = produce::open(config, Arc::clone(told), &state.link)?;
    produce::acquaint(&producer, &state.topic, state.link.longest);
    let taken = producer.init_transactions(state.link.longest);
    taken.map_err(|e| or_local(error::map(&e, "taking over the partition")))?;
    Ok(producer)
}

/// Other sets are in the same partition of the set's topic: what a dead run left open of one holds back all. `held` is why ours
/// cannot be read.
fn release(
    config: &ClientConfig,
    state: &State,
    partition: i32,
    held: Error,
    stop: &CancellationToken,
) -> Result<Offsets> {
    let own = transactional_id(&state.topic_id, partition);
    let Some(id) = state.held_by(partition)?.filter(|id| *id != own) else { return Err(held) };
    let mut config = config.clone();
    config.set("transactional.id", id);
    // Who it is may not be ours to say.
    leftover::undo(&config, &state.link, &state.topic, &[state.home(partition)]).map_err(|_| held)?;
    state.settled(partition, stop)
}

/// Why a run that another one has shut out ends.
pub(super) fn taken_over(partition: i32) -> Error {
    Error::new(Kind::Held, format!("another run of dlq has taken over partition {partition} of this topic"))
        .hint("what this run had committed stays done; the other run goes on with the rest")
}

fn now() -> (Instant, SystemTime) {
    (Instant::now(), SystemTime::now())
}

/// A cluster that undoes what was open for too long shuts its producer out just as another run would: a machine that slept, or a
/// network that was away, is not to be taken for that.
fn unless_late(e: Error, open: Duration, limit: Duration) -> Error {
    if e.kind() != Kind::Held || open < limit {
        return e;
    }
    let (open, limit) = (open.as_secs(), limit.as_secs());
    Error::new(Kind::Unreachable, format!("its transaction was open for {open} s and undone by the cluster"))
        .during("committing")
        .hint(format!("it is undone after {limit} s: -X transaction.timeout.ms=N takes more"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_shut_out_of_a_transaction_that_was_open_for_too_long_was_late() {
        let kind = |e: Error, open| unless_late(e, Duration::from_secs(open), Duration::from_secs(15)).kind();
        assert_eq!(kind(taken_over(1), 14), Kind::Held);
        assert_eq!(kind(taken_over(1), 15), Kind::Unreachable);
        assert_eq!(kind(Error::new(Kind::Denied, "no"), 100), Kind::Denied);
    }
}
