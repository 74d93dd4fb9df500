//! The task that reads a queue: takes deliveries in batches, keeps count of what may be held and for how long, saves what the
//! broker would destroy, and gives back what was not settled.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use lapin::types::{FieldTable, ShortString};
use tokio::sync::mpsc;
use tokio::time::{Instant as Clock, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::codec;
use super::connect::Link;
use super::error;
use super::facts::Facts;
use super::hazard::{self, Counts, Fate, Policy, QueueKind};
use super::held::{Held, answer, counts};
use super::ledger::Ledger;
use super::rescue::{AtRisk, Rescuer};
use super::window::{Came, Windows};
use crate::broker::{Batch, Closed, Context, Delivery, Error, Kind, Result, ScanRequest, Token};

/// Messages of a batch.
const BATCH: usize = 500;
/// Pause in which more deliveries gather.
const GATHER: Duration = Duration::from_millis(2);
/// Without a delivery for so long, the queue is asked whether there is more.
const IDLE: Duration = Duration::from_millis(250);
/// So often in a row a queue may say it has messages and deliver none.
const PATIENCE: u32 = 20;
/// A full window without a settlement for so long is taken to be full of kept messages.
const STUCK: Duration = Duration::from_millis(50);
/// Most messages held at once.
const MOST: u64 = 4_000_000;
/// Messages held before their size is known.
const FIRST: u64 = 32;
/// What the client library may buffer, in bytes.
const BUFFER: u64 = 32 << 20;

/// Everything a read needs.
pub struct Reader {
    pub(super) link: Arc<Link>,
    pub(super) held: Arc<Held>,
    /// Asks; whatever closes it does not touch what is held.
    pub(super) control: lapin::Channel,
    pub(super) windows: Windows,
    pub(super) queue: ShortString,
    shown: Arc<str>,
    pub(super) facts: Facts,
    pub(super) ctx: Context,
    request: ScanRequest,
    /// Messages the queue had when the scan began.
    bound: u64,
    pub(super) delivered: u64,
    pub(super) handed: u64,
    bytes: u64,
    pub(super) last_redelivered: bool,
    pub(super) at_risk: Vec<AtRisk>,
    pub(super) rescuer: Option<Rescuer>,
    pub(super) rescued: u64,
    /// Copies that this scan will meet at the end of the queue and hand out there.
    copies: u64,
    pub(super) fewest: Option<u64>,
    pub(super) closed: Closed,
    quiet: (u32, u32),
    /// Delivered and in the books, but neither handed out nor looked into yet.
    pub(super) stash: VecDeque<lapin::message::Delivery>,
}

impl Reader {
    /// Opens the channels. `bound`: ready messages.
    ///
    /// # Errors
    /// As the connection is.
    pub async fn new(
        link: Arc<Link>,
        shown: Arc<str>,
        facts: Facts,
        ctx: Context,
        request: ScanRequest,
        bound: u64,
    ) -> Result<Reader> {
        let channel = link.channel().await?;
        let control = link.channel().await?;
        let queue: ShortString = link.queue.as_str().into();
        let windows = Windows::new(channel.clone(), queue.clone(), ctx.timeout, FieldTable::default());
        let held = Arc::new(Held::new(channel, queue.clone(), ctx.timeout));
        Ok(Reader {
            link,
            held,
            control,
            windows,
            queue,
            shown,
            facts,
            ctx,
            request,
            bound,
            delivered: 0,
            handed: 0,
            bytes: 0,
            last_redelivered: false,
            at_risk: Vec::new(),
            rescuer: None,
            rescued: 0,
            copies: 0,
            fewest: None,
            closed: Closed::default(),
            quiet: (0, 0),
            stash: VecDeque::new(),
        })
    }

    /// What settles.
    pub fn held(&self) -> Arc<Held> {
        self.held.clone()
    }

    /// Reads until the end, waits to be closed, gives back.
    ///
    /// # Errors
    /// Where giving back is not certain.
    pub async fn run(mut self, out: mpsc::Sender<Result<Batch>>, closing: CancellationToken) -> Result<Closed> {
        let read = self.read(&out, &closing).await.inspect_err(|e| self.link.hang_up_if_silent(e));
        let stopped = self.calm_stop().await;
        if let Err(e) = read.and(stopped) {
            // Nobody may be listening any more; what went wrong with the messages is said by the close as well.
            tokio::select! {
                () = closing.cancelled() => {}
                sent = out.send(Err(e)) => drop(sent),
            }
        }
        drop(out);
        closing.cancelled().await;
        self.finish().await
    }

    fn remaining(&self) -> u64 {
        let in_queue = (self.bound + self.copies).saturating_sub(self.delivered - self.stash.len() as u64);
        let wanted = self.request.at_most.map_or(u64::MAX, |n| n.saturating_sub(self.handed));
        in_queue.min(wanted)
    }

    /// Opens the first window, and counts again behind it where that may tell more: a quorum queue that has just started counts
    /// what it has taken out of its log so far, and a consumer is entered through that log.
    ///
    /// `alone`: nobody else consumed from it when it was counted.
    ///
    /// # Errors
    /// As the connection is; `Held` where another consumer has the queue to itself.
    pub async fn begin(&mut self, alone: bool) -> Result<u64> {
        // A queue that is empty because somebody takes everything is left in peace.
        let has_log = self.facts.kind == QueueKind::Quorum;
        if !has_log || self.request.at_most == Some(0) || (self.bound == 0 && !alone) {
            return Ok(self.bound);
        }
        let counted = match self.widen(None).await {
            Ok(_) => self.count_again(alone).await,
            Err(e) => Err(e),
        };
        if counted.is_err() {
            // What it was sent goes back with the channel.
            drop(answer(self.ctx.timeout, "closing a channel", self.held.channel.close(200, "done".into())).await);
        }
        counted?;
        Ok(self.bound)
    }

    async fn count_again(&mut self, alone: bool) -> Result<()> {
        // Asked on the same channel: what was handed out before the answer has come before it.
        let (ready, consumers) = counts(&self.held.channel, &self.queue, self.ctx.timeout, "counting messages").await?;
        self.stash_ready()?;
        // A window that leaves some behind is full.
        let full = self.windows.current().filter(|_| ready > 0 && alone && consumers == 1);
        let ours = self.delivered.max(full.map_or(0, |(_, size)| u64::from(size)));
        self.bound = self.bound.max(ready + ours);
        Ok(())
    }

    async fn read(&mut self, out: &mpsc::Sender<Result<Batch>>, closing: &CancellationToken) -> Result<()> {
        while self.remaining() > 0 {
            if !self.stash.is_empty() {
                let taken = self.stash.drain(..self.stash.len().min(BATCH)).collect();
                if !self.hand_out(taken, out, closing).await? {
                    return Ok(());
                }
                continue;
            }
            let full = self.is_full();
            if self.windows.current().is_none() || (full && self.widens_at_once()) {
                if !self.widen(None).await? {
                    return Ok(());
                }
                continue;
            }
            let deadline = self.deadline();
            let pause = if full { STUCK } else { IDLE };
            let stop = self.ctx.stop.clone();
            let came = tokio::select! {
                biased;
                () = closing.cancelled() => return Ok(()),
                () = stop.cancelled() => {
                    self.cut("it was stopped");
                    return Ok(());
                }
                () = out.closed() => return Ok(()),
                () = sleep_until(deadline) => {
                    self.cut(format!("the broker takes messages away that are held for {}", shown(self.facts.timeout)));
                    return Ok(());
                }
                came = self.windows.next() => came,
                () = self.held.progress.notified(), if full => continue,
                () = sleep(pause) => {
                    if full {
                        if !self.widen(None).await? {
                            return Ok(());
                        }
                    } else if self.is_over().await? {
                        return Ok(());
                    }
                    continue;
                }
            };
            self.quiet = (0, 0);
            let taken = self.gather(came, BATCH).await?;
            if !self.hand_out(taken, out, closing).await? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Looks into a batch and hands it out. False when nobody takes it any more.
    async fn hand_out(
        &mut self,
        taken: Vec<lapin::message::Delivery>,
        out: &mpsc::Sender<Result<Batch>>,
        closing: &CancellationToken,
    ) -> Result<bool> {
        let refused = self.worry(&taken);
        let batch = self.convert(taken).await?;
        refused?;
        if batch.deliveries.is_empty() {
            return Ok(true);
        }
        if self.remaining() == 0 {
            // Before its acknowledgements can bring more messages than were asked for.
            self.calm_stop().await?;
        }
        tokio::select! {
            () = closing.cancelled() => Ok(false),
            sent = out.send(Ok(batch)) => Ok(sent.is_ok()),
        }
    }

    fn cut(&mut self, why: impl Into<String>) {
        self.closed.cut.get_or_insert(why.into());
    }

    /// Nine tenths of the acknowledgement timeout after the oldest unsettled delivery.
    fn deadline(&self) -> Clock {
        let longest = self.facts.timeout.mul_f64(0.9);
        Clock::from_std(self.held.oldest().unwrap_or_else(Instant::now) + longest)
    }

    pub(super) fn takes(&self) -> bool {
        self.request.takes
    }

    pub(super) fn is_full(&self) -> bool {
        self.windows
            .current()
            .is_some_and(|(from, size)| self.held.ledger(|l| l.unsettled_from(from)) >= u64::from(size))
    }

    /// A look holds everything, so a full window can only be followed by the next. A scan that takes sees its window drain,
    /// but for the first, which was small to learn the size of the messages.
    fn widens_at_once(&self) -> bool {
        !self.request.takes || self.windows.starts().len() == 1
    }

    /// Opens the next window. False, with the cut stated, where no more may be held.
    async fn widen(&mut self, at_least: Option<u64>) -> Result<bool> {
        let unsettled = self.held.ledger(Ledger::unsettled);
        if unsettled >= MOST {
            self.cut(format!("{unsettled} messages are held, the most there may be at once"));
            return Ok(false);
        }
        let first = self.delivered == 0;
        // Those that come first may be smaller than the rest.
        let average = self.facts.average.max(self.bytes.checked_div(self.delivered));
        let fitting = match (self.facts.prefetch, average) {
            (Some(n), _) => u64::from(n),
            // Each of these may lose a look: begin with no more than one screen.
            (None, _) if first && self.facts.policy.counts() => 20,
            (None, None) => FIRST,
            (None, Some(average)) if first => (BUFFER / average.max(1)).clamp(2, FIRST),
            (None, Some(average)) => {
                (BUFFER / average.max(1)).clamp(2, if self.request.takes { 10_000 } else { 20_000 })
            }
        };
        let wanted = at_least.unwrap_or(0).max(self.remaining());
        let size = u16::try_from(fitting.min(wanted).max(1)).unwrap_or(u16::MAX);
        // The window before ends when this one begins: as in `calm_stop`, it must not have room by then.
        let held = self.held.clone();
        let _pause = held.pause().await;
        if self.windows.current().is_some() && !self.is_full() {
            return Ok(true);
        }
        self.windows.open(size).await.map_err(|e| if first { e } else { self.lost(e) })?;
        Ok(true)
    }

    pub(super) async fn ready(&self) -> Result<u64> {
        Ok(self.counts().await?.0)
    }

    async fn counts(&self) -> Result<(u64, u64)> {
        counts(&self.control, &self.queue, self.ctx.timeout, "reading the queue").await
    }

    /// Asked when nothing came for a while. True when nothing more will.
    async fn is_over(&mut self) -> Result<bool> {
        let (ready, consumers) = self.counts().await?;
        if ready == 0 {
            self.quiet.0 += 1;
            // Where nobody else takes any, what is missing is on its way, or has expired.
            if self.quiet.0 < if consumers > 1 { 2 } else { PATIENCE / 2 } {
                return Ok(false);
            }
            let missing = (self.bound + self.copies).saturating_sub(self.delivered);
            self.closed.unseen = Some(self.closed.unseen.unwrap_or(0) + missing);
            return Ok(true);
        }
        self.quiet = (0, self.quiet.1 + 1);
        if self.quiet.1 < if self.facts.single_active { PATIENCE / 5 } else { PATIENCE } {
            return Ok(false);
        }
        if self.delivered == 0 {
            let e =
                Error::new(Kind::Held, format!("the queue has {} but delivers none", super::number(ready, "message")));
            return Err(e.during("reading the queue").hint(if self.facts.single_active {
                "it has a single active consumer, and that is another one: stop it first"
            } else {
                "it may have a single active consumer, and that is another one: stop it first"
            }));
        }
        self.cut(format!("the queue stopped delivering, though it has {} more", super::number(ready, "message")));
        Ok(true)
    }

    /// What came and whatever else is there, in order.
    async fn gather(&mut self, first: Option<Came>, most: usize) -> Result<Vec<lapin::message::Delivery>> {
        let most = most.min(usize::try_from(self.remaining()).unwrap_or(usize::MAX)).max(1);
        let mut taken = Vec::with_capacity(64);
        let mut next = first;
        let mut paused = false;
        loop {
            match next {
                Some(Came::Delivery(d)) => taken.push(*d),
                // The messages that came before it are lost to us with the channel.
                Some(Came::Broke(e)) => {
                    self.note(&taken);
                    return Err(self.lost(error::map(&e, "reading the queue")));
                }
                Some(Came::Cancelled) => {
                    self.note(&taken);
                    return Err(self.cancelled().await);
                }
                None => break,
            }
            if taken.len() >= most {
                break;
            }
            next = self.windows.ready();
            if next.is_none() && !paused {
                paused = true;
                sleep(GATHER).await;
                next = self.windows.ready();
            }
        }
        self.note(&taken);
        Ok(taken)
    }

    /// Enters deliveries in the books, before anything else can happen to them.
    pub(super) fn note(&mut self, taken: &[lapin::message::Delivery]) {
        let (Some(first), Some(last)) = (taken.first(), taken.last()) else { return };
        self.held.delivered(first.delivery_tag, last.delivery_tag);
        self.delivered += taken.len() as u64;
        self.last_redelivered = last.redelivered;
        self.bytes += taken.iter().map(|d| d.data.len() as u64 + 200).sum::<u64>();
    }

    /// Refuses when a message in hand has few looks left and that was not accepted.
    fn worry(&mut self, taken: &[lapin::message::Delivery]) -> Result<()> {
        let Policy::EveryReturn(limit) = self.facts.policy else { return Ok(()) };
        for d in taken {
            // As it was before this look, which is one of them.
            let left = match self.facts.policy.fate(Counts::of(&d.properties)) {
                Fate::Safe => continue,
                Fate::Left(n) => n + 1,
                Fate::Lost => 0,
            };
            self.fewest = Some(self.fewest.map_or(left, |f| f.min(left)));
        }
        match self.fewest {
            Some(left) if left <= hazard::FEW => self.ctx.accept(
                hazard::NAME,
                format!(
                    "a message of this queue has {} left: each look counts as a delivery, and after {limit} the broker drops or dead-letters it",
                    super::number(left, "look")
                ),
            ),
            _ => Ok(()),
        }
    }

    /// Decodes a batch, and saves those of it that could not be given back.
    async fn convert(&mut self, taken: Vec<lapin::message::Delivery>) -> Result<Batch> {
        let mut deliveries = Vec::with_capacity(taken.len());
        let mut moved = BTreeSet::new();
        for d in taken {
            let tag = d.delivery_tag;
            let lost = self.facts.policy.fate(Counts::of(&d.properties)) == Fate::Lost;
            let properties = lost.then(|| d.properties.clone());
            let message = Box::new(codec::from_delivery(&self.shown, d.into()));
            if let (Some(properties), crate::message::Payload::Bytes(body)) = (properties, &message.payload) {
                self.at_risk.push(AtRisk { tag, properties, body: body.clone(), message: (*message).clone() });
                moved.insert(tag);
            }
            deliveries.push(Delivery { token: Token(tag), message });
        }
        if !moved.is_empty() {
            if !self.request.takes && self.remaining() <= deliveries.len() as u64 {
                // Each acknowledgement of an original would bring one message more than was asked for.
                self.calm_stop().await?;
            }
            self.rescue().await?;
            if self.request.takes {
                // Its copy is handed out instead, when the scan comes to it: settling the original would remove nothing.
                deliveries.retain(|d| !moved.contains(&d.token.0));
                self.copies += moved.len() as u64;
            }
        }
        self.handed += deliveries.len() as u64;
        Ok(Batch { lane: 0, deliveries })
    }

    pub(super) async fn rescue(&mut self) -> Result<()> {
        if self.at_risk.is_empty() {
            return Ok(());
        }
        let rescuer = match self.rescuer.take() {
            Some(r) => r,
            None => Rescuer::open(&self.link, self.ctx.timeout).await?,
        };
        rescuer.rescue(&self.held, &self.at_risk).await?;
        self.rescuer = Some(rescuer);
        self.rescued += self.at_risk.len() as u64;
        self.at_risk.clear();
        Ok(())
    }

    /// Takes in what came late, to no other end than giving it back.
    pub(super) async fn take_in(&mut self, late: Vec<lapin::message::Delivery>) -> Result<()> {
        for d in late {
            if self.facts.policy.fate(Counts::of(&d.properties)) == Fate::Lost {
                let (tag, properties) = (d.delivery_tag, d.properties.clone());
                let message = Box::new(codec::from_delivery(&self.shown, d.into()));
                let crate::message::Payload::Bytes(body) = message.payload.clone() else { continue };
                self.at_risk.push(AtRisk { tag, properties, body, message: *message });
            }
        }
        self.rescue().await
    }

    async fn cancelled(&self) -> Error {
        match self.ready().await {
            Err(e) if e.kind() == Kind::NotFound => {
                Error::new(Kind::NotFound, format!("the queue {} was deleted while it was read", self.queue))
            }
            _ => Error::new(Kind::Unreachable, "the server ended the consumer")
                .hint("the queue may have moved to another node, or messages were held for too long; try again"),
        }
        .during("reading the queue")
    }
}

fn shown(d: Duration) -> String {
    match d.as_secs() {
        s if s >= 120 => format!("{} minutes", s / 60),
        s => format!("{s} s"),
    }
}
