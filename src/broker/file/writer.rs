//! The writing thread of a sink: what waits while a batch is synced is written together and shares the next sync.

use tokio::sync::{mpsc, oneshot};

use super::store::Store;
use crate::broker::{Error, Outgoing, Receipt, Result};
use crate::message::archive;

/// One batch and who waits for it.
pub(super) struct Job {
    pub(super) batch: Vec<Outgoing>,
    pub(super) answer: oneshot::Sender<Vec<Result<Receipt>>>,
}

/// Batches that may share one sync.
const GROUP: usize = 16;

/// Runs until the sink lets go. Closing creates an archive that no message came for; dropping, as after a dry run, does not.
pub(super) fn run(mut jobs: mpsc::Receiver<Job>, mut store: Box<dyn Store>, ended: oneshot::Sender<Result<()>>) {
    while let Some(first) = jobs.blocking_recv() {
        let mut group = vec![first];
        while group.len() < GROUP
            && let Ok(job) = jobs.try_recv()
        {
            group.push(job);
        }
        let mut written: Vec<(Job, Vec<Result<Receipt>>)> = Vec::with_capacity(group.len());
        for job in group {
            let results = append(&mut *store, &job.batch);
            written.push((job, results));
        }
        let synced = store.sync();
        for (job, mut results) in written {
            if let Err(e) = &synced {
                fail(&mut results, e);
            }
            // A caller that went away does not need the answer.
            let _ = job.answer.send(results);
        }
    }
    let end = if ended.is_closed() { Ok(()) } else { store.append(b"").and_then(|()| store.sync()) };
    // Let go of the lock before anyone hears that it is over.
    drop(store);
    let _ = ended.send(end);
}

fn append(store: &mut dyn Store, batch: &[Outgoing]) -> Vec<Result<Receipt>> {
    let mut lines = Vec::new();
    let mut results: Vec<Result<Receipt>> = batch
        .iter()
        .map(|outgoing| {
            let id = archive::fresh_line_id();
            archive::write(&id, &outgoing.message, &mut lines)?;
            Ok(Receipt { id: Some(id.into()) })
        })
        .collect();
    if !lines.is_empty()
        && let Err(e) = store.append(&lines)
    {
        fail(&mut results, &e);
    }
    results
}

fn fail(results: &mut [Result<Receipt>], e: &Error) {
    results.iter_mut().filter(|r| r.is_ok()).for_each(|r| *r = Err(e.again()));
}
