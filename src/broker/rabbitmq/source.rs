//! A RabbitMQ queue or stream, opened to read from.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use lapin::options::{QueueDeclareOptions, QueuePurgeOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};

use super::connect::{self, Link};
use super::facts::{ACK_TIMEOUT, Facts};
use super::hazard::{self, Limit, Policy, QueueKind};
use super::held::answer;
use super::management::Management;
use super::queue_info::QueueInfo;
use super::reader::Reader;
use super::scan::QueueScan;
use super::stream::{self, StreamScan};
use super::{address, can, capabilities, depth, error, sink, strip, topology};
use crate::broker::shared::Fresh;
use crate::broker::{
    Ability, Address, Bound, Capabilities, Context, Depth, Error, Finding, Kind, Result, Scan, ScanRequest, Sink,
    Source, nearest,
};
use crate::message::{DeadLetter, Target};

const OPENING: &str = "opening the queue";
/// A queue of this type cannot be made, so a declare that names it can only answer what the queue is.
const NO_TYPE: &str = "dlq-asks-for-the-type";

/// An opened queue.
pub struct RabbitSource {
    address: Address,
    link: Arc<Link>,
    api: Option<Management>,
    ctx: Context,
    /// Notices for the first look.
    later: Arc<Mutex<Vec<String>>>,
    facts: Facts,
    capabilities: Capabilities,
    shown: Arc<str>,
    /// Ready messages, consumers, and what the API said.
    fresh: Fresh<(u64, u64, Option<serde_json::Value>)>,
}

/// Connects, finds the queue and what kind it is. Creates nothing.
///
/// # Errors
/// As [`connect::connect`]; `NotFound` with close names; `Held` for a queue that is exclusive to another connection.
pub async fn open(address: &Address, ctx: &Context) -> Result<Box<dyn Source>> {
    let link = connect::connect(address, ctx, "reading").await?;
    if link.queue.is_empty() {
        return Err(
            Error::new(Kind::Usage, "an exchange cannot be read from").hint(format!("name a queue: {}", address::FORM))
        );
    }
    if address.option("exchange").is_some() {
        return Err(Error::new(Kind::Usage, "the options exchange and routing-key say where to send")
            .hint("give them with --to-X, for the destination"));
    }
    // What is not known matters to a look, and to nobody who only counts.
    let later = Arc::new(Mutex::new(Vec::new()));
    let said = Arc::clone(&later);
    let late = Context { notice: Arc::new(move |text| lock(&said).push(text)), ..ctx.clone() };
    let api = Management::open(address, &late, &link).await;
    let queue = name(&link);
    let (ready, consumers) = match link.counts(&queue, OPENING).await {
        Ok(counted) => counted,
        Err(e) => return Err(explain(e, address, &link, api.as_ref()).await),
    };
    let info = match &api {
        Some(api) => api.queue_as_told(&link.queue).await.unwrap_or_else(|e| {
            (late.notice)(format!("{e}, so the limits of the queue are not known"));
            None
        }),
        None => None,
    };
    let (info, told) = info.unzip();
    let kind = match &info {
        Some(info) => QueueKind::parse(&info.kind),
        None => kind_by_asking(&link, &queue, ctx.timeout).await,
    };
    let mut facts = facts(kind, &link, info.as_ref(), address);
    facts.auto_delete = match &info {
        Some(info) => info.auto_delete,
        None => facts.kind == QueueKind::Classic && auto_delete_by_asking(&link, &queue, ctx.timeout).await,
    };
    warn(&facts, &late);
    let capabilities = capabilities::of(&facts);
    let shown = address.shown.as_str().into();
    let fresh = Fresh::new(ctx, (ready, consumers, told));
    Ok(Box::new(RabbitSource {
        address: address.clone(),
        link: Arc::new(link),
        api,
        ctx: ctx.clone(),
        later,
        facts,
        capabilities,
        shown,
        fresh,
    }))
}

