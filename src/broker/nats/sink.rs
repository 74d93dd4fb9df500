//! Sending: to a stream, or each message to its own subject.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::JoinHandle;

use super::codec::SUBJECT;
use super::connect::{self, Link};
use super::fit::{self, ID_DIGITS, Known, Limits, Place};
use super::gauge::NatsGauge;
use super::pump::{Job, Letter, Pump};
use super::stream::{StreamInfo, is_subject};
use super::{address, can, capabilities, source};
use crate::broker::repeats;
use crate::broker::{
    Address, Confirms, Context, Error, Finding, Fit, Gauge, Kind, Load, Outgoing, Receipt, Result, Sink,
    SinkCapabilities,
};
use crate::message::Target;

/// Consumers come and go: whether one wants a subject is believed for so long.
const FRESH: Duration = Duration::from_secs(1);

/// An open sender.
pub struct NatsSink {
    address: Address,
    link: Link,
    capabilities: SinkCapabilities,
    limits: Limits,
    run: String,
    /// Of streams that drop what nobody wants: whether somebody wants a subject.
    wanted: Mutex<HashMap<String, (Instant, bool)>>,
    jobs: mpsc::Sender<Job>,
    pump: JoinHandle<()>,
}

/// Opens the stream an address names; `subject=S` gives everything that subject.
///
/// # Errors
/// As [`connect::connect`]; `NotFound`; `Unsupported` for a stream nothing can be sent to.
pub async fn open(address: &Address, ctx: &Context) -> Result<Box<dyn Sink>> {
    let parts = address::parts(address)?;
    if parts.consumer.is_some() {
        return Err(Error::new(
            Kind::Usage,
            "the option consumer says what is read; nothing can be sent to a consumer",
        )
        .hint("name the stream alone"));
    }
    let link = connect::connect(address, ctx).await?;
    let info = source::stream(&link, &parts.stream).await?;
    admit(&info)?;
    let subject = address.option("subject");
    if let Some(subject) = subject.filter(|s| !info.takes(s)) {
        let takes = info.config.subjects.join(", ");
        return Err(Error::new(Kind::Usage, format!("stream {} does not take {subject}, but {takes}", parts.stream)));
    }
    let place = Place { info: Arc::new(info), subject: subject.map(Arc::from) };
    Ok(Box::new(start(address, link, Some(place)).await?))
}

/// Opens a sink on the server of a stream, for messages that carry their own subject.
///
/// # Errors
/// As [`connect::connect`].
pub async fn home(address: &Address, ctx: &Context) -> Result<Box<dyn Sink>> {
    let link = connect::connect(address, ctx).await?;
    Ok(Box::new(start(address, link, None).await?))
}

fn admit(info: &StreamInfo) -> Result<()> {
    let name = &info.config.name;
    let why = match &info.config {
        c if c.mirror.is_some() => "it is a mirror, which takes from its stream alone",
        c if c.sealed => "it is sealed",
        c if c.no_ack => "it is set up with no_ack, so that nothing would be confirmed",
        c if c.subjects.is_empty() => "it takes no subject",
        _ => return Ok(()),
    };
    Err(Error::new(Kind::Unsupported, format!("nothing can be sent to stream {name}: {why}")))
}

async fn start(address: &Address, link: Link, place: Option<Place>) -> Result<NatsSink> {
    let max_payload = link.client.max_payload() as u64;
    let most = place.as_ref().map_or(max_payload, |p| can::most(&p.info, max_payload));
    let capabilities = capabilities::of_sink(place.as_ref().map(|p| &*p.info), most);
    let (jobs, queue) = mpsc::channel(1);
    let pump = tokio::spawn(Pump::new(&link).await?.run(queue));
    let limits = Limits { max_payload, place, known: Known::default() };
    Ok(NatsSink {
        address: address.clone(),
        link,
        capabilities,
        limits,
        run: String::new(),
        wanted: Mutex::default(),
        jobs,
        pump,
    })
}

