//! The channel that holds a scan's messages, and the one place that acknowledges on it.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures::future::join_all;
use lapin::options::{BasicAckOptions, BasicNackOptions, QueueDeclareOptions};
use lapin::types::{FieldTable, ShortString};
use tokio::sync::Notify;

use super::error;
use super::ledger::{Ledger, Refused};
use crate::broker::{Error, Kind, Result};

/// Longest wait for returned messages to be seen in a queue that others consume from: its count may never show them.
const CROWDED: Duration = Duration::from_secs(3);

/// Waits for one answer of the broker, for so long.
///
/// # Errors
/// What the broker said, or `Timeout`.
pub async fn answer<T>(
    longest: Duration,
    doing: &'static str,
    call: impl Future<Output = lapin::Result<T>>,
) -> Result<T> {
    match tokio::time::timeout(longest, call).await {
        Ok(answer) => answer.map_err(|e| error::map(&e, doing)),
        Err(_) => Err(Error::new(Kind::Timeout, format!("the server did not answer within {longest:?}"))
            .during(doing)
            .hint("--timeout sets how long to wait")),
    }
}

/// Ready messages and consumers, by a passive declare: creates nothing, and waits for the queue itself to answer.
///
/// # Errors
/// `NotFound`, `Denied`, `Held` (exclusive to another connection), `Timeout`. The channel is closed then.
pub async fn counts(
    channel: &lapin::Channel,
    queue: &ShortString,
    longest: Duration,
    doing: &'static str,
) -> Result<(u64, u64)> {
    let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    let call = channel.queue_declare(queue.clone(), options, FieldTable::default());
    let q = answer(longest, doing, call).await?;
    Ok((u64::from(q.message_count()), u64::from(q.consumer_count())))
}

/// What giving back came to.
#[derive(Clone, Copy, Debug)]
pub struct GivenBack {
    /// Messages that were given back.
    pub messages: u64,
    /// How many of them were not in the queue afterwards, though nobody consumes from it.
    pub missing: u64,
}

/// A channel with unsettled deliveries.
pub struct Held {
    /// Consumes and settles; nothing else, so that nothing else can close it.
    pub channel: lapin::Channel,
    queue: ShortString,
    longest: Duration,
    state: Mutex<State>,
    /// Frames go out in the order the ledger planned them.
    turn: tokio::sync::Mutex<bool>,
    /// Something was settled.
    pub progress: Notify,
    frames: AtomicUsize,
}

#[derive(Default)]
struct State {
    ledger: Ledger,
    /// First tag and time, about one a second, for the acknowledgement timeout.
    marks: VecDeque<(u64, Instant)>,
}

