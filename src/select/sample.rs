//! A uniform sample in one pass and bounded memory, and one such sample for each group.

use std::collections::HashMap;

use bytes::Bytes;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::message::{DeadLetter, Fields, Payload, Value};

/// More groups than this are not told apart.
pub const MAX_GROUPS: usize = 1000;

/// A reservoir: of all messages offered it keeps `n`, each with the same probability (Li's algorithm L, which draws random
/// numbers only for the messages it takes).
pub struct Sampler {
    n: usize,
    rng: StdRng,
    kept: Vec<(u64, DeadLetter)>,
    offered: u64,
    /// The next one to take, counted from 0.
    next: u64,
    w: f64,
}

impl Sampler {
    /// The same seed and the same messages in the same order give the same sample, on every machine and with every release
    /// that uses the same major version of `rand`.
    pub fn new(n: usize, seed: u64) -> Self {
        Sampler { n, rng: StdRng::seed_from_u64(seed), kept: Vec::new(), offered: 0, next: 0, w: 1.0 }
    }

    /// Offers a message; it is copied only if it is kept.
    pub fn offer(&mut self, m: &DeadLetter) {
        let number = self.offered;
        self.offered += 1;
        if number < self.next || self.n == 0 {
            return;
        }
        if self.kept.len() < self.n {
            self.kept.push((number, detached(m)));
            self.next = number + 1;
            if self.kept.len() == self.n {
                self.skip(number);
            }
            return;
        }
        let place = self.rng.random_range(0..self.n);
        self.kept[place] = (number, detached(m));
        self.skip(number);
    }

    /// Draws how many to pass over after `number`.
    fn skip(&mut self, number: u64) {
        self.w *= (self.unit().ln() / self.n as f64).exp();
        let gap = (self.unit().ln() / (1.0 - self.w).ln()).floor();
        // A gap beyond all numbers saturates: none is taken any more.
        self.next = number.saturating_add(1).saturating_add(gap as u64);
    }

    /// In (0, 1]: of 0 there is no logarithm.
    fn unit(&mut self) -> f64 {
        1.0 - self.rng.random::<f64>()
    }

    /// How many were offered.
    pub fn offered(&self) -> u64 {
        self.offered
    }

    /// The sample, in the order in which it appeared.
    pub fn finish(mut self) -> Vec<DeadLetter> {
        self.kept.sort_unstable_by_key(|(number, _)| *number);
        self.kept.into_iter().map(|(_, m)| m).collect()
    }
}

/// One reservoir a group.
pub struct Groups {
    n: usize,
    seed: u64,
    at: HashMap<String, usize>,
    groups: Vec<(String, Sampler)>,
    left_out: u64,
}

impl Groups {
    /// `n` of each group.
    pub fn new(n: usize, seed: u64) -> Self {
        Groups { n, seed, at: HashMap::new(), groups: Vec::new(), left_out: 0 }
    }

    /// Offers a message of a group. Beyond [`MAX_GROUPS`] groups, messages of new ones are counted and not sampled.
    pub fn offer(&mut self, group: &str, m: &DeadLetter) {
        let i = match self.at.get(group) {
            Some(i) => *i,
            None if self.groups.len() == MAX_GROUPS => {
                self.left_out += 1;
                return;
            }
            None => {
                let i = self.groups.len();
                // By name: which messages of a group are drawn does not depend on the other groups.
                let seed = self.seed ^ xxhash_rust::xxh3::xxh3_64(group.as_bytes());
                self.at.insert(group.to_owned(), i);
                self.groups.push((group.to_owned(), Sampler::new(self.n, seed)));
                i
            }
        };
        self.groups[i].1.offer(m);
    }

    /// Messages not sampled since there were more than [`MAX_GROUPS`] groups.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Each group with how many it had and its sample, in the order in which the groups appeared.
    pub fn finish(self) -> Vec<(String, u64, Vec<DeadLetter>)> {
        self.groups.into_iter().map(|(name, s)| (name, s.offered(), s.finish())).collect()
    }
}

/// A copy that shares no memory with the batch it came in: a few bytes kept would hold the whole block.
pub fn detached(m: &DeadLetter) -> DeadLetter {
    let own = |b: &Bytes| Bytes::copy_from_slice(b);
    let mut m = m.clone();
    m.key = m.key.as_ref().map(own);
    if let Payload::Bytes(b) = &m.payload {
        m.payload = Payload::Bytes(own(b));
    }
    for fields in [&mut m.position, &mut m.headers, &mut m.properties] {
        *fields = detached_fields(std::mem::take(fields));
    }
    m
}

fn detached_fields(fields: Fields) -> Fields {
    fields.into_iter().map(|(name, v)| (name, detached_value(v))).collect()
}

