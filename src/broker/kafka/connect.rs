//! One client of a cluster, opened as an address says.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::{FromClientConfigAndContext as _, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::metadata::Metadata;

use super::address::{self, Parts};
use super::held::lock;
use super::login::{Login, Speaks};
use super::oauth::{self, Tokens};
use super::offsets::Questions;
use super::resolved::Looks;
use super::sys::{self, Topic};
use super::together::Together;
use super::{config, error};
use crate::broker::{Address, Context, Error, Kind, Result, credentials, nearest};

const DOING: &str = "connecting";
/// A cluster that has not answered by then is not going to; the user's own limit may be shorter.
const PATIENCE: Duration = Duration::from_secs(10);
/// Of the many queues that are opened at the same time none comes later than so long after the one before.
const PAUSE: Duration = Duration::from_micros(700);
/// The first failure may be of one broker or one address of several.
const SECOND_CHANCE: Duration = Duration::from_secs(2);

/// What a client says of its own accord while it works.
#[derive(Clone, Default)]
pub(super) struct Heard {
    said: Arc<Mutex<Vec<(Code, String)>>>,
    tokens: Option<Arc<Tokens>>,
    login: Option<Arc<Login>>,
}

/// More than so many are repeats.
const KEPT: usize = 32;

impl Heard {
    fn all(&self) -> Vec<(Code, String)> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ClientContext for Heard {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(&self, _: Option<&str>) -> std::result::Result<OAuthToken, Box<dyn std::error::Error>> {
        oauth::token(self.tokens.as_deref())
    }

    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        log::debug!(target: "librdkafka", "{level:?} {facility}: {text}");
    }

    fn error(&self, e: KafkaError, reason: &str) {
        log::debug!(target: "librdkafka", "{e}: {reason}");
        if let (Some(login), Some(code)) = (&self.login, e.rdkafka_error_code()) {
            login.heard(code);
        }
        let mut heard = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some(code), true) = (e.rdkafka_error_code(), heard.len() < KEPT) {
            heard.push((code, reason.to_owned()));
        }
    }
}

impl ConsumerContext for Heard {}

const LEVEL: &str = "isolation.level";

/// A client for reading and asking, and what its address said.
pub(super) struct Link {
    client: Arc<Client>,
    pub(super) parts: Parts,
}

impl Link {
    /// The same cluster, for what must never be read before it is committed, whatever the address says.
    ///
    /// # Errors
    /// As [`connect`].
    pub(super) fn committed(self: &Arc<Link>) -> Result<Arc<Link>> {
        if self.base.get(LEVEL).is_none_or(|level| level == "read_committed") {
            return Ok(Arc::clone(self));
        }
        self.at("read_committed")
    }

    /// The same cluster, to read what open transactions hide.
    ///
    /// # Errors
    /// As [`connect`].
    pub(super) fn uncommitted(&self) -> Result<Arc<Link>> {
        self.at("read_uncommitted")
    }

    /// The same cluster, to read what is committed beside those who read through this one.
    ///
    /// # Errors
    /// As [`connect`].
    pub(super) fn apart(&self) -> Result<Arc<Link>> {
        self.at("read_committed")
    }

    fn at(&self, level: &str) -> Result<Arc<Link>> {
        let mut base = self.base.clone();
        base.set(LEVEL, level);
        let client = open(base, &self.parts, (self.tokens.clone(), self.login.clone()), self.longest, self.pause)?;
        Ok(Arc::new(Link { client: Arc::new(client), parts: self.parts.clone() }))
    }
}

