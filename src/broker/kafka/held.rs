//! The partitions a removing scan has fenced, and what of them is handed out.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::fence::{Fence, taken_over};
use super::leftover::Left;
use super::look_back::{Carried, Undone};
use super::produce::BATCH;
use super::resolved::{Kept, Offsets, State};
use crate::broker::{Error, Kind, Result};

/// Producers open at once, where what is handed out allows: each has threads and memory of its own.
pub(super) const OPEN: usize = 4;

/// Shared by the reading thread, the settler and the mover.
pub(super) struct Held {
    pub(super) state: State,
    pub(super) stop: CancellationToken,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    fences: BTreeMap<i32, Arc<Mutex<Fence>>>,
    /// Where the set is kept on this machine: instead of fences.
    kept: BTreeMap<i32, Arc<Mutex<Kept>>>,
    /// Handed out and not settled.
    out: HashMap<i32, usize>,
    /// Read to their ends.
    finished: BTreeSet<i32>,
    /// Taken over by another run.
    lost: BTreeSet<i32>,
    /// What fences that are gone had to look after.
    carried: BTreeMap<i32, Carried>,
    /// What was found of it.
    undone: Undone,
    /// Done whatever becomes of a transaction: there is no record, or it was settled elsewhere.
    sure: BTreeMap<i32, Offsets>,
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Held {
    pub(super) fn new(state: State, stop: CancellationToken) -> Self {
        Held { state, stop, inner: Mutex::default() }
    }

    /// The fence of a partition; taken over once more where it was let go meanwhile.
    ///
    /// # Errors
    /// As [`Fence::open`].
    pub(super) fn fence(&self, partition: i32, batch: u64) -> Result<Arc<Mutex<Fence>>> {
        {
            let inner = lock(&self.inner);
            if inner.lost.contains(&partition) {
                return Err(taken_over(partition));
            }
            if let Some(fence) = inner.fences.get(&partition) {
                return Ok(Arc::clone(fence));
            }
        }
        let mut fence = Fence::open(&self.state, partition, batch.min(BATCH), &self.stop)?;
        let carried = {
            let mut inner = lock(&self.inner);
            inner.sure.get(&partition).into_iter().for_each(|sure| fence.set.unite(sure));
            inner.carried.remove(&partition)
        };
        carried.into_iter().for_each(|carried| fence.go_on(carried));
        let fence = Arc::new(Mutex::new(fence));
        lock(&self.inner).fences.insert(partition, Arc::clone(&fence));
        Ok(fence)
    }

    /// Sees to what was left at a destination.
    ///
    /// # Errors
    /// As [`Fence::clear`].
    pub(super) fn clear(&self, partition: i32, batch: u64, topic: &str, left: Left) -> Result<()> {
        let fence = self.fence(partition, batch)?;
        let mut fence = lock(&fence);
        let carried = fence.clear(topic, left, &self.stop)?;
        self.go_on(&mut fence, carried);
        Ok(())
    }

    /// Sees to it that batches have so many bytes at most, with no transaction open.
    ///
    /// # Errors
    /// As [`Fence::narrow`].
    pub(super) fn narrow(&self, partition: i32, batch: u64) -> Result<()> {
        let fence = self.fence(partition, batch)?;
        let mut fence = lock(&fence);
        if fence.batch() > batch {
            let carried = fence.narrow(batch, &self.stop)?;
            self.go_on(&mut fence, Some(carried));
        }
        Ok(())
    }

    fn go_on(&self, fence: &mut Fence, carried: Option<Carried>) {
        lock(&self.inner).sure.get(&fence.partition).into_iter().for_each(|sure| fence.set.unite(sure));
        carried.into_iter().for_each(|carried| fence.go_on(carried));
    }

    /// Makes a partition ours, and gives what is resolved of it.
    ///
    /// # Errors
    /// As [`Fence::open`]; `Held` where the set is kept on this machine and another run has it.
    pub(super) fn own(&self, partition: i32) -> Result<Offsets> {
        match self.kept(partition)? {
            Some(kept) => {
                let mut set = lock(&kept).set.clone();
                // What others have noted in the topic counts, as far as it may be read.
                let (noted, _) = self.state.look(&[partition], Duration::ZERO)?;
                noted.values().for_each(|noted| set.unite(noted));
                Ok(set)
            }
            None => {
                let fence = self.fence(partition, BATCH)?;
                let set = lock(&fence).set.clone();
                Ok(set)
            }
        }
    }

    /// Notes offsets that hold no record: they are stored with the next that is done.
    pub(super) fn fill(&self, partition: i32, gaps: Vec<std::ops::Range<i64>>) -> Result<()> {
        match self.kept(partition)? {
            Some(kept) => gaps.into_iter().for_each(|gap| lock(&kept).set.insert_range(gap)),
            None => {
                let fence = self.fence(partition, BATCH)?;
                let mut fence = lock(&fence);
                let mut inner = lock(&self.inner);
                let sure = inner.sure.entry(partition).or_default();
                for gap in gaps {
                    fence.set.insert_range(gap.clone());
                    sure.insert_range(gap);
                }
            }
        }
        Ok(())
    }

    /// Stores that these are done.
    ///
    /// # Errors
    /// They are not marked, or it is not known whether they are.
    pub(super) fn mark(&self, partition: i32, offsets: &[i64]) -> Result<()> {
        if let Some(kept) = self.kept(partition)? {
            return lock(&kept).mark(offsets);
        }
        let fence = self.fence(partition, BATCH)?;
        let marked = lock(&fence).mark(offsets);
        let Err(e) = marked else {
            let mut inner = lock(&self.inner);
            let sure = inner.sure.entry(partition).or_default();
            offsets.iter().for_each(|at| _ = sure.insert(*at));
            return Ok(());
        };
        self.drop_fence(partition, &e);
        if e.kind() == Kind::Held {
            return Err(e);
        }
        // Once more through a new producer: what did get through is in the set it reads.
        let fence = self.fence(partition, BATCH)?;
        let marked = lock(&fence).mark(offsets);
        marked.inspect_err(|e| self.drop_fence(partition, e))
    }

    fn kept(&self, partition: i32) -> Result<Option<Arc<Mutex<Kept>>>> {
        let Some(local) = self.state.local() else { return Ok(None) };
        let mut inner = lock(&self.inner);
        if let Some(kept) = inner.kept.get(&partition) {
            return Ok(Some(Arc::clone(kept)));
        }
        let kept = Arc::new(Mutex::new(local.take(partition)?));
        inner.kept.insert(partition, Arc::clone(&kept));
        Ok(Some(kept))
    }

    /// The fence, if it is there.
    pub(super) fn opened(&self, partition: i32) -> Option<Arc<Mutex<Fence>>> {
        lock(&self.inner).fences.get(&partition).cloned()
    }

    /// It is of no use any more. A partition that another run has taken over is never taken back.
    pub(super) fn drop_fence(&self, partition: i32, why: &Error) {
        let gone = {
            let mut inner = lock(&self.inner);
            if why.kind() == Kind::Held {
                inner.lost.insert(partition);
            }
            inner.fences.remove(&partition)
        };
        if let Some(fence) = gone {
            let carried = lock(&fence).shut();
            lock(&self.inner).carried.insert(partition, carried);
            close(vec![fence]);
        }
    }

    /// Lets go of fences when all they committed is seen to have ended.
    fn let_go(&self, gone: Vec<Arc<Mutex<Fence>>>) {
        for fence in &gone {
            let undone = lock(fence).finish();
            lock(&self.inner).undone.unite(undone);
        }
        close(gone);
    }

    /// Waits for the end of what was committed last. To be called when nothing more is to be sent.
    ///
    /// # Errors
    /// That something of it is undone, or hidden.
    pub(super) fn conclude(&self) -> Result<()> {
        let fences: Vec<_> = lock(&self.inner).fences.values().cloned().collect();
        for fence in fences {
            let undone = lock(&fence).finish();
            lock(&self.inner).undone.unite(undone);
        }
        let carried = std::mem::take(&mut lock(&self.inner).carried);
        for carried in carried.into_values() {
            let undone = carried.finish(&self.state.link);
            lock(&self.inner).undone.unite(undone);
        }
        let undone = std::mem::take(&mut lock(&self.inner).undone);
        undone.told()
    }

    pub(super) fn hand_out(&self, partition: i32, many: usize) {
        *lock(&self.inner).out.entry(partition).or_default() += many;
    }

    /// Whether anything of it was handed out.
    pub(super) fn knows(&self, partition: i32) -> bool {
        lock(&self.inner).out.contains_key(&partition)
    }

    pub(super) fn finish(&self, partition: i32) {
        lock(&self.inner).finished.insert(partition);
    }

    pub(super) fn settled(&self, partition: i32, many: usize) {
        if let Some(out) = lock(&self.inner).out.get_mut(&partition) {
            *out = out.saturating_sub(many);
        }
    }

    /// Lets go of what is read and settled; how many are open then.
    pub(super) fn tidy(&self) -> usize {
        let (gone, open) = {
            let mut inner = lock(&self.inner);
            let idle = |p: &i32| inner.finished.contains(p) && inner.out.get(p).copied().unwrap_or(0) == 0;
            let done: Vec<i32> = inner.kept.keys().copied().filter(idle).collect();
            let idle: Vec<i32> = inner.fences.keys().copied().filter(idle).collect();
            let gone: Vec<_> = idle.iter().filter_map(|p| inner.fences.remove(p)).collect();
            done.iter().for_each(|p| _ = inner.kept.remove(p));
            (gone, inner.fences.len())
        };
        self.let_go(gone);
        open
    }

    /// Lets go of partitions that nothing is out of, where more than so many are open: they are taken over once more when they
    /// are wanted again.
    pub(super) fn rest(&self, most: usize) {
        let gone = {
            let mut inner = lock(&self.inner);
            let over = inner.fences.len().saturating_sub(most);
            let idle: Vec<i32> = inner
                .fences
                .keys()
                .copied()
                .filter(|p| inner.out.get(p).copied().unwrap_or(0) == 0)
                .take(over)
                .collect();
            idle.iter().filter_map(|p| inner.fences.remove(p)).collect()
        };
        self.let_go(gone);
    }

    /// Lets go of all.
    pub(super) fn close(&self) {
        let (fences, kept) = {
            let mut inner = lock(&self.inner);
            (std::mem::take(&mut inner.fences), std::mem::take(&mut inner.kept))
        };
        drop(kept);
        close(fences.into_values().collect());
    }
}

/// Closing a producer takes a moment, which nobody needs to wait for.
fn close(gone: Vec<Arc<Mutex<Fence>>>) {
    if !gone.is_empty() {
        std::thread::spawn(move || drop(gone));
    }
}
