//! The consumer groups of a topic: who else receives what is sent there, and how far each has read.

use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::consumer::Consumer;
use rdkafka::error::RDKafkaErrorCode as Code;

use super::connect::Link;
use super::offsets::{self, Span};
use super::sys::{self, Committed, Described};
use super::{error, sys::group_names};
use crate::broker::{Error, Kind, Result};

/// Groups whose offsets are asked for, one request each; how many there are besides is said.
const ASKED: usize = 500;
/// All of it takes so long at most: a plan is waited for.
const LONGEST: Duration = Duration::from_secs(10);
const DOING: &str = "asking for the consumer groups";

/// Offsets a group has not read yet. An upper bound: transaction markers and what compaction took count too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Lag {
    /// In the partitions where that is known.
    pub(super) offsets: u64,
    /// Partitions that hold something, of which the group has committed nothing.
    pub(super) unknown: usize,
}

impl Lag {
    /// Of one partition; `None` where it is not known. Nothing can be unread of one that is empty.
    pub(super) fn of_one(span: &Span, committed: &Committed) -> Option<u64> {
        match committed.get(&span.partition).copied().flatten() {
            Some(at) => Some(u64::try_from(span.to - at.clamp(span.from, span.to)).unwrap_or(0)),
            None => (span.len() == 0).then_some(0),
        }
    }

    fn of(spans: &[Span], committed: &Committed) -> Lag {
        let mut lag = Lag::default();
        for span in spans {
            match Lag::of_one(span, committed) {
                Some(n) => lag.offsets += n,
                None => lag.unknown += 1,
            }
        }
        lag
    }

    /// All of it, where it is known everywhere.
    pub(super) fn known(self) -> Option<u64> {
        (self.unknown == 0).then_some(self.offsets)
    }
}

/// One group that reads the topic, or did.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Group {
    pub(super) name: String,
    /// `None` where its coordinator did not say in time.
    pub(super) described: Option<Described>,
    pub(super) committed: Committed,
    pub(super) lag: Lag,
}

/// The groups of a topic, as far as they could be asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Groups {
    pub(super) groups: Vec<Group>,
    /// Groups of the cluster of which it is not known whether they read this topic.
    pub(super) unasked: usize,
    /// Every broker told its groups.
    pub(super) all: bool,
}

/// Finds the groups that have committed offsets of the topic, or whose members read it.
///
/// # Errors
/// `Denied`, or that the cluster does not answer.
pub(super) fn of_topic(link: &Link, topic: &str) -> Result<Groups> {
    let began = Instant::now();
    let longest = link.longest.min(LONGEST);
    let left = || longest.saturating_sub(began.elapsed()).max(Duration::from_millis(100));
    let client = link.consumer.client();
    let (mut names, all) = group_names(client, left()).map_err(|code| error::of_code(code).during(DOING))?;
    names.sort_unstable();
    let beyond = names.len().saturating_sub(ASKED);
    names.truncate(ASKED);
    if names.is_empty() {
        return Ok(Groups { all, ..Groups::default() });
    }
    let partitions = link.partitions(topic)?;
    let spans = offsets::spans(link, topic, &partitions)?;
    let mut committed = sys::committed(client, &names, &list(topic, &partitions)?, left());
    let described = sys::describe(client, &names, topic, left());
    let mut found = Groups { unasked: beyond, all, ..Groups::default() };
    for name in names {
        let described = described.get(&name).cloned();
        let here = described.as_ref().map_or(0, |d| d.here);
        let committed = match committed.remove(&name) {
            Some(Ok(committed)) => committed,
            // A refusal or no answer: it may read here and it may not.
            _ if here == 0 => {
                found.unasked += 1;
                continue;
            }
            _ => Committed::new(),
        };
        if here > 0 || committed.values().any(Option::is_some) {
            let lag = Lag::of(&spans, &committed);
            found.groups.push(Group { name, described, committed, lag });
        }
    }
    Ok(found)
}

/// How far one group has read the topic.
///
/// # Errors
/// `NotFound` where there is no such group, `Denied`, or that the cluster does not answer.
pub(super) fn one(link: &Link, topic: &str, partitions: &[i32], spans: &[Span], name: &str) -> Result<Group> {
    let client = link.consumer.client();
    let names = [name.to_owned()];
    let described = sys::describe(client, &names, topic, link.longest).remove(name);
    let answer = sys::committed(client, &names, &list(topic, partitions)?, link.longest).remove(name);
    let committed = match answer {
        Some(Ok(committed)) => committed,
        Some(Err(Code::GroupIdNotFound)) => Committed::new(),
        Some(Err(code)) => return Err(asked(code, name)),
        None => return Err(error::of_code(Code::OperationTimedOut).during(DOING)),
    };
    let exists = described.as_ref().is_none_or(|d| d.exists) || committed.values().any(Option::is_some);
    if !exists {
        let e = Error::new(Kind::NotFound, format!("there is no consumer group {name:?}"));
        let known = group_names(client, link.longest.min(LONGEST)).map(|(names, _)| names).unwrap_or_default();
        return Err(match crate::broker::nearest(name, known.iter().map(String::as_str)) {
            Some(close) => e.hint(format!("did you mean {close:?}?")),
            None => e.hint("share groups have no committed offsets that could be asked for"),
        });
    }
    let lag = Lag::of(spans, &committed);
    Ok(Group { name: name.to_owned(), described, committed, lag })
}

