//! Where partitions begin and end.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::{Offset, TopicPartitionList};

use super::connect::Link;
use super::error;
use super::sys::{self, Isolation};
use super::together::Together;
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
    let questions = [
        (Offset::Beginning, Isolation::Uncommitted),
        (Offset::End, Isolation::Committed),
        (Offset::End, Isolation::Uncommitted),
    ];
    let [starts, committed, all] = ask(link, topic, partitions, questions)?;
    let uncommitted = link.base.get("isolation.level") == Some("read_uncommitted");
    let mut spans = Vec::with_capacity(partitions.len());
    for p in partitions {
        let (Some(from), Some(stable), Some(high)) = (starts.get(p), committed.get(p), all.get(p)) else { continue };
        let to = if uncommitted { *high } else { *stable };
        spans.push(Span { partition: *p, from: *from, to: to.max(*from), hidden: (high - to).max(0) });
    }
    Ok(spans)
}

/// The end of a partition: to whom no open transaction hides anything, and to whom it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ends {
    /// Behind the last record that is in no open transaction, nor behind the first that is.
    pub(super) stable: i64,
    /// Behind the last record.
    pub(super) high: i64,
}

/// Where each partition ends now.
///
/// # Errors
/// As [`spans`].
pub(super) fn ends(link: &Link, topic: &str, partitions: &[i32]) -> Result<BTreeMap<i32, Ends>> {
    // In this order, at worst, more is taken for open than is.
    let questions = [(Offset::End, Isolation::Committed), (Offset::End, Isolation::Uncommitted)];
    let [stable, high] = ask(link, topic, partitions, questions)?;
    let both = |(p, high): (i32, i64)| Some((p, Ends { stable: *stable.get(&p)?, high }));
    Ok(high.into_iter().filter_map(both).collect())
}

/// The first offset of each partition whose record is stamped at or after `millis`; `None` where there is none.
///
/// # Errors
/// As [`spans`].
pub(super) fn at_time(link: &Link, topic: &str, partitions: &[i32], millis: i64) -> Result<BTreeMap<i32, Option<i64>>> {
    let question = (Offset::Offset(millis.max(0)), Isolation::Uncommitted);
    let [found] = ask(link, topic, partitions, [question])?;
    Ok(found.into_iter().map(|(p, at)| (p, (at >= 0).then_some(at))).collect())
}

/// A new topic, or one whose leader changes, needs so long at most until it answers.
const MOVING: Duration = Duration::from_secs(10);
/// A connection that was closed while it was idle is opened again well within this.
const REOPENED: Duration = Duration::from_secs(2);

/// How long what failed so is worth another try.
fn waits(code: Code) -> Option<Duration> {
    match code {
        Code::NotLeaderForPartition
        | Code::LeaderNotAvailable
        | Code::UnknownTopicOrPartition
        | Code::NetworkException
        // The library has forgotten who leads, and is asking.
        | Code::NoEnt => Some(MOVING),
        code if is_stale(code) => Some(MOVING),
        Code::BrokerTransportFailure => Some(REOPENED),
        _ => None,
    }
}

/// The library asks by what it was told of the leader when it last asked, which is minutes ago.
fn is_stale(code: Code) -> bool {
    matches!(code, Code::FencedLeaderEpoch | Code::UnknownLeaderEpoch)
}

/// A partition and what is asked of it.
pub(super) type Question = (String, i32, i64, Isolation);
/// What was answered to one question; where a whole request failed, its code to each.
pub(super) type Questions = Together<Question, std::result::Result<i64, Code>>;

fn ask<const N: usize>(
    link: &Link,
    topic: &str,
    partitions: &[i32],
    questions: [(Offset, Isolation); N],
) -> Result<[BTreeMap<i32, i64>; N]> {
    let doing = "asking where partitions begin and end";
    let asked = questions.map(|(what, level)| (what.to_raw().unwrap_or_default(), level));
    let of = |(what, level): (i64, Isolation)| partitions.iter().map(move |p| (topic.to_owned(), *p, what, level));
    let keys: Vec<Question> = asked.into_iter().flat_map(of).collect();
    let began = Instant::now();
    // Others may ask for what does not answer: the second time we ask by ourselves.
    let (mut alone, mut patience) = (false, link.longest / 3);
    let mut fresh = None;
    loop {
        let found = match alone {
            false => link.questions.get(&keys, |keys| answers(link, keys, patience)),
            true => answers(fresh.as_deref().unwrap_or(link), &keys, patience).into(),
        };
        let code = keys.iter().find_map(|k| match found.get(k) {
            Some(Ok(_)) => None,
            Some(Err(code)) => Some(*code),
            None => Some(Code::Fail),
        });
        match code {
            None => {
                let answer = |p: i32, (what, level)| match found.get(&(topic.to_owned(), p, what, level)) {
                    Some(Ok(at)) => Some((p, *at)),
                    _ => None,
                };
                return Ok(asked.map(|question| partitions.iter().filter_map(|p| answer(*p, question)).collect()));
            }
            Some(_) if !alone => (alone, patience) = (true, link.longest.saturating_sub(began.elapsed())),
            // Asking for the leader again does not always help (seen for 10 s and more); a client that knows nothing yet does. Where
            // there is none to be had, asking tells so.
            Some(code) if is_stale(code) && fresh.is_none() => fresh = Some(link.apart()?),
            Some(code) if waits(code).is_some_and(|most| began.elapsed() < link.longest.min(most)) => {
                if is_stale(code) {
                    fresh = Some(link.apart()?);
                }
                std::thread::sleep(Duration::from_millis(50));
            }
            Some(code) => return Err(error::of_code(code).during(doing)),
        }
    }
}

fn answers(link: &Link, keys: &[Question], patience: Duration) -> BTreeMap<Question, std::result::Result<i64, Code>> {
    let mut lists: BTreeMap<(i64, Isolation), TopicPartitionList> = BTreeMap::new();
    let mut found = BTreeMap::new();
    for (topic, partition, what, level) in keys {
        let list = lists.entry((*what, *level)).or_insert_with(|| TopicPartitionList::with_capacity(keys.len()));
        if list.add_partition_offset(topic, *partition, Offset::from_raw(*what)).is_err() {
            found.insert((topic.clone(), *partition, *what, *level), Err(Code::InvalidArgument));
        }
    }
    let (questions, lists): (Vec<_>, Vec<_>) = lists.into_iter().map(|(q, list)| (q, (list, q.1))).unzip();
    match sys::offsets(link.consumer.client(), &lists, patience) {
        Ok(all) => {
            for ((what, level), answered) in questions.into_iter().zip(all) {
                found.extend(answered.into_iter().map(|(topic, p, answer)| ((topic, p, what, level), answer)));
            }
        }
        Err(code) => found.extend(keys.iter().map(|k| (k.clone(), Err(code)))),
    }
    found
}
