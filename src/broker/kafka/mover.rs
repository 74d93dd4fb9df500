//! Sends and marks in one transaction: a record is in its new place and in the resolved set, or in neither.

use std::collections::{HashMap, HashSet};
use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures::future::BoxFuture;
use tokio::sync::oneshot;

use super::fence::{Ended, Fence};
use super::fit::bytes;
use super::held::{Held, lock};
use super::kept::{self, Kept};
use super::letter::place;
use super::produce::Refused;
use super::spent::Spent;
use super::{produce, sink, sys};
use crate::broker::{Error, Kind, Move, Mover, Outcome, Outgoing, Receipt, Result};
use crate::message::{Payload, Target};

/// A transaction is open for so long at most, whatever the pace.
const LONGEST: Duration = Duration::from_secs(1);
/// Nothing more has come for so long: what is sent is committed, since those who would send more may wait for it.
const IDLE: Duration = Duration::from_millis(50);
/// Records of a transaction: they are kept until it is committed.
pub(super) const MOST: usize = 40_000;
/// So many more may be on their way here: they are sent as soon as it is.
pub(super) const AHEAD: usize = 8000;
/// The same where its end is that of records which are done and hidden.
const FEW: usize = 100;
/// Bytes of a transaction.
const BYTES: usize = 16 << 20;

/// The clock is looked at once for so many.
const LOOK_EVERY: usize = 64;

/// So many are tried again as they are.
const BARREN: u8 = 3;

struct Job {
    batch: Vec<Move>,
    answer: oneshot::Sender<Vec<Outcome>>,
}

/// The engine's half.
pub(super) struct Transactions {
    jobs: std::sync::mpsc::SyncSender<Job>,
    ended: oneshot::Receiver<Result<()>>,
}

impl Transactions {
    /// # Errors
    /// The system gives no thread.
    pub(super) fn start(held: Arc<Held>, way: sink::Way, spent: Spent) -> Result<Transactions> {
        let (jobs, queue) = std::sync::mpsc::sync_channel::<Job>(4);
        let (end, ended) = oneshot::channel();
        let run = move || {
            let mut work = Work {
                held,
                way,
                spent,
                waiting: Vec::new(),
                open: None,
                used: All::default(),
                limits: None,
                barren: 0,
                lanes: HashMap::new(),
                given_up: HashMap::new(),
            };
            work.run(&queue);
            // Nobody waits any more when the run was dropped at the second Ctrl-C.
            _ = end.send(work.held.conclude());
        };
        std::thread::Builder::new()
            .name("kafka mover".into())
            .spawn(run)
            .map_err(|e| Error::new(Kind::Other, "cannot start a thread to send").because(e))?;
        Ok(Transactions { jobs, ended })
    }
}

#[async_trait]
impl Mover for Transactions {
    async fn submit(&mut self, batch: Vec<Move>) -> BoxFuture<'static, Vec<Outcome>> {
        let many = batch.len();
        let (answer, outcomes) = oneshot::channel();
        let mut job = Job { batch, answer };
        // The queue is short, so that what waits is waited for here.
        while let Err(e) = self.jobs.try_send(job) {
            match e {
                std::sync::mpsc::TrySendError::Full(back) => {
                    job = back;
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                std::sync::mpsc::TrySendError::Disconnected(_) => break,
            }
        }
        Box::pin(async move {
            outcomes.await.unwrap_or_else(|_| {
                let cut = || Error::new(Kind::Indeterminate, "sending was cut short: it may or may not be committed");
                (0..many).map(|_| Outcome::Indeterminate(cut())).collect()
            })
        })
    }

    fn holds_lanes(&self) -> bool {
        true
    }

    async fn close(self: Box<Self>) -> Result<()> {
        let Transactions { jobs, ended } = *self;
        drop(jobs);
        ended.await.map_err(|_| Error::new(Kind::Indeterminate, "the thread that sends ended before its time"))?
    }
}

