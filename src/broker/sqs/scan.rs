//! A scan of a queue: receivers, a keeper of leases, and the way everything is given back.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::batch;
use super::capabilities::BATCH;
use super::connect::Link;
use super::held::{Held, Lease};
use super::number;
use super::progress::{End, Progress};
use super::queue::Queue;
use super::receiver::Shared;
use super::settle::Settling;
use crate::broker::{Batch, Bound, Closed, Error, Kind, Result, Scan, ScanRequest, Settler};

/// Receives at once, at most.
const RECEIVERS: u64 = 32;
/// The same on a FIFO queue, which is made for fewer calls.
const FIFO_RECEIVERS: u64 = 4;
/// Batches that wait for the engine.
const AHEAD: usize = 32;
/// Rounds in which it is tried to give everything back.
const ROUNDS: u32 = 3;

/// A scan under way.
pub struct QueueScan {
    batches: mpsc::Receiver<Result<Batch>>,
    closing: CancellationToken,
    task: Option<JoinHandle<Result<Closed>>>,
    settling: Arc<Settling>,
    bound: Bound,
}

impl QueueScan {
    /// Starts receiving. `queue` as it was when the scan began.
    pub fn start(link: &Arc<Link>, queue: Queue, shown: Arc<str>, request: &ScanRequest, visibility: u32) -> QueueScan {
        let at = Timestamp::now();
        // A count of none may be a minute old: then the polls decide.
        let there = queue.visible.filter(|n| *n > 0);
        let bound = [there, request.at_most].into_iter().flatten().min();
        let held = Arc::new(Held::default());
        let changed = Arc::new(Notify::new());
        let closing = CancellationToken::new();
        let shared = Arc::new(Shared {
            link: Arc::clone(link),
            queue: queue.clone(),
            shown,
            held: Arc::clone(&held),
            progress: Mutex::new(Progress::new(bound)),
            changed: Arc::clone(&changed),
            closing: closing.clone(),
            began: at,
            since: Instant::now(),
            visibility,
            takes: request.takes,
            others: queue.in_flight.unwrap_or(0),
            asking: AtomicBool::new(false),
            again: Mutex::default(),
        });
        let (out, batches) = mpsc::channel(AHEAD);
        let settling = Arc::new(Settling { link: Arc::clone(link), queue: queue.clone(), held, changed });
        let whole = request.at_most.is_none_or(|most| there.is_some_and(|n| n <= most));
        let task = tokio::spawn(run(shared, out, bound, whole));
        let bound = Bound { at, messages: there };
        QueueScan { batches, closing, task: Some(task), settling, bound }
    }
}

/// Receives, keeps leases, and once all is over gives back what is held.
async fn run(shared: Arc<Shared>, out: mpsc::Sender<Result<Batch>>, bound: Option<u64>, whole: bool) -> Result<Closed> {
    let most = if shared.queue.fifo { FIFO_RECEIVERS } else { RECEIVERS };
    let many = bound.map_or(most, |n| n.div_ceil(BATCH as u64).clamp(1, most));
    let receivers: Vec<_> = (0..many).map(|_| tokio::spawn(Arc::clone(&shared).run(out.clone()))).collect();
    drop(out);
    let keeper = tokio::spawn(keep(Arc::clone(&shared)));
    shared.closing.cancelled().await;
    let mut broken = 0;
    for receiver in receivers {
        broken += u64::from(receiver.await.is_err());
    }
    // It may be in the midst of a renewal, which would come after the release.
    _ = keeper.await;
    let again = remove_again(&shared).await;
    // Before anything is given back: what is visible now was not seen.
    let more = if whole && shared.progress().end == Some(End::Bound) {
        shared.link.attributes(&shared.queue.url).await.ok().and_then(|q| q.visible)
    } else {
        None
    };
    let stuck = give_back(&shared).await;
    let mut closed = report(&shared, whole, more);
    if again > 0 {
        closed
            .notices
            .push(format!("{} came once more after it was removed, and was removed again", number(again, "message")));
    }
    if broken > 0 {
        closed.cut.get_or_insert_with(|| "a task that receives broke off".to_owned());
    }
    match stuck {
        None => Ok(closed),
        Some((count, e)) => Err(Error::new(
            Kind::Other,
            format!(
                "{} could not be given back and stay hidden for up to {} s: {e}",
                number(count, "message"),
                shared.visibility
            ),
        )),
    }
}

/// Renews leases at half their life, for as long as the scan lives.
async fn keep(shared: Arc<Shared>) {
    let life = Duration::from_secs(shared.visibility.into());
    let beat = (life / 8).clamp(Duration::from_millis(100), Duration::from_secs(10));
    loop {
        tokio::select! {
            () = tokio::time::sleep(beat) => {}
            () = shared.closing.cancelled() => return,
        }
        let due = shared.held.due(life / 2);
        // In pieces: a message that is removed meanwhile need not be renewed.
        for some in due.chunks(BATCH * 32) {
            if shared.closing.is_cancelled() {
                return;
            }
            let at = Instant::now();
            let fates =
                batch::hide(&shared.link, &shared.queue.url, &shared.queue.shown(), some, shared.visibility).await;
            let of = |wanted: fn(&Result<()>) -> bool| -> Vec<u64> {
                some.iter().zip(&fates).filter(|(_, f)| wanted(f)).map(|(l, _)| l.token).collect()
            };
            shared.held.renewed(&of(Result::is_ok), at);
            shared.held.expired(&of(|f| f.as_ref().is_err_and(batch::is_stale)));
        }
    }
}