impl std::ops::Deref for Link {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

/// A client for reading and asking.
pub(super) struct Client {
    pub(super) consumer: Arc<BaseConsumer<Heard>>,
    /// What other clients of the same cluster start from.
    pub(super) base: ClientConfig,
    servers: String,
    /// By topic, held by who reads what others may be reading too.
    turns: Mutex<HashMap<String, Arc<Mutex<()>>>>,
    described: Together<String, std::result::Result<Topic, Code>>,
    /// About offsets.
    pub(super) questions: Questions,
    /// Resolved sets that are looked at. Their topic is an option, so that one client knows one.
    pub(super) sets: Looks,
    /// Names the cluster, whatever the address.
    pub(super) cluster: String,
    /// Where the login is by token.
    pub(super) tokens: Option<Arc<Tokens>>,
    /// Where the login is asked for again.
    pub(super) login: Option<Arc<Login>>,
    /// How long a question waits for others.
    pause: Duration,
    /// Longest wait for an answer.
    pub(super) longest: Duration,
    ended: Arc<AtomicBool>,
}

impl Drop for Client {
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
    let name = format!("{} {:?}", parts.bootstrap(), address.options);
    let client = ctx.shared.get(name, || dial(address, &parts, ctx)).await?;
    Ok(Link { client, parts })
}

async fn dial(address: &Address, parts: &Parts, ctx: &Context) -> Result<Client> {
    let login = credentials::given(&address.options, ctx.timeout).await?;
    let base = config::base(address, parts, login.as_ref())?;
    let tokens = Tokens::of(&address.options, login.as_ref(), ctx.timeout)?;
    let by_password = login.filter(|_| tokens.is_none() && base.get("sasl.password").is_some());
    let login = by_password.and_then(|given| Login::keep(&address.options, given, ctx));
    let (parts, longest) = (parts.clone(), ctx.timeout);
    let pause = if ctx.shared.is_of_many() { PAUSE } else { Duration::ZERO };
    blocking(move || open(base, &parts, (tokens, login), longest, pause)).await
}

/// Runs what waits for the library on a thread where waiting is allowed.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|e| Err(Error::new(Kind::Other, "a thread that talks to Kafka ended early").because(e)))
}

/// What a client logs in by.
type By = (Option<Arc<Tokens>>, Option<Arc<Login>>);

