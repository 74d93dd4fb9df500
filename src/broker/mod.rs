//! The broker layer: four small traits, what each queue can do as data, one error type, and a registry with a line a backend.
//!
//! Adding a broker is: copy `broker/file/`, answer the same questions, add one line to [`registry::BACKENDS`], and run the
//! conformance suite.

pub mod address;
pub mod aws;
pub mod can;
pub mod capability;
pub mod credentials;
pub mod error;
pub mod file;
mod gauge;
pub mod kafka;
mod keyless;
pub mod listing;
pub mod nats;
pub mod rabbitmq;
pub mod registry;
mod remote;
mod repeats;
pub mod shared;
pub mod sns;
pub mod sqs;
pub mod tls;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::BoxFuture;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::message::{DeadLetter, Id, Target};
pub use address::Address;
pub use can::{Ability, Answer, Finding, Load};
pub use capability::{Accuracy, Capabilities, SinkCapabilities};
pub use error::{Error, Kind, Result};
pub use gauge::Gauge;
pub use remote::{RemoteMove, RemoteMoving, RemoteProgress, RemoteState};
pub use shared::Shared;

/// Dangers that `--accept NAME` accepts; a refusal prints the name.
pub const HAZARDS: &[&str] = &[
    "absent-path",
    "canary",
    "delivery-limit",
    "duplicates",
    "max-failures",
    "own-redrive",
    "receive-count",
    "redelivered",
    "unconfirmed",
    "unknown-canary",
];

/// What opening and scanning may need besides the address.
#[derive(Clone)]
pub struct Context {
    /// Told as it happens: "the management API does not answer: …". One sentence.
    pub notice: Arc<dyn Fn(String) + Send + Sync>,
    /// Hazards accepted with `--accept`.
    pub accepted: BTreeSet<String>,
    /// Set at the first Ctrl-C: no new work; what is in flight is finished and the rest given back.
    pub stop: CancellationToken,
    /// `--timeout`: the longest any one answer of a broker may take.
    pub timeout: Duration,
    /// `--skip-bad-lines`: an archive line that cannot be read is counted instead of ending the scan.
    pub skip_bad_lines: bool,
    /// The queue will be changed: take the lock or fence that keeps a second one out.
    pub exclusive: bool,
    /// Queues that are opened together share what is costly to open, where nothing is read or settled on it.
    pub shared: Shared,
}

impl Context {
    /// Passes where `--accept name` was given; otherwise refuses with `text` and says how to accept.
    ///
    /// # Errors
    /// `Hazard(name)`.
    pub fn accept(&self, name: &'static str, text: impl Into<String>) -> Result<()> {
        debug_assert!(HAZARDS.contains(&name), "{name} could not be accepted");
        if self.accepted.contains(name) {
            return Ok(());
        }
        Err(Error::new(Kind::Hazard(name), text).hint(format!("to go on all the same, add --accept {name}")))
    }
}