impl Held {
    /// Over an open channel.
    pub fn new(channel: lapin::Channel, queue: ShortString, longest: Duration) -> Held {
        Held {
            channel,
            queue,
            longest,
            state: Mutex::default(),
            turn: tokio::sync::Mutex::new(true),
            progress: Notify::new(),
            frames: AtomicUsize::new(0),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the ledger.
    pub fn ledger<T>(&self, ask: impl FnOnce(&Ledger) -> T) -> T {
        ask(&self.state().ledger)
    }

    /// Notes deliveries up to this tag.
    pub fn delivered(&self, from: u64, to: u64) {
        let mut s = self.state();
        s.ledger.delivered(to);
        let now = Instant::now();
        if s.marks.back().is_none_or(|(_, at)| now.duration_since(*at) > Duration::from_secs(1)) {
            s.marks.push_back((from, now));
        }
    }

    /// When the oldest delivery that is still unsettled came, at the latest.
    pub fn oldest(&self) -> Option<Instant> {
        let mut s = self.state();
        let first = s.ledger.first_unsettled()?;
        while s.marks.get(1).is_some_and(|(tag, _)| *tag <= first) {
            s.marks.pop_front();
        }
        s.marks.front().map(|(_, at)| *at)
    }

    /// A call the broker answers only after the channel has worked through everything sent before and handed it to the queue,
    /// which answers last. From then on a lost connection cannot undo an acknowledgement; only the loss of the node can, in
    /// the moment before the queue has written it down. AMQP has no answer that says more.
    ///
    /// # Errors
    /// As the channel is by then.
    pub async fn barrier(&self, doing: &'static str) -> Result<()> {
        counts(&self.channel, &self.queue, self.longest, doing).await.map(|_| ())
    }

    /// Acknowledges. One result a tag; `Ok` is given once the broker has answered behind it.
    pub async fn done(&self, tags: &[u64]) -> Vec<Result<()>> {
        let doing = "acknowledging";
        let turn = self.turn.lock().await;
        if !*turn {
            let e = Error::new(Kind::Other, "the scan is closed, and what was not settled has been given back");
            return tags.iter().map(|_| Err(e.again())).collect();
        }
        let (frames, fates) = self.state().ledger.settle(tags);
        let multiple = frames.multiple.map(|tag| (tag, true));
        self.frames.fetch_add(frames.singles.len() + 1, Ordering::Relaxed);
        // The frames are queued, in this order, before the first of these waits: they cannot be left half sent.
        let acks = multiple
            .into_iter()
            .chain(frames.singles.into_iter().map(|tag| (tag, false)))
            .map(|(tag, multiple)| self.channel.basic_ack(tag, BasicAckOptions { multiple }));
        let sent = join_all(acks).await.into_iter().collect::<lapin::Result<Vec<()>>>();
        drop(turn);
        let sure = match sent {
            Ok(_) => self.barrier(doing).await,
            Err(e) => Err(error::map(&e, doing)),
        };
        self.progress.notify_one();
        let sure = sure.map_err(|e| {
            // With the channel everything held is given back: whoever goes on sending it sends what comes again.
            let (kind, what) = if self.channel.status().connected() {
                (Kind::Indeterminate, "the acknowledgement was sent, and the server did not answer")
            } else {
                (Kind::Unreachable, "the connection broke before the server answered the acknowledgement")
            };
            Error::new(kind, what).during(doing).because(e)
        });
        fates
            .into_iter()
            .map(|fate| fate.map_err(refused).and_then(|()| sure.as_ref().copied().map_err(Error::again)))
            .collect()
    }

    /// Whether more acknowledgements were sent than a channel passes on to a quorum queue without putting any off (32).
    pub fn may_be_behind(&self) -> bool {
        self.frames.load(Ordering::Relaxed) > 16
    }

    /// Keeps acknowledgements back as long as the guard lives.
    pub async fn pause(&self) -> tokio::sync::MutexGuard<'_, bool> {
        self.turn.lock().await
    }

    /// No more acknowledgements from here on: what is unsettled now is given back.
    pub async fn shut(&self) {
        *self.turn.lock().await = false;
    }

    /// Gives back everything unsettled, oldest first, and waits until the queue has answered behind it. `starts` are the first
    /// tags of the consumers, in order: the broker returns consumer by consumer, so each is named on its own.
    ///
    /// # Errors
    /// Where that is not certain.
    pub async fn give_back(&self, starts: &[u64]) -> Result<GivenBack> {
        let doing = "giving messages back";
        self.shut().await;
        let unsettled = self.ledger(Ledger::unsettled);
        let last = self.ledger(Ledger::last);
        let (before, _) = counts(&self.channel, &self.queue, self.longest, doing).await?;
        let (mut returned, mut missing) = (0, 0);
        for (n, from) in starts.iter().enumerate() {
            let to = starts.get(n + 1).map_or(last, |next| next - 1);
            if let Some(tag) = self.ledger(|l| l.last_unsettled_in(*from, to)) {
                let options = BasicNackOptions { multiple: true, requeue: true };
                returned += self.ledger(|l| l.unsettled_in(*from, to));
                answer(self.longest, doing, self.channel.basic_nack(tag, options)).await?;
                // A channel that is behind with a quorum queue puts returns off, and sends those of the last consumer first.
                missing = self.await_return(before + returned).await?;
            }
        }
        Ok(GivenBack { messages: unsettled, missing })
    }

    /// A queue answers a declare ahead of returns that wait in its inbox (classic) or in its log (quorum), so the count is
    /// asked for until they are seen in it. Other consumers may take them at once: a count that rests is enough then, and one
    /// that never rests, as they go on or as messages expire, is not waited for. Gives how many never turned up where nobody
    /// consumes.
    async fn await_return(&self, expected: u64) -> Result<u64> {
        let began = Instant::now();
        let (mut seen, mut since) = (0, began);
        loop {
            let (ready, consumers) = counts(&self.channel, &self.queue, self.longest, "giving messages back").await?;
            let (rests, most) = match consumers {
                0 => (Duration::from_secs(2), self.longest),
                _ => (Duration::from_millis(300), self.longest.min(CROWDED)),
            };
            if ready >= expected || (ready == seen && since.elapsed() > rests) || began.elapsed() > most {
                return Ok(if consumers == 0 { expected.saturating_sub(ready) } else { 0 });
            }
            if ready != seen {
                (seen, since) = (ready, Instant::now());
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

fn refused(r: Refused) -> Error {
    Error::new(
        Kind::Other,
        match r {
            Refused::Unknown => "settled a message that this scan never handed out",
            Refused::Twice => "settled a message twice",
        },
    )
    .hint("this is a mistake in dlq itself; please report it")
}
