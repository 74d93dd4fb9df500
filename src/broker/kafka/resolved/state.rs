//! The topic the set is kept in.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::admin::{NewTopic, TopicReplication};
use rdkafka::error::RDKafkaErrorCode as Code;
use tokio_util::sync::CancellationToken;

use super::codec;
use super::set::Offsets;
use crate::broker::kafka::connect::Link;
use crate::broker::kafka::letter::Letters;
use crate::broker::kafka::offsets::{self, Span};
use crate::broker::kafka::reader::{Into, Reader};
use crate::broker::kafka::sys::Record;
use crate::broker::kafka::{error, facts};
use crate::broker::{Closed, Error, Kind, Result};

/// Partitions it is made with: an open transaction in one holds back what is newer there, and there alone.
const PARTITIONS: i32 = 16;
/// How long another run may hold back what is newer of the set. Transactions of ours end within seconds.
pub(in super::super) const HELD_BACK: Duration = Duration::from_secs(30);

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
}

/// Names who may change the set of a partition: one at a time, on whatever machine.
pub(in super::super) fn transactional_id(topic_id: &str, partition: i32) -> String {
    format!("dlq-{topic_id}-{partition}")
}

impl State {
    /// Finds it. That it does not exist is no error.
    ///
    /// # Errors
    /// `Denied`, or that the cluster does not answer.
    pub(in super::super) fn find(link: Arc<Link>, topic: String, topic_id: Arc<str>) -> Result<State> {
        let partitions = match link.partitions(&topic) {
            Ok(partitions) => partitions,
            Err(e) if e.kind() == Kind::NotFound => Vec::new(),
            Err(e) => return Err(e.during("looking for the resolved set")),
        };
        Ok(State { link, topic, topic_id, partitions })
    }

    pub(in super::super) fn exists(&self) -> bool {
        !self.partitions.is_empty()
    }

    /// Makes the topic where there is none.
    ///
    /// # Errors
    /// `Denied`, with what to do about it.
    pub(in super::super) async fn create(&mut self) -> Result<()> {
        if self.exists() {
            return Ok(());
        }
        let doing = "making the topic of the resolved set";
        let admin = facts::admin(&self.link.base)?;
        let topic =
            NewTopic::new(&self.topic, PARTITIONS, TopicReplication::Fixed(-1)).set("cleanup.policy", "compact");
        let longest = self.link.longest;
        let made = admin.create_topics([&topic], &facts::within(longest)).await;
        match made.map_err(|e| error::map(&e, doing))?.into_iter().next() {
            Some(Err((_, code))) if code != Code::TopicAlreadyExists => {
                let e = Error::new(error::kind(code), format!("{} cannot be made: {code}", self.topic)).during(doing);
                return Err(e.hint(
                    "let somebody make it (cleanup.policy=compact, 16 partitions) and allow READ and WRITE on it, or name \
                     another with -X state-topic=NAME",
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
        let hash = xxhash_rust::xxh3::xxh3_64(format!("{}:{partition}", self.topic_id).as_bytes());
        let at = hash % (self.partitions.len().max(1) as u64);
        usize::try_from(at).ok().and_then(|at| self.partitions.get(at)).copied().unwrap_or(0)
    }

    /// What is resolved of these partitions, and whether that is all: an open transaction of another run, which is waited for as
    /// long as `patience`, hides what is newer.
    ///
    /// # Errors
    /// That it cannot be read.
    pub(in super::super) fn look(&self, of: &[i32], patience: Duration) -> Result<(BTreeMap<i32, Offsets>, bool)> {
        if !self.exists() {
            return Ok((BTreeMap::new(), true));
        }
        let homes: BTreeSet<i32> = of.iter().map(|p| self.home(*p)).collect();
        let homes: Vec<i32> = homes.into_iter().collect();
        let (spans, all) = self.visible(&homes, patience, &CancellationToken::new())?;
        let mut found = self.read(spans)?;
        found.retain(|p, _| of.contains(p));
        Ok((found, all))
    }

    /// What is resolved of one partition, all of it. To be called by who has fenced it: nobody else changes it then.
    ///
    /// # Errors
    /// `Held` where another run's open transaction hides what is newer for too long.
    pub(in super::super) fn settled(&self, partition: i32, stop: &CancellationToken) -> Result<Offsets> {
        let (spans, all) = self.visible(&[self.home(partition)], HELD_BACK, stop)?;
        if !all {
            return Err(Error::new(
                Kind::Held,
                format!("an open transaction in {} hides the newest of the resolved set", self.topic),
            )
            .during("reading the resolved set")
            .hint("a run that was killed holds it until its transaction times out: try again in a minute"));
        }
        let mut found = self.read(spans)?;
        Ok(found.remove(&partition).unwrap_or_default())
    }

    /// What can be read of these partitions of the set's topic, and whether that is all there was when it was asked for.
    fn visible(&self, homes: &[i32], patience: Duration, stop: &CancellationToken) -> Result<(Vec<Span>, bool)> {
        let spans = || offsets::spans(&self.link, &self.topic, homes);
        let mut now = spans()?;
        let highs: BTreeMap<i32, i64> = now.iter().map(|s| (s.partition, s.to + s.hidden)).collect();
        let hides = |s: &Span| highs.get(&s.partition).is_some_and(|high| s.to < *high);
        let began = Instant::now();
        while now.iter().any(hides) {
            if stop.is_cancelled() || began.elapsed() >= patience {
                return Ok((now, false));
            }
            std::thread::sleep(Duration::from_millis(10));
            now = spans()?;
        }
        Ok((now, true))
    }

    fn read(&self, spans: Vec<Span>) -> Result<BTreeMap<i32, Offsets>> {
        let mut reader = Reader {
            link: Arc::clone(&self.link),
            topic: self.topic.clone(),
            letters: Letters::new("".into(), ""),
            spans,
            most: u64::MAX,
            closing: CancellationToken::new(),
            stop: CancellationToken::new(),
            closed: Closed::default(),
            resolved: Arc::default(),
        };
        let mut into = Reading { topic_id: &self.topic_id, found: BTreeMap::new(), failed: None };
        reader.read(&mut into).map_err(|e| e.during("reading the resolved set"))?;
        match into.failed {
            Some(e) => Err(e.during("reading the resolved set")),
            None => Ok(into.found),
        }
    }

    /// What is to be stored of a partition's set: key and value each.
    pub(in super::super) fn records(&self, partition: i32, set: &Offsets) -> Vec<(String, Vec<u8>)> {
        set.changed().map(|(block, b)| (codec::key(&self.topic_id, partition, block), codec::value(b))).collect()
    }
}

struct Reading<'a> {
    topic_id: &'a str,
    found: BTreeMap<i32, Offsets>,
    failed: Option<Error>,
}

impl Into for Reading<'_> {
    fn take(&mut self, _: i32, records: &[Record<'_>]) -> bool {
        for r in records {
            let Some((partition, block)) = r.key().and_then(|k| codec::parse_key(k, self.topic_id)) else { continue };
            let set = self.found.entry(partition).or_default();
            match r.value().map(codec::parse_value) {
                Some(Ok(offsets)) => set.put(block, offsets),
                None => set.remove(block),
                Some(Err(e)) => {
                    self.failed = Some(e);
                    return false;
                }
            }
        }
        true
    }
}
