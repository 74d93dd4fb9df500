//! Which delivery tags of a channel are settled: pure, so that the rules of `ack(multiple)` can be tested without a server.

use std::collections::BTreeMap;

/// The tags of one channel, 1 to the last delivered, less those settled. Its size follows the gaps, not the messages.
#[derive(Debug, Default)]
pub struct Ledger {
    last: u64,
    /// First and last tag of each settled run; runs neither overlap nor touch.
    settled: BTreeMap<u64, u64>,
    count: u64,
}

/// The frames that settle a batch.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Frames {
    /// Up to and including this one, `multiple`. It is unsettled itself, since the broker refuses a tag it does not hold.
    pub multiple: Option<u64>,
    /// One by one.
    pub singles: Vec<u64>,
}

/// A tag that cannot be settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It was never delivered on this channel.
    Unknown,
    /// It was settled before.
    Twice,
}

impl Ledger {
    /// Notes a delivery.
    pub fn delivered(&mut self, tag: u64) {
        self.last = self.last.max(tag);
    }

    /// The last tag delivered; 0 before the first.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// How many are not settled.
    pub fn unsettled(&self) -> u64 {
        self.last - self.count
    }

    /// How many from this tag on are not settled.
    pub fn unsettled_from(&self, tag: u64) -> u64 {
        let tag = tag.max(1);
        if tag > self.last {
            return 0;
        }
        // A run that begins before the tag and reaches over it counts from the tag on.
        let over = self.settled.range(..tag).next_back().map_or(0, |(_, end)| (end + 1).saturating_sub(tag));
        let behind: u64 = self.settled.range(tag..).map(|(start, end)| end - start + 1).sum();
        (self.last - tag + 1) - over - behind
    }

    /// How many in `from..=to` are not settled.
    pub fn unsettled_in(&self, from: u64, to: u64) -> u64 {
        self.unsettled_from(from) - self.unsettled_from(to.saturating_add(1).max(from))
    }

    /// The lowest tag that is not settled, if any.
    pub fn first_unsettled(&self) -> Option<u64> {
        let first = self.settled.get(&1).map_or(1, |end| end + 1);
        (first <= self.last).then_some(first)
    }

    /// The highest unsettled tag in `from..=to`, if any.
    pub fn last_unsettled_in(&self, from: u64, to: u64) -> Option<u64> {
        let to = to.min(self.last);
        let candidate = match self.settled.range(..=to).next_back() {
            Some((start, end)) if *end >= to => start - 1,
            _ => to,
        };
        (candidate >= from.max(1)).then_some(candidate)
    }

    /// Notes tags as settled and gives the frames that tell the broker so, and the fate of each tag, in order.
    pub fn settle(&mut self, tags: &[u64]) -> (Frames, Vec<Result<(), Refused>>) {
        let mut fresh = Vec::with_capacity(tags.len());
        let fates = tags
            .iter()
            .map(|tag| {
                self.mark(*tag)?;
                fresh.push(*tag);
                Ok(())
            })
            .collect();
        fresh.sort_unstable();
        let front = self.settled.get(&1).copied().unwrap_or(0);
        let within = fresh.partition_point(|tag| *tag <= front);
        let mut frames = Frames::default();
        if within == 1 {
            frames.singles.push(fresh[0]);
        } else if within > 1 {
            frames.multiple = Some(fresh[within - 1]);
        }
        frames.singles.extend_from_slice(&fresh[within..]);
        (frames, fates)
    }

    fn mark(&mut self, tag: u64) -> Result<(), Refused> {
        if tag == 0 || tag > self.last {
            return Err(Refused::Unknown);
        }
        let before = self.settled.range(..=tag).next_back().map(|(s, e)| (*s, *e));
        if before.is_some_and(|(_, end)| end >= tag) {
            return Err(Refused::Twice);
        }
        let start = match before {
            Some((start, end)) if end + 1 == tag => start,
            _ => tag,
        };
        let end = self.settled.remove(&(tag + 1)).unwrap_or(tag);
        self.settled.insert(start, end);
        self.count += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn multiple_never_covers_what_is_kept() {
        let mut l = Ledger::default();
        l.delivered(10);
        assert_eq!(l.settle(&[1, 2, 4]).0, Frames { multiple: Some(2), singles: vec![4] });
        // 3 closes the gap, but 4 is settled already: the broker no longer knows it.
        assert_eq!(l.settle(&[3]).0, Frames { multiple: None, singles: vec![3] });
        assert_eq!(l.settle(&[6, 5]).0, Frames { multiple: Some(6), singles: vec![] });
        assert_eq!(l.settle(&[5, 11, 0]).1, [Err(Refused::Twice), Err(Refused::Unknown), Err(Refused::Unknown)]);
        assert_eq!((l.unsettled(), l.unsettled_from(8), l.first_unsettled()), (4, 3, Some(7)));
    }

    proptest! {
        /// Against a broker that holds a set of tags and closes the channel on any tag it does not hold.
        #[test]
        fn a_strict_broker_accepts_every_frame(delivered in 1u64..80, batches in prop::collection::vec(prop::collection::vec(0u64..90, 0..20), 0..12)) {
            let mut ledger = Ledger::default();
            ledger.delivered(delivered);
            let mut held: BTreeSet<u64> = (1..=delivered).collect();
            let mut kept = held.clone();
            for batch in batches {
                let (frames, fates) = ledger.settle(&batch);
                for (tag, fate) in batch.iter().zip(&fates) {
                    prop_assert_eq!(fate.is_ok(), kept.remove(tag), "tag {}", tag);
                }
                if let Some(upto) = frames.multiple {
                    prop_assert!(held.contains(&upto));
                    held.retain(|t| *t > upto);
                }
                for tag in frames.singles {
                    prop_assert!(held.remove(&tag));
                }
                prop_assert_eq!(&held, &kept);
                prop_assert_eq!(ledger.unsettled(), held.len() as u64);
                prop_assert_eq!(ledger.first_unsettled(), held.first().copied());
                for from in [1, 7, 40, delivered] {
                    prop_assert_eq!(ledger.unsettled_from(from), held.range(from..).count() as u64);
                    for to in [5, 39, 90] {
                        let want = (from <= to).then(|| held.range(from..=to).next_back().copied()).flatten();
                        prop_assert_eq!(ledger.last_unsettled_in(from, to), want);
                        let count = if from <= to { held.range(from..=to).count() as u64 } else { 0 };
                        prop_assert_eq!(ledger.unsettled_in(from, to), count);
                    }
                }
            }
        }
    }
}
