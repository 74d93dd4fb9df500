//! A topic to send to, or a cluster for messages that carry their own.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use rdkafka::consumer::Consumer as _;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::connect::{self, Link, blocking};
use super::facts::{self, Admin, Settings};
use super::gauge::KafkaGauge;
use super::mover::{AHEAD, MOST};
use super::produce::{BATCH, To};
use super::pump::{Job, Pump};
use super::{address, can, fit, groups, sys};
use crate::broker::{
    Address, Confirms, Context, Error, Finding, Fit, Gauge, Kind, Load, Outgoing, Result, Sink, SinkCapabilities,
};
use crate::message::{DeadLetter, Target};

/// Bytes a record and its batch take besides key, value and headers, at most.
const FRAME: u64 = 512;
/// Bytes a header takes besides name and value.
const HEADER: u64 = 10;

/// What is known of the topics that were checked.
#[derive(Default)]
pub(super) struct Topics(Mutex<HashMap<Arc<str>, Settings>>);

impl Topics {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Arc<str>, Settings>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The smallest batch that any of them takes.
    pub(super) fn batch(&self) -> u64 {
        self.lock().values().filter_map(|s| s.max_message).min().unwrap_or(BATCH).min(BATCH)
    }

    /// Refuses what its topic is known not to take.
    ///
    /// # Errors
    /// `TooLarge`, `Rejected`.
    pub(super) fn admit(&self, topic: &str, o: &Outgoing, time: Option<i64>) -> Result<()> {
        self.limits(topic).admit(topic, stored(&o.message), time)
    }

    /// What a topic is known to take.
    pub(super) fn limits(&self, topic: &str) -> Limits {
        Limits(self.lock().get(topic).cloned().unwrap_or_default())
    }
}

/// Bytes a message and its batch take, at most.
pub(super) fn stored(m: &DeadLetter) -> u64 {
    m.size() as u64 + m.headers.len() as u64 * HEADER + FRAME
}

/// What a topic takes.
pub(super) struct Limits(Settings);

impl Limits {
    /// As [`Topics::admit`], of a message of so many bytes.
    ///
    /// # Errors
    /// `TooLarge`, `Rejected`.
    pub(super) fn admit(&self, topic: &str, size: u64, time: Option<i64>) -> Result<()> {
        let Limits(settings) = self;
        let most = settings.max_message;
        if let Some(most) = most.filter(|most| size > *most) {
            return Err(Error::new(
                Kind::TooLarge,
                format!("the record has about {size} bytes, and {topic} takes {most} at most"),
            )
            .hint("raise max.message.bytes of the topic"));
        }
        match time.and_then(|time| keeps(topic, settings, time, jiff::Timestamp::now().as_millisecond())) {
            Some(why) => {
                Err(Error::new(Kind::Rejected, why)
                    .hint("leave keep-timestamps out: the time it had is then in a header"))
            }
            None => Ok(()),
        }
    }
}

/// Why a topic would not keep a record of this time, in milliseconds since 1970.
fn keeps(topic: &str, settings: &Settings, time: i64, now: i64) -> Option<String> {
    let age = now.saturating_sub(time);
    let over = |limit: Option<i64>, age: i64| limit.filter(|limit| age > *limit);
    if let Some(limit) = over(settings.retention, age) {
        return Some(format!("with the time it had, {topic} would delete it at once: it keeps records for {limit} ms"));
    }
    if let Some(limit) = over(settings.before, age) {
        return Some(format!(
            "the time it had is {age} ms ago, and {topic} takes {limit} ms (message.timestamp.before.max.ms)"
        ));
    }
    let limit = over(settings.after, age.saturating_neg())?;
    Some(format!("the time it had is to come, and {topic} takes {limit} ms of that (message.timestamp.after.max.ms)"))
}

/// How records are addressed.
#[derive(Clone)]
pub(super) struct Way {
    /// What is known of the topics that were checked.
    pub(super) topics: Arc<Topics>,
    /// Where those go that carry no target of their own.
    pub(super) topic: Arc<str>,
    pub(super) keeps_partition: bool,
    pub(super) keeps_time: bool,
}

impl Way {
    fn of(address: &Address, topic: &str, topics: Arc<Topics>) -> Result<Self> {
        Ok(Way {
            topics,
            topic: topic.into(),
            keeps_partition: address::flag(&address.options, "keep-partition")?,
            keeps_time: address::flag(&address.options, "keep-timestamps")?,
        })
    }

