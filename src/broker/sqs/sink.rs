//! Sending: to one queue, or each message to its own.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::future::join_all;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;

use super::can;
use super::capabilities::{self, SENDERS};
use super::connect::{self, Link};
use super::fit::{self, Known, Limits};
use super::gauge::SqsGauge;
use super::queue::Queue;
use super::sender::{self, Fates, Letter};
use crate::broker::{
    Address, Confirms, Context, Error, Finding, Fit, Gauge, Kind, Load, Outgoing, Receipt, Result, Sink,
    SinkCapabilities,
};
use crate::message::Target;

/// What may be on its way at once, in KiB: calls wait for it, so that large messages do not fill memory.
const ON_THE_WAY: u32 = 16 << 10;

/// A call that waits for its turn.
struct Call {
    queue: Arc<Queue>,
    letters: Vec<Letter>,
    room: OwnedSemaphorePermit,
    reply: oneshot::Sender<Fates>,
}

/// An open sender.
pub struct SqsSink {
    address: Address,
    link: Arc<Link>,
    capabilities: SinkCapabilities,
    place: Option<Arc<Queue>>,
    limits: Limits,
    run: Arc<str>,
    calls: Arc<Semaphore>,
    room: Arc<Semaphore>,
    /// One for each chain of FIFO groups that has been met.
    chains: HashMap<usize, (mpsc::Sender<Call>, JoinHandle<()>)>,
}

/// Opens the queue an address names.
///
/// # Errors
/// As [`connect::open`].
pub async fn open(address: &Address, ctx: &Context) -> Result<Box<dyn Sink>> {
    let (link, queue) = connect::open(address, ctx).await?;
    Ok(Box::new(start(address, Arc::new(link), Some(Arc::new(queue)))))
}

/// Opens a sink beside a queue, for messages that carry their own target. `likely`: targets to look up now.
///
/// # Errors
/// None of its own.
pub async fn home(address: &Address, link: &Arc<Link>, likely: &[Target]) -> Result<Box<dyn Sink>> {
    let sink = start(address, Arc::clone(link), None);
    join_all(likely.iter().map(|target| sink.resolve(target))).await;
    Ok(Box::new(sink))
}

fn start(address: &Address, link: Arc<Link>, place: Option<Arc<Queue>>) -> SqsSink {
    let limits = Limits { known: Known::default(), group: address.option("group").map(Arc::from) };
    if let Some(queue) = &place {
        limits.known.add(Arc::from(""), Arc::clone(queue));
    }
    SqsSink {
        address: address.clone(),
        link,
        capabilities: capabilities::of_sink(place.as_deref()),
        place,
        limits,
        run: Arc::from(""),
        calls: Arc::new(Semaphore::new(SENDERS)),
        room: Arc::new(Semaphore::new(ON_THE_WAY as usize)),
        chains: HashMap::new(),
    }
}

/// Names of the very queue.
pub fn places(queue: &Queue) -> Vec<String> {
    if queue.arn.is_empty() { vec![queue.url.clone()] } else { vec![queue.arn.clone(), queue.url.clone()] }
}

impl SqsSink {
    /// The queue of a target, looked up once.
    async fn resolve(&self, target: &Target) -> Result<Arc<Queue>> {
        let name = target.queue.as_ref().ok_or_else(|| {
            Error::new(Kind::Usage, format!("{target} names no queue of SQS"))
                .hint("give --to to say where it should go")
        })?;
        if let Some(queue) = self.limits.known.get(name) {
            return Ok(queue);
        }
        let queue = Arc::new(self.link.resolve(name).await?);
        self.limits.known.add(Arc::clone(name), Arc::clone(&queue));
        Ok(queue)
    }

    async fn queue_of(&self, o: &Outgoing) -> Result<Arc<Queue>> {
        match (&o.target, &self.place) {
            (Some(target), _) => self.resolve(target).await,
            (None, Some(place)) => Ok(Arc::clone(place)),
            (None, None) => Err(Error::new(Kind::Usage, "nothing says where it should go")),
        }
    }

    /// Hands one call over, behind those of its chain. Returns once it is on its way or in that line.
    async fn hand_over(
        &mut self,
        chain: Option<usize>,
        queue: Arc<Queue>,
        letters: Vec<Letter>,
    ) -> oneshot::Receiver<Fates> {
        let (reply, answer) = oneshot::channel();
        let size: usize = letters.iter().map(|l| l.size / 1024 + 1).sum();
        let size = u32::try_from(size).unwrap_or(ON_THE_WAY).min(ON_THE_WAY);
        // Neither semaphore is ever closed; should it be, the answer that never comes is an unknown outcome.
        let Ok(room) = Arc::clone(&self.room).acquire_many_owned(size).await else { return answer };
        let call = Call { queue, letters, room, reply };
        match chain {
            None => {
                let Ok(turn) = Arc::clone(&self.calls).acquire_owned().await else { return answer };
                let link = Arc::clone(&self.link);
                tokio::spawn(async move {
                    carry_out(link, call).await;
                    drop(turn);
                });
            }
            Some(chain) => {
                let (line, _) = self.chains.entry(chain).or_insert_with(|| {
                    let (line, waiting) = mpsc::channel(2);
                    (line, tokio::spawn(one_by_one(Arc::clone(&self.link), waiting)))
                });
                // A chain that is gone drops the call, whose outcome is then unknown.
                _ = line.send(call).await;
            }
        }
        answer
    }
}