/// A batch whose outcomes are not all known.
struct Waiting {
    outcomes: Vec<Option<Outcome>>,
    left: usize,
    answer: oneshot::Sender<Vec<Outcome>>,
}

/// The transaction under way.
struct Open {
    partition: i32,
    fence: Arc<Mutex<Fence>>,
    since: Instant,
    bytes: usize,
    /// Records it may have.
    most: usize,
    all: All,
}

/// Records that were sent together, in order.
#[derive(Default)]
struct All {
    sent: Vec<Sent>,
    kept: Kept,
}

impl All {
    fn push(&mut self, mut sent: Sent, packed: &[u8]) {
        sent.kept = self.kept.push(packed);
        self.sent.push(sent);
    }

    /// Without the records, in the same memory.
    fn emptied(mut self) -> Self {
        self.sent.clear();
        All { sent: self.sent, kept: self.kept.emptied() }
    }
}

/// One record: whence, which batch it is of and where there, its offset, its number in the run, where it goes, its size there,
/// and where it is kept.
struct Sent {
    partition: i32,
    batch: usize,
    at: usize,
    offset: i64,
    sequence: u64,
    lane: Option<u64>,
    /// Should it fail, those behind it in its lane are not sent.
    holds: bool,
    target: Option<Arc<Target>>,
    size: u64,
    kept: kept::At,
}

impl Sent {
    fn topic<'a>(&'a self, way: &'a sink::Way) -> &'a str {
        way.topic_of(self.target.as_deref())
    }
}

struct Work {
    held: Arc<Held>,
    way: sink::Way,
    /// What is handed over is done with.
    spent: Spent,
    waiting: Vec<Option<Waiting>>,
    open: Option<Open>,
    /// The memory of a transaction that is committed.
    used: All,
    /// Of the topic that was sent to last, in this batch.
    limits: Option<(String, sink::Limits)>,
    /// Transactions in a row that failed without a record to blame.
    barren: u8,
    /// Lanes one of whose records failed, and its number in the run: what is behind it waits, what is ahead of it may still
    /// have to be sent once more.
    lanes: HashMap<u64, u64>,
    /// Partitions that could not be taken over, and why: trying once more for each record would take its time each time.
    given_up: HashMap<i32, Error>,
}

impl Work {
    fn run(&mut self, queue: &std::sync::mpsc::Receiver<Job>) {
        loop {
            let patience = self
                .open
                .as_ref()
                .map_or(Duration::from_secs(3600), |o| LONGEST.saturating_sub(o.since.elapsed()).min(IDLE));
            match queue.recv_timeout(patience) {
                Ok(job) => self.take(job),
                Err(RecvTimeoutError::Timeout) => self.commit(),
                Err(RecvTimeoutError::Disconnected) => {
                    self.commit();
                    return;
                }
            }
        }
    }

    fn take(&mut self, Job { batch, answer }: Job) {
        let number = self.slot(batch.len(), answer);
        // Another topic may have become known, or more of this one.
        self.limits = None;
        let (mut packed, mut spent) = (Vec::new(), Vec::with_capacity(batch.len()));
        for (at, Move { token, outgoing }) in batch.into_iter().enumerate() {
            let (partition, offset) = place(token);
            if self.open.as_ref().is_some_and(|o| {
                let many = o.all.sent.len();
                let late = || many.is_multiple_of(LOOK_EVERY) && o.since.elapsed() >= LONGEST;
                o.partition != partition || many >= o.most || o.bytes >= BYTES || late()
            }) {
                self.commit();
            }
            self.pack(&mut packed, &outgoing);
            let Outgoing { sequence, message, target, lane, holds, .. } = outgoing;
            let (size, kept) = (sink::stored(&message), kept::At::default());
            spent.push(message);
            self.offer(
                &packed,
                Sent { partition, batch: number, at, offset, sequence, lane, holds, target, size, kept },
            );
        }
        self.spent.give(spent);
    }

