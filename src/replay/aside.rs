//! `--failed-to`: what failed, written down as it was.

use futures::StreamExt;
use futures::channel::mpsc;
use tokio::task::JoinHandle;

use crate::broker::{Error, Kind, Outgoing, Result, Sink};
use crate::message::DeadLetter;

/// Messages written together at most.
const TOGETHER: usize = 200;

/// Takes messages without waiting; a task of its own writes them.
pub struct Aside {
    letters: mpsc::UnboundedSender<Box<DeadLetter>>,
    writing: JoinHandle<(u64, Result<()>)>,
}

impl Aside {
    /// Writes to this archive, which is created by the first message.
    pub fn start(sink: Box<dyn Sink>) -> Aside {
        let (letters, queue) = mpsc::unbounded();
        Aside { letters, writing: tokio::spawn(write(sink, queue)) }
    }

    /// Adds one.
    pub(super) fn add(&self, message: Box<DeadLetter>) {
        // Where the task has ended, closing tells why.
        _ = self.letters.unbounded_send(message);
    }

    /// Waits until all is written; how many were, and what went wrong.
    pub(super) async fn close(self) -> (u64, Result<()>) {
        drop(self.letters);
        let died = |e| (0, Err(Error::new(Kind::Other, "writing what failed ended before its time").because(e)));
        self.writing.await.unwrap_or_else(died)
    }
}

async fn write(mut sink: Box<dyn Sink>, queue: mpsc::UnboundedReceiver<Box<DeadLetter>>) -> (u64, Result<()>) {
    let mut batches = queue.ready_chunks(TOGETHER);
    let (mut sequence, mut written, mut wrong) = (0, 0, None);
    let shown = sink.shown().to_owned();
    while let Some(batch) = batches.next().await {
        let batch = batch
            .into_iter()
            .map(|message| {
                sequence += 1;
                Outgoing::verbatim(sequence, message)
            })
            .collect();
        for result in sink.publish(batch).await.await {
            match result {
                Ok(_) => written += 1,
                Err(e) => _ = wrong.get_or_insert(e),
            }
        }
    }
    let closed = if sequence == 0 { sink.leave().await } else { sink.close().await };
    let result = wrong.map_or(closed, Err);
    (written, result.map_err(|e| Error::new(e.kind(), format!("not all that failed is in {shown}")).because(e)))
}
