//! A producer, and what becomes of each record handed to it.

use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::{FromClientConfigAndContext as _, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::{BorrowedMessage, DeliveryResult, Message as _};
use rdkafka::producer::{Producer as _, ProducerContext, ThreadedProducer};

use super::connect::Link;
use super::fit::bytes;
use super::login::{Login, Speaks};
use super::oauth::{self, Tokens};
use super::{error, sys};
use crate::broker::{Error, Kind, Result};
use crate::message::{DeadLetter, Payload};

/// The property that says how many records a batch has, at most.
pub(super) const OF_BATCH: &str = "batch.num.messages";
/// That of the KiB that wait to be sent.
const MEMORY: &str = "queue.buffering.max.kbytes";
/// Bytes of a batch where no topic allows less.
pub(super) const BATCH: u64 = 1_000_000;

/// Told the fate of a record, by its number: where it is stored.
pub(super) trait Fates: Send + Sync + 'static {
    /// The records succeed or fail together: the failure of one is told once.
    const TOGETHER: bool = false;
    /// Called from the producer's own thread; not for a record that was given up since another of its transaction failed.
    fn known(&self, number: usize, fate: Result<(i32, i64)>);
    /// What the client says of its own accord.
    fn said(&self, _: Code, _: &str) {}
    /// A record that is not stored, and of which nothing more is known than that one of its batch or others were refused. True:
    /// it is seen to, and has no fate yet.
    fn unsent(&self, _number: usize, _record: &BorrowedMessage<'_>) -> bool {
        false
    }
    /// Where a record is stored, of those that succeed or fail together.
    fn landed(&self, _number: usize, _topic: &str, _partition: i32, _offset: i64) {}
    /// What the client's log says.
    fn logged(&self, _facility: &str, _text: &str) {}
}

/// What the library calls back.
pub(super) struct Told<F> {
    fates: Arc<F>,
    /// Each record is a batch of its own.
    alone: bool,
    tokens: Option<Arc<Tokens>>,
    login: Option<Arc<Login>>,
}

impl<F: Fates> ClientContext for Told<F> {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(&self, _: Option<&str>) -> std::result::Result<OAuthToken, Box<dyn std::error::Error>> {
        oauth::token(self.tokens.as_deref())
    }

    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        log::debug!(target: "librdkafka", "{level:?} {facility}: {text}");
        self.fates.logged(facility, text);
    }

    fn error(&self, e: KafkaError, reason: &str) {
        log::debug!(target: "librdkafka", "{e}: {reason}");
        if let Some(code) = e.rdkafka_error_code() {
            if let Some(login) = &self.login {
                login.heard(code);
            }
            self.fates.said(code, reason);
        }
    }
}

impl<F: Fates> ProducerContext for Told<F> {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, number: usize) {
        let (e, m) = match result {
            Ok(m) => {
                if F::TOGETHER {
                    self.fates.landed(number, m.topic(), m.partition(), m.offset());
                }
                return self.fates.known(number, Ok((m.partition(), m.offset())));
            }
            Err((e, m)) => (e, m),
        };
        let may_be_stored = sys::may_be_stored(m);
        let seen_to = if F::TOGETHER {
            is_for_others(e)
        } else {
            (is_for_others(e) || is_of_one(e) && !self.alone) && !may_be_stored && self.fates.unsent(number, m)
        };
        if !seen_to {
            self.fates.known(number, Err(fate(e, may_be_stored)));
        }
    }
}

/// It is given up since others were refused.
fn is_for_others(e: &KafkaError) -> bool {
    matches!(e.rdkafka_error_code(), Some(Code::PurgeQueue | Code::PurgeInflight | Code::InvalidDifferentRecord))
}

/// A record was refused, this one or another of its batch, or all of them together: where one alone is to blame, the library
/// gives them all its code.
fn is_of_one(e: &KafkaError) -> bool {
    matches!(
        e.rdkafka_error_code(),
        Some(Code::InvalidRecord | Code::InvalidTimestamp | Code::MessageSizeTooLarge | Code::InvalidMessageSize)
    )
}

