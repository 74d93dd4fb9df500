//! A removing scan in the order of the original offsets: retry topics scramble it. All is read first, spilled and sorted, and
//! then handed out, topic and partition of the origin by topic and partition, for the order of these among each other is nobody's.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::ops::Range;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::held::Held;
use super::letter::{Letters, place};
use super::reader::{Into, Reader, Sender};
use super::resolved::Offsets;
use super::spill::{Key, Spill};
use super::sys::Record;
use crate::broker::{Batch, Delivery, Error, Kind, Result};
use crate::death;

/// Bytes held in memory while they are sorted.
const HELD: usize = 16 << 20;
/// Messages and bytes of a batch.
const BATCH: (usize, usize) = (1000, 1 << 20);
/// Producers that are kept open: which partition comes next is not known.
const OPEN: usize = 16;

/// Sorts what is read.
struct Collecting {
    letters: Letters,
    spill: Spill,
    /// Numbers of topics, as they came.
    topics: HashMap<Arc<str>, u32>,
    gaps: BTreeMap<i32, Vec<Range<i64>>>,
    failed: Option<io::Error>,
}

impl Collecting {
    fn key(&mut self, d: &Delivery) -> Key {
        let origin = death::of(&d.message).and_then(|d| d.origin).or_else(|| d.message.origin.clone());
        let known = origin.and_then(|o| Some((o.queue?, o.partition.unwrap_or(0), o.offset?)));
        let token = d.token.0;
        match known {
            Some((topic, partition, offset)) => {
                let next = u32::try_from(self.topics.len()).unwrap_or(u32::MAX - 1);
                Key { topic: *self.topics.entry(topic).or_insert(next), partition, offset, token }
            }
            // What does not say where it was comes last, in the order it has here.
            None => Key { topic: u32::MAX, partition: 0, offset: 0, token },
        }
    }
}

impl Into for Collecting {
    fn take(&mut self, _: i32, records: &[Record<'_>]) -> bool {
        for d in self.letters.write(records) {
            let key = self.key(&d);
            if let Err(e) = self.spill.add(key, Letters::pack(&d)) {
                self.failed = Some(e);
                return false;
            }
        }
        true
    }

    fn gap(&mut self, partition: i32, offsets: Range<i64>) {
        self.gaps.entry(partition).or_default().push(offsets);
    }
}

fn spilled(e: io::Error) -> Error {
    Error::new(Kind::Other, format!("what is sorted does not fit in {}", std::env::temp_dir().display()))
        .because(e)
        .hint("name a folder with more room: TMPDIR=PATH")
}

/// Reads all, then hands it out in order.
///
/// # Errors
/// As [`Reader::read`] and [`Held::own`], and where there is no room for what is sorted.
pub(super) fn run(
    reader: &mut Reader,
    before: BTreeMap<i32, Offsets>,
    held: &Held,
    send: &mpsc::Sender<Result<Batch>>,
) -> Result<()> {
    reader.resolved = Arc::new(before);
    let mut into = Collecting {
        letters: reader.letters.clone(),
        spill: Spill::new(HELD),
        topics: HashMap::new(),
        gaps: BTreeMap::new(),
        failed: None,
    };
    reader.read(&mut into)?;
    if let Some(e) = into.failed {
        return Err(spilled(e));
    }
    let mut sorted = into.spill.finish().map_err(spilled)?;
    let mut out = Handing { held, sender: reader.sender(send), batch: Vec::new(), bytes: 0, owned: BTreeMap::new() };
    let unwanted = |r: &Reader| r.closing.is_cancelled() || r.stop.is_cancelled();
    let handed = (|| {
        while let Some(entry) = sorted.next().map_err(spilled)? {
            if unwanted(reader) || !out.add(reader.letters.unpack(&entry)?, &mut into.gaps)? {
                return Ok(());
            }
        }
        out.flush().map(|_| ())
    })();
    reader.closed.notices.extend(out.sender.originals.notices());
    out.owned.keys().for_each(|partition| held.finish(*partition));
    handed
}

struct Handing<'a> {
    held: &'a Held,
    sender: Sender,
    batch: Vec<Delivery>,
    bytes: usize,
    /// What is resolved of the partitions that are ours by now.
    owned: BTreeMap<i32, Offsets>,
}

impl Handing<'_> {
    /// False where nobody wants more.
    fn add(&mut self, d: Delivery, gaps: &mut BTreeMap<i32, Vec<Range<i64>>>) -> Result<bool> {
        let (partition, offset) = place(d.token);
        let same = self.batch.first().is_none_or(|first| place(first.token).0 == partition);
        if (!same || self.batch.len() >= BATCH.0 || self.bytes >= BATCH.1) && !self.flush()? {
            return Ok(false);
        }
        if !self.owned.contains_key(&partition) {
            self.held.rest(OPEN);
            // First it is ours, then what was done of it is read: whoever had it can do no more.
            let set = self.held.own(partition)?;
            self.held.fill(partition, gaps.remove(&partition).unwrap_or_default())?;
            self.owned.insert(partition, set);
        }
        if !self.owned.get(&partition).is_some_and(|set| set.contains(offset)) {
            self.bytes += d.message.size();
            self.batch.push(d);
        }
        Ok(true)
    }

    fn flush(&mut self) -> Result<bool> {
        let deliveries = std::mem::take(&mut self.batch);
        self.bytes = 0;
        let Some(first) = deliveries.first() else { return Ok(true) };
        let partition = place(first.token).0;
        self.held.hand_out(partition, deliveries.len());
        self.sender.hand_over(partition, deliveries)
    }
}