/// Names of the very stream.
pub fn places(info: &StreamInfo) -> Vec<String> {
    vec![format!("nats stream {} of {}", info.config.name, info.created)]
}

/// The consumers that get what is sent to a place.
///
/// # Errors
/// As the connection is.
pub async fn receivers(link: &Link, target: &Target) -> Result<Vec<String>> {
    let Some(subject) = target.routing_key.as_deref().or(target.queue.as_deref()) else { return Ok(Vec::new()) };
    match link.streams(Some(subject)).await {
        Ok(streams) => consumers_of(link, streams.iter(), Some(subject)).await,
        Err(e) if matches!(e.kind(), Kind::Denied | Kind::Rejected) => Ok(Vec::new()),
        Err(e) => Err(e),
    }
}

async fn consumers_of(
    link: &Link,
    streams: impl Iterator<Item = &StreamInfo>,
    subject: Option<&str>,
) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for info in streams {
        let stream = &info.config.name;
        match link.consumers(stream).await {
            Ok(all) => {
                let those = all.iter().filter(|c| subject.is_none_or(|s| c.wants(s)));
                names.extend(those.map(|c| format!("consumer {} of stream {stream}", c.name)));
            }
            // Who they are may be hidden from us.
            Err(e) if e.kind() == Kind::Denied => {}
            Err(e) => return Err(e),
        }
    }
    Ok(names)
}

impl NatsSink {
    /// The stream that takes a subject, asked for once.
    async fn resolve(&self, subject: &str) -> Result<Arc<StreamInfo>> {
        if let Some(place) = &self.limits.place {
            return Ok(Arc::clone(&place.info));
        }
        if let Some(info) = self.limits.known.get(subject) {
            return Ok(info);
        }
        let found = self.link.streams(Some(subject)).await?;
        let Some(info) = found.into_iter().next() else {
            return Err(Error::new(Kind::NotFound, format!("no stream at {} takes {subject}", self.link.place))
                .hint("give --to nats://HOST/STREAM"));
        };
        admit(&info)?;
        let info = Arc::new(info);
        self.limits.known.add(subject, Arc::clone(&info));
        Ok(info)
    }

    /// Refuses what the stream would confirm and drop, since no consumer of it wants the subject.
    async fn is_kept(&self, info: &StreamInfo, subject: &str) -> Result<()> {
        if !info.drops_unwanted() {
            return Ok(());
        }
        let mut known = self.wanted.lock().await;
        let wanted = match known.get(subject) {
            Some((asked, wanted)) if asked.elapsed() < FRESH => *wanted,
            _ => {
                let consumers = self.link.consumers(&info.config.name).await?;
                let wanted = consumers.iter().any(|c| c.wants(subject));
                known.insert(subject.to_owned(), (Instant::now(), wanted));
                wanted
            }
        };
        if wanted {
            return Ok(());
        }
        let name = &info.config.name;
        let text = format!("no consumer of stream {name} wants {subject}, and it drops at once what nobody wants");
        Err(Error::new(Kind::Unroutable, text).hint("its retention is interest: make the consumer first"))
    }

    /// As [`Limits::subject`] of a message with nothing but this target.
    fn subject_of(target: &Target) -> Option<&str> {
        target.routing_key.as_deref().or(target.queue.as_deref()).or(target.exchange.as_deref())
    }

    async fn letter(&self, o: Outgoing) -> Result<Letter> {
        // It was fitted, which settled the subject.
        let subject = match o.message.properties.text(SUBJECT) {
            Some(subject) => subject.to_owned(),
            None => self.limits.subject(&o)?,
        };
        // Where we may not ask, the server still says what no stream takes; a repeat is then not sent.
        let info = match self.resolve(&subject).await {
            Err(e) if e.kind() == Kind::Denied => None,
            info => Some(info?),
        };
        if let Some(info) = &info {
            self.is_kept(info, &subject).await?;
        }
        let id: String = repeats::id(&self.run, &o).chars().take(ID_DIGITS).collect();
        let headers = fit::to_send(&o.message, &id);
        Ok(Letter {
            subject,
            headers,
            payload: bytes::Bytes::copy_from_slice(o.message.payload.as_bytes()),
            stream: info.as_ref().map(|i| i.config.name.clone()),
            window: info.map_or(Duration::ZERO, |i| i.duplicate_window()),
        })
    }
}

