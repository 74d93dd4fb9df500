//! The partitions a producer has begun: a broker takes any number in a sequence of which it knows nothing, so that what is behind a
//! first batch that it refuses would be stored.

use std::collections::HashMap;

use rdkafka::producer::Producer as _;

use super::batches::Batches;
use super::connect::Link;
use super::produce::{Producer, To};
use super::sys;

/// Of one producer.
#[derive(Default)]
pub(super) struct Met {
    topics: Vec<(String, Topic)>,
    /// The one that was asked for last: mostly there is no other.
    last: usize,
}

struct Topic {
    /// How many it has; `None`: a key says nothing of the partition.
    partitions: Option<i32>,
    /// Whether all that was sent there is stored, by partition; by lane where the partition is not known.
    begun: HashMap<u64, bool>,
    /// So it is of all partitions.
    is_met: bool,
}

impl Topic {
    fn place(&self, to: To<'_>, key: Option<&[u8]>, lane: u64) -> u64 {
        let chosen = || Some(sys::partition_of(key?, self.partitions?));
        to.partition.or_else(chosen).and_then(|p| u64::try_from(p).ok()).unwrap_or(lane)
    }
}

impl Met {
    /// Whether the first records are on their way to where this one goes.
    pub(super) fn is_beginning(&mut self, to: To<'_>, key: Option<&[u8]>, lane: u64) -> bool {
        let Some(topic) = self.topic(to.topic).filter(|t| !t.is_met) else { return false };
        topic.begun.get(&topic.place(to, key, lane)) == Some(&false)
    }

    /// One was handed over.
    pub(super) fn sent(&mut self, to: To<'_>, key: Option<&[u8]>, lane: u64, by: &Producer<Batches>, link: &Link) {
        if self.topic(to.topic).is_none() {
            let topic = Topic { partitions: partitions(to.topic, by, link), begun: HashMap::new(), is_met: false };
            self.topics.push((to.topic.to_owned(), topic));
        }
        let Some(topic) = self.topic(to.topic).filter(|t| !t.is_met) else { return };
        let place = topic.place(to, key, lane);
        topic.begun.entry(place).or_insert(false);
    }

    /// All that was handed over is stored.
    pub(super) fn stored(&mut self) {
        for (_, topic) in &mut self.topics {
            topic.begun.values_mut().for_each(|stored| *stored = true);
            let partitions = topic.partitions.and_then(|n| u64::try_from(n).ok());
            topic.is_met = partitions.is_some_and(|n| (0..n).all(|p| topic.begun.contains_key(&p)));
        }
    }

    fn topic(&mut self, name: &str) -> Option<&mut Topic> {
        if self.topics.get(self.last).is_none_or(|(known, _)| known != name) {
            self.last = self.topics.iter().position(|(known, _)| known == name)?;
        }
        self.topics.get_mut(self.last).map(|(_, topic)| topic)
    }
}

/// Whether keys choose the partition as they do by default.
pub(super) fn chooses_by_key(link: &Link) -> bool {
    matches!(link.base.get("partitioner"), None | Some("murmur2" | "murmur2_random"))
}

fn partitions(topic: &str, by: &Producer<Batches>, link: &Link) -> Option<i32> {
    let told = by.client().fetch_metadata(Some(topic), link.longest).ok()?;
    i32::try_from(told.topics().first()?.partitions().len()).ok().filter(|many| *many > 0)
}
