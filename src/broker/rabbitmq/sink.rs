//! Publishing: to a queue, to an exchange, or each message to its own target.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use async_trait::async_trait;
use tokio::sync::{OnceCell, mpsc, oneshot};
use tokio::task::JoinHandle;

use super::can::Everywhere;
use super::connect::{self, Link};
use super::fit::{self, Limits};
use super::gauge::RabbitGauge;
use super::letter::{Letter, Place};
use super::management::Management;
use super::pump::{CHUNK, Job, Pump};
use super::{address, can, codec, lookup, topology};
use crate::broker::{
    Address, Confirms, Context, Error, Finding, Fit, Gauge, Kind, Load, Outgoing, Receipt, Result, Sink,
    SinkCapabilities,
};
use crate::message::Target;

/// An open publisher, on a connection of its own: a server that is short of memory stops reading from publishers, and an
/// acknowledgement must not wait behind that.
pub struct RabbitSink {
    address: Address,
    ctx: Context,
    capabilities: SinkCapabilities,
    place: Place,
    link: Arc<Link>,
    limits: Limits,
    /// Opened when something is asked of it.
    api: OnceCell<Option<Management>>,
    everywhere: OnceCell<Everywhere>,
    jobs: mpsc::Sender<Job>,
    pump: JoinHandle<Result<()>>,
}

/// Opens the place an address names: its queue, or its `exchange` with its `routing-key`.
///
/// # Errors
/// As [`connect::connect`].
pub async fn open(address: &Address, ctx: &Context) -> Result<Box<dyn Sink>> {
    let parts = address::parts(address)?;
    let exchange = address.option("exchange").unwrap_or_default().to_owned();
    let key = match address.option("routing-key") {
        Some(key) => Some(key.to_owned()),
        None => Some(parts.queue).filter(|q| !q.is_empty()),
    };
    Ok(Box::new(start(address, ctx, Place { exchange, key }).await?))
}

/// Opens a sink on the server of a queue, for messages that carry their own target.
///
/// # Errors
/// As [`connect::connect`].
pub async fn home(address: &Address, ctx: &Context) -> Result<Box<dyn Sink>> {
    let place = Place { exchange: String::new(), key: Some(address::parts(address)?.queue) };
    let mut sink = start(address, ctx, place).await?;
    sink.capabilities.kind = "server";
    Ok(Box::new(sink))
}

async fn start(address: &Address, ctx: &Context, place: Place) -> Result<RabbitSink> {
    let link = Arc::new(connect::connect(address, ctx, "publishing").await?);
    let most = address.option("max-message-size").and_then(|v| v.parse().ok());
    let limits = Limits {
        body: Arc::new(AtomicU64::new(most.unwrap_or(fit::MOST))),
        frame: link.frame_max,
        user: link.user.clone(),
    };
    let (jobs, queue) = mpsc::channel(2);
    let pump = tokio::spawn(Pump::run(link.clone(), limits.clone(), queue));
    let capabilities = SinkCapabilities {
        kind: if place.exchange.is_empty() { "queue" } else { "exchange" },
        transaction_domain: None,
        max_message: most,
        batch: CHUNK,
        window: 8 * CHUNK,
        proves_routing: true,
        private: false,
        tombstones: false,
        properties: Some(codec::PROPERTIES),
    };
    Ok(RabbitSink {
        address: address.clone(),
        ctx: ctx.clone(),
        capabilities,
        place,
        link,
        limits,
        api: OnceCell::new(),
        everywhere: OnceCell::new(),
        jobs,
        pump,
    })
}

impl RabbitSink {
    /// That there is none was said when the queue was opened.
    async fn api(&self) -> Option<&Management> {
        let quiet = Context { notice: Arc::new(|_| {}), ..self.ctx.clone() };
        self.api.get_or_init(|| Management::open(&self.address, &quiet, &self.link)).await.as_ref()
    }