/// A place dead letters rest in, opened.
#[async_trait]
pub trait Source: Send + Sync {
    /// What was opened.
    fn address(&self) -> &Address;
    /// Known once opened: what this very queue can do and what it costs.
    fn capabilities(&self) -> &Capabilities;
    /// Names of the very queue, however it was addressed: two openings that share one are of the same queue.
    fn places(&self) -> Vec<String> {
        Vec::new()
    }
    /// Names under which one run at a time may change it, in parts where runs over different parts do not meet.
    fn lock_names(&self) -> Vec<String> {
        let places = self.places();
        if places.is_empty() { vec![self.address().canonical.clone()] } else { places }
    }
    /// Under which account, user or principal, where that is known.
    fn principal(&self) -> Option<String>;
    /// How many and how old. Cheap: one or two calls, no message is touched.
    async fn depth(&self) -> Result<Depth>;
    /// The same by partition, and how far a group of consumers has read.
    ///
    /// # Errors
    /// `Unsupported` where there are no partitions; `NotFound` where there is no such group.
    async fn depth_by_partition(&self, group: Option<&str>) -> Result<ByPartition> {
        let _ = group;
        let text = format!("{}: a {} has no partitions and no groups", self.address(), self.capabilities().kind);
        Err(Error::new(Kind::Unsupported, text))
    }
    /// Where its messages can have come from, by topology; empty where the broker cannot say.
    async fn origins(&self) -> Result<Vec<Target>>;
    /// Who else will receive what is sent to `target`, as short phrases; empty where the broker cannot say.
    async fn receivers(&self, target: &Target) -> Result<Vec<String>>;
    /// Opens a sink on the same broker, for messages that carry their own target.
    async fn home(&self) -> Result<Box<dyn Sink>>;
    /// Those among which this message keeps its order, where that has a meaning: by itself, the lane of its batch. `None`: no others.
    /// Pure; of the message as it was read.
    fn lane(&self, of_batch: u64, m: &DeadLetter) -> Option<u64> {
        let _ = m;
        Some(of_batch)
    }
    /// Whether all messages of a lane have the same key.
    fn lanes_are_keys(&self) -> bool {
        false
    }
    /// Takes off what is bookkeeping of this broker and gives the names. Pure.
    fn strip(&self, m: &mut DeadLetter) -> Vec<String>;
    /// What the scans that follow will be wanted for. A backend that can leaves out what could not be selected anyway.
    fn hint(&self, hints: Hints) {
        let _ = hints;
    }
    /// What removing messages does here besides, a sentence each, for the plan. `purges`: nothing takes their place.
    fn besides(&self, purges: bool) -> Vec<String> {
        let _ = purges;
        Vec::new()
    }
    /// Where removing only marks: frees the room of what a purge has marked, as far as the broker lets it. What it did, and
    /// what it could not, a sentence each.
    async fn trim(&self) -> Result<Vec<String>> {
        Ok(Vec::new())
    }
    /// Fixes the end; refuses a look that would destroy. Close the scan on every path: dropping it may cost a delivery.
    async fn scan(&self, request: ScanRequest) -> Result<Box<dyn Scan>>;
    /// Empties the whole queue as one act, newcomers included; how many went. `None` where the broker has no such act.
    async fn purge_all(&self) -> Result<Option<u64>>;
    /// What [`Source::purge_all`] does besides, a sentence each, for the plan.
    fn whole_purge_notes(&self) -> Vec<String> {
        vec!["the broker empties the whole queue: messages that arrive meanwhile go too".to_owned()]
    }
    /// How long after its time a message is deleted by the broker, where it is.
    fn retention(&self) -> Option<Duration> {
        None
    }
    /// The guarantee of a replay from here to a place like that.
    fn guarantee(&self, to: &SinkCapabilities) -> &'static str {
        let _ = to;
        self.capabilities().guarantee()
    }
    /// By how long its counts may lag behind what happens, where they do.
    fn lag(&self) -> Option<Duration> {
        None
    }
    /// What stands for or against doing that here, as far as it is known without a message being read, besides what the
    /// capabilities tell.
    async fn can(&self, ability: Ability) -> Vec<Finding> {
        let _ = ability;
        Vec::new()
    }
    /// How many messages are left, those included that somebody holds where the broker says; `None` where it cannot.
    async fn remaining(&self) -> Option<u64> {
        self.depth().await.ok().and_then(|d| d.waiting())
    }
    /// How old the oldest message is, where that takes more than [`Source::depth`]: a look, with what a look costs.
    async fn oldest(&self) -> Result<Oldest> {
        Ok(Oldest { at: self.depth().await?.oldest, notes: Vec::new() })
    }
    /// Prepares a move of everything, as it is, by the broker itself. Starts nothing.
    ///
    /// # Errors
    /// `Unsupported`, with the reason, where the broker has no such thing or would refuse it.
    async fn move_remotely(&self, request: &RemoteMove) -> Result<Box<dyn RemoteMoving>> {
        let _ = request;
        let text =
            format!("{}: a {} has no way of moving messages by itself", self.address(), self.capabilities().kind);
        Err(Error::new(Kind::Unsupported, text).hint("without --server-side dlq moves the messages itself"))
    }
}

