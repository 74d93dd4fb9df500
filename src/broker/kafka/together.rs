//! Questions asked at the same time by several threads become one: whoever comes while one is under way goes into the next.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::held::lock;

/// Asks for values of `K` in batches. An answer is never older than the question.
pub(super) struct Together<K, V> {
    state: Mutex<State<K, V>>,
    changed: Condvar,
    pause: Duration,
}

/// Who waits for others does so for so many pauses at most.
const PAUSES: u32 = 15;

struct State<K, V> {
    under_way: bool,
    /// What goes into the next batch.
    next: Arc<Batch<K, V>>,
}

struct Batch<K, V> {
    keys: Mutex<Vec<K>>,
    answer: Mutex<Option<Arc<BTreeMap<K, V>>>>,
}

impl<K, V> Default for Batch<K, V> {
    fn default() -> Self {
        Batch { keys: Mutex::default(), answer: Mutex::default() }
    }
}

impl<K, V> Default for Together<K, V> {
    fn default() -> Self {
        Together::new(Duration::ZERO)
    }
}

impl<K, V> Together<K, V> {
    /// Whoever asks waits for others until none has come for as long as `pause`: where many will ask, and each question costs
    /// more than the wait.
    pub(super) fn new(pause: Duration) -> Self {
        Together { state: Mutex::new(State { under_way: false, next: Arc::default() }), changed: Condvar::new(), pause }
    }
}

/// Lets the next batch begin, also where this one has ended in a panic.
struct UnderWay<'a, K: Ord, V> {
    all: &'a Together<K, V>,
    batch: Arc<Batch<K, V>>,
    answer: BTreeMap<K, V>,
}

impl<K: Ord, V> Drop for UnderWay<'_, K, V> {
    fn drop(&mut self) {
        *lock(&self.batch.answer) = Some(Arc::new(std::mem::take(&mut self.answer)));
        lock(&self.all.state).under_way = false;
        self.all.changed.notify_all();
    }
}

impl<K: Ord + Clone, V> Together<K, V> {
    /// What is known of these and of what others ask for meanwhile. `ask` is called by one of those who wait, with all keys, each
    /// once; what it leaves out is not in the answer.
    pub(super) fn get(&self, keys: &[K], ask: impl FnOnce(&[K]) -> BTreeMap<K, V>) -> Arc<BTreeMap<K, V>> {
        let mut state = lock(&self.state);
        let batch = Arc::clone(&state.next);
        lock(&batch.keys).extend_from_slice(keys);
        loop {
            if let Some(answer) = &*lock(&batch.answer) {
                return Arc::clone(answer);
            }
            if !state.under_way {
                break;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        // Nobody asks for the batch we are in, and no later one can have begun before it: it is ours to ask.
        state.under_way = true;
        if !self.pause.is_zero() {
            drop(state);
            wait_for_more(&batch, self.pause);
            state = lock(&self.state);
        }
        state.next = Arc::default();
        drop(state);
        let mut keys = std::mem::take(&mut *lock(&batch.keys));
        keys.sort_unstable();
        keys.dedup();
        let mut asking = UnderWay { all: self, batch: Arc::clone(&batch), answer: BTreeMap::new() };
        asking.answer = ask(&keys);
        drop(asking);
        lock(&batch.answer).clone().unwrap_or_default()
    }
}

/// Until nobody has come for a while.
fn wait_for_more<K, V>(batch: &Batch<K, V>, pause: Duration) {
    let come = || lock(&batch.keys).len();
    let mut last = come();
    for _ in 0..PAUSES {
        std::thread::sleep(pause);
        let now = come();
        if now == last {
            return;
        }
        last = now;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn who_comes_while_one_is_asked_goes_into_the_next() {
        let (all, calls): (Together<u32, u32>, _) = (Together::default(), AtomicUsize::new(0));
        let ask = |keys: &[u32]| {
            calls.fetch_add(1, Ordering::Relaxed);
            std::thread::sleep(Duration::from_millis(200));
            keys.iter().filter(|k| **k != 13).map(|k| (*k, k * 2)).collect::<BTreeMap<_, _>>()
        };
        std::thread::scope(|threads| {
            for n in 0..40 {
                let (all, ask) = (&all, &ask);
                threads.spawn(move || {
                    let found = all.get(&[n], ask);
                    assert_eq!(found.get(&n).copied(), (n != 13).then_some(n * 2));
                });
            }
        });
        assert!(calls.load(Ordering::Relaxed) < 10, "{calls:?}");
        // What was asked for before is asked for anew.
        assert_eq!(all.get(&[1], |_| [(1, 7)].into()).get(&1), Some(&7));
    }

    #[test]
    fn who_waits_asks_for_those_that_come_meanwhile() {
        let (all, calls): (Together<u32, u32>, _) = (Together::new(Duration::from_secs(1)), AtomicUsize::new(0));
        std::thread::scope(|threads| {
            for n in 0..40 {
                let (all, calls) = (&all, &calls);
                threads.spawn(move || {
                    let found = all.get(&[n], |keys| {
                        calls.fetch_add(1, Ordering::Relaxed);
                        keys.iter().map(|k| (*k, k * 2)).collect()
                    });
                    assert_eq!(found.get(&n), Some(&(n * 2)));
                });
            }
        });
        // An answer that takes no time is otherwise for few.
        assert!(calls.load(Ordering::Relaxed) < 4, "{calls:?}");
    }

    #[test]
    fn a_panic_ends_one_batch_alone() {
        let all: Arc<Together<u32, u32>> = Arc::default();
        let here = Arc::clone(&all);
        assert!(std::thread::spawn(move || here.get(&[1], |_| panic!("asked"))).join().is_err());
        assert!(all.get(&[1], |_| [(1, 7)].into()).contains_key(&1));
    }
}
