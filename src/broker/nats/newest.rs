//! Where the last so many messages of a stream begin, from its end and over gaps however wide. A consumer could count them, but a
//! look makes none. Pure: it says what to ask, and takes what was answered.

use std::ops::RangeInclusive;

/// Parts of a range of numbers that are looked at together.
pub const FAN: u64 = 16;

/// What is to be asked next.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Which of these numbers are there.
    Read(RangeInclusive<u64>),
    /// From each of these on, the first that is there.
    Probe(Vec<u64>),
    /// Nothing more: they begin here.
    Found(u64),
}

/// A search under way.
pub struct Search {
    first: u64,
    /// Ranges not looked at yet, the last on top.
    open: Vec<(u64, u64)>,
    /// What was asked of.
    asked: Vec<(u64, u64)>,
    missing: u64,
    found: Option<u64>,
    page: u64,
}

impl Search {
    /// For the last so many of these numbers. Of a page all are read; what is wider is probed first.
    pub fn new(first: u64, last: u64, wanted: u64, page: u64) -> Search {
        let (mut open, mut end, mut size) = (Vec::new(), last, page.max(1));
        // Near the end it is likely that they are all there.
        while end >= first {
            let begin = first.max(end.saturating_sub(size - 1));
            open.push((begin, end));
            let Some(before) = begin.checked_sub(1) else { break };
            (end, size) = (before, size.saturating_mul(FAN));
        }
        open.reverse();
        let found = (wanted == 0).then_some(last.saturating_add(1));
        Search { first, open, asked: Vec::new(), missing: wanted, found, page: page.max(1) }
    }

    /// What is to be asked.
    pub fn step(&mut self) -> Step {
        let range = match (self.found, self.open.pop()) {
            (Some(found), _) => return Step::Found(found),
            (None, None) => return Step::Found(self.first),
            (None, Some(range)) => range,
        };
        let (begin, end) = range;
        if end - begin < self.page {
            return Step::Read(begin..=end);
        }
        let size = (end - begin) / FAN + 1;
        let starts = (0..FAN).map_while(|n| begin.checked_add(n.checked_mul(size)?)).filter(|start| *start <= end);
        self.asked = starts.map(|start| (start, end.min(start.saturating_add(size - 1)))).collect();
        Step::Probe(self.asked.iter().map(|(start, _)| *start).collect())
    }

    /// Of the numbers that were to be read, those that are there, in order.
    pub fn read(&mut self, there: &[u64]) {
        let many = there.len() as u64;
        match many.checked_sub(self.missing) {
            Some(before) => self.found = there.get(usize::try_from(before).unwrap_or(0)).copied(),
            None => self.missing -= many,
        }
    }

    /// One answer a probe.
    pub fn probed(&mut self, firsts: &[Option<u64>]) {
        let parts = self.asked.drain(..).zip(firsts);
        self.open.extend(
            parts.filter_map(|((_, end), first)| first.filter(|first| *first <= end).map(|first| (first, end))),
        );
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// Searches among these; where they begin, and how much was asked.
    fn search(there: &BTreeSet<u64>, (first, last): (u64, u64), wanted: u64, page: u64) -> (u64, u64) {
        let mut search = Search::new(first, last, wanted, page);
        let mut asked = 0;
        loop {
            match search.step() {
                Step::Read(numbers) => {
                    asked += numbers.end() - numbers.start() + 1;
                    search.read(&there.range(numbers).copied().collect::<Vec<_>>());
                }
                Step::Probe(starts) => {
                    asked += starts.len() as u64;
                    search.probed(&starts.iter().map(|s| there.range(s..).next().copied()).collect::<Vec<_>>());
                }
                Step::Found(seq) => return (seq, asked),
            }
        }
    }

    proptest! {
        #[test]
        fn the_last_so_many_begin_where_they_do(
            there in prop::collection::btree_set(prop_oneof![1_u64..60, 1_u64..5000, 1..u64::MAX], 0..40),
            wanted in 0_u64..50, page in 1_u64..70, more in 0_u64..3,
        ) {
            let first = there.first().copied().unwrap_or(1);
            let last = there.last().map_or(0, |last| last.saturating_add(more));
            let (seq, _) = search(&there, (first, last), wanted, page);
            prop_assert_eq!(there.range(seq..).count(), there.len().min(wanted as usize));
        }
    }

    #[test]
    fn gaps_cost_little_and_no_gaps_nothing() {
        let ends = |there: &BTreeSet<u64>| (*there.first().expect("one"), *there.last().expect("one"));
        let far: BTreeSet<u64> = (0..1000).map(|n| 7 + n * 1_000_000_000_000).collect();
        for wanted in [1, 20, 999] {
            let (seq, asked) = search(&far, ends(&far), wanted, 512);
            assert_eq!(far.range(seq..).count() as u64, wanted);
            assert!(asked <= (wanted + 1) * 700, "{asked} for {wanted}");
        }
        let near: BTreeSet<u64> = (1..=1_000_000).collect();
        assert_eq!(search(&near, ends(&near), 20, 512), (999_981, 512));
        assert!(search(&near, ends(&near), 5000, 512).1 < 6000);
    }
}
