//! One client of a cluster, opened as an address says.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::config::{FromClientConfigAndContext as _, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::metadata::Metadata;

use super::address::{self, Parts};
use super::{config, error};
use crate::broker::{Address, Context, Error, Kind, Result, credentials, nearest};

const DOING: &str = "connecting";
/// A cluster that has not answered by then is not going to; the user's own limit may be shorter.
const PATIENCE: Duration = Duration::from_secs(10);
/// The first failure may be of one broker or one address of several.
const SECOND_CHANCE: Duration = Duration::from_secs(2);

/// What a client says of its own accord while it works.
#[derive(Clone, Default)]
pub(super) struct Heard(Arc<Mutex<Vec<(Code, String)>>>);

/// More than so many are repeats.
const KEPT: usize = 32;

impl Heard {
    fn all(&self) -> Vec<(Code, String)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ClientContext for Heard {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        log::debug!(target: "librdkafka", "{level:?} {facility}: {text}");
    }

    fn error(&self, e: KafkaError, reason: &str) {
        log::debug!(target: "librdkafka", "{e}: {reason}");
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some(code), true) = (e.rdkafka_error_code(), heard.len() < KEPT) {
            heard.push((code, reason.to_owned()));
        }
    }
}

impl ConsumerContext for Heard {}

/// A client for reading and asking, and what its address said.
pub(super) struct Link {
    pub(super) consumer: Arc<BaseConsumer<Heard>>,
    /// What other clients of the same cluster start from.
    pub(super) base: ClientConfig,
    pub(super) parts: Parts,
    /// Names the cluster, whatever the address.
    pub(super) cluster: String,
    /// Longest wait for an answer.
    pub(super) longest: Duration,
    ended: Arc<AtomicBool>,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
    }
}

/// Connects, and makes sure that somebody answers.
///
/// # Errors
/// `Usage`, `Unreachable`, `Tls`, `Denied`.
pub(super) async fn connect(address: &Address, ctx: &Context) -> Result<Link> {
    let parts = address::parts(address)?;
    let login = credentials::given(&address.options, ctx.timeout).await?;
    let base = config::base(address, &parts, login.as_ref())?;
    let longest = ctx.timeout;
    blocking(move || open(base, parts, longest)).await
}

/// Runs what waits for the library on a thread where waiting is allowed.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|e| Err(Error::new(Kind::Other, "a thread that talks to Kafka ended early").because(e)))
}

fn open(base: ClientConfig, parts: Parts, longest: Duration) -> Result<Link> {
    let heard = Heard::default();
    let consumer = BaseConsumer::from_config_and_context(&config::consumer(&base), heard.clone())
        .map_err(|e| error::map(&e, DOING))?;
    let consumer = Arc::new(consumer);
    let ended = Arc::new(AtomicBool::new(false));
    serve(Arc::clone(&consumer), Arc::clone(&ended))?;
    let mut link = Link { consumer, base, parts, cluster: String::new(), longest, ended };
    link.reach(&heard)?;
    link.cluster = link.consumer.client().fetch_cluster_id(longest.min(PATIENCE)).unwrap_or_default();
    Ok(link)
}

/// Takes what the client says off its main queue for as long as it is used: log lines, errors.
fn serve(consumer: Arc<BaseConsumer<Heard>>, ended: Arc<AtomicBool>) -> Result<()> {
    let work = move || {
        while !ended.load(Ordering::Relaxed) {
            consumer.poll(Duration::from_millis(100));
        }
    };
    std::thread::Builder::new()
        .name("kafka events".into())
        .spawn(work)
        .map_err(|e| Error::new(Kind::Other, "cannot start a thread for Kafka").because(e))?;
    Ok(())
}

impl Link {
    /// Waits for the first answer, or for a reason why there will be none.
    fn reach(&self, heard: &Heard) -> Result<()> {
        let began = Instant::now();
        let patience = self.longest.min(PATIENCE);
        loop {
            let e = match self.consumer.fetch_metadata(Some(&self.parts.topic), Duration::from_millis(500)) {
                Ok(_) => return Ok(()),
                Err(e) => e,
            };
            let said = heard.all();
            if let Some(why) = refused(&said, &self.base) {
                return Err(why.during(DOING));
            }
            let all_down = said.iter().any(|(code, _)| *code == Code::AllBrokersDown);
            if began.elapsed() >= patience || (all_down && began.elapsed() >= SECOND_CHANCE) {
                let servers = self.parts.bootstrap();
                let why = said.iter().find(|(code, _)| *code != Code::AllBrokersDown);
                let why = why.map_or_else(|| e.to_string(), |(_, reason)| reason_of(reason));
                return Err(Error::new(Kind::Unreachable, format!("no broker answers at {servers}: {why}"))
                    .during(DOING)
                    .hint(unreachable_hint(&said, &self.base)));
            }
        }
    }

