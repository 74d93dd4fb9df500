//! What becomes of the records of a transaction.

use std::collections::BTreeMap;
use std::sync::Mutex;

use super::held;
use super::produce::Fates;
use super::resolved::Went;
use super::unseen::Place;
use crate::broker::{Error, Result};

/// Told by the producer.
#[derive(Default)]
pub(super) struct Told {
    /// What failed, by number. Numbers are never used twice: what an aborted transaction gave up may be told late.
    failed: Mutex<Vec<(usize, Error)>>,
    landed: Mutex<Landed>,
}

/// Where records are stored.
#[derive(Default)]
struct Landed {
    /// And the lowest offset there: what is sent once more may be told out of order.
    places: Vec<(Place, i64)>,
    /// Numbers of records, and each one's place among these.
    of: Vec<(usize, usize)>,
}

impl Landed {
    /// Those that are told one after another are mostly of one partition.
    fn place(&mut self, topic: &str, partition: i32, offset: i64) -> usize {
        let is_here = |(place, _): &(Place, i64)| place.1 == partition && place.0 == topic;
        let last = self.of.last().map(|(_, at)| *at).filter(|at| is_here(&self.places[*at]));
        match last.or_else(|| self.places.iter().position(is_here)) {
            Some(at) => {
                self.places[at].1 = self.places[at].1.min(offset);
                at
            }
            None => {
                self.places.push(((topic.to_owned(), partition), offset));
                self.places.len() - 1
            }
        }
    }
}

impl Fates for Told {
    const TOGETHER: bool = true;

    fn known(&self, number: usize, fate: Result<(i32, i64)>) {
        if let Err(e) = fate {
            held::lock(&self.failed).push((number, e));
        }
    }

    fn landed(&self, number: usize, topic: &str, partition: i32, offset: i64) {
        // Told so where an answer was lost and the record was there when it was sent again: where, is not known.
        if offset < 0 {
            return;
        }
        let mut landed = held::lock(&self.landed);
        let at = landed.place(topic, partition, offset);
        landed.of.push((number, at));
    }
}

impl Told {
    /// What is told from now on is of another transaction.
    pub(super) fn begin(&self) {
        let mut landed = held::lock(&self.landed);
        landed.places.clear();
        landed.of.clear();
    }

    pub(super) fn failed(&self) -> Vec<(usize, Error)> {
        std::mem::take(&mut *held::lock(&self.failed))
    }

    /// Where the transaction's records are stored, so far as it is known: the first of each place, of every topic.
    pub(super) fn went(&self) -> Went {
        let mut went = Went::default();
        for ((topic, partition), lowest) in &held::lock(&self.landed).places {
            went.first(topic, *partition, *lowest);
        }
        went
    }

    /// Whether it is known of all these where they are stored.
    pub(super) fn has_all(&self, numbers: std::ops::Range<usize>) -> bool {
        let landed = held::lock(&self.landed);
        landed.of.iter().filter(|(number, _)| numbers.contains(number)).count() == numbers.len()
    }

    /// Which records went to each place, by their numbers.
    pub(super) fn by_place(&self) -> BTreeMap<Place, Vec<usize>> {
        let landed = held::lock(&self.landed);
        let mut by_place = vec![Vec::new(); landed.places.len()];
        landed.of.iter().for_each(|(number, at)| by_place[*at].push(*number));
        landed.places.iter().map(|(place, _)| place.clone()).zip(by_place).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_record_is_at_its_place_whatever_the_order_they_are_told_in() {
        let told = Told::default();
        for (number, topic, partition, offset) in
            [(4, "a", 0, 11), (5, "a", 0, 10), (6, "a", 1, 3), (9, "b", 0, 0), (7, "a", 0, 12), (8, "a", 1, 4)]
        {
            told.landed(number, topic, partition, offset);
        }
        let by_place = told.by_place();
        assert_eq!(by_place[&("a".to_owned(), 0)], [4, 5, 7]);
        assert_eq!(by_place[&("a".to_owned(), 1)], [6, 8]);
        assert_eq!(by_place[&("b".to_owned(), 0)], [9]);
        assert_eq!((told.went().at("a", 0), told.went().at("a", 1), told.went().len()), (Some(10), Some(3), 3));
        assert!(told.has_all(4..10) && !told.has_all(3..10));
        told.landed(10, "a", 0, -1001);
        assert!(!told.has_all(4..11), "where it is, is not known");
        told.begin();
        assert_eq!((told.by_place().len(), told.went().len()), (0, 0));
    }
}
