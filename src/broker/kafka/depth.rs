//! How much a topic holds and how old it is.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::offsets::Span;
use super::reader::Reader;
use super::resolved::Offsets;
use super::{capabilities, gather, groups};
use crate::broker::{ByPartition, Depth, GroupDepth, Oldest, PartitionDepth, Result};

/// Partitions whose first record is read to learn how old it is; of more, only those.
const LOOKED_AT: usize = 64;

/// Of these spans. Offsets that hold no record are counted: it is an upper bound. How old the oldest is takes a read.
pub(super) fn of(spans: &[Span], resolved: &BTreeMap<i32, Offsets>) -> Depth {
    let done = |s: &Span| resolved.get(&s.partition).map_or(0, |set| set.count(s.from..s.to));
    Depth {
        kind: capabilities::TOPIC.kind,
        ready: Some(spans.iter().map(Span::len).sum()),
        in_flight: None,
        delayed: None,
        unresolved: Some(spans.iter().map(|s| s.len().saturating_sub(done(s))).sum()),
        oldest: None,
        accuracy: capabilities::TOPIC.accuracy,
    }
}

/// The time of the first record of all that is not resolved.
///
/// # Errors
/// As [`Reader::read`].
pub(super) fn oldest(mut reader: Reader) -> Result<Oldest> {
    let resolved = Arc::clone(&reader.resolved);
    let mut spans: Vec<Span> = reader.spans.iter().map(|s| open(s, &resolved)).filter(|s| s.len() > 0).collect();
    let left_out = spans.len().saturating_sub(LOOKED_AT);
    spans.truncate(LOOKED_AT);
    reader.spans = spans;
    let first = gather::gather(&mut reader, 1, false)?;
    let notes = match left_out {
        0 => Vec::new(),
        n => vec![format!("its age is that of the first {LOOKED_AT} partitions: {n} more hold records")],
    };
    Ok(Oldest { at: first.first().and_then(|b| b.deliveries.first()).and_then(|d| d.message.time), notes })
}

/// From the first offset on that is not resolved.
fn open(s: &Span, resolved: &BTreeMap<i32, Offsets>) -> Span {
    let first = resolved.get(&s.partition).map_or(s.from, |set| set.first_absent(s.from, s.to));
    Span { from: first, ..*s }
}

/// Each of these spans by itself, and how far `group` has read them. The first record of each that is not resolved is read.
///
/// # Errors
/// As [`Reader::read`], and [`groups::one`].
pub(super) fn by_partition(mut reader: Reader, group: Option<&str>) -> Result<ByPartition> {
    let (resolved, spans) = (Arc::clone(&reader.resolved), std::mem::take(&mut reader.spans));
    let numbers: Vec<i32> = spans.iter().map(|s| s.partition).collect();
    let group = group.map(|g| groups::one(&reader.link, &reader.topic, &numbers, &spans, g)).transpose()?;
    let mut partitions = Vec::with_capacity(spans.len());
    for span in &spans {
        let unread = open(span, &resolved);
        let mut oldest = None;
        if unread.len() > 0 {
            reader.spans = vec![unread];
            let first = gather::gather(&mut reader, 1, false)?;
            oldest = first.first().and_then(|b| b.deliveries.first()).and_then(|d| d.message.time);
        }
        let done = resolved.get(&span.partition).map_or(0, |set| set.count(span.from..span.to));
        partitions.push(PartitionDepth {
            partition: span.partition.into(),
            ready: span.len(),
            unresolved: span.len().saturating_sub(done),
            oldest,
            committed: group.as_ref().and_then(|g| g.committed.get(&span.partition).copied().flatten()),
            lag: group.as_ref().and_then(|g| groups::Lag::of_one(span, &g.committed)),
        });
    }
    let group = group.map(|g| GroupDepth {
        state: g.described.as_ref().map(|d| d.state),
        members: g.described.as_ref().map(|d| d.members as u64),
        lag: g.lag.known(),
        name: g.name,
    });
    Ok(ByPartition { partitions, group })
}
