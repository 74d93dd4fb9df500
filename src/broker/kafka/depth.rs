//! How much a topic holds and how old it is.

use std::sync::Arc;

use super::capabilities;
use super::gather;
use super::offsets::Span;
use super::reader::Reader;
use crate::broker::{Depth, Result};

/// Partitions whose first record is read to learn how old it is; of more, only those.
const LOOKED_AT: usize = 64;

/// Of these spans. Offsets that hold no record are counted: it is an upper bound.
///
/// # Errors
/// As [`Reader::read`].
pub(super) fn of(mut reader: Reader) -> Result<Depth> {
    let stored: u64 = reader.spans.iter().map(Span::len).sum();
    let resolved = Arc::clone(&reader.resolved);
    let done = |s: &Span| resolved.get(&s.partition).map_or(0, |set| set.count(s.from..s.to));
    let unresolved: u64 = reader.spans.iter().map(|s| s.len().saturating_sub(done(s))).sum();
    let first = |s: &Span| resolved.get(&s.partition).map_or(s.from, |set| set.first_absent(s.from, s.to));
    let mut spans: Vec<Span> =
        reader.spans.iter().map(|s| Span { from: first(s), ..*s }).filter(|s| s.len() > 0).collect();
    spans.truncate(LOOKED_AT);
    reader.spans = spans;
    let first = gather::gather(&mut reader, 1, false)?;
    let oldest = first.first().and_then(|b| b.deliveries.first()).and_then(|d| d.message.time);
    Ok(Depth {
        kind: capabilities::TOPIC.kind,
        ready: Some(stored),
        in_flight: None,
        delayed: None,
        unresolved: Some(unresolved),
        oldest,
        accuracy: capabilities::TOPIC.accuracy,
    })
}