    /// What the cluster says of one topic, or of all.
    ///
    /// # Errors
    /// That it does not answer.
    pub(super) fn metadata(&self, topic: Option<&str>) -> Result<Metadata> {
        self.consumer.fetch_metadata(topic, self.longest).map_err(|e| error::map(&e, "asking for the topic"))
    }

    /// The partitions of a topic.
    ///
    /// # Errors
    /// `NotFound` with close names, `Denied`, or that it does not answer.
    pub(super) fn partitions(&self, topic: &str) -> Result<Vec<i32>> {
        let began = Instant::now();
        loop {
            let metadata = self.metadata(Some(topic))?;
            let found = metadata.topics().iter().find(|t| t.name() == topic);
            let code = found.and_then(|t| t.error()).map(Code::from);
            match (found, code) {
                (Some(t), None) if !t.partitions().is_empty() => {
                    let mut all: Vec<i32> = t.partitions().iter().map(|p| p.id()).collect();
                    all.sort_unstable();
                    return Ok(all);
                }
                // A topic that was just made may not be known everywhere, nor its leaders.
                (Some(_), Some(Code::LeaderNotAvailable)) if began.elapsed() < self.longest.min(PATIENCE) => {
                    std::thread::sleep(Duration::from_millis(100));
                }
                (_, Some(code)) if error::kind(code) == Kind::Denied => {
                    return Err(Error::new(
                        Kind::Denied,
                        format!("the topic {topic:?} is not shown to {}", self.user()),
                    )
                    .hint("reading takes DESCRIBE and READ on the topic"));
                }
                _ => return Err(self.no_topic(topic)),
            }
        }
    }

    fn no_topic(&self, topic: &str) -> Error {
        let e = Error::new(Kind::NotFound, format!("there is no topic {topic:?} at {}", self.parts.bootstrap()));
        let Ok(all) = self.metadata(None) else { return e };
        match nearest(topic, all.topics().iter().map(|t| t.name())) {
            Some(close) => e.hint(format!("did you mean {close:?}? Topics are never made by naming them")),
            None => e.hint(format!(
                "of {} topics we may see none is called so; naming one never makes it",
                all.topics().len()
            )),
        }
    }

    /// Who we are to the cluster.
    pub(super) fn user(&self) -> String {
        self.base.get("sasl.username").map_or_else(|| "an unnamed user".to_owned(), |u| format!("{u:?}"))
    }
}

/// What makes further waiting pointless.
fn refused(said: &[(Code, String)], base: &ClientConfig) -> Option<Error> {
    let (code, reason) = said.iter().find(|(code, _)| matches!(code, Code::Authentication | Code::SSL))?;
    let reason = reason_of(reason);
    if *code == Code::SSL {
        let e = Error::new(Kind::Tls, format!("TLS failed: {reason}"));
        return Some(if reason.contains("certificate verify failed") || reason.contains("verif") {
            e.hint("name the authority that signed the broker's certificate with -X ssl.ca.location=FILE")
        } else {
            e.hint("does this port speak TLS at all? If not, leave security.protocol out")
        });
    }
    let user = base.get("sasl.username").unwrap_or_default();
    Some(
        Error::new(Kind::Denied, format!("the cluster refused the login of {user:?}: {reason}")).hint(
            "the login is sasl.username with password-env, password-file, password-command or sasl.password, and the kind of \
             login sasl.mechanisms (PLAIN, SCRAM-SHA-256, SCRAM-SHA-512)",
        ),
    )
}

/// Without the name of the thread and the broker's decoration in front.
fn reason_of(reason: &str) -> String {
    let text = reason.rsplit_once("/bootstrap: ").map_or(reason, |(_, rest)| rest);
    let text = text.split(" (after ").next().unwrap_or(text);
    error::plain(text)
}

fn unreachable_hint(said: &[(Code, String)], base: &ClientConfig) -> &'static str {
    if said.iter().any(|(code, _)| *code == Code::Resolve) {
        return "is the name right, and can this machine resolve it?";
    }
    if base.get("security.protocol").is_none() && !said.iter().any(|(_, reason)| reason.contains("refused")) {
        return "is that the port of its clients? One that speaks TLS or SASL takes -X security.protocol=ssl, sasl_ssl or sasl_plaintext";
    }
    "is it running, and is the port that of its clients?"
}
