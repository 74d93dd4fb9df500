//! The topic the set is kept in.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::admin::{NewTopic, TopicReplication};
use rdkafka::error::RDKafkaErrorCode as Code;
use tokio_util::sync::CancellationToken;

use super::local::Local;
use super::set::Offsets;
use super::went::Went;
use super::{codec, looks};
use crate::broker::kafka::connect::Link;
use crate::broker::kafka::offsets::Span;
use crate::broker::kafka::sys::Topic;
use crate::broker::kafka::{error, facts};
use crate::broker::{Error, Kind, Result};

/// Partitions it is made with: an open transaction in one holds back what is newer there, and there alone.
const PARTITIONS: i32 = 16;
/// How long another run may hold back what is newer of the set. Transactions of ours end within seconds.
pub(in super::super) const HELD_BACK: Duration = Duration::from_secs(30);

/// What was learned when a queue was opened is as good as asked now, for so long and once.
const FRESH: Duration = Duration::from_secs(1);

/// Where the resolved set of one topic is.
#[derive(Clone)]
pub(in super::super) struct State {
    pub(in super::super) link: Arc<Link>,
    /// The topic of the set.
    pub(in super::super) topic: String,
    /// Whose set it is: the topic's id, so that a topic made anew under an old name begins with an empty set.
    pub(in super::super) topic_id: Arc<str>,
    /// Partitions of the topic of the set; none where it does not exist.
    partitions: Vec<i32>,
    /// When the cluster said so, until that was used.
    told: Option<Instant>,
    /// What is noted on this machine; none where this user has no state directory.
    local: Option<Local>,
    /// What is resolved is to be noted there.
    pub(in super::super) keeps_local: bool,
}

/// Names who may change the set of a partition: one at a time, on whatever machine.
pub(in super::super) fn transactional_id(topic_id: &str, partition: i32) -> String {
    format!("dlq-{topic_id}-{partition}")
}

/// Says what can be done without the permissions that the set's topic takes.
pub(in super::super) fn or_local(e: Error) -> Error {
    match e.kind() {
        Kind::Denied => e.hint(
            "the resolved set takes READ and WRITE on its topic, and WRITE and DESCRIBE on transactional ids that begin with \
             dlq-; without them -X state=local keeps it on this machine",
        ),
        _ => e,
    }
}

impl State {
    /// Finds it. That it does not exist is no error.
    ///
    /// # Errors
    /// `Denied`, or that the cluster does not answer.
    pub(in super::super) fn find(
        link: Arc<Link>,
        topic: String,
        topic_id: Arc<str>,
        keeps_local: bool,
    ) -> Result<State> {
        let [said] = link.describe([&topic]);
        State::told(link, topic, topic_id, keeps_local, said)
    }

    /// The same, where the cluster was asked for its topic just now.
    ///
    /// # Errors
    /// As [`State::find`].
    pub(in super::super) fn told(
        link: Arc<Link>,
        topic: String,
        topic_id: Arc<str>,
        keeps_local: bool,
        said: std::result::Result<Topic, Code>,
    ) -> Result<State> {
        let partitions = match said {
            Ok(there) => there.partitions,
            Err(code) => match error::kind(code) {
                Kind::NotFound => Vec::new(),
                Kind::Denied if keeps_local => Vec::new(),
                _ => return Err(or_local(link.not_shown(&topic, code).during("looking for the resolved set"))),
            },
        };
        let local = Local::of(&topic_id);
        let local = if keeps_local { Some(local?) } else { local.ok() };
        Ok(State { link, topic, topic_id, partitions, told: Some(Instant::now()), local, keeps_local })
    }

    /// Where it was not there, somebody may have made it since.
    ///
    /// # Errors
    /// As [`State::find`].
    pub(in super::super) fn refresh(&mut self) -> Result<()> {
        let fresh = self.told.take().is_some_and(|told| told.elapsed() <= FRESH);
        if !self.exists() && !fresh {
            let (link, topic, id) = (Arc::clone(&self.link), self.topic.clone(), Arc::clone(&self.topic_id));
            *self = State { told: None, ..State::find(link, topic, id, self.keeps_local)? };
        }
        Ok(())
    }

