//! A scan: the half the engine holds. A task reads ahead, so that `next` may be dropped at any time.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::reader::Reader;
use super::settle::Settling;
use crate::broker::{Batch, Bound, Closed, Error, Kind, Result, Scan, Settler};

/// Batches that wait for the engine.
const AHEAD: usize = 2;

/// A scan under way.
pub struct StreamScan {
    batches: mpsc::Receiver<Result<Batch>>,
    closing: CancellationToken,
    task: JoinHandle<Result<Closed>>,
    settling: Arc<Settling>,
    bound: Bound,
}

impl StreamScan {
    /// Starts reading.
    pub fn start(reader: Reader, bound: Bound) -> StreamScan {
        let (out, batches) = mpsc::channel(AHEAD);
        let closing = CancellationToken::new();
        let settling = Settling {
            link: reader.link.clone(),
            stream: reader.stream.clone(),
            handed: reader.handed.clone(),
            info: reader.info.clone(),
        };
        let task = tokio::spawn(reader.run(out, closing.clone()));
        StreamScan { batches, closing, task, settling: Arc::new(settling), bound }
    }
}

#[async_trait]
impl Scan for StreamScan {
    async fn next(&mut self) -> Result<Option<Batch>> {
        self.batches.recv().await.transpose()
    }

    fn settler(&self) -> Arc<dyn Settler> {
        Arc::clone(&self.settling) as Arc<dyn Settler>
    }

    fn bound(&self) -> &Bound {
        &self.bound
    }

    async fn close(self: Box<Self>) -> Result<Closed> {
        self.closing.cancel();
        let StreamScan { batches, task, .. } = *self;
        drop(batches);
        task.await
            .unwrap_or_else(|e| Err(Error::new(Kind::Other, "the task that reads the stream broke off").because(e)))
    }
}