/// What a scan is for.
#[derive(Clone, Debug)]
pub struct ScanRequest {
    /// Some messages will be settled as done; otherwise nothing is.
    pub takes: bool,
    /// Read at most so many. `None`: to the end that is fixed when the scan begins.
    pub at_most: Option<u64>,
    /// Another scan of the same source follows: standard input must be kept.
    pub again: bool,
}

/// What is known of a selection before a message is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hints {
    /// Only these ids.
    pub ids: Option<Vec<String>>,
    /// Only messages that died, or where that is not known were made, at this time or later.
    pub since: Option<Timestamp>,
}

/// The end of a scan, fixed when it began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    /// When the scan began.
    pub at: Timestamp,
    /// How many messages there were to read, where the broker says; the scan reads no more than these.
    pub messages: Option<u64>,
}

/// Names a delivery to its scan's settler.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token(pub u64);

/// A message with the means to settle it.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// For the settler.
    pub token: Token,
    /// The message. It passes through many hands.
    pub message: Box<DeadLetter>,
}

/// Deliveries of one lane, in its order. Never empty.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The lane (queue, FIFO group, partition): order is kept within it.
    pub lane: u64,
    /// In the order of the lane.
    pub deliveries: Vec<Delivery>,
}

/// The reading half of a scan. Keeps its leases alive; owns its receivers as tasks.
#[async_trait]
pub trait Scan: Send {
    /// Cancel safe. `None`: the end fixed at the start, or nothing more can come while what is kept is held.
    async fn next(&mut self) -> Result<Option<Batch>>;
    /// The settling half, usable while `next` is pending.
    fn settler(&self) -> Arc<dyn Settler>;
    /// Where it will end.
    fn bound(&self) -> &Bound;
    /// Publish and remove as one act, for a sink of the same transaction domain. Asked before the first `next`.
    async fn mover(&mut self, to: &SinkCapabilities) -> Result<Option<Box<dyn Mover>>> {
        let _ = to;
        Ok(None)
    }
    /// Awaits receives under way, gives back in order what was not settled as done, awaits the answer.
    /// An error here means that giving back, or removal of what was settled, is not certain.
    async fn close(self: Box<Self>) -> Result<Closed>;
}

/// What becomes of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Remove it: its new home has confirmed it.
    Done,
    /// Hold it until the scan closes, then give it back.
    Keep,
}

/// One decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// Which delivery.
    pub token: Token,
    /// What becomes of it.
    pub act: Act,
}

/// The settling half of a scan.
#[async_trait]
pub trait Settler: Send + Sync {
    /// One result per settlement, in order. `Ok` for `Done` means the broker has removed or marked it, not that a frame was
    /// written. Settlements may come in any order; batches are cheapest in the order of delivery.
    async fn settle(&self, settlements: Vec<Settlement>) -> Vec<Result<()>>;
}

/// How a scan ended.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Closed {
    /// Why it ended before everything was seen, as one clause; `None` when it saw all there was to see.
    pub cut: Option<String>,
    /// Archive lines that could not be read and were counted instead.
    pub bad_lines: u64,
    /// Messages that were there but held by other consumers or invisible, where that is known.
    pub unseen: Option<u64>,
    /// What became known late, a sentence each.
    pub notices: Vec<String>,
}