fn too_much(record: &sys::Handed<'_>, memory: &str) -> Error {
    let size = record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len);
    let text = format!("the record has {size} bytes, and less than that may wait to be sent ({MEMORY}={memory})");
    Error::new(Kind::TooLarge, text).hint(format!("allow more with -X {MEMORY}"))
}

fn fate(e: &KafkaError, may_be_stored: bool) -> Error {
    let error = error::map(e, "sending");
    // Once it is on its way, a lost answer does not mean a lost record.
    let waits = matches!(error.kind(), Kind::Unreachable | Kind::Timeout | Kind::Other)
        || e.rdkafka_error_code() == Some(Code::MessageTimedOut);
    match (waits, may_be_stored) {
        (true, true) => Error::new(Kind::Indeterminate, format!("it was sent and no answer came: {error}")),
        (true, false) if error.kind() != Kind::Other || e.rdkafka_error_code() == Some(Code::MessageTimedOut) => {
            Error::new(Kind::Unreachable, format!("it could not be sent: {error}")).during("sending")
        }
        _ => error,
    }
}

/// A producer that polls itself.
pub(super) struct Producer<F: Fates> {
    /// Where the record before this one went. Before the client, which must outlive it.
    place: Mutex<Option<sys::Place>>,
    client: Arc<ThreadedProducer<Told<F>>>,
    /// KiB that may wait to be sent.
    memory: String,
}

impl<F: Fates> Deref for Producer<F> {
    type Target = ThreadedProducer<Told<F>>;

    fn deref(&self) -> &Self::Target {
        &self.client
    }
}

/// Its thread waits by the clock on the wall: where that was set back meanwhile, it would be waited for as long.
impl<F: Fates> Drop for Producer<F> {
    fn drop(&mut self) {
        sys::wake(self.client.client());
    }
}

/// Confirmed by all replicas in sync, each once and in order.
pub(super) fn config(base: &ClientConfig, longest: Duration, batch: u64) -> ClientConfig {
    let mut config = base.clone();
    for (name, value) in
        [("linger.ms", "5"), (OF_BATCH, "100000"), ("partitioner", "murmur2_random"), (MEMORY, "16384")]
    {
        if base.get(name).is_none() {
            config.set(name, value);
        }
    }
    let size = base.get("batch.size").and_then(|size| size.parse().ok()).unwrap_or(BATCH);
    config.set("batch.size", size.min(batch).max(1).to_string());
    // The same by another name would have its way by chance; of those given up after so many tries, the ones behind are stored.
    for alias in ["request.required.acks", "delivery.timeout.ms", "retries", "message.send.max.retries"] {
        config.remove(alias);
    }
    // What is too large is for the topic to say.
    config.set("message.max.bytes", "1000000000");
    config.set("queue.buffering.max.messages", "0");
    config.set("enable.idempotence", "true").set("acks", "all");
    config.set("enable.gapless.guarantee", "false").set("delivery.report.only.error", "false");
    config.set("message.timeout.ms", longest.as_millis().clamp(1000, 900_000).to_string());
    config
}

/// Opens one.
///
/// # Errors
/// `Usage` for options that do not go together.
pub(super) fn open<F: Fates>(config: &ClientConfig, fates: Arc<F>, link: &Link) -> Result<Producer<F>> {
    let alone = config.get(OF_BATCH) == Some("1");
    let told = Told { fates, alone, tokens: link.tokens.clone(), login: link.login.clone() };
    let producer = ThreadedProducer::from_config_and_context(&link.logged_in(config), told);
    let producer = Arc::new(producer.map_err(|e| error::map(&e, "connecting"))?);
    if let Some(login) = &link.login {
        login.tell(Arc::downgrade(&producer) as Weak<dyn Speaks>);
    }
    let memory = config.get(MEMORY).unwrap_or_default().to_owned();
    Ok(Producer { place: Mutex::default(), client: producer, memory })
}

/// Longest wait for the cluster before a producer is used. It is waited for in earnest when it is.
const ACQUAINTED: Duration = Duration::from_secs(2);