fn lock(list: &Mutex<Vec<String>>) -> MutexGuard<'_, Vec<String>> {
    list.lock().unwrap_or_else(PoisonError::into_inner)
}

fn name(link: &Link) -> ShortString {
    link.queue.as_str().into()
}

fn facts(kind: QueueKind, link: &Link, info: Option<&QueueInfo>, address: &Address) -> Facts {
    let (major, minor, _) = link.server.version;
    let limit = match info.and_then(|i| i.delivery_limit) {
        // Up to 3.13 a negative number is a limit like any other where somebody set it.
        Some(n) if n < 0 && major < 4 && !info.is_some_and(sets_limit) => Limit::Absent,
        Some(n) => Limit::Known(n),
        None => Limit::Unknown,
    };
    let setting = |name: &str| {
        let info = info?;
        Some(&info.arguments[format!("x-{name}")])
            .filter(|v| !v.is_null())
            .or_else(|| Some(&info.effective_policy[name]))
    };
    let delayed = setting("delayed-retry-type").and_then(|v| v.as_str());
    Facts {
        kind,
        version: (major, minor),
        limit,
        policy: Policy::of(kind, (major, minor), limit),
        timeout: info.and_then(|i| i.consumer_timeout).unwrap_or(ACK_TIMEOUT),
        average: info.and_then(|i| i.bytes_ready?.checked_div(i.messages_ready?)),
        held_by_others: info.and_then(|i| i.messages_unacknowledged),
        single_active: setting("single-active-consumer").and_then(serde_json::Value::as_bool).unwrap_or(false),
        delayed_retry: matches!(delayed, Some("all" | "returned")),
        ttl: info.and_then(|i| i.least("message-ttl")).map(Duration::from_millis),
        expires: info.and_then(|i| i.least("expires")).map(Duration::from_millis),
        auto_delete: false,
        prefetch: address.option("prefetch").and_then(|v| v.parse().ok()).filter(|n| *n > 0),
    }
}

fn sets_limit(info: &QueueInfo) -> bool {
    !info.arguments["x-delivery-limit"].is_null() || !info.effective_policy["delivery-limit"].is_null()
}

fn warn(facts: &Facts, ctx: &Context) {
    if facts.kind == QueueKind::Unknown {
        (ctx.notice)(
            "what kind of queue it is cannot be told; it is treated like a quorum queue, which counts deliveries"
                .into(),
        );
    }
    if let (Limit::Unknown, Policy::EveryReturn(n) | Policy::Carried(n)) = (facts.limit, facts.policy) {
        (ctx.notice)(format!("the delivery limit of the queue is not known here; the default, {n}, is assumed"));
    }
    if facts.delayed_retry {
        (ctx.notice)("this queue delays what is given back (delayed-retry-type): after this, messages may be out of sight for a while".into());
    }
}

/// Which kind of queue, asked without the management API: a declare with a type that does not exist is refused with the type
/// the queue has, and could not make a queue if it were gone by now. Seen on 3.10.8 and 4.3.6.
async fn kind_by_asking(link: &Link, queue: &ShortString, longest: Duration) -> QueueKind {
    let Ok(channel) = link.channel().await else { return QueueKind::Unknown };
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString(NO_TYPE.into()));
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    let call = channel.queue_declare(queue.clone(), options, arguments);
    match tokio::time::timeout(longest, call).await {
        Ok(Err(e)) if error::reply_code(&e) == Some(406) => kind_of_refusal(&e.to_string()),
        _ => QueueKind::Unknown,
    }
}

/// The same for `auto-delete`. The server compares `durable` first, so it is asked with either; it says nothing of
/// `auto-delete` where both agree. The queue is there and its type is none of these, so nothing can be made.
async fn auto_delete_by_asking(link: &Link, queue: &ShortString, longest: Duration) -> bool {
    for durable in [true, false] {
        let Ok(channel) = link.channel().await else { return false };
        let mut arguments = FieldTable::default();
        arguments.insert("x-queue-type".into(), AMQPValue::LongString(NO_TYPE.into()));
        let options = QueueDeclareOptions { durable, ..QueueDeclareOptions::default() };
        let call = channel.queue_declare(queue.clone(), options, arguments);
        if let Ok(Err(e)) = tokio::time::timeout(longest, call).await
            && e.to_string().contains("inequivalent arg 'auto_delete'")
        {
            return true;
        }
    }
    false
}