fn detached_value(v: Value) -> Value {
    match v {
        Value::Text(b) => Value::Text(Bytes::copy_from_slice(&b)),
        Value::Bytes(b) => Value::Bytes(Bytes::copy_from_slice(&b)),
        Value::Array(vs) => Value::Array(vs.into_iter().map(detached_value).collect()),
        Value::Table(t) => Value::Table(detached_fields(t)),
        Value::Labelled(label, v) => Value::Labelled(label, Box::new(detached_value(*v))),
        v => v,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(i: u64) -> DeadLetter {
        let mut m = DeadLetter::new("file:q".into(), Payload::Absent);
        m.id = i.to_string().into();
        m
    }

    fn sample(n: usize, of: u64, seed: u64) -> Vec<u64> {
        let mut s = Sampler::new(n, seed);
        for i in 0..of {
            s.offer(&message(i));
        }
        assert_eq!(s.offered(), of);
        s.finish().iter().map(|m| m.id.parse().unwrap()).collect()
    }

    /// Chi-square of counts against the same expectation for all.
    fn chi_square(counts: &[u64], expected: f64) -> f64 {
        counts.iter().map(|c| (*c as f64 - expected).powi(2) / expected).sum()
    }

    #[test]
    fn every_message_is_as_likely_as_any_other() {
        const OF: u64 = 40;
        const N: usize = 5;
        const RUNS: u64 = 8000;
        let mut single = [0; OF as usize];
        let mut pairs = [0; OF as usize];
        for seed in 0..RUNS {
            let kept = sample(N, OF, seed);
            assert_eq!(kept.len(), N);
            for k in &kept {
                single[*k as usize] += 1;
            }
            // That neighbours come together is as likely everywhere too.
            for k in &kept {
                pairs[*k as usize] += u64::from(kept.contains(&((k + 1) % OF)));
            }
        }
        // 39 degrees of freedom: above 72.1 in one of a thousand. Draws without replacement scatter less, not more.
        let expected = (RUNS * N as u64) as f64 / OF as f64;
        assert!(chi_square(&single, expected) < 72.1, "{}", chi_square(&single, expected));
        let expected = RUNS as f64 * (N * (N - 1)) as f64 / (OF * (OF - 1)) as f64;
        assert!(chi_square(&pairs, expected) < 72.1, "{}", chi_square(&pairs, expected));
        // And the test can fail: a sample of the first ones does.
        let mut first = [0; OF as usize];
        first[..N].fill(RUNS);
        assert!(chi_square(&first, (RUNS * N as u64) as f64 / OF as f64) > 1000.0);
    }

    #[test]
    fn late_messages_of_a_long_queue_are_as_likely_as_early_ones() {
        let mut tenths = [0; 10];
        for seed in 0..300 {
            for k in sample(20, 5000, seed) {
                tenths[(k / 500) as usize] += 1;
            }
        }
        // 9 degrees of freedom: above 27.9 in one of a thousand.
        assert!(chi_square(&tenths, 600.0) < 27.9, "{tenths:?}");
    }

    #[test]
    fn a_seed_gives_the_same_sample_again_in_order_of_appearance() {
        let a = sample(10, 1000, 42);
        assert_eq!(a, sample(10, 1000, 42));
        assert_ne!(a, sample(10, 1000, 43));
        assert!(a.is_sorted());
    }

    #[test]
    fn fewer_than_asked_for_are_all_kept() {
        assert_eq!(sample(5, 3, 1), [0, 1, 2]);
        assert_eq!(sample(5, 5, 1), [0, 1, 2, 3, 4]);
        assert!(sample(0, 5, 1).is_empty());
    }

    #[test]
    fn each_group_has_its_own_sample_whatever_the_others_are() {
        let mut alone = Groups::new(3, 9);
        let mut mixed = Groups::new(3, 9);
        for i in 0..500 {
            mixed.offer("b", &message(i));
            mixed.offer("a", &message(i));
            alone.offer("a", &message(i));
        }
        let mixed = mixed.finish();
        assert_eq!((mixed[0].0.as_str(), mixed[0].1, mixed[0].2.len()), ("b", 500, 3));
        assert_eq!(mixed[1], alone.finish()[0]);
        assert_ne!(mixed[0].2, mixed[1].2);
    }

    #[test]
    fn groups_are_capped_and_what_is_left_out_is_counted() {
        let mut g = Groups::new(1, 1);
        for i in 0..MAX_GROUPS as u64 + 50 {
            g.offer(&i.to_string(), &message(i));
        }
        g.offer("0", &message(0));
        assert_eq!(g.left_out(), 50);
        let groups = g.finish();
        assert_eq!((groups.len(), groups[0].1), (MAX_GROUPS, 2));
    }

    #[test]
    fn what_is_kept_does_not_hold_the_block_it_came_in() {
        let block = Bytes::from(vec![b'x'; 1 << 20]);
        let mut m = message(1);
        m.payload = Payload::Bytes(block.slice(..10));
        m.key = Some(block.slice(10..20));
        m.headers.push("h", Value::Array(vec![Value::Text(block.slice(20..30)), Value::Bytes(block.slice(30..40))]));
        let mut s = Sampler::new(1, 0);
        s.offer(&m);
        let kept = s.finish();
        assert_eq!(kept, [m.clone()]);
        drop(m);
        assert!(block.is_unique());
    }
}
