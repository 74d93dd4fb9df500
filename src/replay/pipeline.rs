//! Reading and judging, side by side: a few batches are judged on other threads while the next is read, and come out in order.

use std::future::{Ready, ready};
use std::sync::Arc;

use futures::StreamExt;
use futures::future::Either;
use futures::stream::FuturesOrdered;
use tokio::task::{JoinError, JoinHandle};

use crate::broker::{Batch, Closed, Error, Kind, Result, Scan};
use crate::select::{Judged, Selection};

/// What is made of a judged batch on the thread that judged it. The number is that of its first message within the scan.
pub(super) type Work<W> = Arc<dyn Fn(Judged, u64) -> W + Send + Sync>;

/// A batch so small is judged where it was read, unless there is an expression: a thread switch would cost more.
const SMALL: usize = 64;

/// A batch that is judged, or is being judged on another thread.
type Judging<W> = Either<Ready<Result<W, JoinError>>, JoinHandle<W>>;

pub(super) struct Pipeline<W> {
    scan: Box<dyn Scan>,
    selection: Arc<Selection>,
    work: Work<W>,
    judging: FuturesOrdered<Judging<W>>,
    depth: usize,
    taken: u64,
    ended: bool,
    /// `--scan-limit` ended the reading.
    pub(super) limited: bool,
}

impl<W: Send + 'static> Pipeline<W> {
    pub(super) fn new(scan: Box<dyn Scan>, selection: Arc<Selection>, work: Work<W>) -> Self {
        let depth = std::thread::available_parallelism().map_or(2, std::num::NonZero::get) + 1;
        Pipeline {
            scan,
            selection,
            work,
            judging: FuturesOrdered::new(),
            depth,
            taken: 0,
            ended: false,
            limited: false,
        }
    }

    /// The next judged batch; `None` at the end. Cancel safe. An error of the scan overtakes what is still being judged: what
    /// was read over a connection that is lost had better not be worked on.
    pub(super) async fn next(&mut self) -> Option<Result<W>> {
        loop {
            let reads = !self.ended && self.judging.len() < self.depth;
            tokio::select! {
                biased;
                Some(judged) = self.judging.next(), if !self.judging.is_empty() => {
                    return Some(judged.map_err(|e| {
                        Error::new(Kind::Other, "judging a batch of messages broke off").because(e)
                    }));
                }
                read = self.scan.next(), if reads => match read {
                    Ok(Some(batch)) => self.judge(batch),
                    Ok(None) => self.ended = true,
                    Err(e) => {
                        self.ended = true;
                        return Some(Err(e));
                    }
                },
                else => return None,
            }
        }
    }

    fn judge(&mut self, mut batch: Batch) {
        if let Some(most) = self.selection.scan_limit {
            let room = most.saturating_sub(self.taken);
            batch.deliveries.truncate(usize::try_from(room).unwrap_or(usize::MAX));
            if batch.deliveries.len() as u64 == room {
                self.limited = true;
                self.ended = true;
            }
            if batch.deliveries.is_empty() {
                return;
            }
        }
        let first = self.taken;
        self.taken += batch.deliveries.len() as u64;
        let (selection, work) = (Arc::clone(&self.selection), Arc::clone(&self.work));
        self.judging.push_back(if selection.program.is_none() && batch.deliveries.len() <= SMALL {
            Either::Left(ready(Ok(work(selection.judge(batch), first))))
        } else {
            Either::Right(tokio::task::spawn_blocking(move || work(selection.judge(batch), first)))
        });
    }

    /// Closes the scan. What is still being judged is forgotten, and given back.
    pub(super) async fn close(self) -> Result<Closed> {
        self.scan.close().await
    }
}

/// How many to read at most. Where everything is selected, `--limit` bounds the reading as well: what is not read is not
/// touched.
pub(super) fn at_most(selection: &Selection) -> Option<u64> {
    let Selection { program, since, until, ids, cause, limit, scan_limit } = selection;
    let everything = program.is_none() && since.is_none() && until.is_none() && ids.is_none() && cause.is_none();
    match (limit.filter(|_| everything), *scan_limit) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
