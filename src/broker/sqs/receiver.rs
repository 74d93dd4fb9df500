//! The tasks that receive: each asks, takes in, and hands on, until the scan is over.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_sdk_sqs::types::{Message, MessageSystemAttributeName};
use jiff::Timestamp;
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use xxhash_rust::xxh3::xxh3_64;

use super::batch::pause;
use super::codec::{self, GROUP};
use super::connect::{Link, WAIT};
use super::held::{Came, Held};
use super::progress::{End, Next, PATIENCE, Progress, Quiet};
use super::queue::Queue;
use crate::broker::aws::error::{self, Asked};
use crate::broker::{Batch, Delivery, Error, Kind, Result, Token};
use crate::message::DeadLetter;
use crate::replay::RunId;

/// SQS lets so many messages of a queue be in flight, less what is on its way.
const MOST_HELD: u64 = 119_000;
/// SQS hides a message for twelve hours at most, however often that is renewed.
const LONGEST: Duration = Duration::from_secs(12 * 3600 - 1800);
/// Receives that may fail in a row.
const FAILURES: u32 = 5;
/// An empty answer that came sooner than it should is waited out.
const SOON: Duration = Duration::from_millis(300);

/// What the tasks of a scan share.
pub struct Shared {
    pub(super) link: Arc<Link>,
    pub(super) queue: Queue,
    pub(super) shown: Arc<str>,
    pub(super) held: Arc<Held>,
    pub(super) progress: Mutex<Progress>,
    /// Something changed that a waiting receiver should know.
    pub(super) changed: Arc<Notify>,
    pub(super) closing: CancellationToken,
    /// Messages sent after this are left alone.
    pub(super) began: Timestamp,
    pub(super) since: Instant,
    pub(super) visibility: u32,
    pub(super) takes: bool,
    /// Messages of others that were in flight at the start.
    pub(super) others: u64,
    /// The queue is being asked how many it has, by one of us at a time.
    pub(super) asking: AtomicBool,
    /// Deliveries of messages that were removed before: they are removed once more in the end.
    pub(super) again: Mutex<Vec<u64>>,
}

/// Why a receive failed.
struct Refusal {
    error: Error,
    /// The service only asked to be called less often.
    throttled: bool,
    /// It may have taken messages all the same.
    lost: bool,
}