    /// The topic of a target.
    pub(super) fn topic_of<'a>(&'a self, target: Option<&'a Target>) -> &'a str {
        target.and_then(|t| t.queue.as_deref()).unwrap_or(&self.topic)
    }

    /// Where one record goes.
    pub(super) fn to<'a>(&'a self, o: &'a Outgoing) -> To<'a> {
        let target = o.target.as_deref();
        let topic = self.topic_of(target);
        let recorded = || match target {
            Some(target) => target.partition,
            None => o.message.position.int("partition"),
        };
        To {
            topic,
            partition: if self.keeps_partition { recorded() } else { None }.and_then(|p| i32::try_from(p).ok()),
            time: o.message.time.filter(|_| self.keeps_time).map(jiff::Timestamp::as_millisecond),
        }
    }
}

/// An open producer.
pub(super) struct KafkaSink {
    shown: String,
    link: Arc<Link>,
    admin: Admin,
    capabilities: SinkCapabilities,
    way: Way,
    /// Of topics that were checked, where the cluster says.
    may_write: Mutex<HashMap<Arc<str>, Option<bool>>>,
    jobs: mpsc::Sender<Job>,
    pump: JoinHandle<()>,
    _listed: Listed,
}

/// Opens the topic an address names.
///
/// # Errors
/// As [`connect::connect`].
pub(super) async fn open(address: &Address, ctx: &Context) -> Result<Box<dyn Sink>> {
    Ok(Box::new(start(address, ctx, Arc::default()).await?))
}

/// Opens a sink on the cluster of a topic, for messages that carry their own.
///
/// # Errors
/// As [`connect::connect`].
pub(super) async fn home(address: &Address, ctx: &Context) -> Result<Box<dyn Sink>> {
    let mut sink = start(address, ctx, Arc::default()).await?;
    sink.capabilities.kind = "cluster";
    Ok(Box::new(sink))
}

async fn start(address: &Address, ctx: &Context, topics: Arc<Topics>) -> Result<KafkaSink> {
    let link = Arc::new(connect::connect(address, ctx).await?);
    let way = Way::of(address, &link.parts.topic, topics)?;
    let (jobs, queue) = mpsc::channel(2);
    let (pump, on) = (Pump::new(Arc::clone(&link), way.clone()), Handle::current());
    let pump = tokio::task::spawn_blocking(move || pump.run(queue, &on));
    let domain = domain(&link.cluster);
    let capabilities = SinkCapabilities {
        kind: "topic",
        transaction_domain: Some(domain.clone()),
        max_message: None,
        batch: 1000,
        // A transaction's records are unconfirmed until it is committed.
        window: MOST + AHEAD,
        proves_routing: true,
        private: false,
        tombstones: true,
        properties: Some(&[]),
    };
    let admin = facts::admin(&link)?;
    WAYS.lock().unwrap_or_else(PoisonError::into_inner).insert(domain.clone(), way.clone());
    let _listed = Listed(domain);
    Ok(KafkaSink {
        shown: address.shown.clone(),
        link,
        admin,
        capabilities,
        way,
        may_write: Mutex::default(),
        jobs,
        pump,
        _listed,
    })
}

/// The ways of open sinks, by the name of their transaction domain: a mover sends in a sink's stead, in its own transactions.
static WAYS: Mutex<BTreeMap<String, Way>> = Mutex::new(BTreeMap::new());
static OPENED: AtomicU64 = AtomicU64::new(0);

/// What can be changed in one transaction: a cluster. The number behind it is the sink's.
fn domain(cluster: &str) -> String {
    format!("kafka:{cluster}#{}", OPENED.fetch_add(1, Ordering::Relaxed))
}

/// How a sink of this cluster sends; `None` where the sink is of another.
pub(super) fn way_within(cluster: &str, domain: Option<&str>) -> Option<Way> {
    let domain = domain?;
    let (place, _) = domain.rsplit_once('#')?;
    (place.strip_prefix("kafka:")? == cluster && !cluster.is_empty()).then_some(())?;
    WAYS.lock().unwrap_or_else(PoisonError::into_inner).get(domain).cloned()
}

impl Drop for Listed {
    fn drop(&mut self) {
        WAYS.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.0);
    }
}

/// A sink's entry in [`WAYS`], for as long as it is open.
struct Listed(String);

#[async_trait]
impl Sink for KafkaSink {
    fn shown(&self) -> &str {
        &self.shown
    }

    fn places(&self) -> Vec<String> {
        vec![format!("{}/{}", self.link.cluster, self.way.topic)]
    }