/// A message on its way out.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// Number within the run, from 0; a sink may use it to correlate.
    pub sequence: u64,
    /// What to publish: already stripped, mapped and marked.
    pub message: Box<DeadLetter>,
    /// Where; `None`: where the sink was opened to.
    pub target: Option<Arc<Target>>,
    /// As it was, unmarked and with its provenance (id, queue, position): what an archive keeps. False: as new.
    pub verbatim: bool,
    /// Those of a lane arrive in their order.
    pub lane: Option<u64>,
    /// All of its lane have its key.
    pub lane_is_key: bool,
    /// Should it fail, those behind it in its lane are not sent.
    pub holds: bool,
}

impl Outgoing {
    /// A message as it is, to where the sink was opened to.
    pub fn verbatim(sequence: u64, message: Box<DeadLetter>) -> Outgoing {
        Outgoing { sequence, message, target: None, verbatim: true, lane: None, lane_is_key: false, holds: false }
    }
}

/// What the destination said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// The id or position it has there, where the broker gives one.
    pub id: Option<Id>,
}

/// One result per message, in order; `Ok` means stored, and routed where the broker can tell. Makes progress unpolled.
pub type Confirms = BoxFuture<'static, Vec<Result<Receipt>>>;

/// Fits one message to a place; says what it left out ("the replay mark").
pub type Fit = Arc<dyn Fn(&mut Outgoing) -> Result<Vec<String>> + Send + Sync>;

/// A place to send to.
#[async_trait]
pub trait Sink: Send + Sync {
    /// What was opened, for people.
    fn shown(&self) -> &str;
    /// As [`Source::places`]; none where it is not one queue.
    fn places(&self) -> Vec<String> {
        Vec::new()
    }
    /// What it can take.
    fn capabilities(&self) -> &SinkCapabilities;
    /// As [`Source::principal`].
    fn principal(&self) -> Option<String> {
        None
    }
    /// Told before the first message is published: the name of the run, for ids by which a broker drops repeats.
    fn begin(&mut self, run: &str) {
        let _ = run;
    }
    /// Is it there, may we. Creates nothing. `None`: the place the sink was opened to.
    async fn check(&self, target: Option<&Target>) -> Result<()>;
    /// What stands for or against sending so much there, as far as it is known without sending. `None`: the place the sink was
    /// opened to. Each finding names the place.
    async fn can(&self, target: Option<&Target>, load: Load) -> Vec<Finding> {
        let _ = (target, load);
        Vec::new()
    }
    /// The same of several places in one, of which some may lead to the same queue: for each what is for and against it.
    async fn can_each(&self, places: &[(Arc<Target>, Load)]) -> Vec<Vec<Finding>> {
        let mut found = Vec::with_capacity(places.len());
        for (target, load) in places {
            found.push(self.can(Some(target), *load).await);
        }
        found
    }
    /// Who receives what is sent to the place it was opened to, as short phrases; empty where the broker cannot say.
    async fn receivers(&self) -> Result<Vec<String>>;
    /// Whether what it confirms is there to stay. Where it is not, such as in a pipe, nothing is removed for it unasked.
    fn keeps(&self) -> bool {
        true
    }
    /// Fits one message to this place (size, attribute slots) before it is sent. Pure.
    fn fit(&self) -> Fit;
    /// Whether a message that fails holds up those published behind it in its lane, even at once: they fail with
    /// [`Kind::Behind`]. Where it does not, one message of a lane is published at a time.
    fn holds_lanes(&self) -> bool {
        false
    }
    /// Returns when the batch is in the pipe behind the one before: that is the back-pressure and the order.
    async fn publish(&mut self, batch: Vec<Outgoing>) -> Confirms;
    /// Looks at the places it sends to, where the broker can tell how much waits there.
    fn gauge(&self) -> Option<Arc<dyn Gauge>> {
        None
    }
    /// Waits for everything published, makes it durable, lets go.
    async fn close(self: Box<Self>) -> Result<()>;
    /// Lets go of a place that nothing is to be sent to after all. Creates nothing.
    async fn leave(self: Box<Self>) -> Result<()> {
        self.close().await
    }
}