    fn pack(&self, to: &mut Vec<u8>, o: &Outgoing) {
        let (m, place) = (&o.message, self.way.to(o));
        let value = if let Payload::Bytes(b) = &m.payload { Some(&**b) } else { None };
        let headers = m.headers.iter().map(|(name, value)| (name, bytes(value)));
        kept::pack(to, (place.partition, place.time), (m.key.as_deref(), value), headers);
    }

    fn slot(&mut self, many: usize, answer: oneshot::Sender<Vec<Outcome>>) -> usize {
        let mut outcomes = Vec::new();
        outcomes.resize_with(many, || None);
        let waiting = Some(Waiting { outcomes, left: many, answer });
        match self.waiting.iter().position(Option::is_none) {
            Some(free) => {
                self.waiting[free] = waiting;
                free
            }
            None => {
                self.waiting.push(waiting);
                self.waiting.len() - 1
            }
        }
    }

    /// Sends a record, or tells what keeps it from being sent.
    fn offer(&mut self, packed: &[u8], sent: Sent) {
        let partition = sent.partition;
        if self.is_behind(&sent) {
            return self.known(&sent, Outcome::Behind);
        }
        if let Some(why) = self.given_up.get(&partition) {
            return self.known(&sent, failed(why.again()));
        }
        let Err(refused) = self.send(packed, sent) else { return };
        let (sent, e) = *refused;
        // A producer that is shut out refuses whatever it is given: that is the fate of its transaction, not of this record.
        let Some(why) = self.held.opened(partition).and_then(|fence| lock(&fence).ended()) else {
            return self.known(&sent, failed(e));
        };
        let mut all = self.open.take().map_or_else(All::default, |o| o.all);
        all.push(sent, packed);
        self.lost(partition, all, why);
    }

    /// Whether one ahead of it in its lane has failed.
    fn is_behind(&self, sent: &Sent) -> bool {
        sent.lane.and_then(|lane| self.lanes.get(&lane)).is_some_and(|failed| *failed < sent.sequence)
    }

    /// Hands a record to the producer of its partition, in the transaction that is open or a new one.
    fn send(&mut self, packed: &[u8], sent: Sent) -> std::result::Result<(), Box<(Sent, Error)>> {
        let partition = sent.partition;
        let open = match self.open.take() {
            Some(open) => Ok(open),
            None => self.begin(partition),
        };
        let open = match open {
            Ok(open) => self.open.insert(open),
            Err(e) => return Err(Box::new((sent, e))),
        };
        let fence = lock(&open.fence);
        if fence.set.contains(sent.offset) {
            // Only where the producer was lost and the partition taken over once more.
            let e = Error::new(Kind::Held, "another run of dlq has done this one meanwhile");
            return Err(Box::new((sent, e)));
        }
        let topic = sent.topic(&self.way);
        if !fence.has_met(topic) {
            drop(fence);
            return self.meet(packed, sent);
        }
        let record = kept::unpack(packed);
        let known = self.limits.take().filter(|(of, _)| of == topic);
        let (_, limits) =
            self.limits.insert(known.unwrap_or_else(|| (topic.to_owned(), self.way.topics.limits(topic))));
        let admitted = limits.admit(topic, sent.size, record.time).map_err(Refused::from);
        let handed = admitted.and_then(|()| {
            let kept::Packed { partition, time, key, value, .. } = record;
            let handed = sys::Handed { partition, time, key, value, number: fence.number(open.all.sent.len()) };
            let headers = sys::Headers::of(record.headers());
            produce::hand(fence.producer(), topic, &handed, headers, self.held.state.link.longest)
        });
        match handed {
            Ok(()) => {
                drop(fence);
                open.bytes += packed.len();
                open.all.push(sent, packed);
                Ok(())
            }
            Err(refused) if refused.is_for_others && !open.all.sent.is_empty() => {
                drop(fence);
                self.commit();
                self.offer(packed, sent);
                Ok(())
            }
            Err(refused) => Err(Box::new((sent, refused.why))),
        }
    }

