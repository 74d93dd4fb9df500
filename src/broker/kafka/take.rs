//! A scan whose messages may be removed: partition by partition, each fenced, then its set read, then its records.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::connect::blocking;
use super::held::{Held, OPEN};
use super::letter::place;
use super::mover::Transactions;
use super::offsets::Span;
use super::reader::{Into, Reader, Sender};
use super::resolved::Offsets;
use super::spent::Spent;
use super::sys::Record;
use super::{ordered, sink};
use crate::broker::{
    Act, Batch, Bound, Closed, Error, Kind, Mover, Result, Scan, Settlement, Settler, SinkCapabilities,
};

const AHEAD: usize = 3;

pub(super) struct Take {
    batches: mpsc::Receiver<Result<Batch>>,
    closing: CancellationToken,
    ended: oneshot::Receiver<Closed>,
    bound: Bound,
    held: Arc<Held>,
    spent: Spent,
}

/// Hands out, and counts what is out.
struct Counting<'a> {
    sender: Sender,
    held: &'a Held,
    gaps: Vec<std::ops::Range<i64>>,
}

impl Into for Counting<'_> {
    fn take(&mut self, partition: i32, records: &[Record<'_>]) -> bool {
        self.held.hand_out(partition, records.len());
        self.sender.take(partition, records)
    }

    fn gap(&mut self, _: i32, offsets: std::ops::Range<i64>) {
        self.gaps.push(offsets);
    }
}

impl Take {
    /// `before` is what was resolved when nothing was fenced yet: partitions without anything else are left alone. `by_origin`: in
    /// the order of the original offsets.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(super) fn start(
        mut reader: Reader,
        bound: Bound,
        held: Held,
        before: BTreeMap<i32, Offsets>,
        by_origin: bool,
    ) -> Result<Take> {
        let (send, batches) = mpsc::channel(AHEAD);
        let (end, ended) = oneshot::channel();
        let closing = reader.closing.clone();
        let spent = reader.letters.spent.clone();
        let held = Arc::new(held);
        let shared = Arc::clone(&held);
        let run = move || {
            reader.note_hidden();
            if by_origin {
                if let Err(e) = ordered::run(&mut reader, before, &shared, &send) {
                    // Nobody listens any more where the scan is closed.
                    drop(send.blocking_send(Err(e)));
                }
                drop(end.send(reader.closed));
                return;
            }
            let spans: Vec<Span> = std::mem::take(&mut reader.spans);
            let open = |s: &Span| before.get(&s.partition).map_or(s.from, |set| set.first_absent(s.from, s.to)) < s.to;
            for span in spans.into_iter().filter(open) {
                match partition(&mut reader, span, &shared, &send) {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(e) => {
                        // Nobody listens any more where the scan is closed.
                        drop(send.blocking_send(Err(e)));
                        break;
                    }
                }
            }
            drop(end.send(reader.closed));
        };
        std::thread::Builder::new()
            .name("kafka reader".into())
            .spawn(run)
            .map_err(|e| Error::new(Kind::Other, "cannot start a thread to read the topic").because(e))?;
        Ok(Take { batches, closing, ended, bound, held, spent })
    }
}

/// Reads one partition. False where nobody wants more.
fn partition(reader: &mut Reader, span: Span, held: &Held, send: &mpsc::Sender<Result<Batch>>) -> Result<bool> {
    let unwanted = |r: &Reader| r.closing.is_cancelled() || r.stop.is_cancelled() || r.most == 0;
    while held.tidy() >= OPEN {
        if unwanted(reader) {
            return Ok(false);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    if unwanted(reader) {
        return Ok(false);
    }
    let set = held.own(span.partition)?;
    reader.spans = vec![span];
    reader.resolved = Arc::new([(span.partition, set)].into());
    let sender = reader.sender(send);
    let mut into = Counting { sender, held, gaps: Vec::new() };
    let read = reader.read(&mut into);
    reader.closed.notices.extend(into.sender.originals.notices());
    if read.is_ok() && reader.closed.cut.is_none() {
        held.fill(span.partition, into.gaps)?;
    }
    held.finish(span.partition);
    read.map(|()| !unwanted(reader))
}

#[async_trait]
impl Scan for Take {
    async fn next(&mut self) -> Result<Option<Batch>> {
        self.batches.recv().await.transpose()
    }

    fn settler(&self) -> Arc<dyn Settler> {
        Arc::new(Marking(Arc::clone(&self.held)))
    }

    fn bound(&self) -> &Bound {
        &self.bound
    }

    async fn mover(&mut self, to: &SinkCapabilities) -> Result<Option<Box<dyn Mover>>> {
        // What is noted on this machine is in no transaction.
        if self.held.state.keeps_local {
            return Ok(None);
        }
        match sink::way_within(&self.held.state.link.cluster, to.transaction_domain.as_deref()) {
            Some(way) => Ok(Some(Box::new(Transactions::start(Arc::clone(&self.held), way, self.spent.clone())?))),
            None => Ok(None),
        }
    }

    async fn close(mut self: Box<Self>) -> Result<Closed> {
        self.closing.cancel();
        self.batches.close();
        let ended = (&mut self.ended).await;
        let held = Arc::clone(&self.held);
        let finished = blocking(move || held.conclude()).await;
        self.held.close();
        let mut closed =
            ended.map_err(|_| Error::new(Kind::Other, "the thread that reads the topic ended before its time"))?;
        // That it was closed before its end is known to who closed it.
        closed.cut = None;
        finished?;
        Ok(closed)
    }
}

impl Drop for Take {
    fn drop(&mut self) {
        self.closing.cancel();
    }
}

/// Marks what is done, through the fence of its partition.
struct Marking(Arc<Held>);

#[async_trait]
impl Settler for Marking {
    async fn settle(&self, settlements: Vec<Settlement>) -> Vec<Result<()>> {
        let mut by_partition: BTreeMap<i32, Vec<i64>> = BTreeMap::new();
        for s in settlements.iter().filter(|s| s.act == Act::Done) {
            let (partition, offset) = place(s.token);
            by_partition.entry(partition).or_default().push(offset);
        }
        let held = Arc::clone(&self.0);
        let marked = if by_partition.is_empty() {
            BTreeMap::new()
        } else {
            let mark = move || {
                let mark = |(partition, offsets)| (partition, mark(&held, partition, offsets));
                Ok(by_partition.into_iter().map(mark).collect::<BTreeMap<i32, Result<()>>>())
            };
            match blocking(mark).await {
                Ok(marked) => marked,
                Err(e) => return settlements.iter().map(|_| Err(e.again())).collect(),
            }
        };
        for s in &settlements {
            self.0.settled(place(s.token).0, 1);
        }
        settlements
            .iter()
            .map(|s| match (s.act, marked.get(&place(s.token).0)) {
                (Act::Done, Some(Err(e))) => Err(e.again()),
                _ => Ok(()),
            })
            .collect()
    }
}

fn mark(held: &Held, partition: i32, offsets: Vec<i64>) -> Result<()> {
    // What nobody handed out is no offset of this topic.
    if !held.knows(partition) {
        return Err(Error::new(Kind::NotFound, format!("nothing of partition {partition} was handed out")));
    }
    held.mark(partition, &offsets)
}
