//! A few records of all partitions in the order of their time: the first of the topic, or the last.

use super::held::lock;
use super::letter::Letters;
use super::offsets::Span;
use super::reader::{Into, Reader};
use super::sys::Record;
use crate::broker::{Batch, Delivery, Result};

/// With more than this, what all partitions may have among the first is not held in memory.
const FEW: u64 = 20_000;

/// Whether the first `most` of so many partitions are few enough to be put in order.
pub(super) fn are_few(most: u64, partitions: usize) -> bool {
    most.saturating_mul(partitions.max(1) as u64) <= FEW
}

struct Kept {
    letters: Letters,
    deliveries: Vec<(i32, Vec<Delivery>)>,
    /// Of each partition; of more, the last.
    each: usize,
    last: bool,
}

impl Into for Kept {
    fn take(&mut self, partition: i32, records: &[Record<'_>]) -> bool {
        let mut made = self.letters.write(records);
        let at = self.deliveries.iter().position(|(p, _)| *p == partition).unwrap_or_else(|| {
            self.deliveries.push((partition, Vec::new()));
            self.deliveries.len() - 1
        });
        let kept = &mut self.deliveries[at].1;
        kept.append(&mut made);
        let over = kept.len().saturating_sub(self.each);
        if self.last {
            kept.drain(..over);
        } else {
            kept.truncate(self.each);
        }
        true
    }
}

/// The first `most` by time, or the last; given out by time, as few batches as their partitions allow.
///
/// # Errors
/// As [`Reader::read`].
pub(super) fn gather(reader: &mut Reader, most: u64, last: bool) -> Result<Vec<Batch>> {
    let turn = reader.link.turn(&reader.topic);
    let _turn = lock(&turn);
    let each = usize::try_from(most).unwrap_or(usize::MAX);
    let all = std::mem::take(&mut reader.spans);
    reader.most = u64::MAX;
    let mut found: Vec<Delivery> = Vec::new();
    for span in &all {
        // What is asked for may be fewer records than offsets: it reaches further until there are enough.
        let mut reach = most.max(1);
        loop {
            let part = part_of(*span, reach, last);
            reader.spans = vec![part];
            let mut kept = Kept { letters: reader.letters.clone(), deliveries: Vec::new(), each, last };
            reader.read(&mut kept)?;
            let got: Vec<Delivery> = kept.deliveries.into_iter().flat_map(|(_, d)| d).collect();
            let stopped = reader.closed.cut.is_some();
            if got.len() >= each || (part.from, part.to) == (span.from, span.to) || stopped {
                found.extend(got);
                break;
            }
            reach = reach.saturating_mul(8);
        }
    }
    reader.spans = all;
    // By time; where times are equal or unknown, by partition and offset.
    found.sort_by_key(|d| (d.message.time, d.token));
    let over = found.len().saturating_sub(each);
    if last {
        found.drain(..over);
    } else {
        found.truncate(each);
    }
    Ok(batches(found))
}

fn part_of(span: Span, reach: u64, last: bool) -> Span {
    let reach = i64::try_from(reach).unwrap_or(i64::MAX);
    if last {
        Span { from: span.from.max(span.to.saturating_sub(reach)), ..span }
    } else {
        Span { to: span.to.min(span.from.saturating_add(reach)), ..span }
    }
}

fn batches(found: Vec<Delivery>) -> Vec<Batch> {
    let mut batches: Vec<Batch> = Vec::new();
    for delivery in found {
        let lane = u64::try_from(super::letter::place(delivery.token).0).unwrap_or(0);
        match batches.last_mut() {
            Some(batch) if batch.lane == lane => batch.deliveries.push(delivery),
            _ => batches.push(Batch { lane, deliveries: vec![delivery] }),
        }
    }
    batches
}
