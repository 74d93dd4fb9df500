//! Threads for evaluation. Not tokio's: their stacks are large enough for deep programs, and a thread that hangs in one can
//! be left behind when the process ends.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::filter::guard;
use crate::message::Id;

/// Address space; only what is touched becomes memory.
const STACK: usize = 64 << 20;
/// What an evaluation may use of it: the rest is for what recurses without asking, such as dropping a deep value.
const ROOM: usize = 40 << 20;

type Job = Box<dyn FnOnce() + Send>;

static POOL: LazyLock<Sender<Job>> = LazyLock::new(|| {
    let (send, receive) = channel::<Job>();
    let receive = Arc::new(Mutex::new(receive));
    for i in 0..width() {
        spawn(i, Arc::clone(&receive));
    }
    send
});

/// As many as there are cores for.
pub fn width() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn spawn(i: usize, jobs: Arc<Mutex<Receiver<Job>>>) {
    let thread = std::thread::Builder::new().name(format!("filter-{i}")).stack_size(STACK);
    let work = move || {
        guard::set_room(ROOM);
        loop {
            let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
            match job {
                Ok(job) => _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(job)),
                Err(_) => return,
            }
        }
    };
    // Where no thread can be had the sender finds nobody listening, and the job runs where it was given.
    drop(thread.spawn(work));
}

/// Runs a job on a thread of the pool.
pub fn run(job: impl FnOnce() + Send + 'static) {
    if let Err(e) = POOL.send(Box::new(job)) {
        (e.0)();
    }
}

/// Which message an evaluation is at, so that another thread can see one that hangs.
pub struct Watch {
    start: Instant,
    at: AtomicUsize,
    id: Mutex<Id>,
}

const NOT_AT_WORK: usize = usize::MAX;

impl Default for Watch {
    fn default() -> Self {
        Watch { start: Instant::now(), at: AtomicUsize::new(NOT_AT_WORK), id: Mutex::default() }
    }
}

impl Watch {
    /// Message number `i` is at hand.
    pub fn at(&self, i: usize, id: &Id) {
        id.clone_into(&mut self.id.lock().unwrap_or_else(PoisonError::into_inner));
        self.at.store(i, Ordering::Relaxed);
    }

    /// None is.
    pub fn done(&self) {
        self.at.store(NOT_AT_WORK, Ordering::Relaxed);
    }

    /// The id of a message that has been at hand for longer than `limit`. Asked now and then, with what was seen the last
    /// time: the clock runs from the first time a message is seen.
    pub fn hangs(&self, seen: &mut Option<(usize, Duration)>, limit: Duration) -> Option<Id> {
        let at = self.at.load(Ordering::Relaxed);
        let now = self.start.elapsed();
        match *seen {
            _ if at == NOT_AT_WORK => *seen = None,
            Some((i, since)) if i == at => {
                let id = || self.id.lock().unwrap_or_else(PoisonError::into_inner).clone();
                return (now.saturating_sub(since) > limit).then(id);
            }
            _ => *seen = Some((at, now)),
        }
        None
    }
}
