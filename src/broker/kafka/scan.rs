//! A scan of a topic: the half the engine holds. A thread reads, so that `next` may be dropped at any time.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::reader::Reader;
use crate::broker::{Act, Batch, Bound, Closed, Error, Kind, Result, Scan, Settlement, Settler};

/// Batches that wait for the engine.
const AHEAD: usize = 3;

/// A scan that only looks.
pub(super) struct Look {
    batches: mpsc::Receiver<Result<Batch>>,
    closing: CancellationToken,
    ended: oneshot::Receiver<Closed>,
    bound: Bound,
}

impl Look {
    /// Starts the thread; `work` reads and hands out.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(super) fn start(
        mut reader: Reader,
        bound: Bound,
        work: impl FnOnce(&mut Reader, &mpsc::Sender<Result<Batch>>) -> Result<()> + Send + 'static,
    ) -> Result<Look> {
        let (send, batches) = mpsc::channel(AHEAD);
        let (end, ended) = oneshot::channel();
        let closing = reader.closing.clone();
        let run = move || {
            reader.note_hidden();
            if let Err(e) = work(&mut reader, &send) {
                // Nobody listens any more where the scan is closed.
                drop(send.blocking_send(Err(e)));
            }
            drop(end.send(reader.closed));
        };
        std::thread::Builder::new()
            .name("kafka reader".into())
            .spawn(run)
            .map_err(|e| Error::new(Kind::Other, "cannot start a thread to read the topic").because(e))?;
        Ok(Look { batches, closing, ended, bound })
    }
}

#[async_trait]
impl Scan for Look {
    async fn next(&mut self) -> Result<Option<Batch>> {
        self.batches.recv().await.transpose()
    }

    fn settler(&self) -> Arc<dyn Settler> {
        Arc::new(KeepAll)
    }

    fn bound(&self) -> &Bound {
        &self.bound
    }

    async fn close(mut self: Box<Self>) -> Result<Closed> {
        self.closing.cancel();
        self.batches.close();
        let mut closed = (&mut self.ended)
            .await
            .map_err(|_| Error::new(Kind::Other, "the thread that reads the topic ended before its time"))?;
        // That it was closed before its end is known to who closed it.
        closed.cut = None;
        Ok(closed)
    }
}

impl Drop for Look {
    fn drop(&mut self) {
        self.closing.cancel();
    }
}

struct KeepAll;

#[async_trait]
impl Settler for KeepAll {
    async fn settle(&self, settlements: Vec<Settlement>) -> Vec<Result<()>> {
        let fate = |s: &Settlement| match s.act {
            Act::Keep => Ok(()),
            Act::Done => Err(Error::new(Kind::Unsupported, "this scan only looks")),
        };
        settlements.iter().map(fate).collect()
    }
}