    /// The set that is to be kept on this machine, where it is.
    pub(in super::super) fn local(&self) -> Option<&Local> {
        self.local.as_ref().filter(|_| self.keeps_local)
    }

    /// Whether the topic of the set is there.
    pub(in super::super) fn exists(&self) -> bool {
        !self.partitions.is_empty()
    }

    /// Makes the topic where there is none.
    ///
    /// # Errors
    /// `Denied`, with what to do about it.
    pub(in super::super) async fn create(&mut self) -> Result<()> {
        if self.exists() || self.keeps_local {
            return Ok(());
        }
        let doing = "making the topic of the resolved set";
        let admin = facts::admin(&self.link)?;
        let topic =
            NewTopic::new(&self.topic, PARTITIONS, TopicReplication::Fixed(-1)).set("cleanup.policy", "compact");
        let longest = self.link.longest;
        let made = admin.create_topics([&topic], &facts::within(longest)).await;
        match made.map_err(|e| error::map(&e, doing))?.into_iter().next() {
            Some(Err((_, code))) if code != Code::TopicAlreadyExists => {
                let e = Error::new(error::kind(code), format!("{} cannot be made: {code}", self.topic)).during(doing);
                return Err(e.hint(
                    "let somebody make it (cleanup.policy=compact, 16 partitions) and allow READ and WRITE on it; or name \
                     another with -X state-topic=NAME; or keep the set on this machine with -X state=local",
                ));
            }
            _ => {}
        }
        // It may take a moment until every broker knows it.
        let began = Instant::now();
        loop {
            let (link, topic) = (Arc::clone(&self.link), self.topic.clone());
            match super::super::connect::blocking(move || link.partitions(&topic)).await {
                Ok(partitions) if !partitions.is_empty() => {
                    self.partitions = partitions;
                    return Ok(());
                }
                Err(e) if e.kind() != Kind::NotFound => return Err(e.during(doing)),
                _ if began.elapsed() > longest => {
                    return Err(Error::new(Kind::Timeout, "the new topic does not turn up").during(doing));
                }
                _ => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    /// The partition of the set's topic that everything of one partition of the topic is in.
    pub(in super::super) fn home(&self, partition: i32) -> i32 {
        self.home_of(&self.topic_id, partition)
    }

    /// The same for another topic whose set is there too.
    pub(super) fn home_of(&self, topic_id: &str, partition: i32) -> i32 {
        let hash = xxhash_rust::xxh3::xxh3_64(format!("{topic_id}:{partition}").as_bytes());
        let at = hash % (self.partitions.len().max(1) as u64);
        usize::try_from(at).ok().and_then(|at| self.partitions.get(at)).copied().unwrap_or(0)
    }

    /// What is resolved of these partitions, and whether that is all: an open transaction of another run, which is waited for as
    /// long as `patience`, hides what is newer.
    ///
    /// # Errors
    /// That it cannot be read.
    pub(in super::super) fn look(&self, of: &[i32], patience: Duration) -> Result<(BTreeMap<i32, Offsets>, bool)> {
        let (mut found, mut all) = (BTreeMap::new(), true);
        if self.exists() {
            let seen = self.seen(of)?;
            let hides = |(_, span): &(Offsets, Span)| span.hidden > 0;
            let hiding: BTreeMap<i32, Span> =
                seen.values().filter(|s| hides(s)).map(|(_, s)| (s.partition, *s)).collect();
            let late: Vec<i32> = seen.iter().filter(|(_, s)| hides(s)).map(|(p, _)| *p).collect();
            found.extend(seen.into_iter().map(|(p, (set, _))| (p, set)));
            all = late.is_empty();
            if !all && !patience.is_zero() {
                let hiding = hiding.into_values().collect();
                let (_, hidden) =
                    looks::visible(self, hiding, patience, &CancellationToken::new()).map_err(or_local)?;
                all = hidden.is_empty();
                found.extend(self.seen(&late)?.into_iter().map(|(p, (set, _))| (p, set)));
            }
        }
        for (partition, set) in self.noted()? {
            found.entry(partition).or_default().unite(&set);
        }
        found.retain(|p, _| of.contains(p));
        Ok((found, all))
    }

    /// What is resolved of each of these as far as it is visible now, and where that was read.
    fn seen(&self, of: &[i32]) -> Result<BTreeMap<i32, (Offsets, Span)>> {
        let keys: Vec<_> = of.iter().map(|p| (Arc::clone(&self.topic_id), *p)).collect();
        let seen = self.link.sets.get(&keys, |keys| looks::look(self, keys));
        let mut found = BTreeMap::new();
        for key in keys {
            match seen.get(&key) {
                Some(Ok(seen)) => _ = found.insert(key.1, seen.clone()),
                // It may be shown to us and not be ours to read.
                Some(Err(e)) if self.keeps_local && e.kind() == Kind::Denied => {}
                Some(Err(e)) => return Err(or_local(e.again())),
                None => return Err(Error::new(Kind::Other, "a thread that read the resolved set ended early")),
            }
        }
        Ok(found)
    }

    /// What was noted on this machine: by runs that were told to, whether or not this one is.
    fn noted(&self) -> Result<BTreeMap<i32, Offsets>> {
        self.local.as_ref().map_or_else(|| Ok(BTreeMap::new()), Local::look)
    }

    /// What is resolved of one partition, all of it. To be called by who has fenced it: nobody else changes it then.
    ///
    /// # Errors
    /// `Held` where another run's open transaction hides what is newer for too long.
    pub(in super::super) fn settled(&self, partition: i32, stop: &CancellationToken) -> Result<Offsets> {
        let (spans, hidden) = looks::visible(self, self.at_home(partition)?, HELD_BACK, stop)?;
        if !hidden.is_empty() {
            return Err(Error::new(
                Kind::Held,
                format!("an open transaction in {} hides the newest of the resolved set", self.topic),
            )
            .during("reading the resolved set")
            .hint("a run that was killed holds it until its transaction times out: try again in a minute"));
        }
        let read = looks::read(self, spans, std::iter::once(Arc::clone(&self.topic_id))).map_err(or_local)?;
        let mut sets = read.into_values().next().unwrap_or_else(|| Ok(BTreeMap::new())).map_err(or_local)?;
        let mut found = sets.remove(&partition).unwrap_or_default();
        // What was done without the topic is in it from the next commit on.
        if let Some(noted) = self.noted()?.get(&partition) {
            found.unite(noted);
        }
        Ok(found)
    }

    /// Whose open transaction hides the newest of a partition's set. It is of no run that is alive where that lasts for longer than
    /// [`HELD_BACK`].
    ///
    /// # Errors
    /// That it cannot be read.
    pub(in super::super) fn held_by(&self, partition: i32) -> Result<Option<String>> {
        let first = looks::first_hidden(self, self.home(partition))?;
        Ok(first.map(|(id, partition)| transactional_id(&id, partition)))
    }

    /// What is to be stored of a partition's set: key and value each.
    pub(in super::super) fn records(&self, partition: i32, set: &Offsets) -> Vec<(String, Vec<u8>)> {
        set.changed().map(|(block, b)| (codec::key(&self.topic_id, partition, block), codec::value(b))).collect()
    }

    /// What is to be stored of where a transaction's records went: key and value each.
    pub(in super::super) fn records_to(&self, partition: i32, set: &Offsets, now: &Went) -> Vec<(String, Vec<u8>)> {
        let told = set.went.updated(now).into_iter();
        told.map(|(topic, value)| (codec::key_to(&self.topic_id, partition, &topic), value)).collect()
    }

    /// Where the set of a partition is: what there is of it now, and what an open transaction hides.
    ///
    /// # Errors
    /// That the cluster does not answer.
    pub(in super::super) fn at_home(&self, partition: i32) -> Result<Vec<Span>> {
        looks::spans(self, [self.home(partition)])
    }
}