fn kind_of_refusal(text: &str) -> QueueKind {
    // Only classic queues can be transient, exclusive or deleted with their last consumer.
    if ["'durable'", "'auto_delete'", "'exclusive'"]
        .iter()
        .any(|property| text.contains(&format!("inequivalent arg {property}")))
    {
        return QueueKind::Classic;
    }
    match text.split_once("but current is ") {
        Some((_, "none")) => QueueKind::Classic,
        Some((_, rest)) if rest.starts_with("none") => QueueKind::Classic,
        Some((_, rest)) => QueueKind::parse(rest.trim_start_matches('\'').split('\'').next().unwrap_or_default()),
        None => QueueKind::Unknown,
    }
}

/// Adds close names, and how the address was read, to a queue that is not there.
async fn explain(e: Error, address: &Address, link: &Link, api: Option<&Management>) -> Error {
    match e.kind() {
        Kind::NotFound => {
            let e = Error::new(Kind::NotFound, format!("there is no queue {:?} in vhost {:?}", link.queue, link.vhost))
                .during(OPENING);
            let read_as = address::parts(address).map(|p| connect::read_as(&p)).unwrap_or_default();
            let names = match api {
                Some(api) => api.queue_names().await.unwrap_or_default(),
                None => vec![],
            };
            e.hint(match nearest(&link.queue, names.iter().map(String::as_str)) {
                Some(close) => format!("did you mean {close:?}? {read_as}"),
                None => read_as,
            })
        }
        Kind::Held => {
            let text = e.to_string();
            Error::new(Kind::Held, format!("the queue {:?} belongs to another connection alone: {text}", link.queue))
                .during(OPENING)
                .hint("an exclusive queue can be read by the connection that declared it only")
        }
        _ => e,
    }
}

impl RabbitSource {
    /// Ready messages and consumers.
    async fn count(&self) -> Result<(u64, u64)> {
        self.link.counts(&name(&self.link), "counting messages").await
    }