    /// Of a target that names no place nothing is said.
    async fn can_send(&self, places: Vec<(Option<Place>, Load)>) -> Vec<Vec<Finding>> {
        let Some(api) = self.api().await else { return places.iter().map(|_| can::send_unasked()).collect() };
        let everywhere = self.everywhere.get_or_init(|| Everywhere::ask(api, &self.link)).await;
        can::send(api, everywhere, &self.link, &places).await
    }

    async fn check_place(&self, place: &Place) -> Result<()> {
        if !place.exchange.is_empty() {
            return match lookup::exchange_exists(&self.link, &place.exchange).await {
                Err(e) if e.kind() == Kind::NotFound => {
                    Err(lookup::suggest(e, &self.link, &self.address, &self.ctx, true, &place.exchange).await)
                }
                Err(e) if e.kind() != Kind::Denied => Err(e),
                // Whether we may publish is told by the publish; the permission to look is another.
                _ => Ok(()),
            };
        }
        let queue = place.key.as_deref().unwrap_or_default();
        match lookup::queue_exists(&self.link, queue).await {
            Err(e) if e.kind() == Kind::NotFound => {
                Err(lookup::suggest(e, &self.link, &self.address, &self.ctx, false, queue).await)
            }
            // A queue of another connection's own is there, and can be sent to.
            Err(e) if e.kind() != Kind::Denied && e.kind() != Kind::Held => Err(e),
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl Sink for RabbitSink {
    fn shown(&self) -> &str {
        &self.address.shown
    }

    fn places(&self) -> Vec<String> {
        match &self.place {
            Place { exchange, key: Some(queue) } if exchange.is_empty() => self.link.places(queue),
            _ => Vec::new(),
        }
    }

    fn capabilities(&self) -> &SinkCapabilities {
        &self.capabilities
    }

    async fn check(&self, target: Option<&Target>) -> Result<()> {
        match target {
            Some(target) => self.check_place(&Place::of(target)?).await,
            None => self.check_place(&self.place).await,
        }
    }

    async fn can(&self, target: Option<&Target>, load: Load) -> Vec<Finding> {
        let place = target.map_or_else(|| Ok(self.place.clone()), Place::of);
        self.can_send(vec![(place.ok(), load)]).await.pop().unwrap_or_default()
    }

    async fn can_each(&self, places: &[(Arc<Target>, Load)]) -> Vec<Vec<Finding>> {
        self.can_send(places.iter().map(|(target, load)| (Place::of(target).ok(), *load)).collect()).await
    }

    async fn receivers(&self) -> Result<Vec<String>> {
        let Some(api) = self.api().await else { return Ok(Vec::new()) };
        let target = Target {
            exchange: Some(self.place.exchange.as_str().into()),
            routing_key: self.place.key.as_deref().map(Into::into),
            ..Target::default()
        };
        topology::receivers(api, &target).await
    }

    fn fit(&self) -> Fit {
        let limits = self.limits.clone();
        Arc::new(move |o: &mut Outgoing| fit::fit(&limits, o))
    }

    async fn publish(&mut self, batch: Vec<Outgoing>) -> Confirms {
        let count = batch.len();
        let letters = batch.into_iter().map(|o| Letter::new(0, 0, o, &self.place)).collect();
        let (reply, answer) = oneshot::channel();
        if self.jobs.send(Job { letters, reply }).await.is_err() {
            let gone = || Error::new(Kind::Unreachable, "publishing has ended before this message was sent");
            return Box::pin(async move { (0..count).map(|_| Err(gone())).collect() });
        }
        Box::pin(async move {
            answer.await.unwrap_or_else(|_| {
                let cut =
                    || Error::new(Kind::Indeterminate, "publishing was cut short: it may or may not have been sent");
                (0..count).map(|_| -> Result<Receipt> { Err(cut()) }).collect()
            })
        })
    }

    fn gauge(&self) -> Option<Arc<dyn Gauge>> {
        Some(Arc::new(RabbitGauge::new(&self.address, &self.ctx, &self.place)))
    }

    async fn close(self: Box<Self>) -> Result<()> {
        let RabbitSink { jobs, pump, .. } = *self;
        drop(jobs);
        pump.await.map_err(|e| Error::new(Kind::Indeterminate, "publishing was cut short").because(e))?
    }
}
