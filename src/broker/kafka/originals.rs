//! Dead letters of share groups (KIP-1191) carry no headers of the original, and often no payload: what they stand for is read
//! from the topic it died in, as long as it is there.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use rdkafka::consumer::Consumer;

use super::connect::Link;
use super::letter::{BARE, Letters, NOT_COPIED, place};
use super::offsets::{self, Span};
use super::reader::{Into, Reader};
use super::sys::{self, Record};
use crate::broker::{Delivery, Result};
use crate::message::{DeadLetter, Value};

/// Set on a message whose headers, and where it had none of its own whose key and payload, are those of the original record.
pub(super) const FETCHED: &str = "original_read_from";
/// The time of that record, in milliseconds since 1970: the one a replay gives back.
pub(super) const ORIGINAL_TIME: &str = "original_timestamp";

/// Looks originals up, and counts.
pub(super) struct Originals {
    link: Arc<Link>,
    /// Names of topics by id; asked for once.
    names: Option<HashMap<String, String>>,
    found: u64,
    gone: u64,
    /// Of those that carry their payload.
    bare: u64,
}

type Place = (String, i32, i64);

impl Originals {
    pub(super) fn new(link: Arc<Link>) -> Self {
        Originals { link, names: None, found: 0, gone: 0, bare: 0 }
    }

    /// Completes those of a batch that need it.
    ///
    /// # Errors
    /// That the cluster does not answer. An original that is gone is none.
    pub(super) fn complete(&mut self, deliveries: &mut [Delivery]) -> Result<()> {
        let mut wanted: BTreeMap<String, BTreeMap<i32, Vec<(i64, usize)>>> = BTreeMap::new();
        let mut incomplete = 0;
        for (at, d) in deliveries.iter().enumerate() {
            if d.message.properties.is_empty() || !(is(&d.message, NOT_COPIED) || is(&d.message, BARE)) {
                continue;
            }
            incomplete += 1;
            if let Some((topic, partition, offset)) = self.origin(&d.message) {
                wanted.entry(topic).or_default().entry(partition).or_default().push((offset, at));
            }
        }
        for (topic, partitions) in wanted {
            for (at, original) in self.read(&topic, &partitions)? {
                self.found += u64::from(is(&deliveries[at].message, NOT_COPIED));
                take_over(&mut deliveries[at].message, original, &topic);
            }
        }
        if incomplete > 0 {
            self.gone += deliveries.iter().filter(|d| is(&d.message, NOT_COPIED)).count() as u64;
            self.bare += deliveries.iter().filter(|d| is(&d.message, BARE)).count() as u64;
        }
        Ok(())
    }

    /// Where it was before it died; the topic may be named by its id.
    fn origin(&mut self, m: &DeadLetter) -> Option<Place> {
        let number = |name: &str| m.headers.text(name)?.parse::<i64>().ok();
        let topic = m.headers.text("__dlq.errors.topic")?;
        let partition = i32::try_from(number("__dlq.errors.partition")?).ok()?;
        let offset = number("__dlq.errors.offset")?;
        let names = self.names.get_or_insert_with(|| names(&self.link));
        let topic = names.get(topic).cloned().unwrap_or_else(|| topic.to_owned());
        super::address::is_topic(&topic).then_some((topic, partition, offset))
    }

    fn read(&self, topic: &str, wanted: &BTreeMap<i32, Vec<(i64, usize)>>) -> Result<Vec<(usize, DeadLetter)>> {
        let Ok(there) = self.link.partitions(topic) else { return Ok(Vec::new()) };
        let partitions: Vec<i32> = wanted.keys().copied().filter(|p| there.contains(p)).collect();
        if partitions.is_empty() {
            return Ok(Vec::new());
        }
        let spans = offsets::spans(&self.link, topic, &partitions)?;
        let narrowed = spans.into_iter().filter_map(|s| {
            let at = wanted.get(&s.partition)?;
            let (first, last) = (at.iter().map(|(o, _)| *o).min()?, at.iter().map(|(o, _)| *o).max()?);
            Some(Span { from: first.max(s.from), to: (last + 1).min(s.to), hidden: 0, ..s })
        });
        let mut reader = Reader::of(&self.link, topic, narrowed.collect());
        let mut into = Picking { wanted, letters: reader.letters.clone(), found: Vec::new() };
        reader.read(&mut into)?;
        Ok(into.found)
    }

    /// What was done, for whoever reads the result.
    pub(super) fn notices(&self) -> Vec<String> {
        let mut said = Vec::new();
        if self.found > 0 {
            said.push(format!(
                "dead letters without a payload: {}, whose payload was read from the record each stands for",
                self.found
            ));
        }
        if self.gone > 0 {
            said.push(format!(
                "dead letters without a payload: {}, and the record each stands for is gone; they are not replayed",
                self.gone
            ));
        }
        if self.bare > 0 {
            said.push(format!(
                "dead letters with a copied payload: {}, and the record each stands for is gone, with the headers and the time it \
                 had; they are replayed without",
                self.bare
            ));
        }
        said
    }
}

fn is(m: &DeadLetter, what: &str) -> bool {
    m.properties.last(what).is_some()
}

fn names(link: &Link) -> HashMap<String, String> {
    let Ok(all) = link.metadata(None) else { return HashMap::new() };
    let id = |name: &str| sys::topic_id(link.consumer.client(), name, link.longest).ok();
    all.topics().iter().filter_map(|t| Some((id(t.name())?, t.name().to_owned()))).collect()
}

/// The dead letter's own notes come behind what the original carried.
fn take_over(m: &mut DeadLetter, original: DeadLetter, topic: &str) {
    let at = original.id;
    let notes = std::mem::replace(&mut m.headers, original.headers);
    for (name, value) in notes {
        m.headers.push(name, value);
    }
    if is(m, NOT_COPIED) {
        m.key = original.key;
        m.payload = original.payload;
    }
    // Its own time tells when it died, and is kept for that.
    if let Some(time) = original.time {
        m.properties.push(ORIGINAL_TIME, Value::I64(time.as_millisecond()));
    }
    m.properties.remove_if(|name, _| name == NOT_COPIED || name == BARE);
    m.properties.push(FETCHED, Value::text(format!("{topic} {at}")));
}

struct Picking<'a> {
    wanted: &'a BTreeMap<i32, Vec<(i64, usize)>>,
    letters: Letters,
    found: Vec<(usize, DeadLetter)>,
}

impl Into for Picking<'_> {
    fn take(&mut self, partition: i32, records: &[Record<'_>]) -> bool {
        let Some(wanted) = self.wanted.get(&partition) else { return true };
        for r in records {
            // Delivered twice, one record can have two dead letters.
            for (_, at) in wanted.iter().filter(|(offset, _)| *offset == r.offset()) {
                let made = self.letters.write(&[*r]).into_iter().next();
                self.found.extend(made.map(|d| {
                    debug_assert_eq!(place(d.token), (partition, r.offset()));
                    (*at, *d.message)
                }));
            }
        }
        true
    }
}
