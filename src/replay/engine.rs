//! The loop that `replay`, `move`, `copy` and `purge` share.
//!
//! Two stages overlap: reading, judging and handing over here; confirming and settling in the mover. The loop never waits for
//! more input alone: outcomes, the stop signal and the pace are waited for beside it.

use std::sync::Arc;
use std::time::Duration;

use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt, future::BoxFuture};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::aside::Aside;
use super::backlog::{Backlog, Holding, Ready};
use super::books::Books;
use super::hold::{Hold, HoldWhile};
use super::pace::{Pace, Rate};
use super::pipeline::{Pipeline, at_most};
use super::prepare::{Fate, Numbers, Prepared, Preparer, Treatment, Wants};
use super::run::RunId;
use super::tally::{Skip, Stopped, Tally};
use super::way::{Checked, Way};
use crate::broker::capability::Order;
use crate::broker::{
    Act, Bound, Error, Kind, Move, Outcome, Receipt, Result, ScanRequest, Settlement, Settler, Sink, Source, Token,
};
use crate::journal::Trouble;
use crate::message::{DeadLetter, Id, Target};
use crate::select::Selection;

/// What a failed message does to those behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    /// Those behind it in its lane stay; other lanes go on.
    HoldLane,
    /// The others go on.
    Skip,
    /// Nothing more is begun.
    Stop,
}

/// One run.
pub struct Job {
    /// Where the messages are.
    pub source: Arc<dyn Source>,
    /// Where they go.
    pub sink: Box<dyn Sink>,
    /// Which of them.
    pub selection: Arc<Selection>,
    /// What is confirmed there is removed here.
    pub removes: bool,
    /// What is done to them.
    pub treatment: Treatment,
    /// What a failure does to those behind it.
    pub on_failure: OnFailure,
    /// `--rate`.
    pub rate: Option<Rate>,
    /// `--concurrency`: messages unconfirmed at once, below what the sink allows.
    pub concurrency: Option<usize>,
    /// `--max-failures`: so many may fail; one more stops the run.
    pub max_failures: Option<u64>,
    /// The name of the run, which is in the marks.
    pub run: RunId,
    /// No new work once it is set; what is in flight is finished.
    pub stop: CancellationToken,
    /// Where sends are written down. A mover that moves in one act needs none.
    pub books: Books,
    /// The number of the first message: those of an earlier attempt at this run are below it.
    pub first: u64,
    /// An earlier attempt at this run was cut off.
    pub resumed: bool,
    /// Nothing is sent while more than so many wait at the destination.
    pub hold: Option<HoldWhile>,
    /// Where what fails is written as it was.
    pub aside: Option<Aside>,
}

/// Told what happens, as it happens. Called from the loop: must not block.
pub trait Watch: Send + Sync {
    /// The queue is open, and this is where reading it will end.
    fn began(&self, bound: &Bound) {
        let _ = bound;
    }
    /// Messages read, selected, and done with (whatever came of them), so far.
    fn progress(&self, read: u64, selected: u64, done: u64);
    /// One message did not get through as it should, or it is not known whether it did. `cause`: what it had died of.
    fn failed(&self, what: Trouble, id: &str, cause: Option<&str>, error: &Error);
    /// One message has arrived there.
    fn arrived(&self, target: Option<&Arc<Target>>, receipt: &Receipt) {
        let _ = (target, receipt);
    }
    /// Nothing is sent, since more than was allowed wait at the destination; `None`: it goes on.
    fn held(&self, waiting: Option<u64>) {
        let _ = waiting;
    }
    /// A message that an earlier attempt may have sent is about to be sent again.
    fn doubled(&self, id: &str, cause: Option<&str>) {
        let _ = (id, cause);
    }
}

/// Wants to know nothing.
pub struct Silent;

impl Watch for Silent {
    fn progress(&self, _: u64, _: u64, _: u64) {}
    fn failed(&self, _: Trouble, _: &str, _: Option<&str>, _: &Error) {}
}

