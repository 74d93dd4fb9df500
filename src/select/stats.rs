//! Groups of messages: how many, since when, and one of them to look at. Pure, and of bounded size.

use std::collections::HashMap;

use jiff::Timestamp;

use crate::death::Death;
use crate::message::DeadLetter;

/// Groups that are told apart; the messages of others are counted together.
pub const MAX_GROUPS: usize = 10_000;

/// One group.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// What its messages have in common: a cause, or a value as JSON. Empty: no cause is known.
    pub name: String,
    /// How many.
    pub count: u64,
    /// The first death, or else the oldest time, that is known of any.
    pub first: Option<Timestamp>,
    /// The last death, or else the youngest time.
    pub last: Option<Timestamp>,
    /// The id of the first that was met.
    pub example: String,
    /// Why that one died.
    pub death: Option<Death>,
}

/// Counts messages by group.
#[derive(Debug, Default)]
pub struct Stats {
    groups: HashMap<String, (u64, Group)>,
    /// Of groups beyond those that are told apart.
    others: u64,
}

impl Stats {
    /// Adds one message to its group.
    pub fn add(&mut self, name: String, m: &DeadLetter, death: Option<Death>) {
        let times = death.as_ref().map_or((None, None), |d| (d.first.or(d.last), d.last.or(d.first)));
        let (first, last) = (times.0.or(m.time), times.1.or(m.time));
        self.merge_one(Group { name, count: 1, first, last, example: m.id.to_string(), death });
    }

    /// Adds what was counted behind this.
    pub fn merge(&mut self, behind: Stats) {
        self.others += behind.others;
        let mut groups: Vec<_> = behind.groups.into_values().collect();
        // In the order they were met, so that the first of them are told apart on any number of cores.
        groups.sort_unstable_by_key(|(met, _)| *met);
        groups.into_iter().for_each(|(_, group)| self.merge_one(group));
    }

    fn merge_one(&mut self, g: Group) {
        let met = self.groups.len() as u64;
        if let Some((_, known)) = self.groups.get_mut(&g.name) {
            known.count += g.count;
            known.first = [known.first, g.first].into_iter().flatten().min();
            known.last = known.last.max(g.last);
        } else if self.groups.len() < MAX_GROUPS {
            self.groups.insert(g.name.clone(), (met, g));
        } else {
            self.others += g.count;
        }
    }

    /// The groups, the largest first and equals by name; and how many messages are in none of them.
    pub fn finish(self) -> (Vec<Group>, u64) {
        let mut groups: Vec<Group> = self.groups.into_values().map(|(_, g)| g).collect();
        groups.sort_unstable_by(|a, b| b.count.cmp(&a.count).then_with(|| a.name.cmp(&b.name)));
        (groups, self.others)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Payload;

    fn message(id: &str, second: i64) -> DeadLetter {
        let mut m = DeadLetter::new("q".into(), Payload::Absent);
        m.id = id.into();
        m.time = Timestamp::from_second(second).ok();
        m
    }

    fn at(second: i64) -> Option<Timestamp> {
        Timestamp::from_second(second).ok()
    }

    #[test]
    fn batches_counted_apart_come_to_the_same_as_all_in_one() {
        let all: Vec<(String, DeadLetter)> =
            (0..100).map(|n| (format!("g{}", n * n % 7), message(&n.to_string(), 1000 - n))).collect();
        let count = |some: &[(String, DeadLetter)]| {
            let mut stats = Stats::default();
            some.iter().for_each(|(name, m)| stats.add(name.clone(), m, None));
            stats
        };
        let mut parts = Stats::default();
        all.chunks(9).for_each(|chunk| parts.merge(count(chunk)));
        assert_eq!(parts.finish(), count(&all).finish());
    }

    #[test]
    fn a_death_tells_first_and_last_before_the_time_of_the_message() {
        let mut stats = Stats::default();
        let died = |first, last| Some(Death { first, last, ..Death::default() });
        stats.add("a".into(), &message("1", 5), died(at(20), at(30)));
        stats.add("a".into(), &message("2", 6), died(None, at(25)));
        stats.add("b".into(), &message("3", 7), None);
        let (groups, others) = stats.finish();
        assert_eq!((groups[0].first, groups[0].last, groups[0].count, &*groups[0].example), (at(20), at(30), 2, "1"));
        assert_eq!((groups[1].first, groups[1].last, others), (at(7), at(7), 0));
    }

    #[test]
    fn groups_without_number_do_not_fill_memory() {
        let mut stats = Stats::default();
        for n in 0..MAX_GROUPS + 5 {
            stats.add(n.to_string(), &message("x", 0), None);
        }
        stats.add("0".into(), &message("x", 0), None);
        let (groups, others) = stats.finish();
        assert_eq!((groups.len(), others), (MAX_GROUPS, 5));
        assert_eq!((&*groups[0].name, groups[0].count), ("0", 2));
    }
}
