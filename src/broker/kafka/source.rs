//! A topic, opened to read from.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use super::connect::{self, Link, blocking};
use super::held::{Held, lock};
use super::letter::{Letters, parse_id};
use super::offsets::{self, Span};
use super::originals::Originals;
use super::reader::Reader;
use super::resolved::{HELD_BACK, Offsets, State};
use super::scan::Look;
use super::sink::way_within;
use super::take::Take;
use super::trim;
use super::{address, can, capabilities, depth, gather, groups, strip};
use crate::broker::capability::AT_LEAST_ONCE;
use crate::broker::{
    Ability, Address, Bound, ByPartition, Capabilities, Context, Depth, Error, Finding, Hints, Kind, Oldest, Result,
    Scan, ScanRequest, Sink, SinkCapabilities, Source,
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
    /// How long it keeps records, once that was asked.
    kept: Mutex<Option<Duration>>,
    /// Shows what is resolved as well.
    all: bool,
    /// The resolved set is kept on this machine.
    local: bool,
    /// What is removed is read in the order of its original offsets.
    by_origin: bool,
}

/// Connects and finds the topic. Creates nothing.
///
/// # Errors
/// As [`connect::connect`]; `NotFound` with close names.
pub(super) async fn open(address: &Address, ctx: &Context) -> Result<Box<dyn Source>> {
    let link = Arc::new(connect::connect(address, ctx).await?);
    let topic = link.parts.topic.clone();
    Ok(Box::new(on(link, topic, address, ctx).await?))
}