fn open(base: ClientConfig, parts: &Parts, (tokens, login): By, longest: Duration, pause: Duration) -> Result<Client> {
    if let Some(tokens) = &tokens {
        // The library would only repeat that it has none.
        tokens.get()?;
    }
    let heard = Heard { tokens: tokens.clone(), login: login.clone(), ..Heard::default() };
    let config = config::consumer(&login.as_ref().map_or_else(|| base.clone(), |login| login.put(&base)));
    let consumer = BaseConsumer::from_config_and_context(&config, heard.clone()).map_err(|e| error::map(&e, DOING))?;
    let consumer = Arc::new(consumer);
    if let Some(login) = &login {
        login.tell(Arc::downgrade(&consumer) as Weak<dyn Speaks>);
    }
    let ended = Arc::new(AtomicBool::new(false));
    serve(Arc::clone(&consumer), Arc::clone(&ended))?;
    let mut client = Client {
        consumer,
        base,
        servers: parts.bootstrap(),
        turns: Mutex::default(),
        described: Together::new(pause),
        questions: Together::new(pause),
        sets: Together::new(pause),
        pause,
        cluster: String::new(),
        tokens,
        login,
        longest,
        ended,
    };
    client.reach(&heard, &parts.topic)?;
    client.cluster = client.consumer.client().fetch_cluster_id(longest.min(PATIENCE)).unwrap_or_default();
    Ok(client)
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

impl Client {
    /// Waits for the first answer, or for a reason why there will be none.
    fn reach(&self, heard: &Heard, topic: &str) -> Result<()> {
        let began = Instant::now();
        let patience = self.longest.min(PATIENCE);
        loop {
            let topic = Some(topic).filter(|t| !t.is_empty());
            let e = match self.consumer.fetch_metadata(topic, Duration::from_millis(500)) {
                Ok(_) => return Ok(()),
                Err(e) => e,
            };
            let said = heard.all();
            if let Some(why) = refused(&said, self.name()) {
                return Err(why.during(DOING));
            }
            let all_down = said.iter().any(|(code, _)| *code == Code::AllBrokersDown);
            if began.elapsed() >= patience || (all_down && began.elapsed() >= SECOND_CHANCE) {
                let servers = &self.servers;
                let why = said.iter().find(|(code, _)| *code != Code::AllBrokersDown);
                let why = why.map_or_else(|| e.to_string(), |(_, reason)| reason_of(reason));
                return Err(Error::new(Kind::Unreachable, format!("no broker answers at {servers}: {why}"))
                    .during(DOING)
                    .hint(unreachable_hint(&said, &self.base)));
            }
        }
    }

    /// To be held while a topic is read that others may read on the same client: of two readers of one partition, one would take
    /// what the other waits for.
    pub(super) fn turn(&self, topic: &str) -> Arc<Mutex<()>> {
        Arc::clone(lock(&self.turns).entry(topic.to_owned()).or_default())
    }

    /// What the cluster says of one topic, or of all.
    ///
    /// # Errors
    /// That it does not answer.
    pub(super) fn metadata(&self, topic: Option<&str>) -> Result<Metadata> {
        self.consumer.fetch_metadata(topic, self.longest).map_err(|e| error::map(&e, "asking for the topic"))
    }

    /// What the cluster says of topics: of each by itself, or the code it is refused with.
    pub(super) fn describe<const N: usize>(&self, topics: [&str; N]) -> [std::result::Result<Topic, Code>; N] {
        let names = topics.map(str::to_owned);
        let began = Instant::now();
        loop {
            let found = self.described.get(&names, |names| {
                let found = sys::topics(self.consumer.client(), names, self.longest);
                found.unwrap_or_else(|code| names.iter().map(|name| (name.clone(), Err(code))).collect())
            });
            let said = topics.map(|name| match found.get(name) {
                Some(Ok(topic)) if topic.partitions.is_empty() => Err(Code::UnknownTopicOrPartition),
                Some(said) => said.clone(),
                None => Err(Code::Fail),
            });
            // A topic that was just made may not be known everywhere, nor its leaders.
            let settles = said.iter().any(|topic| matches!(topic, Err(Code::LeaderNotAvailable)));
            if !settles || began.elapsed() >= self.longest.min(PATIENCE) {
                return said;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Why nothing is said of a topic: `NotFound` with close names, `Denied`, or that the cluster does not answer.
    pub(super) fn not_shown(&self, topic: &str, code: Code) -> Error {
        match error::kind(code) {
            Kind::NotFound => self.no_topic(topic),
            Kind::Denied => Error::new(Kind::Denied, format!("the topic {topic:?} is not shown to {}", self.user()))
                .hint("reading takes DESCRIBE and READ on the topic"),
            _ => error::of_code(code).during("asking for the topic"),
        }
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
                    return Err(self.not_shown(topic, code));
                }
                _ => return Err(self.no_topic(topic)),
            }
        }
    }

    fn no_topic(&self, topic: &str) -> Error {
        let e = Error::new(Kind::NotFound, format!("there is no topic {topic:?} at {}", self.servers));
        let Ok(all) = self.metadata(None) else { return e };
        match nearest(topic, all.topics().iter().map(|t| t.name())) {
            Some(close) => e.hint(format!("did you mean {close:?}? Topics are never made by naming them")),
            None => e.hint(format!(
                "of {} topics we may see none is called so; naming one never makes it",
                all.topics().len()
            )),
        }
    }

    /// With the login as it is now.
    pub(super) fn logged_in(&self, config: &ClientConfig) -> ClientConfig {
        self.login.as_ref().map_or_else(|| config.clone(), |login| login.put(config))
    }

    /// Who we are to the cluster.
    pub(super) fn user(&self) -> String {
        self.name().map_or_else(|| "an unnamed user".to_owned(), |u| format!("{u:?}"))
    }

    /// The name we log in by.
    pub(super) fn name(&self) -> Option<&str> {
        self.tokens.as_ref().map(|t| t.client.as_str()).or(self.base.get("sasl.username"))
    }
}

/// What makes further waiting pointless.
fn refused(said: &[(Code, String)], user: Option<&str>) -> Option<Error> {
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
    let user = user.unwrap_or_default();
    Some(
        Error::new(Kind::Denied, format!("the cluster refused the login of {user:?}: {reason}")).hint(
            "the login is sasl.username with password-env, password-file, password-command or sasl.password, and the kind of \
             login sasl.mechanisms (PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER)",
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
