//! Where partitions begin and end.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::{Offset, TopicPartitionList};

use super::connect::Link;
use super::error;
use super::sys::{self, Isolation};
use crate::broker::Result;

/// What there is to read of one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) partition: i32,
    /// First offset to read.
    pub(super) from: i64,
    /// The offset behind the last.
    pub(super) to: i64,
    /// Offsets behind it that an open transaction hides.
    pub(super) hidden: i64,
}

impl Span {
    /// Records in it, at most.
    pub(super) fn len(&self) -> u64 {
        u64::try_from(self.to - self.from).unwrap_or(0)
    }
}

/// What there is of each partition now, in their order.
///
/// # Errors
/// That the cluster does not answer, or not for one of them.
pub(super) fn spans(link: &Link, topic: &str, partitions: &[i32]) -> Result<Vec<Span>> {
    let starts = ask(link, topic, partitions, Offset::Beginning, Isolation::Uncommitted)?;
    let committed = ask(link, topic, partitions, Offset::End, Isolation::Committed)?;
    let all = ask(link, topic, partitions, Offset::End, Isolation::Uncommitted)?;
    let uncommitted = link.base.get("isolation.level") == Some("read_uncommitted");
    let mut spans = Vec::with_capacity(partitions.len());
    for p in partitions {
        let (Some(from), Some(stable), Some(high)) = (starts.get(p), committed.get(p), all.get(p)) else { continue };
        let to = if uncommitted { *high } else { *stable };
        spans.push(Span { partition: *p, from: *from, to: to.max(*from), hidden: (high - to).max(0) });
    }
    Ok(spans)
}

/// The first offset of each partition whose record is stamped at or after `millis`; `None` where there is none.
///
/// # Errors
/// As [`spans`].
pub(super) fn at_time(link: &Link, topic: &str, partitions: &[i32], millis: i64) -> Result<BTreeMap<i32, Option<i64>>> {
    let found = ask(link, topic, partitions, Offset::Offset(millis.max(0)), Isolation::Uncommitted)?;
    Ok(found.into_iter().map(|(p, at)| (p, (at >= 0).then_some(at))).collect())
}

/// A new topic, or one whose leader changes, needs so long at most until it answers.
const MOVING: Duration = Duration::from_secs(10);

fn moves(code: Code) -> bool {
    matches!(
        code,
        Code::NotLeaderForPartition | Code::LeaderNotAvailable | Code::UnknownTopicOrPartition | Code::NetworkException
    )
}

fn ask(link: &Link, topic: &str, partitions: &[i32], what: Offset, level: Isolation) -> Result<BTreeMap<i32, i64>> {
    let doing = "asking where partitions begin and end";
    let mut list = TopicPartitionList::with_capacity(partitions.len());
    for p in partitions {
        list.add_partition_offset(topic, *p, what).map_err(|e| error::map(&e, doing))?;
    }
    let began = Instant::now();
    loop {
        match sys::offsets(link.consumer.client(), &list, level, link.longest) {
            Ok(found) => return Ok(found.into_iter().collect()),
            Err(code) if moves(code) && began.elapsed() < link.longest.min(MOVING) => {
                std::thread::sleep(Duration::from_millis(50));
            }
            Err(code) => return Err(error::of_code(code).during(doing)),
        }
    }
}
