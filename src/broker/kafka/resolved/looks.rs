//! Reading the topic of the set, for one queue or for all that are looked at at once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::codec;
use super::set::Offsets;
use super::state::State;
use crate::broker::kafka::held::lock;
use crate::broker::kafka::offsets::{self, Span};
use crate::broker::kafka::reader::{Into, Reader};
use crate::broker::kafka::sys::Record;
use crate::broker::kafka::together::Together;
use crate::broker::{Error, Result};

/// A partition of a topic, by the topic's id.
pub(in super::super) type Of = (Arc<str>, i32);
/// What is resolved of it, and what of the set's topic that was read from.
pub(in super::super) type Seen = std::result::Result<(Offsets, Span), Arc<Error>>;
/// Sets that are looked at at the same time are read at once: they are all in one topic.
pub(in super::super) type Looks = Together<Of, Seen>;

/// What was read, by topic id.
type Read = BTreeMap<Arc<str>, Result<BTreeMap<i32, Offsets>>>;

/// Looks at all of these as they are now. Nobody waits here for what is hidden: that is of no concern to the others.
pub(super) fn look(state: &State, all: &[Of]) -> BTreeMap<Of, Seen> {
    let home = |(id, partition): &Of| state.home_of(id, *partition);
    let homes: BTreeSet<i32> = all.iter().map(home).collect();
    let ids = all.iter().map(|(id, _)| Arc::clone(id));
    let found = spans(state, homes.iter().copied()).and_then(|spans| Ok((read(state, spans.clone(), ids)?, spans)));
    let (read, spans) = match found {
        Ok(found) => found,
        // One that is not to be had must not stand for the others.
        Err(_) if homes.len() > 1 => {
            let mut by_home: BTreeMap<i32, Vec<Of>> = BTreeMap::new();
            all.iter().for_each(|of| by_home.entry(home(of)).or_default().push(of.clone()));
            return std::thread::scope(|scope| {
                let each: Vec<_> = by_home.values().map(|some| scope.spawn(move || look(state, some))).collect();
                each.into_iter().flat_map(|one| one.join().unwrap_or_default()).collect()
            });
        }
        Err(e) => {
            let e = Arc::new(e);
            return all.iter().map(|of| (of.clone(), Err(Arc::clone(&e)))).collect();
        }
    };
    let seen = |of: &Of| {
        let span = spans.iter().find(|s| s.partition == home(of)).copied()?;
        Some(match read.get(&of.0)? {
            Err(e) => Err(Arc::new(e.again())),
            Ok(sets) => Ok((sets.get(&of.1).cloned().unwrap_or_default(), span)),
        })
    };
    all.iter().filter_map(|of| Some((of.clone(), seen(of)?))).collect()
}

/// What there is of these partitions of the set's topic.
///
/// # Errors
/// As [`offsets::spans`].
pub(super) fn spans(state: &State, homes: impl IntoIterator<Item = i32>) -> Result<Vec<Span>> {
    let homes: Vec<i32> = homes.into_iter().collect();
    offsets::spans(&state.link, &state.topic, &homes)
}

/// Waits until everything can be read that there was when these were asked for, as long as `patience`. What can be read then, and
/// the partitions where that is not all.
///
/// # Errors
/// As [`offsets::spans`].
pub(super) fn visible(
    state: &State,
    then: Vec<Span>,
    patience: Duration,
    stop: &CancellationToken,
) -> Result<(Vec<Span>, BTreeSet<i32>)> {
    let highs: BTreeMap<i32, i64> = then.iter().map(|s| (s.partition, s.to + s.hidden)).collect();
    let hides = |s: &&Span| highs.get(&s.partition).is_some_and(|high| s.to < *high);
    let (began, mut now) = (Instant::now(), then);
    loop {
        let hidden: BTreeSet<i32> = now.iter().filter(hides).map(|s| s.partition).collect();
        if hidden.is_empty() || stop.is_cancelled() || began.elapsed() >= patience {
            return Ok((now, hidden));
        }
        std::thread::sleep(Duration::from_millis(10));
        now = spans(state, highs.keys().copied())?;
    }
}

/// Reads these, for the topics of these ids.
pub(super) fn read(state: &State, spans: Vec<Span>, ids: impl Iterator<Item = Arc<str>>) -> Result<Read> {
    let mut reader = Reader::of(&state.link, &state.topic, spans);
    let turn = state.link.turn(&state.topic);
    let _turn = lock(&turn);
    let mut into = Reading { found: ids.map(|id| (id, Ok(BTreeMap::new()))).collect() };
    reader.read(&mut into).map_err(|e| e.during("reading the resolved set"))?;
    Ok(into.found)
}

/// Of what the first record is that an open transaction hides in a partition of the set's topic: it is of the one that has been
/// open for longest. None where nothing is hidden, or what is hidden is not of a set.
///
/// # Errors
/// As [`read`].
pub(super) fn first_hidden(state: &State, home: i32) -> Result<Option<Of>> {
    let Some(span) = spans(state, [home])?.into_iter().find(|span| span.hidden > 0) else { return Ok(None) };
    let spans = vec![Span { from: span.to, to: span.to + span.hidden, hidden: 0, ..span }];
    let mut reader = Reader { most: 1, ..Reader::of(&state.link.uncommitted()?, &state.topic, spans) };
    let mut first = First(None);
    reader.read(&mut first).map_err(|e| e.during("reading the resolved set"))?;
    Ok(first.0)
}

struct First(Option<Of>);

impl Into for First {
    fn take(&mut self, _: i32, records: &[Record<'_>]) -> bool {
        let key = records.first().and_then(|r| codec::parse_key(r.key()?));
        self.0 = key.map(|(id, partition, _)| (Arc::from(id), partition));
        false
    }
}

struct Reading {
    found: Read,
}

impl Into for Reading {
    fn take(&mut self, _: i32, records: &[Record<'_>]) -> bool {
        for r in records {
            let Some((id, partition, of)) = r.key().and_then(codec::parse_key) else { continue };
            let Some(found) = self.found.get_mut(id) else { continue };
            let Ok(sets) = found else { continue };
            let set = sets.entry(partition).or_default();
            let taken = match (of, r.value()) {
                (codec::Of::Block(block), Some(value)) => {
                    codec::parse_value(value).map(|offsets| set.put(block, offsets))
                }
                (codec::Of::Block(block), None) => {
                    set.remove(block);
                    Ok(())
                }
                (codec::Of::To(topic), Some(value)) => set.went.put(topic, value),
                (codec::Of::To(topic), None) => {
                    set.went.leave_out(topic);
                    Ok(())
                }
            };
            if let Err(e) = taken {
                *found = Err(e.during("reading the resolved set"));
            }
        }
        true
    }
}
