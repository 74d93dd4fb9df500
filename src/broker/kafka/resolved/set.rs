//! Offsets of one partition.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use roaring::RoaringBitmap;

use super::went::Went;

/// Offsets of a block: what one bitmap covers.
pub(super) const BLOCK: u64 = 1 << 16;

/// The resolved offsets of one partition.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in super::super) struct Offsets {
    blocks: BTreeMap<u64, RoaringBitmap>,
    /// Blocks that are not stored as they are here.
    changed: BTreeSet<u64>,
    /// Where they went.
    pub went: Went,
}

fn split(offset: i64) -> (u64, u32) {
    let offset = u64::try_from(offset).unwrap_or(0);
    (offset / BLOCK, u32::try_from(offset % BLOCK).unwrap_or(0))
}

impl Offsets {
    pub fn contains(&self, offset: i64) -> bool {
        let (block, low) = split(offset);
        self.blocks.get(&block).is_some_and(|b| b.contains(low))
    }

    /// False where it was there.
    pub fn insert(&mut self, offset: i64) -> bool {
        let (block, low) = split(offset);
        let new = self.blocks.entry(block).or_default().insert(low);
        if new {
            self.changed.insert(block);
        }
        new
    }

    /// Undoes an insertion that was not stored.
    pub fn take_back(&mut self, offset: i64) {
        let (block, low) = split(offset);
        if let Some(here) = self.blocks.get_mut(&block) {
            here.remove(low);
        }
    }

    /// It is stored, and not so any more.
    pub fn take_out(&mut self, offset: i64) {
        self.take_back(offset);
        self.store_again(offset);
    }

    /// What is stored of it may be lost.
    pub fn store_again(&mut self, offset: i64) {
        let (block, _) = split(offset);
        if self.blocks.contains_key(&block) {
            self.changed.insert(block);
        }
    }

    /// Offsets that hold no record and never will.
    pub fn insert_range(&mut self, range: Range<i64>) {
        for (block, low) in parts(range) {
            if self.blocks.entry(block).or_default().insert_range(low) > 0 {
                self.changed.insert(block);
            }
        }
    }

    /// Takes in what another set has.
    pub fn unite(&mut self, other: &Offsets) {
        for (block, offsets) in &other.blocks {
            let here = self.blocks.entry(*block).or_default();
            let before = here.len();
            *here |= offsets;
            if here.len() > before {
                self.changed.insert(*block);
            }
        }
    }

    /// How many of it are not in another set.
    pub fn beyond(&self, other: &Offsets) -> u64 {
        let beyond = |(block, here): (&u64, &RoaringBitmap)| match other.blocks.get(block) {
            Some(there) => here.difference_len(there),
            None => here.len(),
        };
        self.blocks.iter().map(beyond).sum()
    }

    /// How many of a range are in it.
    pub fn count(&self, range: Range<i64>) -> u64 {
        parts(range).filter_map(|(block, low)| Some(self.blocks.get(&block)?.range_cardinality(low))).sum()
    }

    /// The first offset from `from` on that is not in it.
    pub fn first_absent(&self, from: i64, to: i64) -> i64 {
        for (block, low) in parts(from..to) {
            let start = i64::try_from(block * BLOCK).unwrap_or(i64::MAX);
            let Some(here) = self.blocks.get(&block) else { return start + i64::from(low.start) };
            if !here.contains_range(low.clone()) {
                let absent = low.clone().find(|at| !here.contains(*at)).unwrap_or(low.start);
                return start + i64::from(absent);
            }
        }
        to
    }

    pub(super) fn put(&mut self, block: u64, offsets: RoaringBitmap) {
        self.blocks.insert(block, offsets);
    }

    pub(super) fn remove(&mut self, block: u64) {
        self.blocks.remove(&block);
    }

    /// Blocks that were changed since they were stored, with what they hold now.
    pub(super) fn changed(&self) -> impl Iterator<Item = (u64, &RoaringBitmap)> {
        self.changed.iter().filter_map(|block| Some((*block, self.blocks.get(block)?)))
    }

    /// They are stored now.
    pub fn stored(&mut self) {
        self.changed.clear();
    }
}

/// A range block by block.
fn parts(range: Range<i64>) -> impl Iterator<Item = (u64, Range<u32>)> {
    let (mut at, end) = (u64::try_from(range.start).unwrap_or(0), u64::try_from(range.end).unwrap_or(0));
    std::iter::from_fn(move || {
        if at >= end {
            return None;
        }
        let block = at / BLOCK;
        let to = end.min((block + 1) * BLOCK);
        let low = |n: u64| u32::try_from(n - block * BLOCK).unwrap_or(0);
        let part = (block, low(at)..low(to));
        at = to;
        Some(part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_a_set_of_offsets_whatever_the_blocks() {
        let mut set = Offsets::default();
        set.insert_range(65_530..65_540);
        set.insert(131_071);
        set.insert(131_072);
        let all: Vec<i64> = (0..200_000).filter(|at| set.contains(*at)).collect();
        assert_eq!(all, (65_530..65_540).chain(131_071..131_073).collect::<Vec<_>>());
        assert_eq!(set.count(0..200_000), 12);
        let mut some = Offsets::default();
        some.insert_range(65_530..65_533);
        assert_eq!((set.beyond(&some), some.beyond(&set), set.beyond(&Offsets::default())), (9, 0, 12));
        assert_eq!(set.count(65_535..65_537), 2);
        assert_eq!(set.first_absent(65_530, 200_000), 65_540);
        assert_eq!(set.first_absent(131_071, 131_073), 131_073);
        assert_eq!(set.first_absent(0, 10), 0);
        assert_eq!(set.changed().map(|(b, _)| b).collect::<Vec<_>>(), [0, 1, 2]);
        set.stored();
        let mut other = Offsets::default();
        other.insert(131_072);
        set.unite(&other);
        assert_eq!(set.changed().count(), 0, "nothing new came in");
        other.insert(7);
        set.unite(&other);
        assert_eq!((set.contains(7), set.changed().count()), (true, 1));
        set.stored();
        assert!(!set.insert(131_072));
        assert_eq!(set.changed().count(), 0, "what was there is no change");
    }
}