async fn one_by_one(link: Arc<Link>, mut waiting: mpsc::Receiver<Call>) {
    while let Some(call) = waiting.recv().await {
        carry_out(Arc::clone(&link), call).await;
    }
}

async fn carry_out(link: Arc<Link>, call: Call) {
    let Call { queue, letters, room, reply } = call;
    // Nobody waits any more when the run was dropped at the second Ctrl-C.
    _ = reply.send(sender::send(link, queue, letters).await);
    drop(room);
}

#[async_trait]
impl Sink for SqsSink {
    fn shown(&self) -> &str {
        &self.address.shown
    }

    fn places(&self) -> Vec<String> {
        self.place.as_deref().map(places).unwrap_or_default()
    }

    fn capabilities(&self) -> &SinkCapabilities {
        &self.capabilities
    }

    fn principal(&self) -> Option<String> {
        self.link.principal.clone()
    }

    fn begin(&mut self, run: &str) {
        self.run = Arc::from(run);
    }

    async fn check(&self, target: Option<&Target>) -> Result<()> {
        match target {
            Some(target) => self.resolve(target).await.map(drop),
            // It was found when it was opened.
            None => Ok(()),
        }
    }

    async fn can(&self, target: Option<&Target>, _: Load) -> Vec<Finding> {
        let queue = match target {
            Some(target) => self.resolve(target).await.ok(),
            None => self.place.clone(),
        };
        queue.map_or_else(Vec::new, |queue| can::send(&queue))
    }

    async fn receivers(&self) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    fn fit(&self) -> Fit {
        let limits = self.limits.clone();
        Arc::new(move |o: &mut Outgoing| fit::fit(&limits, o))
    }

    async fn publish(&mut self, batch: Vec<Outgoing>) -> Confirms {
        let many = batch.len();
        let mut fates = Fates::with_capacity(many);
        let mut lines: BTreeMap<(String, Option<usize>), (Arc<Queue>, Vec<Letter>)> = BTreeMap::new();
        for (at, o) in batch.iter().enumerate() {
            match self.queue_of(o).await {
                Ok(queue) => {
                    let letter = Letter::new(at, o, &queue, &self.run);
                    if letter.size > queue.max_message {
                        // Only where the limits of its queue were not known when it was fitted.
                        let text =
                            format!("it has {} bytes, and {} takes {}", letter.size, queue.shown(), queue.max_message);
                        fates.push((at, Err(Error::new(Kind::TooLarge, text))));
                        continue;
                    }
                    let key = (queue.url.clone(), queue.fifo.then_some(letter.chain));
                    lines.entry(key).or_insert_with(|| (queue, Vec::new())).1.push(letter);
                }
                Err(e) => fates.push((at, Err(e))),
            }
        }
        let mut answers = Vec::new();
        for ((_, chain), (queue, letters)) in lines {
            for call in sender::pack(letters, &queue) {
                let places: Vec<usize> = call.iter().map(|l| l.at).collect();
                answers.push((places, self.hand_over(chain, Arc::clone(&queue), call).await));
            }
        }
        Box::pin(async move {
            for (places, answer) in answers {
                match answer.await {
                    Ok(told) => fates.extend(told),
                    Err(_) => fates.extend(places.into_iter().map(|at| (at, Err(cut_short())))),
                }
            }
            let mut fates: HashMap<usize, Result<Receipt>> = fates.into_iter().collect();
            (0..many).map(|at| fates.remove(&at).unwrap_or_else(|| Err(cut_short()))).collect()
        })
    }

    fn gauge(&self) -> Option<Arc<dyn Gauge>> {
        let (link, place, known) = (Arc::clone(&self.link), self.place.clone(), self.limits.known.clone());
        Some(Arc::new(SqsGauge { link, place, known, dry: Mutex::default() }))
    }

    async fn close(self: Box<Self>) -> Result<()> {
        let SqsSink { chains, calls, .. } = *self;
        let mut broken = false;
        for (_, (line, worker)) in chains {
            drop(line);
            broken |= worker.await.is_err();
        }
        // All turns are free once nothing is on its way.
        let all = calls.acquire_many(u32::try_from(SENDERS).unwrap_or(u32::MAX)).await;
        if broken || all.is_err() {
            return Err(cut_short());
        }
        Ok(())
    }
}

fn cut_short() -> Error {
    Error::new(Kind::Indeterminate, "sending was cut short: it may or may not have been sent")
}
