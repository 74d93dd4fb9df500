//! A topic, opened to read from.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use rdkafka::consumer::Consumer;
use tokio_util::sync::CancellationToken;

use super::connect::{self, Link, blocking};
use super::held::Held;
use super::letter::{Letters, parse_id};
use super::offsets::{self, Span};
use super::originals::Originals;
use super::reader::Reader;
use super::resolved::{HELD_BACK, Offsets, State};
use super::scan::Look;
use super::take::Take;
use super::trim;
use super::{address, capabilities, depth, error, gather, strip, sys};
use crate::broker::{
    Address, Bound, Capabilities, Closed, Context, Depth, Error, Hints, Kind, Result, Scan, ScanRequest, Sink, Source,
};
use crate::message::{DeadLetter, Target};

const OPENING: &str = "opening the topic";
/// What an open transaction in the set's topic means.
const HIDDEN: &str = "another run is at work, or was killed a moment ago: what was resolved last is not visible yet";
/// Transactions of a run that is alive are shorter than this.
const ALIVE: Duration = Duration::from_secs(5);
/// The topic of the resolved set where nothing else is said.
const STATE_TOPIC: &str = "__dlq_resolved";

/// An opened topic.
pub(super) struct KafkaSource {
    address: Address,
    link: Arc<Link>,
    ctx: Context,
    topic: String,
    letters: Letters,
    partitions: Vec<i32>,
    newest: bool,
    hints: Mutex<Hints>,
    state: Mutex<State>,
    /// Shows what is resolved as well.
    all: bool,
}

/// Connects and finds the topic. Creates nothing.
///
/// # Errors
/// As [`connect::connect`]; `NotFound` with close names.
pub(super) async fn open(address: &Address, ctx: &Context) -> Result<Box<dyn Source>> {
    let link = Arc::new(connect::connect(address, ctx).await?);
    let asked = address.option("partitions").map(address::partitions).transpose()?;
    let (here, topic) = (Arc::clone(&link), link.parts.topic.clone());
    let state_topic = address.option("state-topic").unwrap_or(STATE_TOPIC).to_owned();
    let (partitions, state) = blocking(move || {
        let all = here.partitions(&topic).map_err(|e| e.during(OPENING))?;
        let id = sys::topic_id(here.consumer.client(), &topic, here.longest);
        let id = id.map_err(|code| error::of_code(code).during(OPENING))?;
        Ok((chosen(&all, asked.as_ref())?, State::find(here, state_topic, id.into())?))
    })
    .await?;
    let letters = Letters::new(address.shown.as_str().into(), &state.topic_id);
    let newest = address::flag(&address.options, "newest")?;
    Ok(Box::new(KafkaSource {
        address: address.clone(),
        topic: link.parts.topic.clone(),
        link,
        ctx: ctx.clone(),
        letters,
        partitions,
        newest,
        hints: Mutex::default(),
        state: Mutex::new(state),
        all: address::flag(&address.options, "include-resolved")?,
    }))
}

/// The partitions asked for.
fn chosen(all: &[i32], asked: Option<&BTreeSet<i32>>) -> Result<Vec<i32>> {
    let Some(asked) = asked else { return Ok(all.to_vec()) };
    match asked.iter().find(|p| !all.contains(p)) {
        Some(absent) => {
            let last = all.last().copied().unwrap_or(0);
            Err(Error::new(Kind::NotFound, format!("there is no partition {absent}: the topic has 0 to {last}")))
        }
        None => Ok(asked.iter().copied().collect()),
    }
}