/// A topic of a cluster that is connected to; `address` is the topic's.
///
/// # Errors
/// `NotFound` with close names, `Denied`.
pub(super) async fn on(link: Arc<Link>, topic: String, address: &Address, ctx: &Context) -> Result<KafkaSource> {
    let asked = address.option("partitions").map(address::partitions).transpose()?;
    let (here, named) = (Arc::clone(&link), topic.clone());
    let state_topic = address.option("state-topic").unwrap_or(STATE_TOPIC).to_owned();
    let keeps_local = address::keeps_local(&address.options)?;
    let (partitions, state) = blocking(move || {
        let [topic, state] = here.describe([&named, &state_topic]);
        let topic = topic.map_err(|code| here.not_shown(&named, code).during(OPENING))?;
        let state = State::told(here.committed()?, state_topic, topic.id.into(), keeps_local, state)?;
        Ok((chosen(&topic.partitions, asked.as_ref())?, state))
    })
    .await?;
    let letters = Letters::new(address.shown.as_str().into(), &state.topic_id);
    let newest = address::flag(&address.options, "newest")?;
    Ok(KafkaSource {
        address: address.clone(),
        topic,
        link,
        ctx: ctx.clone(),
        letters,
        partitions,
        newest,
        hints: Mutex::default(),
        state: Mutex::new(state),
        kept: Mutex::default(),
        all: address::flag(&address.options, "include-resolved")?,
        local: keeps_local,
        by_origin: address.option("order").is_some(),
    })
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
            letters: self.letters.clone(),
            stop: self.ctx.stop.clone(),
            resolved: Arc::new(resolved),
            ..Reader::of(&self.link, &self.topic, spans)
        }
    }

    /// The newest record, resolved or not: what the topic holds by its own evidence.
    ///
    /// # Errors
    /// As a look.
    pub(super) async fn newest(&self) -> Result<Option<DeadLetter>> {
        let mut reader = self.reader(self.spans().await?, BTreeMap::new());
        let batches = blocking(move || gather::gather(&mut reader, 1, true)).await?;
        Ok(batches.into_iter().flat_map(|b| b.deliveries).map(|d| *d.message).next())
    }

    /// What is resolved, as far as it is to be seen, and whether that is all.
    async fn resolved(&self, patience: Duration) -> Result<(BTreeMap<i32, Offsets>, bool)> {
        let (mut state, partitions) = (self.state(), self.partitions.clone());
        let (state, found) = blocking(move || {
            state.refresh()?;
            let found = state.look(&partitions, patience)?;
            Ok((state, found))
        })
        .await?;
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = state;
        Ok(found)
    }

    /// What is resolved, for a look: it waits as long as a run that is alive can hide anything, and says where it may not see all.
    async fn seen(&self) -> Result<BTreeMap<i32, Offsets>> {
        let (resolved, all) = self.resolved(ALIVE.min(self.link.longest / 2)).await?;
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
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = state.clone();
        let (before, _) = self.resolved(Duration::ZERO).await?;
        let mut reader = self.reader(spans, BTreeMap::new());
        reader.most = at_most.unwrap_or(u64::MAX);
        Ok(Box::new(Take::start(reader, bound, Held::new(state, self.ctx.stop.clone()), before, self.by_origin)?))
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
        if self.local { &capabilities::LOCAL } else { &capabilities::TOPIC }
    }

    fn places(&self) -> Vec<String> {
        vec![format!("{}/{}", self.link.cluster, self.topic)]
    }

    fn lock_names(&self) -> Vec<String> {
        let of = |p: &i32| format!("{}/{}/{p}", self.link.cluster, self.topic);
        self.partitions.iter().map(of).collect()
    }

    fn principal(&self) -> Option<String> {
        self.link.name().map(str::to_owned)
    }

    async fn depth(&self) -> Result<Depth> {
        let (spans, resolved) = tokio::try_join!(self.spans(), self.seen())?;
        Ok(depth::of(&spans, &resolved))
    }

    async fn oldest(&self) -> Result<Oldest> {
        let (spans, resolved) = tokio::try_join!(self.spans(), self.seen())?;
        let reader = self.reader(spans, resolved);
        blocking(move || depth::oldest(reader)).await
    }

    async fn depth_by_partition(&self, group: Option<&str>) -> Result<ByPartition> {
        let (spans, resolved) = tokio::try_join!(self.spans(), self.seen())?;
        let reader = self.reader(spans, resolved);
        let group = group.map(str::to_owned);
        blocking(move || depth::by_partition(reader, group.as_deref())).await
    }

    async fn origins(&self) -> Result<Vec<Target>> {
        Ok(Vec::new())
    }

    async fn receivers(&self, target: &Target) -> Result<Vec<String>> {
        let Some(topic) = target.queue.clone() else { return Ok(Vec::new()) };
        let link = Arc::clone(&self.link);
        blocking(move || Ok(groups::of_topic(&link, &topic)?.shown())).await
    }

    async fn can(&self, ability: Ability) -> Vec<Finding> {
        let partition = self.partitions.first().copied().unwrap_or(0);
        let (found, settings) = can::of(&self.link, &self.state(), partition, &self.topic, ability).await;
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = settings.keeps();
        found
    }

    fn guarantee(&self, to: &SinkCapabilities) -> &'static str {
        match way_within(&self.link.cluster, to.transaction_domain.as_deref()) {
            Some(_) => self.capabilities().guarantee(),
            None => AT_LEAST_ONCE,
        }
    }

    /// Known once it was asked what may be done here.
    fn retention(&self) -> Option<Duration> {
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn home(&self) -> Result<Box<dyn Sink>> {
        super::sink::home(&self.address, &self.ctx).await
    }

    fn lane(&self, partition: u64, m: &DeadLetter) -> Option<u64> {
        // Two keys of one number, should there ever be such, would only wait for each other. In the order of the origin a key is
        // one lane, whatever partitions its records are in here.
        let partition = if self.by_origin { 0 } else { partition };
        m.key.as_ref().map(|key| xxhash_rust::xxh3::xxh3_64_with_seed(key, partition))
    }

    fn lanes_are_keys(&self) -> bool {
        true
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
                let turn = reader.link.turn(&reader.topic);
                let _turn = lock(&turn);
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
        if let Some(local) = state.local() {
            let fleeting = local.fleeting().map_or_else(String::new, |why| format!("; {why}"));
            said.push(format!(
                "which records are resolved is noted in {}, on this machine alone: whoever works on this topic elsewhere does \
                 not see it and would send the same records again{fleeting}",
                local.folder().display()
            ));
            said.push("what is sent and not yet noted when this run is killed is sent again by the next".to_owned());
        } else if !state.exists() {
            said.push(format!(
                "the topic {} will be made on the cluster (compacted): it notes which records are resolved",
                state.topic
            ));
        }
        if self.by_origin {
            said.push(format!(
                "all records are read first, sorted in {}, and sent in the order of their original offsets; those that do not tell \
                 theirs come last",
                std::env::temp_dir().display()
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
