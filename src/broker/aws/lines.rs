//! Calls on their way: several at once, and those of one chain one after the other.

use std::collections::HashMap;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;

/// What may be on its way at once, in KiB: calls wait for it, so that large messages do not fill memory.
const ON_THE_WAY: u32 = 16 << 10;

/// A call that waits for its turn.
type Call = BoxFuture<'static, ()>;

/// The calls of one sink.
pub struct Lines {
    at_once: u32,
    calls: Arc<Semaphore>,
    room: Arc<Semaphore>,
    /// One for each chain that has been met.
    chains: HashMap<usize, (mpsc::Sender<Call>, JoinHandle<()>)>,
}

impl Lines {
    /// So many calls at once, besides those of chains.
    pub fn new(at_once: u32) -> Lines {
        let (calls, room) = (Semaphore::new(at_once as usize), Semaphore::new(ON_THE_WAY as usize));
        Lines { at_once, calls: Arc::new(calls), room: Arc::new(room), chains: HashMap::new() }
    }

    /// Hands one call of so many bytes over, behind those of its chain. Returns once it is on its way or in that line. The
    /// answer fails to come where the call was dropped: its outcome is unknown then.
    pub async fn hand_over<T: Send + 'static>(
        &mut self,
        chain: Option<usize>,
        bytes: usize,
        call: impl Future<Output = T> + Send + 'static,
    ) -> oneshot::Receiver<T> {
        let (reply, answer) = oneshot::channel();
        let size = u32::try_from(bytes / 1024 + 1).unwrap_or(ON_THE_WAY).min(ON_THE_WAY);
        // Neither semaphore is ever closed.
        let Ok(room) = Arc::clone(&self.room).acquire_many_owned(size).await else { return answer };
        let call = async move {
            // Nobody waits any more when the run was dropped at the second Ctrl-C.
            _ = reply.send(call.await);
            drop(room);
        };
        match chain {
            None => {
                let Ok(turn) = Arc::clone(&self.calls).acquire_owned().await else { return answer };
                tokio::spawn(call.map(|()| drop(turn)));
            }
            Some(chain) => {
                let (line, _) = self.chains.entry(chain).or_insert_with(|| {
                    let (line, waiting) = mpsc::channel(2);
                    (line, tokio::spawn(one_by_one(waiting)))
                });
                _ = line.send(call.boxed()).await;
            }
        }
        answer
    }

    /// Waits for all that is on its way; false where some of it was cut short.
    pub async fn close(self) -> bool {
        let mut whole = true;
        for (_, (line, worker)) in self.chains {
            drop(line);
            whole &= worker.await.is_ok();
        }
        // All turns are free once nothing is on its way.
        whole & self.calls.acquire_many(self.at_once).await.is_ok()
    }
}

async fn one_by_one(mut waiting: mpsc::Receiver<Call>) {
    while let Some(call) = waiting.recv().await {
        call.await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn chains_keep_their_order_and_do_not_wait_for_each_other() {
        let (mut lines, done) = (Lines::new(2), Arc::new(Mutex::new(Vec::new())));
        let mut answers = Vec::new();
        for (name, chain, wait) in [("a1", 0, 50), ("b1", 1, 20), ("a2", 0, 1), ("b2", 1, 1)] {
            let done = Arc::clone(&done);
            let call = async move {
                tokio::time::sleep(Duration::from_millis(wait)).await;
                done.lock().unwrap().push(name);
                name
            };
            answers.push((name, lines.hand_over(Some(chain), 10, call).await));
        }
        for (name, answer) in answers {
            assert_eq!(answer.await, Ok(name));
        }
        assert!(lines.close().await);
        assert_eq!(*done.lock().unwrap(), ["b1", "b2", "a1", "a2"]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_on_its_way_is_waited_for() {
        let (mut lines, done) = (Lines::new(3), Arc::new(Mutex::new(0)));
        for _ in 0..7 {
            let done = Arc::clone(&done);
            let call = async move {
                tokio::time::sleep(Duration::from_millis(10)).await;
                *done.lock().unwrap() += 1;
            };
            drop(lines.hand_over(None, 10 << 20, call).await);
        }
        assert!(lines.close().await);
        assert_eq!(*done.lock().unwrap(), 7);
    }
}
