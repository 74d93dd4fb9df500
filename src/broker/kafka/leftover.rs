//! What a dead run left open in a partition though the cluster says that it was ended. Apache Kafka 4 takes a partition that has
//! no leader at that moment for deleted, and writes no marker there: the records stay with their producer id, and the next marker
//! of that id tells their fate with that of its own.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::producer::{BaseRecord, Producer as _};
use tokio_util::sync::CancellationToken;

use super::connect::Link;
use super::error;
use super::held::lock;
use super::offsets::{self, Ends};
use super::produce::{self, Fates};
use super::resolved::{Went, or_local};
use crate::broker::{Kind, Result};

/// What is open for longer is not just about to be committed by somebody who is at work.
const SOON: Duration = Duration::from_millis(100);
/// Another program's transaction that hides whether ours has ended is waited for so long. Some are open for minutes.
const OTHERS: Duration = Duration::from_secs(2);
/// Milliseconds a transaction may be open where the options do not say.
const LIMIT: u64 = 15_000;

/// Partitions of one topic.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Left {
    /// With records that may be ours and are done nowhere: they are to be hidden for good before more is sent there.
    pub(super) undone: Vec<i32>,
    /// With records that are done and not shown: the next commit shows them.
    pub(super) done: Vec<i32>,
}

impl Left {
    pub(super) fn is_empty(&self) -> bool {
        self.undone.is_empty() && self.done.is_empty()
    }
}

/// What an open transaction in a partition may be to us.
#[derive(Debug, PartialEq, Eq)]
enum Open {
    Nothing,
    Undone,
    Done,
    /// Somebody's is open from before the last of ours, whose end cannot be seen for it.
    Behind,
}

/// `last`: where the last transaction of ours that is done begins there.
fn judge(ends: Ends, last: Option<i64>) -> Open {
    if ends.stable >= ends.high {
        return Open::Nothing;
    }
    // A topic that was made anew does not reach as far.
    match last.filter(|last| *last < ends.high).map(|last| ends.stable.cmp(&last)) {
        Some(Ordering::Equal) => Open::Done,
        Some(Ordering::Less) => Open::Behind,
        Some(Ordering::Greater) | None => Open::Undone,
    }
}

/// Looks what may be left of ours at a destination. To be called with no transaction open there.
///
/// # Errors
/// That the cluster does not answer.
pub(super) fn look(link: &Link, topic: &str, went: &Went, stop: &CancellationToken) -> Result<Left> {
    let mut partitions = match link.partitions(topic) {
        Ok(partitions) => partitions,
        // Whoever sends there is told why not.
        Err(e) if matches!(e.kind(), Kind::NotFound | Kind::Denied) => return Ok(Left::default()),
        Err(e) => return Err(e),
    };
    let began = Instant::now();
    let mut then: BTreeMap<i32, i64> = BTreeMap::new();
    loop {
        let now = offsets::ends(link, topic, &partitions)?;
        let mut left = Left::default();
        let mut behind = Vec::new();
        partitions.clear();
        for (p, ends) in now {
            // What came since is of others.
            let high = *then.entry(p).or_insert(ends.high);
            match judge(Ends { high, ..ends }, went.at(topic, p)) {
                Open::Nothing => continue,
                Open::Undone => left.undone.push(p),
                Open::Done => left.done.push(p),
                Open::Behind => behind.push(p),
            }
            partitions.push(p);
        }
        if partitions.is_empty() || (behind.is_empty() && began.elapsed() >= SOON) {
            return Ok(left);
        }
        if !behind.is_empty() && (stop.is_cancelled() || began.elapsed() >= OTHERS) {
            log::debug!("{topic}: an open transaction in {behind:?} hides what an earlier run did there");
            return Ok(left);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Whether something is open in a partition of the set's topic that nobody ends soon.
///
/// # Errors
/// That the cluster does not answer.
pub(super) fn is_open(link: &Link, topic: &str, partition: i32) -> Result<bool> {
    let began = Instant::now();
    let mut then = None;
    loop {
        let now = offsets::ends(link, topic, &[partition])?;
        let Some(ends) = now.get(&partition) else { return Ok(false) };
        let high = *then.get_or_insert(ends.high);
        let open = ends.stable < high;
        if !open || began.elapsed() >= SOON {
            return Ok(open);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Partitions that are part of the transaction by now. The library tells so in its log only.
#[derive(Default)]
struct Joined(Mutex<BTreeSet<String>>);

impl Fates for Joined {
    const TOGETHER: bool = true;

    fn known(&self, _: usize, _: Result<(i32, i64)>) {}

    fn logged(&self, facility: &str, text: &str) {
        if facility == "ADDPARTS" && text.ends_with("registered with transaction") {
            lock(&self.0).insert(text.to_owned());
        }
    }
}

/// Hides what a producer id left open in these: an aborted transaction in them that has no record. Whoever has the id is shut out.
///
/// # Errors
/// As a transaction.
pub(super) fn undo(config: &ClientConfig, link: &Link, topic: &str, partitions: &[i32]) -> Result<()> {
    let doing = "undoing what an earlier run left open";
    let longest = link.longest;
    log::debug!("{topic}: partitions {partitions:?} are left open by nobody who is alive");
    let mut config = config.clone();
    let debug = config.get("debug").map_or_else(|| "eos".to_owned(), |debug| format!("{debug},eos"));
    config.set("debug", debug).set_log_level(RDKafkaLogLevel::Debug);
    // It is never sent: long before that its transaction is aborted.
    let limit = config.get("transaction.timeout.ms").and_then(|t| t.parse().ok()).unwrap_or(LIMIT);
    config.remove("queue.buffering.max.ms");
    config.set("linger.ms", (limit / 2).to_string()).set("message.timeout.ms", limit.to_string());
    let patience = longest.min(Duration::from_millis(limit / 4));
    let joined = Arc::new(Joined::default());
    let producer = produce::open(&config, Arc::clone(&joined), link)?;
    produce::acquaint(&producer, topic, longest);
    let failed = |e| or_local(error::map(&e, doing));
    producer.init_transactions(longest).map_err(failed)?;
    producer.begin_transaction().map_err(failed)?;
    for (number, p) in partitions.iter().enumerate() {
        let record = BaseRecord::<[u8], [u8], usize>::with_opaque_to(topic, number).partition(*p);
        producer.send(record).map_err(|(e, _)| failed(e))?;
    }
    let began = Instant::now();
    while lock(&joined.0).len() < partitions.len() {
        if began.elapsed() >= patience {
            return Err(error::of_code(Code::OperationTimedOut).during(doing));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    // The records are given up unsent, and a marker is written all the same.
    producer.abort_transaction(longest).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_done_is_never_taken_for_undone() {
        let judged = |stable, last| judge(Ends { stable, high: 30 }, last);
        assert_eq!(judged(30, None), Open::Nothing);
        assert_eq!(judged(30, Some(20)), Open::Nothing);
        assert_eq!(judged(20, None), Open::Undone, "nothing was ever committed there");
        assert_eq!(judged(21, Some(20)), Open::Undone, "the last that was committed has ended");
        assert_eq!(judged(20, Some(20)), Open::Done, "the last that was committed has not ended");
        assert_eq!(judged(19, Some(20)), Open::Behind);
        assert_eq!(judged(19, Some(30)), Open::Undone, "of a topic that was there before");
    }
}
