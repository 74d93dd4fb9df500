//! Reading and judging, side by side: a few batches are judged on other threads while the next is read, and come out in order.

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesOrdered;

use crate::broker::{Batch, Closed, Error, Kind, Result, Scan};
use crate::select::Selection;

/// Starts judging a batch and making something of it. It makes progress unpolled. The number is that of its first message
/// within the scan.
pub(super) type Start<W> = Box<dyn Fn(Batch, u64) -> BoxFuture<'static, Result<W>> + Send>;

pub(super) struct Pipeline<W> {
    scan: Box<dyn Scan>,
    start: Start<W>,
    judging: FuturesOrdered<BoxFuture<'static, Result<W>>>,
    depth: usize,
    taken: u64,
    scan_limit: Option<u64>,
    ended: bool,
    /// Told once what was read before it is judged.
    damaged: Option<Error>,
    /// `--scan-limit` ended the reading.
    pub(super) limited: bool,
}

impl<W: Send + 'static> Pipeline<W> {
    pub(super) fn new(scan: Box<dyn Scan>, scan_limit: Option<u64>, start: Start<W>) -> Self {
        let depth = std::thread::available_parallelism().map_or(2, std::num::NonZero::get) + 1;
        let judging = FuturesOrdered::new();
        Pipeline { scan, start, judging, depth, taken: 0, scan_limit, ended: false, damaged: None, limited: false }
    }

    /// The next judged batch; `None` at the end. Cancel safe. An error of the scan, save damaged data, overtakes what is still being judged: what
    /// was read over a connection that is lost had better not be worked on.
    pub(super) async fn next(&mut self) -> Option<Result<W>> {
        loop {
            let reads = !self.ended && self.judging.len() < self.depth;
            tokio::select! {
                biased;
                Some(judged) = self.judging.next(), if !self.judging.is_empty() => return Some(judged),
                read = self.scan.next(), if reads => match read {
                    Ok(Some(batch)) => self.judge(batch),
                    Ok(None) => self.ended = true,
                    // What was read before a line that cannot be read is as good as ever.
                    Err(e) if e.kind() == Kind::Corrupt => {
                        self.ended = true;
                        self.damaged = Some(e);
                    }
                    Err(e) => {
                        self.ended = true;
                        return Some(Err(e));
                    }
                },
                else => return self.damaged.take().map(Err),
            }
        }
    }

    fn judge(&mut self, mut batch: Batch) {
        if let Some(most) = self.scan_limit {
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
        self.judging.push_back((self.start)(batch, first));
    }

    /// Closes the scan. What is still being judged is forgotten, and given back.
    pub(super) async fn close(self) -> Result<Closed> {
        self.scan.close().await
    }
}

/// How many to read at most. Where everything is selected, `--limit` bounds the reading as well: what is not read is not
/// touched.
pub(super) fn at_most(selection: &Selection) -> Option<u64> {
    match (selection.limit.filter(|_| selection.takes_all()), selection.scan_limit) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