impl KafkaSource {
    fn hints(&self) -> Hints {
        self.hints.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn reader(&self, spans: Vec<Span>, resolved: BTreeMap<i32, Offsets>) -> Reader {
        Reader {
            link: Arc::clone(&self.link),
            topic: self.topic.clone(),
            letters: self.letters.clone(),
            spans,
            most: u64::MAX,
            closing: CancellationToken::new(),
            stop: self.ctx.stop.clone(),
            closed: Closed::default(),
            resolved: Arc::new(resolved),
        }
    }

    /// What is resolved, as far as it is to be seen, and whether that is all.
    async fn resolved(&self, patience: Duration) -> Result<(BTreeMap<i32, Offsets>, bool)> {
        let (mut state, partitions) = (self.state(), self.partitions.clone());
        let (state, found) = blocking(move || {
            if !state.exists() {
                // Somebody may have made it since.
                state = State::find(Arc::clone(&state.link), state.topic, state.topic_id)?;
            }
            let found = state.look(&partitions, patience)?;
            Ok((state, found))
        })
        .await?;
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = state;
        Ok(found)
    }

    /// What is resolved, for a look: it waits as long as a run that is alive can hide anything, and says where it may not see all.
    async fn seen(&self) -> Result<BTreeMap<i32, Offsets>> {
        let (resolved, all) = self.resolved(ALIVE).await?;
        if !all {
            (self.ctx.notice)(HIDDEN.to_owned());
        }
        Ok(resolved)
    }

    fn state(&self) -> State {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn spans(&self) -> Result<Vec<Span>> {
        let (link, topic, partitions) = (Arc::clone(&self.link), self.topic.clone(), self.partitions.clone());
        blocking(move || offsets::spans(&link, &topic, &partitions)).await
    }

    async fn take(&self, at_most: Option<u64>, spans: Vec<Span>, bound: Bound) -> Result<Box<dyn Scan>> {
        if self.all || self.newest {
            let what = if self.all { "include-resolved" } else { "newest" };
            return Err(Error::new(Kind::Unsupported, format!("{what} is for looking: nothing is done twice"))
                .hint(format!("leave {what} out")));
        }
        let mut state = self.state();
        state.create().await?;
        let (before, _) = self.resolved(Duration::ZERO).await?;
        let mut reader = self.reader(spans, BTreeMap::new());
        reader.most = at_most.unwrap_or(u64::MAX);
        Ok(Box::new(Take::start(reader, bound, Held::new(state, self.ctx.stop.clone()), before)?))
    }

    /// Leaves out what the selection cannot want.
    async fn narrowed(&self, spans: Vec<Span>) -> Result<Vec<Span>> {
        let Hints { ids, since } = self.hints();
        if let Some(ids) = ids {
            return Ok(by_id(&spans, &ids));
        }
        let Some(since) = since else { return Ok(spans) };
        let (link, topic, partitions) = (Arc::clone(&self.link), self.topic.clone(), self.partitions.clone());
        let millis = since.as_millisecond();
        let starts = blocking(move || offsets::at_time(&link, &topic, &partitions, millis)).await?;
        (self.ctx.notice)(format!("reading begins at the first record of each partition stamped {since:.0} or later"));
        let later = |s: Span| match starts.get(&s.partition) {
            Some(Some(at)) => Span { from: s.from.max(*at).min(s.to), ..s },
            Some(None) => Span { from: s.to, ..s },
            None => s,
        };
        Ok(spans.into_iter().map(later).collect())
    }
}

/// One span an id, for the few that are read by position. What is no id of a topic is in none.
fn by_id(spans: &[Span], ids: &[String]) -> Vec<Span> {
    let mut wanted: Vec<(i32, i64)> = ids.iter().filter_map(|id| parse_id(id)).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let mut found: Vec<Span> = Vec::new();
    for span in spans {
        let here = wanted.iter().filter(|(p, at)| *p == span.partition && (span.from..span.to).contains(at));
        let (first, last) = here.fold((i64::MAX, i64::MIN), |(a, b), (_, at)| (a.min(*at), b.max(*at)));
        if first <= last {
            found.push(Span { from: first, to: last + 1, hidden: 0, ..*span });
        }
    }
    found
}

#[async_trait]
impl Source for KafkaSource {
    fn address(&self) -> &Address {
        &self.address
    }

    fn capabilities(&self) -> &Capabilities {
        &capabilities::TOPIC
    }

    fn places(&self) -> Vec<String> {
        vec![format!("{}/{}", self.link.cluster, self.topic)]
    }

    fn principal(&self) -> Option<String> {
        self.link.base.get("sasl.username").map(str::to_owned)
    }

    async fn depth(&self) -> Result<Depth> {
        let reader = self.reader(self.spans().await?, self.seen().await?);
        blocking(move || depth::of(reader)).await
    }

    async fn origins(&self) -> Result<Vec<Target>> {
        Ok(Vec::new())
    }

    async fn receivers(&self, _: &Target) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    async fn home(&self) -> Result<Box<dyn Sink>> {
        super::sink::home(&self.address, &self.ctx).await
    }

    fn lane(&self, partition: u64, m: &DeadLetter) -> Option<u64> {
        // Two keys of one number, should there ever be such, would only wait for each other.
        m.key.as_ref().map(|key| xxhash_rust::xxh3::xxh3_64_with_seed(key, partition))
    }

    fn strip(&self, m: &mut DeadLetter) -> Vec<String> {
        strip::strip(m)
    }

    fn hint(&self, hints: Hints) {
        *self.hints.lock().unwrap_or_else(PoisonError::into_inner) = hints;
    }

    async fn scan(&self, request: ScanRequest) -> Result<Box<dyn Scan>> {
        let at = Timestamp::now();
        let spans = self.narrowed(self.spans().await?).await?;
        let bound = Bound { at, messages: Some(spans.iter().map(Span::len).sum()) };
        if request.takes {
            return self.take(request.at_most, spans, bound).await;
        }
        let resolved = self.seen().await?;
        let few = request.at_most.filter(|n| gather::are_few(*n, spans.len()));
        let newest = self.newest;
        if newest && few.is_none() {
            return Err(Error::new(Kind::Unsupported, "the newest can be read where it is known how many")
                .hint("say so with -n N without a filter, or with --scan-limit N"));
        }
        let mut reader = if self.all {
            Reader { letters: self.letters.marking(resolved), ..self.reader(spans, BTreeMap::new()) }
        } else {
            self.reader(spans, resolved)
        };
        reader.most = request.at_most.unwrap_or(u64::MAX);
        Ok(Box::new(Look::start(reader, bound, move |reader, send| {
            let Some(most) = few else {
                let mut sender = reader.sender(send);
                let read = reader.read(&mut sender);
                reader.closed.notices.extend(sender.originals.notices());
                return read;
            };
            let mut originals = Originals::new(Arc::clone(&reader.link));
            for mut batch in gather::gather(reader, most, newest)? {
                let completed = originals.complete(&mut batch.deliveries).map(|()| batch);
                if send.blocking_send(completed).is_err() {
                    break;
                }
            }
            reader.closed.notices.extend(originals.notices());
            Ok(())
        })?))
    }

    fn besides(&self, purges: bool) -> Vec<String> {
        let state = self.state();
        let mut said = Vec::new();
        if !state.exists() {
            said.push(format!(
                "the topic {} will be made on the cluster (compacted): it notes which records are resolved",
                state.topic
            ));
        }
        if purges {
            said.push(
                "records are marked as resolved; where all at the head of a partition are, they are deleted, for every consumer"
                    .into(),
            );
        }
        said
    }

    async fn trim(&self) -> Result<Vec<String>> {
        let (spans, (resolved, all)) = (self.spans().await?, self.resolved(HELD_BACK).await?);
        let mut said = trim::heads(&self.link, &self.topic, &spans, &resolved).await?;
        if !all {
            said.push(HIDDEN.to_owned());
        }
        Ok(said)
    }

    async fn purge_all(&self) -> Result<Option<u64>> {
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_become_the_offsets_they_name() {
        let spans = [0, 1].map(|partition| Span { partition, from: 10, to: 20, hidden: 3 });
        let ids = ["0:12", "0:17", "1:9", "1:20", "7:11", "nonsense"].map(str::to_owned);
        assert_eq!(by_id(&spans, &ids), [Span { partition: 0, from: 12, to: 18, hidden: 0 }]);
    }

    #[test]
    fn partitions_that_are_not_there_are_named() {
        assert_eq!(chosen(&[0, 1, 2], None).unwrap(), [0, 1, 2]);
        assert_eq!(chosen(&[0, 1, 2], Some(&[2, 0].into())).unwrap(), [0, 2]);
        let e = chosen(&[0, 1], Some(&[2].into())).unwrap_err();
        assert_eq!(e.to_string(), "there is no partition 2: the topic has 0 to 1");
    }
}