/// Removes what the queue brought once more after it had confirmed the removal. How many; what fails is given back.
async fn remove_again(shared: &Shared) -> u64 {
    let tokens = std::mem::take(&mut *shared.again.lock().unwrap_or_else(PoisonError::into_inner));
    let leases: Vec<Lease> = shared.held.leases(&tokens).into_iter().flatten().collect();
    let fates = batch::delete(&shared.link, &shared.queue.url, &shared.queue.shown(), &leases).await;
    let gone: Vec<u64> = leases.iter().zip(&fates).filter(|(_, f)| f.is_ok()).map(|(l, _)| l.token).collect();
    shared.held.removed(&gone);
    gone.len() as u64
}

/// Gives back everything that is held, where anybody answers. How many it did not work for, and why.
async fn give_back(shared: &Shared) -> Option<(u64, Error)> {
    let mut last = None;
    for round in 0..ROUNDS {
        let all = shared.held.all();
        if all.is_empty() {
            return None;
        }
        if round > 0 {
            tokio::time::sleep(batch::pause(round + 1)).await;
        }
        let fates = batch::hide(&shared.link, &shared.queue.url, &shared.queue.shown(), &all, 0).await;
        let mut back = Vec::with_capacity(all.len());
        let mut answered = false;
        for (lease, fate) in all.iter().zip(fates) {
            answered |= !fate.as_ref().is_err_and(|e| matches!(e.kind(), Kind::Timeout | Kind::Unreachable));
            match fate {
                // A lease that ran out has given its message back by itself.
                Err(e) if !batch::is_stale(&e) => last = Some(e),
                _ => back.push(lease.token),
            }
        }
        shared.held.given_back(&back);
        if !answered {
            // Each of these calls was tried several times over: nobody is there.
            break;
        }
    }
    let left = shared.held.len() as u64;
    last.filter(|_| left > 0).map(|e| (left, e))
}

/// What was not seen and why, and what became known late.
fn report(shared: &Shared, whole: bool, more: Option<u64>) -> Closed {
    let mut closed = Closed::default();
    let (end, handed, young, damaged, lost) = {
        let p = shared.progress();
        (p.end.clone(), p.handed, p.young, p.damaged, p.lost)
    };
    closed.unseen = Some(shared.others).filter(|n| *n > 0);
    let there = shared.queue.visible.filter(|n| *n > 0);
    let saw = match there {
        Some(n) => format!("saw {} of about {}", handed, n),
        None => format!("saw {}", handed),
    };
    let short = there.is_some_and(|n| handed + young + damaged < n);
    match end {
        Some(End::Withheld(n)) if short || there.is_none() => {
            closed.cut = Some(if shared.queue.fifo {
                format!("{saw}: SQS hands out no more of a group while messages of it are held, here or by others")
            } else {
                format!("{saw}: no more came, though the queue counts {} as visible", n)
            });
        }
        Some(End::Full) => {
            closed.cut = Some(format!("{saw}: SQS lets 120 000 messages of a queue be in flight, and no more"))
        }
        Some(End::Time) => closed.cut = Some(format!("{saw}: SQS holds a message for twelve hours at most")),
        Some(End::Younger) => {
            closed.notices.push(format!("{saw}; after that only messages came that are younger than this look"))
        }
        Some(End::Dry) if short && lost > 0 => {
            closed.cut = Some(format!("{saw}: the answers of {} were lost", number(lost, "receive")));
        }
        Some(End::Dry) if short && whole => {
            closed
                .notices
                .push(format!("{saw}: counts of SQS are approximate, or other consumers took the rest meanwhile"));
        }
        Some(End::Bound) => {
            if let Some(more) = more.filter(|n| *n > 0) {
                closed
                    .notices
                    .push(format!("{saw}; about {more} more are visible: they came since, or were not counted"));
            }
        }
        _ => {}
    }
    if damaged > 0 {
        let text = format!("{} arrived damaged: the checksum does not match", number(damaged, "message"));
        closed.cut.get_or_insert(text);
    }
    if young > 0 {
        closed.notices.push(format!("{} younger than this look, left alone", number(young, "message")));
    }
    if lost > 0 {
        closed.notices.push(format!(
            "{} got no answer: what they took is hidden for up to {} s",
            number(lost, "receive"),
            shared.visibility
        ));
    }
    let expired = shared.held.lost();
    if expired > 0 {
        closed.notices.push(format!(
            "the lease of {} ran out before it was renewed: others may have received them",
            number(expired, "message")
        ));
    }
    closed
}

#[async_trait]
impl Scan for QueueScan {
    async fn next(&mut self) -> Result<Option<Batch>> {
        self.batches.recv().await.transpose()
    }

    fn settler(&self) -> Arc<dyn Settler> {
        Arc::clone(&self.settling) as Arc<dyn Settler>
    }

    fn bound(&self) -> &Bound {
        &self.bound
    }

    async fn close(mut self: Box<Self>) -> Result<Closed> {
        self.closing.cancel();
        self.batches.close();
        match self.task.take() {
            Some(task) => task.await.unwrap_or_else(|e| {
                Err(Error::new(
                    Kind::Other,
                    "the task that reads the queue broke off; what it held comes back by itself",
                )
                .because(e))
            }),
            None => Ok(Closed::default()),
        }
    }
}

impl Drop for QueueScan {
    fn drop(&mut self) {
        // The task still gives back what it holds, as long as the runtime lives.
        self.closing.cancel();
    }
}