/// Runs a job to its end. Whatever happens, the sink and the scan are closed before this returns; do not drop the future
/// unless what is then unknown may stay unknown.
pub async fn run(job: Job, watch: &dyn Watch) -> Tally {
    let mut tally = Tally::default();
    let Job { source, mut sink, selection, removes, treatment, stop, .. } = job;
    sink.begin(job.run.as_str());

    let holds = job.on_failure == OnFailure::HoldLane;
    let one_place = !matches!(treatment, Treatment::Replay { to_one_place: false, .. });
    let books = if removes { job.books } else { Books::none() };
    let resumed = job.resumed;
    let numbers = Numbers { first: job.first, claims: Arc::clone(books.claims()) };
    let lanes = holds || source.capabilities().order == Order::StrictLanes;
    let wants = Wants { removes, lanes, originals: job.aside.is_some() };
    let preparer = Preparer::new(Arc::clone(&source), treatment, job.run, sink.fit(), wants, numbers);
    let window = sink.capabilities().window.min(job.concurrency.unwrap_or(usize::MAX)).max(1);
    let batch = sink.capabilities().batch.clamp(1, window);

    // With one place to go, its absence is known before a message is touched.
    let opened = match if one_place { sink.check(None).await } else { Ok(()) } {
        Ok(()) => {
            selection.start();
            source.hint(selection.hints());
            let request = ScanRequest { takes: removes, at_most: at_most(&selection), again: false };
            source.scan(request).await
        }
        Err(e) => Err(e),
    };
    let mut scan = match opened {
        Ok(scan) => {
            watch.began(scan.bound());
            scan
        }
        Err(e) => {
            tally.end(Stopped::Error, Some(e));
            tally.unclosed.extend(sink.close().await.err());
            close_aside(job.aside, &mut tally).await;
            return tally;
        }
    };
    let settler = removes.then(|| scan.settler());
    let way = if removes { scan.mover(sink.capabilities()).await } else { Ok(None) };
    let (way, refused) = match way {
        Ok(Some(mover)) => (Way::Whole { mover, sink }, None),
        Ok(None) => (Way::publish_then_settle(sink, settler.clone(), books.clone()), None),
        Err(e) => (Way::publish_then_settle(sink, settler.clone(), books.clone()), Some(e)),
    };

    let backlog = Backlog::new(match (holds, way.holds_lanes()) {
        (false, _) => Holding::Nothing,
        (true, false) => Holding::OneAtATime,
        (true, true) => Holding::Behind,
    });
    let limit = selection.limit;
    let scan_limit = selection.scan_limit;
    let mut drive = Drive {
        pipeline: Pipeline::new(scan, scan_limit, preparer.starter(selection)),
        way,
        settler,
        checked: Checked::new(one_place),
        backlog,
        waiting: FuturesUnordered::new(),
        keeping: FuturesUnordered::new(),
        in_flight: 0,
        bytes: 0,
        window,
        batch,
        limit,
        on_failure: job.on_failure,
        max_failures: job.max_failures,
        pace: Pace::new(job.rate),
        not_before: None,
        hold: Hold::new(job.hold),
        aside: job.aside,
        ending: false,
        input_ended: false,
        tally,
        watch,
        books,
    };
    if let Some(e) = refused {
        drive.end(Stopped::Error, Some(e));
    }
    drive.drive(&stop).await;

    let Drive { pipeline, way, mut tally, books, mut hold, aside, .. } = drive;
    hold.finish();
    tally.held = hold.took;
    close_aside(aside, &mut tally).await;
    tally.limited |= pipeline.limited;
    way.close(&mut tally.unclosed).await;
    match pipeline.close().await {
        Ok(closed) => tally.closed = closed,
        Err(e) => tally.unclosed.push(e),
    }
    unaccounted(resumed, &books, &mut tally, watch);
    watch.progress(tally.read, tally.selected, tally.selected);
    tally
}

/// Waits until what failed is written.
async fn close_aside(aside: Option<Aside>, tally: &mut Tally) {
    let Some(aside) = aside else { return };
    let (written, result) = aside.close().await;
    tally.set_aside = written;
    tally.unclosed.extend(result.err());
}

/// What an earlier attempt had under way, and nobody has seen since: gone, or not looked at.
fn unaccounted(resumed: bool, books: &Books, tally: &mut Tally, watch: &dyn Watch) {
    if !tally.saw_everything() {
        // What the attempt before held and had not begun is hidden as well.
        let hidden = if resumed && !tally.limited { tally.closed.unseen.unwrap_or(0) } else { 0 };
        tally.unclaimed = hidden.max(books.claims().unclaimed().len() as u64);
        return;
    }
    for row in books.unaccounted() {
        let e = Error::new(
            Kind::Indeterminate,
            "it was being sent when this run was cut off, and is in the queue no more: another consumer may have taken it",
        );
        tally.selected += 1;
        tally.indeterminate += 1;
        tally.fail(&row.id, &e);
        watch.failed(Trouble::Indeterminate, &row.id, None, &e);
    }
}