#[async_trait]
impl Sink for NatsSink {
    fn shown(&self) -> &str {
        &self.address.shown
    }

    fn places(&self) -> Vec<String> {
        self.limits.place.as_ref().map(|p| places(&p.info)).unwrap_or_default()
    }

    fn capabilities(&self) -> &SinkCapabilities {
        &self.capabilities
    }

    fn principal(&self) -> Option<String> {
        self.link.principal.clone()
    }

    fn begin(&mut self, run: &str) {
        run.clone_into(&mut self.run);
    }

    async fn check(&self, target: Option<&Target>) -> Result<()> {
        match target.map(NatsSink::subject_of) {
            // It was found when it was opened.
            None => Ok(()),
            Some(None) => Err(Error::new(Kind::Usage, "the target names no subject")),
            Some(Some(subject)) => self.resolve(subject).await.map(drop),
        }
    }

    async fn can(&self, target: Option<&Target>, load: Load) -> Vec<Finding> {
        let (info, subject) = match (target.map(NatsSink::subject_of), &self.limits.place) {
            (Some(Some(subject)), _) => match self.resolve(subject).await {
                Ok(info) => (info, subject.to_owned()),
                Err(_) => return Vec::new(),
            },
            (None, Some(place)) => {
                let subject =
                    place.subject.as_deref().map_or_else(|| place.info.config.subjects.join(", "), str::to_owned);
                (Arc::clone(&place.info), subject)
            }
            _ => return Vec::new(),
        };
        let mut found = can::send(&info, &subject, load, self.limits.max_payload);
        if is_subject(&subject)
            && let Err(e) = self.is_kept(&info, &subject).await
        {
            found.push(Finding::no("consumers", e.to_string()));
        }
        found
    }

    async fn receivers(&self) -> Result<Vec<String>> {
        let Some(place) = &self.limits.place else { return Ok(Vec::new()) };
        consumers_of(&self.link, std::iter::once(&*place.info), place.subject.as_deref()).await
    }

    fn fit(&self) -> Fit {
        let limits = self.limits.clone();
        Arc::new(move |o: &mut Outgoing| fit::fit(&limits, o))
    }

    async fn publish(&mut self, batch: Vec<Outgoing>) -> Confirms {
        let many = batch.len();
        let mut letters = Vec::with_capacity(many);
        for o in batch {
            letters.push(self.letter(o).await);
        }
        let (reply, answer) = oneshot::channel();
        if self.jobs.send(Job { letters, reply }).await.is_err() {
            let gone = || Error::new(Kind::Unreachable, "sending has ended before this message was sent");
            return Box::pin(async move { (0..many).map(|_| Err(gone())).collect() });
        }
        Box::pin(async move {
            answer.await.unwrap_or_else(|_| {
                let cut = || Error::new(Kind::Indeterminate, "sending was cut short: it may or may not be stored");
                (0..many).map(|_| -> Result<Receipt> { Err(cut()) }).collect()
            })
        })
    }

    fn gauge(&self) -> Option<Arc<dyn Gauge>> {
        let place = self.limits.place.as_ref().map(|p| (p.info.config.name.clone(), p.subject.clone()));
        Some(Arc::new(NatsGauge { link: self.link.clone(), place }))
    }

    async fn close(self: Box<Self>) -> Result<()> {
        let NatsSink { jobs, pump, .. } = *self;
        drop(jobs);
        pump.await.map_err(|e| Error::new(Kind::Indeterminate, "sending was cut short").because(e))
    }
}