    /// Sends the first record to a topic: what a dead run left open there is seen to before.
    fn meet(&mut self, packed: &[u8], sent: Sent) -> std::result::Result<(), Box<(Sent, Error)>> {
        let (partition, topic) = (sent.partition, sent.topic(&self.way).to_owned());
        let batch = self.way.topics.batch();
        // A look may take long, and what is open has its time.
        if self.open.as_ref().is_some_and(|o| o.all.sent.is_empty()) {
            self.open = None;
        }
        self.commit();
        if self.is_behind(&sent) {
            self.known(&sent, Outcome::Behind);
            return Ok(());
        }
        if let Err(e) = self.held.narrow(partition, batch) {
            return self.without(partition, sent, e);
        }
        let stop = &self.held.stop;
        let met = self.held.fence(partition, batch).and_then(|fence| lock(&fence).meet(&topic, stop));
        let left = match met {
            Ok(left) if left.is_empty() => return self.send(packed, sent),
            Ok(left) => left,
            Err(e) => {
                self.given_up.insert(partition, e.again());
                return Err(Box::new((sent, e)));
            }
        };
        match self.held.clear(partition, batch, &topic, left) {
            Ok(()) => self.send(packed, sent),
            Err(e) => self.without(partition, sent, e),
        }
    }

    /// The partition could not be taken over once more.
    fn without(&mut self, partition: i32, sent: Sent, e: Error) -> std::result::Result<(), Box<(Sent, Error)>> {
        self.held.drop_fence(partition, &e);
        self.given_up.insert(partition, e.again());
        Err(Box::new((sent, e)))
    }

    fn begin(&mut self, partition: i32) -> Result<Open> {
        let fence = self.held.fence(partition, self.way.topics.batch());
        let fence = fence.inspect_err(|e| _ = self.given_up.insert(partition, e.again()))?;
        let most = {
            let mut fence = lock(&fence);
            fence.begin()?;
            if fence.hides() { FEW } else { MOST }
        };
        Ok(Open { partition, fence, since: Instant::now(), bytes: 0, most, all: std::mem::take(&mut self.used) })
    }

    fn commit(&mut self) {
        let Some(Open { partition, fence, all, .. }) = self.open.take() else { return };
        let offsets: Vec<i64> = all.sent.iter().map(|s| s.offset).collect();
        let ended = lock(&fence).commit(&offsets);
        // Should it be of no use any more, nothing keeps it from being closed.
        drop(fence);
        match ended {
            Ended::Committed => {
                self.barren = 0;
                // Its partition may be let go when all of it is known: so many are open at most.
                self.held.settled(partition, all.sent.len());
                all.sent.iter().for_each(|s| self.tell(s, Outcome::Moved(Receipt::default())));
                self.used = all.emptied();
            }
            Ended::Aborted(failed, why) => self.again(all, &failed, &why),
            Ended::Lost(e) => self.lost(partition, all, e),
        }
    }

    /// Once more without those that made it fail; these then alone, so that one does not speak for its neighbours.
    fn again(&mut self, All { sent, kept }: All, failed: &[(usize, Error)], why: &Error) {
        // The one behind a failed one may be told that numbers were skipped: that passes.
        if failed.is_empty() && self.barren < BARREN {
            self.barren += 1;
            return self.whole(&kept, sent);
        }
        if sent.len() == 1 {
            let e = failed.first().map_or_else(|| why.again(), |(_, e)| e.again());
            return sent.iter().for_each(|s| self.known(s, self::failed(e.again())));
        }
        let mut bad: HashSet<usize> = failed.iter().map(|(number, _)| *number).collect();
        // Their lanes go with them, so that none overtakes another.
        let lanes: HashSet<u64> = bad.iter().filter_map(|number| sent.get(*number)?.lane).collect();
        bad.extend((0..).zip(&sent).filter(|(_, s)| s.lane.is_some_and(|l| lanes.contains(&l))).map(|(n, _)| n));
        // The transaction as such failed, or all of it: halves find out.
        let halves = bad.is_empty() || bad.len() == sent.len();
        let half = sent.len() / 2;
        let (mut first, mut second) = (Vec::new(), Vec::new());
        for (number, s) in sent.into_iter().enumerate() {
            let good = if halves { number < half } else { !bad.contains(&number) };
            if good { first.push(s) } else { second.push(s) }
        }
        if !halves {
            // A batch is refused as a whole: those that are sound go with the next.
            self.whole(&kept, first);
            return self.halves(&kept, second);
        }
        self.whole(&kept, first);
        self.whole(&kept, second);
    }