/// Bytes that may wait and be under way, each: messages can be large, and memory is not.
const BYTES: usize = 32 << 20;

/// A message under way.
struct Meta {
    id: Id,
    size: usize,
    lane: Option<u64>,
    left_out: Vec<String>,
    unmarked: bool,
    changed: bool,
    original: Option<Box<DeadLetter>>,
    target: Option<Arc<Target>>,
    cause: Option<String>,
    /// An earlier attempt may have sent it.
    again: bool,
}

type Arrived = (Vec<Meta>, Vec<Outcome>);

struct Drive<'a> {
    pipeline: Pipeline<Prepared>,
    way: Way,
    /// Where something is to be removed.
    settler: Option<Arc<dyn Settler>>,
    checked: Checked,
    backlog: Backlog,
    waiting: FuturesUnordered<BoxFuture<'static, Arrived>>,
    keeping: FuturesUnordered<BoxFuture<'static, ()>>,
    in_flight: usize,
    /// Of the messages in flight.
    bytes: usize,
    window: usize,
    batch: usize,
    limit: Option<u64>,
    on_failure: OnFailure,
    max_failures: Option<u64>,
    pace: Pace,
    /// What is ready may go from then on.
    not_before: Option<Instant>,
    hold: Hold,
    aside: Option<Aside>,
    /// Nothing new is begun.
    ending: bool,
    input_ended: bool,
    tally: Tally,
    watch: &'a dyn Watch,
    books: Books,
}

/// The loop looks at everything it waits for at least so often: a wake-up that got lost costs a moment, and no run hangs on it.
const LOOK_ROUND: Duration = Duration::from_secs(1);
/// Settlements to keep that may be under way before reading waits for them.
const KEEPING: usize = 32;

