//! Where the records went that are done: tells a transaction that was committed, and is hidden all the same, from one that was
//! not, where the cluster has forgotten to end it.

use std::collections::BTreeMap;

use crate::broker::{Error, Kind, Result};

const VERSION: u8 = 1;

/// By destination and partition: the offset of the first record of the last transaction that is stored and sent there.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in super::super) struct Went(BTreeMap<String, BTreeMap<i32, i64>>);

impl Went {
    pub fn at(&self, topic: &str, partition: i32) -> Option<i64> {
        self.0.get(topic)?.get(&partition).copied()
    }

    /// A record of the transaction is stored there. What comes later in it changes nothing.
    pub fn first(&mut self, topic: &str, partition: i32, offset: i64) {
        if !self.0.contains_key(topic) {
            self.0.insert(topic.to_owned(), BTreeMap::new());
        }
        if let Some(here) = self.0.get_mut(topic) {
            here.entry(partition).or_insert(offset);
        }
    }

    /// By destination: each partition's first record.
    pub fn by_topic(&self) -> impl Iterator<Item = (&String, &BTreeMap<i32, i64>)> {
        self.0.iter()
    }

    /// Partitions there are in it.
    pub fn len(&self) -> usize {
        self.0.values().map(BTreeMap::len).sum()
    }

    pub fn leave_out(&mut self, topic: &str) {
        self.0.remove(topic);
    }

    /// Takes in what a later transaction says.
    pub fn update(&mut self, later: &Went) {
        for (topic, partitions) in &later.0 {
            self.0.entry(topic.clone()).or_default().extend(partitions);
        }
    }

    /// What is to be stored of the topics of `later`, where that is committed: topic and value each.
    pub fn updated(&self, later: &Went) -> Vec<(String, Vec<u8>)> {
        let mut all = Vec::with_capacity(later.0.len());
        for (topic, partitions) in &later.0 {
            let mut here = self.0.get(topic).cloned().unwrap_or_default();
            here.extend(partitions);
            all.push((topic.clone(), value(&here)));
        }
        all
    }

    pub(super) fn put(&mut self, topic: &str, value: &[u8]) -> Result<()> {
        self.0.insert(topic.to_owned(), parse(value)?);
        Ok(())
    }
}

/// A version byte, then `PARTITION:OFFSET` each, in text.
fn value(partitions: &BTreeMap<i32, i64>) -> Vec<u8> {
    let mut value = vec![VERSION];
    let text: Vec<String> = partitions.iter().map(|(partition, offset)| format!("{partition}:{offset}")).collect();
    value.extend(text.join(" ").into_bytes());
    value
}

fn parse(value: &[u8]) -> Result<BTreeMap<i32, i64>> {
    let corrupt = || Error::new(Kind::Corrupt, "a record of the resolved set does not say where records went");
    let (version, rest) = value.split_first().ok_or_else(corrupt)?;
    if *version != VERSION {
        return Err(Error::new(Kind::Unsupported, format!("where records went is told in version {version}"))
            .hint("a newer dlq wrote it: use that one"));
    }
    let one = |part: &str| {
        let (partition, offset) = part.split_once(':')?;
        Some((partition.parse().ok()?, offset.parse().ok()?))
    };
    let text = std::str::from_utf8(rest).map_err(|_| corrupt())?;
    text.split_ascii_whitespace().map(one).collect::<Option<_>>().ok_or_else(corrupt)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_record_of_the_last_transaction_counts() {
        let (mut stored, mut later) = (Went::default(), Went::default());
        stored.first("a", 0, 7);
        stored.first("a", 0, 8);
        stored.first("b", 3, 1);
        later.first("a", 1, 20);
        later.first("c", 0, 5);
        let told = stored.updated(&later);
        assert_eq!(told.iter().map(|(topic, _)| topic.as_str()).collect::<Vec<_>>(), ["a", "c"], "b is as it was");
        stored.update(&later);
        assert_eq!(["a", "b", "c"].map(|t| stored.at(t, 0)), [Some(7), None, Some(5)]);
        assert_eq!((stored.at("a", 1), stored.at("b", 3), stored.len()), (Some(20), Some(1), 4));
        let mut read = Went::default();
        told.iter().for_each(|(topic, value)| read.put(topic, value).unwrap());
        read.first("b", 3, 1);
        assert_eq!(read, stored);
        stored.leave_out("a");
        assert_eq!((stored.at("a", 0), stored.len()), (None, 2));
    }

    #[test]
    fn what_is_no_such_record_is_refused() {
        for (bad, kind) in [
            (&b""[..], Kind::Corrupt),
            (b"\x02", Kind::Unsupported),
            (b"\x01x", Kind::Corrupt),
            (b"\x010:y", Kind::Corrupt),
        ] {
            assert_eq!(Went::default().put("t", bad).unwrap_err().kind(), kind, "{bad:?}");
        }
        assert_eq!(parse(&value(&BTreeMap::new())).unwrap(), BTreeMap::new());
    }
}
