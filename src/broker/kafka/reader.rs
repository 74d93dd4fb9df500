//! Reads partitions from one offset to another on a thread of its own, past gaps, and tells how that went.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::error::RDKafkaErrorCode as Code;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::connect::{Heard, Link};
use super::error;
use super::letter::Letters;
use super::offsets::{self, Span};
use super::originals::Originals;
use super::resolved::Offsets;
use super::sys::{Got, Queue, Record};
use crate::broker::{Batch, Closed, Delivery, Error, Kind, Result};

/// Records taken off the library's queue at once.
const AT_ONCE: usize = 1000;
/// Bytes of a batch from which on it is handed out.
const BATCH: usize = 1 << 20;
/// How often a reader that waits looks whether it is wanted still.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What to read and how it goes on from there.
pub(super) struct Reader {
    pub(super) link: Arc<Link>,
    pub(super) topic: String,
    pub(super) letters: Letters,
    pub(super) spans: Vec<Span>,
    /// At most so many records.
    pub(super) most: u64,
    /// Set when nobody wants more.
    pub(super) closing: CancellationToken,
    /// Set at Ctrl-C.
    pub(super) stop: CancellationToken,
    pub(super) closed: Closed,
    /// What is passed over, by partition.
    pub(super) resolved: Arc<BTreeMap<i32, Offsets>>,
}

/// One partition under way.
struct Open<'a> {
    next: i64,
    to: i64,
    resolved: Option<&'a Offsets>,
}

