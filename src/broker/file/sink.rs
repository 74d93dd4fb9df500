//! An archive to write to.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

use async_trait::async_trait;
use futures::FutureExt as _;
use tokio::sync::{mpsc, oneshot};

use super::address::{canonical, path_of};
use super::store::{self, Store, StreamStore};
use super::writer::{self, Job};
use super::{can, capabilities, error};
use crate::broker::{
    Address, Confirms, Context, Error, Finding, Fit, Kind, Load, Outgoing, Result, Sink, SinkCapabilities,
};
use crate::message::{Target, archive};

/// Batches that may wait for the writing thread.
const WAITING: usize = 8;

/// Opens `file:PATH` or `-`. A file that is not there is created by the first batch, or by closing.
pub(super) async fn open(address: &Address, context: &Context) -> Result<Box<dyn Sink>> {
    address.only_options(&[])?;
    let store: Box<dyn Store> = match path_of(address) {
        None => Box::new(StreamStore::stdout()),
        Some(path) => {
            let notice = Arc::clone(&context.notice);
            error::blocking(move || store::open(&path, notice)).await?
        }
    };
    Ok(Box::new(FileSink { path: path_of(address), ..FileSink::start(address.shown.clone(), store)? }))
}

pub(super) struct FileSink {
    shown: String,
    /// None of a stream.
    path: Option<PathBuf>,
    keeps: bool,
    /// Before `jobs`, since fields are dropped in order: a sink that is dropped without being closed must be known as such
    /// when the writing thread runs out of jobs.
    ended: oneshot::Receiver<Result<()>>,
    jobs: Option<mpsc::Sender<Job>>,
    thread: JoinHandle<()>,
}

impl FileSink {
    pub(super) fn start(shown: String, store: Box<dyn Store>) -> Result<FileSink> {
        let (jobs, queue) = mpsc::channel(WAITING);
        let (end, ended) = oneshot::channel();
        let keeps = store.keeps();
        // Not a task of the runtime: a pipe that nobody reads must not hold up the exit.
        let thread = std::thread::Builder::new()
            .name("archive writer".into())
            .spawn(move || writer::run(queue, store, end))
            .map_err(|e| Error::new(Kind::Other, "cannot start a thread to write the archive").because(e))?;
        Ok(FileSink { shown, path: None, keeps, jobs: Some(jobs), ended, thread })
    }
}

#[async_trait]
impl Sink for FileSink {
    fn shown(&self) -> &str {
        &self.shown
    }

    fn capabilities(&self) -> &SinkCapabilities {
        &capabilities::SINK
    }

    async fn check(&self, target: Option<&Target>) -> Result<()> {
        match target {
            None => Ok(()),
            Some(target) => Err(Error::new(
                Kind::Unsupported,
                format!("{} is an archive and cannot deliver to {target}", self.shown),
            )),
        }
    }

    async fn can(&self, _: Option<&Target>, load: Load) -> Vec<Finding> {
        let Some(path) = self.path.clone() else { return Vec::new() };
        error::blocking(move || Ok(can::into(&canonical(&path), load, true))).await.unwrap_or_default()
    }

    async fn receivers(&self) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    fn keeps(&self) -> bool {
        self.keeps
    }

    fn fit(&self) -> Fit {
        Arc::new(|outgoing| archive::check(&outgoing.message).map(|()| Vec::new()))
    }

    async fn publish(&mut self, batch: Vec<Outgoing>) -> Confirms {
        let count = batch.len();
        let (answer, answered) = oneshot::channel();
        let sent = match &self.jobs {
            Some(jobs) => jobs.send(Job { batch, answer }).await.is_ok(),
            None => false,
        };
        let shown = self.shown.clone();
        async move {
            if let (true, Ok(results)) = (sent, answered.await) {
                return results;
            }
            let e = Error::new(Kind::Indeterminate, format!("the thread that writes {shown} ended early"));
            (0..count).map(|_| Err(e.again())).collect()
        }
        .boxed()
    }

    async fn close(mut self: Box<Self>) -> Result<()> {
        self.jobs = None;
        (&mut self.ended).await.unwrap_or_else(|e| Err(error::died(e)))
    }

    async fn leave(self: Box<Self>) -> Result<()> {
        let FileSink { ended, jobs, thread, .. } = *self;
        drop((ended, jobs));
        // The lock goes with the thread, and must be gone before the process is.
        error::blocking(move || thread.join().map_err(|_| Error::new(Kind::Other, "the archive writer ended early")))
            .await
    }
}