impl Shared {
    pub(super) fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self, why: End) {
        self.progress().end(why);
        self.changed.notify_waiters();
    }

    /// Waits for room, or for the end.
    async fn room(&self) -> Option<usize> {
        loop {
            let changed = self.changed.notified();
            if self.closing.is_cancelled() {
                return None;
            }
            if self.since.elapsed() > LONGEST {
                self.end(End::Time);
            }
            if self.held.len() as u64 + self.others >= MOST_HELD {
                // What is being worked on will make room, where it is to be removed.
                if !self.takes || self.held.undecided() == 0 {
                    self.end(End::Full);
                } else {
                    self.rest(Duration::from_millis(200)).await;
                    continue;
                }
            }
            let next = self.progress().reserve();
            match next {
                Next::Receive(n) => return Some(n),
                Next::Over => return None,
                Next::Wait => tokio::select! {
                    () = changed => {}
                    () = tokio::time::sleep(Duration::from_millis(500)) => {}
                    () = self.closing.cancelled() => {}
                },
            }
        }
    }

    /// Receives until the scan is over. A receive under way is always awaited: what it took must be given back.
    pub(super) async fn run(self: Arc<Self>, out: mpsc::Sender<Result<Batch>>) {
        let mut failures = 0;
        // Under the same name a FIFO queue gives the messages of a lost answer once more.
        let mut attempt = RunId::new(Timestamp::now());
        while let Some(room) = self.room().await {
            let began = Instant::now();
            let Refusal { error, throttled, lost } = match self.receive(room, attempt.as_str()).await {
                Ok(messages) => {
                    failures = 0;
                    attempt = RunId::new(Timestamp::now());
                    if messages.is_empty() {
                        self.nothing_came(room, began).await;
                        continue;
                    }
                    for batch in self.take_in(room, messages) {
                        // Nobody listens any more once the scan is closed; everything is held all the same.
                        _ = out.send(Ok(batch)).await;
                    }
                    continue;
                }
                Err(refusal) => refusal,
            };
            failures += 1;
            self.progress().failed(room, lost);
            let fatal = matches!(error.kind(), Kind::NotFound | Kind::Denied | Kind::Usage | Kind::Tls);
            if fatal || failures >= FAILURES && !throttled {
                self.end(End::Failed);
                _ = out.send(Err(error)).await;
                return;
            }
            self.rest(pause(failures + if throttled { 2 } else { 0 })).await;
        }
    }

    /// Sleeps, unless the scan is closed.
    async fn rest(&self, time: Duration) {
        tokio::select! {
            () = tokio::time::sleep(time) => {}
            () = self.closing.cancelled() => {}
        }
    }

    async fn receive(&self, room: usize, attempt: &str) -> Result<Vec<Message>, Refusal> {
        let what = self.queue.shown();
        let asked = Asked { doing: "receiving messages", action: "sqs:ReceiveMessage", what: &what };
        let call = self
            .link
            .receives
            .receive_message()
            .queue_url(&self.queue.url)
            .max_number_of_messages(i32::try_from(room).unwrap_or(1))
            .visibility_timeout(i32::try_from(self.visibility).unwrap_or(i32::MAX))
            .wait_time_seconds(i32::try_from(WAIT.as_secs()).unwrap_or(1))
            .set_receive_request_attempt_id(self.queue.fifo.then(|| attempt.to_owned()))
            .message_attribute_names("All")
            .message_system_attribute_names(MessageSystemAttributeName::All);
        call.send().await.map(|answer| answer.messages.unwrap_or_default()).map_err(|e| Refusal {
            throttled: error::is_throttled(&e),
            lost: !error::certainly_not_done(&e),
            error: error::of(e, asked),
        })
    }

    /// Holds everything, and makes batches of what is to be looked at: one a lane, in the order of the lane.
    fn take_in(&self, room: usize, messages: Vec<Message>) -> Vec<Batch> {
        let mut batches: Vec<Batch> = Vec::new();
        let mut at: HashMap<u64, usize> = HashMap::new();
        let (mut new, mut young, mut damaged, mut again) = (0, 0, 0, vec![]);
        for mut message in messages {
            let id = codec::identity(message.message_id().unwrap_or_default());
            let came = self.held.take_in(id, message.receipt_handle.take().unwrap_or_default());
            let token = match came {
                Came::New(token) => token,
                Came::Again => continue,
                Came::Removed(token) => {
                    self.held.keep([token]);
                    again.push(token);
                    continue;
                }
            };
            let whole = codec::is_whole(&message);
            let message = codec::from_message(&self.shown, message);
            if !whole {
                damaged += 1;
                self.held.keep([token]);
                continue;
            }
            if message.time.is_some_and(|t| t > self.began) {
                young += 1;
                self.held.keep([token]);
                continue;
            }
            new += 1;
            if !self.takes {
                self.held.keep([token]);
            }
            let lane = self.lane(&message);
            let delivery = Delivery { token: Token(token), message: Box::new(message) };
            match at.get(&lane) {
                Some(&n) => batches[n].deliveries.push(delivery),
                None => {
                    at.insert(lane, batches.len());
                    batches.push(Batch { lane, deliveries: vec![delivery] });
                }
            }
        }
        let mut progress = self.progress();
        progress.received(room, new, young);
        progress.damaged += damaged;
        drop(progress);
        self.again.lock().unwrap_or_else(PoisonError::into_inner).extend(again);
        self.changed.notify_waiters();
        batches
    }

    fn lane(&self, m: &DeadLetter) -> u64 {
        match m.properties.text(GROUP) {
            Some(group) if self.queue.fifo => xxh3_64(group.as_bytes()),
            _ => 0,
        }
    }

    /// What an empty poll means is for the queue's count to say, and for patience.
    async fn nothing_came(&self, room: usize, began: Instant) {
        let quiet = self.progress().empty(room, began);
        self.changed.notify_waiters();
        if let Quiet::For(quiet) = quiet
            && !self.asking.swap(true, Ordering::AcqRel)
        {
            self.ask(quiet).await;
            self.asking.store(false, Ordering::Release);
        }
        if began.elapsed() < SOON {
            self.rest(SOON).await;
        }
    }

    async fn ask(&self, quiet: Duration) {
        // Groups that are being worked on come free as their messages are removed.
        if self.queue.fifo && self.takes && self.held.undecided() > 0 {
            return;
        }
        match self.link.attributes(&self.queue.url).await.map(|q| q.visible) {
            Ok(Some(0)) => self.end(End::Dry),
            Ok(Some(n)) if quiet >= PATIENCE => self.end(End::Withheld(n)),
            // Without a count the polls are all there is to go by.
            Ok(None) | Err(_) if quiet >= PATIENCE => self.end(End::Dry),
            _ => {}
        }
    }
}