    /// Refuses what is known to be dangerous before a message is touched.
    fn admit(&self) -> Result<()> {
        if self.facts.auto_delete {
            return Err(Error::new(
                Kind::Unsupported,
                "the queue is auto-delete: the server deletes it, messages and all, when its last consumer leaves, and reading takes a consumer",
            )
            .during("reading the queue")
            .hint("nothing was touched; a queue that is to be read later must not be auto-delete"));
        }
        match self.facts.policy {
            Policy::Blind => self.ctx.accept(
                hazard::NAME,
                "each look at a quorum queue of this version counts as a delivery, and whether this one has a delivery limit, above \
                 which messages are dropped, cannot be told without the management API (name it with -X management=URL)",
            ),
            Policy::EveryReturn(n) if self.facts.limit == Limit::Unknown => self.ctx.accept(
                hazard::NAME,
                format!(
                    "each look at a quorum queue of this version counts as a delivery, and after how many this one drops a message \
                     cannot be told without the management API (name it with -X management=URL); where nothing is set it is {n}"
                ),
            ),
            Policy::EveryReturn(n) if n <= i64::try_from(hazard::FEW).unwrap_or(i64::MAX) => self.ctx.accept(
                hazard::NAME,
                format!("each look counts as a delivery, and after {} of them this queue drops or dead-letters a message", n.max(0)),
            ),
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl Source for RabbitSource {
    fn address(&self) -> &Address {
        &self.address
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn places(&self) -> Vec<String> {
        self.link.places(&self.link.queue)
    }

    fn principal(&self) -> Option<String> {
        Some(self.link.user.clone())
    }

    async fn depth(&self) -> Result<Depth> {
        if let Some((ready, consumers, told)) = self.fresh.take().filter(|_| self.facts.kind != QueueKind::Stream) {
            return Ok(depth::told(&self.facts, ready, consumers, told.as_ref()));
        }
        let (ready, consumers) = if self.facts.kind == QueueKind::Stream {
            (stream::ends(&self.link, self.ctx.timeout).await?.map_or(0, |(first, last)| last - first + 1), 0)
        } else {
            self.count().await?
        };
        depth::of(&self.facts, ready, consumers, self.api.as_ref(), &self.link.queue).await
    }

    async fn origins(&self) -> Result<Vec<Target>> {
        match &self.api {
            Some(api) => topology::origins(api, &self.link.queue).await,
            None => Ok(vec![]),
        }
    }

    async fn receivers(&self, target: &Target) -> Result<Vec<String>> {
        match &self.api {
            Some(api) => topology::receivers(api, target).await,
            None => Ok(vec![]),
        }
    }

    async fn can(&self, ability: Ability) -> Vec<Finding> {
        can::of(&self.facts, self.api.as_ref(), &self.link, ability).await
    }

    async fn home(&self) -> Result<Box<dyn Sink>> {
        sink::home(&self.address, &self.ctx).await
    }

    fn strip(&self, m: &mut DeadLetter) -> Vec<String> {
        strip::strip(m)
    }

    async fn scan(&self, request: ScanRequest) -> Result<Box<dyn Scan>> {
        lock(&self.later).drain(..).for_each(|text| (self.ctx.notice)(text));
        if self.facts.kind == QueueKind::Stream {
            return Ok(Box::new(StreamScan::start(&self.link, self.shown.clone(), &self.ctx, &request).await?));
        }
        self.admit()?;
        let at = Timestamp::now();
        let (ready, consumers) = self.count().await?;
        let mut facts = self.facts.clone();
        // The API's count is some seconds old, and may be of an earlier look of ours: it stands for consumers that are there.
        if consumers == 0 {
            facts.held_by_others = None;
        } else if let Some(api) = &self.api
            && let Ok(Some(info)) = api.queue(&self.link.queue).await
        {
            facts.held_by_others = info.messages_unacknowledged;
        }
        let (link, shown, ctx) = (self.link.clone(), self.shown.clone(), self.ctx.clone());
        let mut reader = Reader::new(link, shown, facts, ctx, request, ready).await?;
        let messages = Some(reader.begin(consumers == 0).await?);
        Ok(Box::new(QueueScan::start(reader, Bound { at, messages })))
    }

    async fn purge_all(&self) -> Result<Option<u64>> {
        if self.facts.kind == QueueKind::Stream {
            return Ok(None);
        }
        let doing = "purging the queue";
        let channel = self.link.asking().await?;
        let gone = answer(self.ctx.timeout, doing, channel.queue_purge(name(&self.link), QueuePurgeOptions::default()))
            .await?;
        self.link.asked(channel).await;
        Ok(Some(u64::from(gone)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_is_read_off_the_refusal() {
        let of = |tail: &str| kind_of_refusal(&format!("PRECONDITION_FAILED - inequivalent arg {tail}"));
        let current = |kind: &str| {
            of(&format!("'x-queue-type' for queue 'q' in vhost '/': received '{NO_TYPE}' but current is '{kind}'"))
        };
        assert_eq!(current("quorum"), QueueKind::Quorum);
        assert_eq!(current("stream"), QueueKind::Stream);
        assert_eq!(current("classic"), QueueKind::Classic);
        assert_eq!(
            of(
                "'x-queue-type' for queue 'q' in vhost '/': received the value 'x' of type 'longstr' but current is none"
            ),
            QueueKind::Classic
        );
        assert_eq!(
            of("'durable' for queue 'q' in vhost '/': received 'true' but current is 'false'"),
            QueueKind::Classic
        );
        assert_eq!(kind_of_refusal("invalid arg 'x-queue-type' for queue 'q'"), QueueKind::Unknown);
    }
}