fn asked(code: Code, name: &str) -> Error {
    let e = error::of_code(code).during(DOING);
    if e.kind() == Kind::Denied { e.hint(format!("it takes DESCRIBE on the group {name}")) } else { e }
}

fn list(topic: &str, partitions: &[i32]) -> Result<TopicPartitionList> {
    let mut list = TopicPartitionList::with_capacity(partitions.len());
    for p in partitions {
        list.add_partition(topic, *p);
    }
    Ok(list)
}

impl Group {
    /// In words, for a plan.
    fn shown(&self) -> String {
        let who = match &self.described {
            Some(Described { here: 0, members: 0, .. }) => "nobody reads now, ".to_owned(),
            Some(Described { here: 0, .. }) => "no member reads it now, ".to_owned(),
            Some(Described { here: 1, .. }) => "1 member, ".to_owned(),
            Some(Described { here, .. }) => format!("{here} members, "),
            None => String::new(),
        };
        let lag = match self.lag {
            Lag { unknown: 0, offsets } => format!("lag {offsets}"),
            Lag { unknown, offsets: 0 } if unknown >= self.committed.len() => "lag unknown".to_owned(),
            Lag { unknown, offsets } => format!(
                "lag {offsets} and what it has not read of {unknown} {}",
                if unknown == 1 { "partition" } else { "partitions" }
            ),
        };
        format!("group {} ({who}{lag})", self.name)
    }
}

impl Groups {
    /// Every group of the cluster was asked, and answered.
    pub(super) fn is_whole(&self) -> bool {
        self.all && self.unasked == 0
    }

    /// What the group that is furthest behind has not read yet; `None` where that is not known of all, or there are none.
    pub(super) fn longest(&self) -> Option<u64> {
        let lags: Option<Vec<u64>> = self.groups.iter().map(|g| g.lag.known()).collect();
        lags.filter(|_| self.is_whole())?.into_iter().max()
    }

    /// In words, for a plan.
    pub(super) fn shown(&self) -> Vec<String> {
        let mut said: Vec<String> = self.groups.iter().map(Group::shown).collect();
        match self.unasked {
            0 => {}
            1 => said.push("1 group of the cluster that could not be asked whether it reads here".to_owned()),
            n => said.push(format!("{n} groups of the cluster that could not be asked whether they read here")),
        }
        if !self.all {
            said.push("groups of brokers that did not answer".to_owned());
        }
        said
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(partition: i32, from: i64, to: i64) -> Span {
        Span { partition, from, to, hidden: 0 }
    }

    #[test]
    fn a_partition_without_a_commit_is_unknown_and_an_empty_one_has_nothing_to_read() {
        let spans = [span(0, 5, 20), span(1, 7, 7), span(2, 0, 10), span(3, 50, 60)];
        let committed: Committed = [(0, Some(12)), (1, None), (2, None), (3, Some(3))].into();
        let lag = Lag::of(&spans, &committed);
        // What was trimmed before the group came to it can not be read any more.
        assert_eq!(lag, Lag { offsets: 8 + 10, unknown: 1 });
        assert_eq!(lag.known(), None);
        assert_eq!(Lag::of(&spans[..2], &committed).known(), Some(8));
    }

    #[test]
    fn groups_in_words() {
        let described = |members, here| Some(Described { state: "stable", members, here, exists: true });
        let group =
            |name: &str, described, committed: Committed, lag| Group { name: name.into(), described, committed, lag };
        let both: Committed = [(0, Some(1)), (1, None)].into();
        let found = Groups {
            groups: vec![
                group("a", described(2, 2), both.clone(), Lag { offsets: 7, unknown: 0 }),
                group("b", described(0, 0), both, Lag { offsets: 7, unknown: 1 }),
                group("c", None, Committed::new(), Lag { offsets: 0, unknown: 2 }),
            ],
            unasked: 3,
            all: true,
        };
        assert_eq!(
            found.shown(),
            [
                "group a (2 members, lag 7)",
                "group b (nobody reads now, lag 7 and what it has not read of 1 partition)",
                "group c (lag unknown)",
                "3 groups of the cluster that could not be asked whether they read here",
            ]
        );
    }
}