/// One message to move.
#[derive(Debug)]
pub struct Move {
    /// Which delivery it was.
    pub token: Token,
    /// What to send.
    pub outgoing: Outgoing,
}

/// The fate of one moved message.
#[derive(Debug)]
pub enum Outcome {
    /// Confirmed there, removed here (or not to be removed).
    Moved(Receipt),
    /// Confirmed there, but its removal here failed or is unknown: it may come twice.
    NotRemoved(Error),
    /// Not there; still here.
    Failed(Error),
    /// Perhaps there; still here.
    Indeterminate(Error),
    /// Not tried, and still here: one ahead of it in its lane failed.
    Behind,
}

/// What the engine drives: publish-then-settle, or the backend's own transaction.
#[async_trait]
pub trait Mover: Send {
    /// As [`Sink::publish`], but the fate includes removal. One outcome per move, in order.
    async fn submit(&mut self, batch: Vec<Move>) -> BoxFuture<'static, Vec<Outcome>>;
    /// Whether a failed move holds up those submitted behind it in its lane, even at once: see [`Outcome::Behind`]. Where it
    /// does not, one message of a lane is submitted at a time.
    fn holds_lanes(&self) -> bool {
        false
    }
    /// Waits for everything submitted, lets go of the sink.
    async fn close(self: Box<Self>) -> Result<()>;
}

/// How many, how old. Unknown is `None`, never zero.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Depth {
    /// The broker's word for this kind of queue.
    pub kind: &'static str,
    /// Waiting to be consumed.
    pub ready: Option<u64>,
    /// Held by consumers.
    pub in_flight: Option<u64>,
    /// Waiting for a delay.
    pub delayed: Option<u64>,
    /// Not yet resolved, on a log.
    pub unresolved: Option<u64>,
    /// Time of the oldest message.
    pub oldest: Option<Timestamp>,
    /// How far the counts can be trusted.
    pub accuracy: Accuracy,
}

/// The depth of a topic by partition. Unknown is `None`, never zero.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
pub struct ByPartition {
    /// In their order.
    pub partitions: Vec<PartitionDepth>,
    /// How far a group has read, where one was asked for.
    pub group: Option<GroupDepth>,
}

/// One partition.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
pub struct PartitionDepth {
    /// Its number.
    pub partition: i64,
    /// Stored, at most.
    pub ready: u64,
    /// Of these, not yet resolved, at most.
    pub unresolved: u64,
    /// Time of the oldest message that is not resolved.
    pub oldest: Option<Timestamp>,
    /// The offset the group goes on from.
    pub committed: Option<i64>,
    /// What the group has not read yet, at most.
    pub lag: Option<u64>,
}

/// A group of consumers and the whole of a queue.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
pub struct GroupDepth {
    /// Its name.
    pub name: String,
    /// The broker's word for how it is.
    pub state: Option<&'static str>,
    /// Consumers in it.
    pub members: Option<u64>,
    /// What it has not read yet, at most; `None` where that is not known of every partition.
    pub lag: Option<u64>,
}

/// The age of the oldest message, as far as a look tells.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Oldest {
    /// Its time.
    pub at: Option<Timestamp>,
    /// How far that can be trusted, a sentence each.
    pub notes: Vec<String>,
}

impl Depth {
    /// Messages a scan can meet: the unresolved ones of a log, else the ready ones.
    pub fn waiting(&self) -> Option<u64> {
        self.unresolved.or(self.ready)
    }
}

/// The candidate nearest to what was typed, if it is near enough to suggest.
pub fn nearest<'a>(typed: &str, among: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    among
        .into_iter()
        .map(|c| (strsim::damerau_levenshtein(typed, c), c))
        .filter(|(d, c)| *d <= 1 + c.chars().count().max(typed.chars().count()) / 4)
        .min()
        .map(|(_, c)| c)
}
