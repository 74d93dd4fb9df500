//! A scan of a queue: the half the engine holds. The work is done by a task that owns the channel ([`super::reader`]), so that
//! `next` may be dropped at any time and the messages are given back even when the scan is.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::held::Held;
use super::reader::Reader;
use super::settle::Settling;
use crate::broker::{Batch, Bound, Closed, Error, Kind, Result, Scan, Settler};

/// Batches that wait for the engine: enough to keep it busy, few enough to bound memory.
const AHEAD: usize = 4;

/// A scan under way.
pub struct QueueScan {
    batches: mpsc::Receiver<Result<Batch>>,
    closing: CancellationToken,
    task: Option<JoinHandle<Result<Closed>>>,
    held: Arc<Held>,
    bound: Bound,
}

impl QueueScan {
    /// Starts reading.
    pub fn start(reader: Reader, bound: Bound) -> QueueScan {
        let (sender, batches) = mpsc::channel(AHEAD);
        let closing = CancellationToken::new();
        let held = reader.held();
        let task = tokio::spawn(reader.run(sender, closing.clone()));
        QueueScan { batches, closing, task: Some(task), held, bound }
    }
}

#[async_trait]
impl Scan for QueueScan {
    async fn next(&mut self) -> Result<Option<Batch>> {
        self.batches.recv().await.transpose()
    }

    fn settler(&self) -> Arc<dyn Settler> {
        Arc::new(Settling(self.held.clone()))
    }

    fn bound(&self) -> &Bound {
        &self.bound
    }

    async fn close(mut self: Box<Self>) -> Result<Closed> {
        self.closing.cancel();
        match self.task.take() {
            Some(task) => task.await.unwrap_or_else(|e| {
                Err(Error::new(
                    Kind::Other,
                    "the task that reads the queue broke off; what it held went back by itself",
                )
                .because(e))
            }),
            None => Ok(Closed::default()),
        }
    }
}

impl Drop for QueueScan {
    fn drop(&mut self) {
        // The task still gives back what it holds, as long as the runtime lives.
        self.closing.cancel();
    }
}