impl Drive<'_> {
    async fn drive(&mut self, stop: &CancellationToken) {
        loop {
            if !self.ending && stop.is_cancelled() {
                self.end(Stopped::Signal, None);
            }
            while let Some(Some(arrived)) = self.waiting.next().now_or_never() {
                self.arrived(arrived);
            }
            if self.hand_over().await {
                continue;
            }
            let reads = !self.ending && !self.input_ended && self.has_appetite();
            if self.in_flight == 0
                && self.keeping.is_empty()
                && (self.ending || self.input_ended && self.backlog.len() == 0)
            {
                return;
            }
            let paced = !self.ending && self.backlog.ready() > 0 && self.has_room();
            tokio::select! {
                biased;
                () = stop.cancelled(), if !self.ending => {}
                Some(arrived) = self.waiting.next(), if !self.waiting.is_empty() => self.arrived(arrived),
                Some(()) = self.keeping.next(), if !self.keeping.is_empty() => {}
                waits = self.hold.ask(self.in_flight), if paced && self.hold.wants() => self.measured(waits),
                () = tokio::time::sleep_until(self.not_before.unwrap_or_else(Instant::now)), if self.not_before.is_some() => {}
                prepared = self.pipeline.next(), if reads => match prepared {
                    Some(Ok(prepared)) => self.take_in(prepared).await,
                    Some(Err(e)) => self.end(Stopped::Error, Some(e)),
                    None => self.input_ended = true,
                },
                () = tokio::time::sleep(LOOK_ROUND) => {}
            }
        }
    }

    /// More is prepared only when what is prepared is nearly gone. With strict lanes a whole window may wait, since one long
    /// lane would otherwise keep the others from being seen.
    fn has_appetite(&self) -> bool {
        let most = if self.backlog.one_at_a_time() { self.window } else { self.batch };
        self.backlog.len() < most && self.backlog.bytes() < BYTES && self.keeping.len() < KEEPING
    }

    fn has_room(&self) -> bool {
        self.in_flight < self.window && (self.bytes < BYTES || self.in_flight == 0)
    }

    /// Hands over one batch, if there is one and room for it. Returning from `submit` late is the back-pressure.
    async fn hand_over(&mut self) -> bool {
        self.not_before = None;
        let room = self.window - self.in_flight;
        let ready = self.backlog.ready();
        // Waits for room for a proper batch while something is in flight to make it.
        let proper = self.batch.min(ready).min(self.window.div_ceil(2));
        if self.ending || ready == 0 || room < proper || !self.has_room() {
            return false;
        }
        let budget = BYTES.saturating_sub(self.bytes);
        let allowed = self.pace.allows(self.hold.allows(self.batch.min(room)));
        self.not_before = allowed.err();
        let taken = self.backlog.take(allowed.unwrap_or(0), budget);
        if taken.is_empty() {
            return false;
        }
        self.pace.spent(taken.len());
        self.hold.spent(taken.len());
        self.in_flight += taken.len();
        self.bytes += taken.iter().map(|r| r.size).sum::<usize>();
        let (metas, moves): (Vec<Meta>, Vec<Move>) = taken
            .into_iter()
            .map(|Ready { go, size, left_out, unmarked, changed, original, cause }| {
                let id = go.outgoing.message.id.clone();
                let again = self.books.may_be_there(go.outgoing.sequence);
                let (lane, target) = (go.outgoing.lane, go.outgoing.target.clone());
                (Meta { id, size, lane, left_out, unmarked, changed, original, target, cause, again }, go)
            })
            .unzip();
        // Before they are sent: should this attempt be cut off as well, they have been named.
        for Meta { id, cause, .. } in metas.iter().filter(|m| m.again) {
            self.tally.possible_duplicates.push_with(|| id.to_string());
            self.watch.doubled(id, cause.as_deref());
        }
        let outcomes = self.way.submit(moves).await;
        self.waiting.push(Box::pin(async move { (metas, outcomes.await) }));
        true
    }

    /// Queues the selected messages of a batch, and keeps the others.
    async fn take_in(&mut self, prepared: Prepared) {
        let Prepared { read, items, unselected, claim_checks, filter_errors, filter_examples, fatal } = prepared;
        self.tally.read += read;
        self.tally.claim_checks += claim_checks;
        self.tally.filter_failed(filter_errors, filter_examples);
        if let Some(e) = fatal {
            self.end(Stopped::Error, Some(e));
        }
        let mut keep = unselected;
        for item in items {
            if self.limit.is_some_and(|most| self.tally.selected >= most) {
                keep.push(item.token);
                continue;
            }
            self.tally.selected += 1;
            if self.ending {
                self.tally.skip(Skip::NotReached, 1);
                continue;
            }
            let kept = match item.fate {
                Fate::Go { mut outgoing, left_out, unmarked, changed, cause } => {
                    match self.checked.check(&mut self.way, &outgoing).await {
                        Ok(()) => {
                            self.hold.meets(&outgoing.target);
                            outgoing.holds = self.on_failure == OnFailure::HoldLane;
                            let go = Move { token: item.token, outgoing };
                            let (size, original) = (go.outgoing.message.size(), item.original);
                            !self.queued(Ready { go, size, left_out, unmarked, changed, original, cause })
                        }
                        Err(e) => {
                            self.set_aside(item.original);
                            self.failed_here(item.lane, &outgoing.message.id, cause.as_deref(), &e)
                        }
                    }
                }
                Fate::Arrived(mut outgoing) => {
                    outgoing.lane = item.lane;
                    let go = Move { token: item.token, outgoing };
                    let (left_out, unmarked, changed, original, cause) = (vec![], false, false, None, None);
                    !self.queued(Ready { go, size: 0, left_out, unmarked, changed, original, cause })
                }
                Fate::Skip(why) => self.skipped(why),
                Fate::Fail { id, cause, error } => {
                    self.set_aside(item.original);
                    self.failed_here(item.lane, &id, cause.as_deref(), &error)
                }
            };
            if kept {
                keep.push(item.token);
            }
        }
        if self.limit.is_some_and(|most| self.tally.selected >= most) {
            self.tally.limited = true;
            self.input_ended = true;
        }
        self.keep(keep);
        self.progress();
    }

    /// False where it is behind a failure.
    fn queued(&mut self, ready: Ready) -> bool {
        let queued = self.backlog.push(ready);
        if !queued {
            self.tally.skip(Skip::BehindFailure, 1);
        }
        queued
    }

    fn skipped(&mut self, why: Skip) -> bool {
        self.tally.skip(why, 1);
        true
    }

    fn failed_here(&mut self, lane: Option<u64>, id: &str, cause: Option<&str>, e: &Error) -> bool {
        self.backlog.hold_behind(lane);
        self.tally.failed += 1;
        self.told(Trouble::Failed, id, cause, e);
        true
    }

    /// The fate of a batch is known.
    fn arrived(&mut self, (metas, outcomes): Arrived) {
        self.in_flight -= metas.len();
        if self.way.is_one_act() {
            // Nothing else counts what a broker moves in transactions of its own, and --limit counts over all attempts.
            self.books.count(outcomes.iter().filter(|o| matches!(o, Outcome::Moved(_))).count() as u64);
        }
        let mut outcomes = outcomes.into_iter();
        for Meta { id, size, lane, left_out, unmarked, changed, original, target, cause, again } in metas {
            self.bytes -= size;
            let outcome = outcomes.next().unwrap_or_else(|| {
                Outcome::Indeterminate(Error::new(Kind::Indeterminate, "no answer came for this message"))
            });
            let failed = matches!(outcome, Outcome::Failed(_) | Outcome::Indeterminate(_));
            let behind = self.backlog.done(lane, failed);
            self.tally.skip(Skip::BehindFailure, behind.len() as u64);
            self.keep(behind.into_iter().map(|m| m.go.token).collect());
            if !matches!(outcome, Outcome::Failed(_) | Outcome::Behind) {
                self.tally.unmarked += u64::from(unmarked);
                self.tally.changed += u64::from(changed);
                left_out.into_iter().for_each(|what| self.tally.leave_out(what));
            }
            let (what, e) = match outcome {
                Outcome::Moved(receipt) => {
                    self.tally.moved += 1;
                    self.watch.arrived(target.as_ref(), &receipt);
                    continue;
                }
                Outcome::Behind => {
                    self.tally.skip(Skip::BehindFailure, 1);
                    continue;
                }
                Outcome::Failed(e) if !again => {
                    self.set_aside(original);
                    self.tally.failed += 1;
                    (Trouble::Failed, e)
                }
                Outcome::NotRemoved(e) => {
                    self.tally.not_removed += 1;
                    (Trouble::NotRemoved, e)
                }
                // What failed now may have been sent before.
                Outcome::Indeterminate(e) | Outcome::Failed(e) => {
                    self.tally.indeterminate += 1;
                    (Trouble::Indeterminate, e)
                }
            };
            if !again && what != Trouble::Failed {
                self.tally.possible_duplicates.push_with(|| id.to_string());
            }
            self.told(what, &id, cause.as_deref(), &e);
            // The connection is gone, on either side, or the queue is another run's now: whatever else were begun would fail or
            // come twice.
            if matches!(e.kind(), Kind::Unreachable | Kind::ClosedPipe | Kind::Held | Kind::Journal) && !self.ending {
                self.end(Stopped::Error, Some(e));
            }
        }
        self.progress();
    }

    /// Writes down what has failed, where that is asked for.
    fn set_aside(&self, original: Option<Box<DeadLetter>>) {
        if let (Some(aside), Some(original)) = (&self.aside, original) {
            aside.add(original);
        }
    }

    /// It is known how much waits at the destination, or will not be.
    fn measured(&mut self, waits: Result<u64>) {
        match waits {
            Ok(waits) => match self.hold.turned() {
                Some(true) => self.watch.held(Some(waits)),
                Some(false) => self.watch.held(None),
                None => {}
            },
            Err(e) => self.end(Stopped::Error, Some(e)),
        }
    }

    /// Tells of a failure, and stops where that is asked for.
    fn told(&mut self, what: Trouble, id: &str, cause: Option<&str>, e: &Error) {
        self.tally.fail(id, e);
        // That nobody reads any more is no news to who stopped reading.
        if e.kind() != Kind::ClosedPipe {
            self.watch.failed(what, id, cause, e);
        }
        if self.max_failures.is_some_and(|most| self.tally.failures() > most) {
            self.end(Stopped::MaxFailures, None);
        } else if self.on_failure == OnFailure::Stop {
            self.end(Stopped::OnFailure, None);
        }
    }

    /// Nothing new is begun from here on; what is in flight is finished.
    fn end(&mut self, why: Stopped, e: Option<Error>) {
        self.tally.end(why, e);
        self.ending = true;
        let waiting = self.backlog.clear();
        self.tally.skip(Skip::NotReached, waiting);
    }

    /// Says that these are not to be removed, without waiting for it.
    fn keep(&mut self, tokens: Vec<Token>) {
        let Some(settler) = self.settler.as_ref().filter(|_| !tokens.is_empty()) else { return };
        let settler = Arc::clone(settler);
        let settlements = tokens.into_iter().map(|token| Settlement { token, act: Act::Keep }).collect();
        self.keeping.push(Box::pin(async move {
            // An error changes nothing: what is not removed is given back when the scan closes, which does report.
            settler.settle(settlements).await;
        }));
    }

    fn progress(&self) {
        let t = &self.tally;
        self.watch.progress(t.read, t.selected, t.moved + t.failures() + t.skipped);
    }
}