    fn halves(&mut self, kept: &Kept, mut sent: Vec<Sent>) {
        if sent.len() > 1 {
            let second = sent.split_off(sent.len() / 2);
            self.whole(kept, sent);
            return self.whole(kept, second);
        }
        self.whole(kept, sent);
    }

    /// These and no others in one transaction.
    fn whole(&mut self, kept: &Kept, sent: Vec<Sent>) {
        for s in sent {
            self.offer(kept.get(s.kept), s);
        }
        self.commit();
    }

    /// Nothing more can be done through this producer. The set tells what became of its transaction.
    fn lost(&mut self, partition: i32, All { sent, kept }: All, why: Error) {
        self.held.drop_fence(partition, &why);
        // Another run has the partition: it must not be shut out in turn. Otherwise taking over ends what is open.
        let ours = why.kind() != Kind::Held;
        let stored = if ours {
            self.held.fence(partition, self.way.topics.batch()).map(|fence| lock(&fence).set.clone())
        } else {
            Fence::stored(&self.held.state, partition, &self.held.stop)
        };
        let set = match stored {
            Ok(set) => set,
            Err(e) => {
                self.given_up.insert(partition, e.again());
                let text = format!("whether the transaction was committed is not known: {why}; and then: {e}");
                let unknown = Error::new(Kind::Indeterminate, text);
                return sent.iter().for_each(|s| self.known(s, Outcome::Indeterminate(unknown.again())));
            }
        };
        let (done, undone): (Vec<Sent>, Vec<Sent>) = sent.into_iter().partition(|s| set.contains(s.offset));
        done.iter().for_each(|s| self.known(s, Outcome::Moved(Receipt::default())));
        if ours && self.barren < BARREN {
            self.barren += 1;
            return self.whole(&kept, undone);
        }
        undone.iter().for_each(|s| self.known(s, failed(why.again())));
    }

    fn known(&mut self, sent: &Sent, outcome: Outcome) {
        let lane = sent.lane.filter(|_| sent.holds);
        if let (Some(lane), Outcome::Failed(_) | Outcome::Indeterminate(_)) = (lane, &outcome) {
            let number = sent.sequence;
            let first = self.lanes.entry(lane).or_insert(number);
            *first = number.min(*first);
        }
        self.held.settled(sent.partition, 1);
        self.tell(sent, outcome);
    }

    fn tell(&mut self, sent: &Sent, outcome: Outcome) {
        let Some(waiting) = self.waiting[sent.batch].as_mut() else { return };
        if waiting.outcomes[sent.at].replace(outcome).is_none() {
            waiting.left -= 1;
        }
        if waiting.left > 0 {
            return;
        }
        if let Some(done) = self.waiting[sent.batch].take() {
            let unknown = || Error::new(Kind::Indeterminate, "no answer came for this record");
            let outcomes = done.outcomes.into_iter().map(|o| o.unwrap_or_else(|| Outcome::Indeterminate(unknown())));
            // Nobody waits any more when the run was dropped at the second Ctrl-C.
            drop(done.answer.send(outcomes.collect()));
        }
    }
}

fn failed(e: Error) -> Outcome {
    if e.kind() == Kind::Indeterminate {
        // Its transaction did not count, so it is nowhere.
        return Outcome::Failed(Error::new(Kind::Unreachable, e.to_string()));
    }
    Outcome::Failed(e)
}