    fn capabilities(&self) -> &SinkCapabilities {
        &self.capabilities
    }

    async fn check(&self, target: Option<&Target>) -> Result<()> {
        let topic: Arc<str> = match target {
            None => Arc::clone(&self.way.topic),
            Some(target) => target
                .queue
                .clone()
                .filter(|q| address::is_topic(q))
                .ok_or_else(|| Error::new(Kind::Usage, format!("{target} is no topic of Kafka")))?,
        };
        let (link, name) = (Arc::clone(&self.link), Arc::clone(&topic));
        let (partitions, may_write) = blocking(move || {
            let granted = sys::granted(link.consumer.client(), &name, link.longest).unwrap_or(None);
            Ok((link.partitions(&name)?, granted.map(|g| g.write)))
        })
        .await?;
        if may_write == Some(false) {
            let text = format!("the cluster does not allow {} to write to the topic {topic:?}", self.link.user());
            return Err(Error::new(Kind::Denied, text).hint("sending takes DESCRIBE and WRITE on the topic"));
        }
        if let Some(p) = target.and_then(|t| t.partition).filter(|_| self.way.keeps_partition)
            && !partitions.iter().any(|have| i64::from(*have) == p)
        {
            return Err(Error::new(Kind::NotFound, format!("{topic} has no partition {p} any more"))
                .hint("leave keep-partition out: the key then decides"));
        }
        facts::log_in(&self.admin, &self.link)?;
        let settings = facts::settings(&self.admin, &topic, self.link.longest).await?;
        if self.way.keeps_time && settings.stamps == Some(true) {
            return Err(Error::new(
                Kind::Unsupported,
                format!("{topic} stamps records itself (message.timestamp.type=LogAppendTime): no time can be kept"),
            ));
        }
        self.way.topics.lock().insert(Arc::clone(&topic), settings);
        self.may_write.lock().unwrap_or_else(PoisonError::into_inner).insert(topic, may_write);
        Ok(())
    }

    async fn can(&self, target: Option<&Target>, _: Load) -> Vec<Finding> {
        let topic = target.and_then(|t| t.queue.as_ref()).unwrap_or(&self.way.topic);
        let Some(settings) = self.way.topics.lock().get(topic).cloned() else { return Vec::new() };
        let may_write = self.may_write.lock().unwrap_or_else(PoisonError::into_inner).get(topic).copied().flatten();
        can::send(topic, may_write, &settings)
    }

    async fn receivers(&self) -> Result<Vec<String>> {
        let (link, topic) = (Arc::clone(&self.link), Arc::clone(&self.way.topic));
        blocking(move || Ok(groups::of_topic(&link, &topic)?.shown())).await
    }

    fn gauge(&self) -> Option<Arc<dyn Gauge>> {
        Some(Arc::new(KafkaGauge { link: Arc::clone(&self.link), topic: Arc::clone(&self.way.topic) }))
    }

    fn fit(&self) -> Fit {
        fit::fit(self.way.keeps_time)
    }

    fn holds_lanes(&self) -> bool {
        true
    }

    async fn publish(&mut self, batch: Vec<Outgoing>) -> Confirms {
        let many = batch.len();
        let (answer, answered) = oneshot::channel();
        let sent = self.jobs.send(Job { batch, answer }).await.is_ok();
        Box::pin(async move {
            if let (true, Ok(fates)) = (sent, answered.await) {
                return fates;
            }
            let cut = || Error::new(Kind::Indeterminate, "sending was cut short: it may or may not have arrived");
            (0..many).map(|_| Err(cut())).collect()
        })
    }

    async fn close(self: Box<Self>) -> Result<()> {
        let KafkaSink { jobs, pump, .. } = *self;
        drop(jobs);
        pump.await.map_err(|e| Error::new(Kind::Indeterminate, "sending was cut short").because(e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_kept_where_the_topic_keeps_records_of_it() {
        let settings = Settings { retention: Some(1000), before: Some(500), after: Some(100), ..Settings::default() };
        let why = |time| keeps("t", &settings, time, 10_000).unwrap_or_default();
        assert_eq!(why(9_500), "");
        assert_eq!(why(10_100), "");
        assert!(why(9_499).contains("before.max.ms"));
        assert!(why(8_999).contains("delete it at once"));
        assert!(why(10_101).contains("after.max.ms"));
        assert_eq!(keeps("t", &Settings::default(), 0, 10_000), None);
    }
}