/// Where a reader leaves what it read.
pub(super) trait Into {
    /// Records of one partition, in order. False where nobody wants more.
    fn take(&mut self, partition: i32, records: &[Record<'_>]) -> bool;
    /// These offsets hold no record, and never will.
    fn gap(&mut self, _partition: i32, _offsets: Range<i64>) {}
}

/// Hands out batches.
pub(super) struct Sender {
    pub(super) originals: Originals,
    pub(super) letters: Letters,
    pub(super) to: mpsc::Sender<Result<Batch>>,
}

impl Into for Sender {
    fn take(&mut self, partition: i32, records: &[Record<'_>]) -> bool {
        let mut rest = records;
        while !rest.is_empty() {
            let written = self.letters.write_some(rest, BATCH);
            let later = &rest[written.len()..];
            let batch = self.batch(partition, written);
            let failed = batch.is_err();
            if self.to.blocking_send(batch).is_err() || failed {
                return false;
            }
            rest = later;
        }
        true
    }
}

impl Sender {
    fn batch(&mut self, partition: i32, mut deliveries: Vec<Delivery>) -> Result<Batch> {
        let lane = u64::try_from(partition).unwrap_or(0);
        self.originals.complete(&mut deliveries).map(|()| Batch { lane, deliveries })
    }

    /// Hands out messages of one partition. False where nobody wants more.
    ///
    /// # Errors
    /// As [`Originals::complete`].
    pub(super) fn hand_over(&mut self, partition: i32, deliveries: Vec<Delivery>) -> Result<bool> {
        let batch = self.batch(partition, deliveries)?;
        Ok(self.to.blocking_send(Ok(batch)).is_ok())
    }
}

impl Reader {
    /// Of all records of these, until it is done.
    pub(super) fn of(link: &Arc<Link>, topic: &str, spans: Vec<Span>) -> Reader {
        Reader {
            link: Arc::clone(link),
            topic: topic.to_owned(),
            letters: Letters::new("".into(), ""),
            spans,
            most: u64::MAX,
            closing: CancellationToken::new(),
            stop: CancellationToken::new(),
            closed: Closed::default(),
            resolved: Arc::default(),
        }
    }

    /// Where its batches go.
    pub(super) fn sender(&self, to: &mpsc::Sender<Result<Batch>>) -> Sender {
        let originals = Originals::new(Arc::clone(&self.link));
        Sender { originals, letters: self.letters.clone(), to: to.clone() }
    }

    /// Reads all spans side by side.
    ///
    /// # Errors
    /// Whatever keeps a partition from being read to its end.
    pub(super) fn read(&mut self, into: &mut impl Into) -> Result<()> {
        let mut queue = self.queue()?;
        let resolved = Arc::clone(&self.resolved);
        let mut open: Vec<Option<Open<'_>>> = Vec::new();
        let mut running = 0;
        for span in self.spans.iter().filter(|s| s.len() > 0) {
            start(&mut queue, span.partition, span.from)?;
            let at = usize::try_from(span.partition).unwrap_or(0);
            open.resize_with(open.len().max(at + 1), || None);
            open[at] = Some(Open { next: span.from, to: span.to, resolved: resolved.get(&span.partition) });
            running += 1;
        }
        let mut left = self.most;
        let mut silent = Duration::ZERO;
        while running > 0 && left > 0 {
            if self.closing.is_cancelled() || self.stop.is_cancelled() {
                self.closed.cut.get_or_insert_with(|| "it was stopped".to_owned());
                return Ok(());
            }
            let began = Instant::now();
            let records = queue.poll(AT_ONCE, LOOK_EVERY);
            let (mut run, mut of): (Vec<Record<'_>>, i32) = (Vec::with_capacity(AT_ONCE), -1);
            let mut any = false;
            for got in records.iter() {
                // What comes behind the last that is wanted was not read: it must not be taken for a gap.
                if left == 0 {
                    break;
                }
                let partition = match &got {
                    Got::Record(r) => r.partition(),
                    Got::End { partition, .. } | Got::Failed { partition, .. } => *partition,
                };
                if partition != of {
                    if !run.is_empty() && !into.take(of, &run) {
                        return Ok(());
                    }
                    run.clear();
                    of = partition;
                }
                let Some(state) = usize::try_from(partition).ok().and_then(|at| open.get_mut(at)) else { continue };
                let Some(here) = state else { continue };
                any = true;
                let done = match got {
                    Got::Record(r) => {
                        if r.offset() > here.next {
                            into.gap(partition, here.next..r.offset().min(here.to));
                        }
                        if r.offset() >= here.next && r.offset() < here.to {
                            here.next = r.offset() + 1;
                            if !here.resolved.is_some_and(|set| set.contains(r.offset())) {
                                left -= 1;
                                run.push(r);
                            }
                        }
                        r.offset() + 1 >= here.to
                    }
                    Got::End { offset, .. } => {
                        if offset >= here.to && here.next < here.to {
                            into.gap(partition, here.next..here.to);
                        }
                        offset >= here.to
                    }
                    Got::Failed { code, .. } => self.failed(&mut queue, partition, here, code)?,
                };
                if done {
                    queue.stop(partition);
                    *state = None;
                    running -= 1;
                }
            }
            if !run.is_empty() && !into.take(of, &run) {
                return Ok(());
            }
            if any {
                silent = Duration::ZERO;
                continue;
            }
            // The time a machine was asleep is not the cluster's.
            silent += began.elapsed().min(2 * LOOK_EVERY);
            if silent > self.link.longest {
                let why = format!("the cluster has sent nothing for {} s", silent.as_secs());
                return Err(Error::new(Kind::Unreachable, why).during("reading the topic"));
            }
        }
        self.most = left;
        Ok(())
    }

    fn queue(&self) -> Result<Queue<Heard>> {
        Queue::new(Arc::clone(&self.link.consumer), &self.topic)
            .ok_or_else(|| Error::new(Kind::Other, "no queue can be made to read the topic into"))
    }

    /// A partition cannot be read on where it was. True where there is no more of it.
    fn failed(&mut self, queue: &mut Queue<Heard>, partition: i32, open: &mut Open<'_>, code: Code) -> Result<bool> {
        if !matches!(code, Code::AutoOffsetReset | Code::OffsetOutOfRange) {
            return Err(error::of_code(code).during("reading the topic"));
        }
        // Retention, or somebody's DeleteRecords, was faster.
        let begins = offsets::spans(&self.link, &self.topic, &[partition])?.first().map_or(open.to, |s| s.from);
        let gone = begins.min(open.to) - open.next;
        if gone <= 0 {
            return Err(error::of_code(code).during("reading the topic"));
        }
        self.closed.notices.push(format!(
            "partition {partition}: offsets {} to {} were deleted while this read, before it came to them",
            open.next,
            open.next + gone - 1
        ));
        queue.stop(partition);
        open.next = begins;
        if begins >= open.to {
            return Ok(true);
        }
        start(queue, partition, begins)?;
        Ok(false)
    }

    /// What a reader of the result must know of what was not to be read.
    pub(super) fn note_hidden(&mut self) {
        let hidden: i64 = self.spans.iter().map(|s| s.hidden).sum();
        if hidden > 0 {
            let partitions = self.spans.iter().filter(|s| s.hidden > 0).count();
            self.closed.notices.push(format!(
                "{hidden} offsets at the end of {} are hidden by open transactions and were not read",
                if partitions == 1 { "a partition".to_owned() } else { format!("{partitions} partitions") },
            ));
        }
    }
}

fn start(queue: &mut Queue<Heard>, partition: i32, offset: i64) -> Result<()> {
    queue.start(partition, offset).map_err(|code| error::of_code(code).during("reading the topic"))
}