/// Lets a producer meet the cluster, of which `topic` is known to be there. Without, it asks for its id before it has a
/// connection that will last, and then once more half a second later.
pub(super) fn acquaint<F: Fates>(producer: &Producer<F>, topic: &str, patience: Duration) {
    // The first answer comes by the address that was given, the next by one that the cluster told.
    for _ in 0..2 {
        if let Err(e) = producer.client().fetch_metadata(Some(topic), patience.min(ACQUAINTED)) {
            log::debug!("the producer has no answer yet: {e}");
            return;
        }
    }
}

/// Where one record goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct To<'a> {
    pub(super) topic: &'a str,
    /// `None`: by its key, as Java clients do.
    pub(super) partition: Option<i32>,
    /// Milliseconds since 1970; `None`: now.
    pub(super) time: Option<i64>,
}

/// Why a record was not taken.
pub(super) struct Refused {
    pub(super) why: Error,
    /// A transaction one of whose records has failed takes no more: that says nothing of this one.
    pub(super) is_for_others: bool,
}

impl From<Error> for Refused {
    fn from(why: Error) -> Self {
        Refused { why, is_for_others: false }
    }
}

/// Hands a record over; waits while the producer's memory is full.
///
/// # Errors
/// The record is not sent.
pub(super) fn send<F: Fates>(
    producer: &Producer<F>,
    to: To<'_>,
    m: &DeadLetter,
    number: usize,
    patience: Duration,
) -> std::result::Result<(), Refused> {
    let record = sys::Handed {
        partition: to.partition,
        time: to.time,
        key: m.key.as_deref(),
        value: if let Payload::Bytes(b) = &m.payload { Some(b) } else { None },
        number,
    };
    let headers = sys::Headers::of(m.headers.iter().map(|(name, value)| (name, bytes(value))));
    hand(producer, to.topic, &record, headers, patience)
}

/// As [`send`], of a record that is as the library had it.
///
/// # Errors
/// The record is not sent.
pub(super) fn hand<F: Fates>(
    producer: &Producer<F>,
    topic: &str,
    record: &sys::Handed<'_>,
    mut headers: Option<sys::Headers>,
    patience: Duration,
) -> std::result::Result<(), Refused> {
    let client = producer.client.client();
    let mut last = producer.place.lock().unwrap_or_else(PoisonError::into_inner);
    let place = match last.take().filter(|place| place.name() == topic) {
        Some(place) => last.insert(place),
        None => last.insert(sys::Place::new(client, topic).ok_or_else(|| error::of_code(Code::UnknownTopic))?),
    };
    let (mut began, mut is_alone) = (None, false);
    loop {
        match sys::hand(client, place, record, headers) {
            Ok(()) => return Ok(()),
            Err((Code::QueueFull, _)) if is_alone => return Err(too_much(record, &producer.memory).into()),
            Err((Code::QueueFull, back)) if began.get_or_insert_with(Instant::now).elapsed() < patience => {
                headers = back;
                std::thread::sleep(Duration::from_millis(1));
                // What does not fit with nothing ahead of it never will.
                is_alone = producer.client.in_flight_count() == 0;
            }
            Err((code, _)) => {
                let is_for_others = code == Code::State;
                return Err(Refused { why: fate(&KafkaError::MessageProduction(code), false), is_for_others });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_break_the_order_is_not_for_options_to_say() {
        let mut base = ClientConfig::new();
        for (name, value) in [
            ("retries", "3"),
            ("message.send.max.retries", "3"),
            ("request.required.acks", "1"),
            ("delivery.timeout.ms", "1"),
            ("enable.gapless.guarantee", "true"),
            ("delivery.report.only.error", "true"),
            ("batch.size", "500000"),
            ("linger.ms", "7"),
        ] {
            base.set(name, value);
        }
        let of = |batch| config(&base, Duration::from_secs(30), batch);
        let config = of(4000);
        for name in ["retries", "message.send.max.retries", "request.required.acks", "delivery.timeout.ms"] {
            assert_eq!(config.get(name), None, "{name}");
        }
        assert_eq!(config.get("acks"), Some("all"));
        assert_eq!(config.get("enable.gapless.guarantee"), Some("false"));
        assert_eq!(config.get("delivery.report.only.error"), Some("false"));
        assert_eq!((config.get("batch.size"), config.get("linger.ms")), (Some("4000"), Some("7")));
        assert_eq!(of(BATCH).get("batch.size"), Some("500000"));
    }
}
