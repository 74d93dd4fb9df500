//! How the set is stored. Key: `TOPIC-ID:PARTITION:BLOCK` in text. Value: a version byte, then the offsets of the block,
//! counted from its start, as a roaring bitmap in the portable format. Beside it, with the key `TOPIC-ID:PARTITION:to:TOPIC`, is
//! where records went; a dlq that does not know of that passes over it.

use roaring::RoaringBitmap;

use super::set::BLOCK;
use crate::broker::{Error, Kind, Result};

const VERSION: u8 = 1;

pub(super) fn key(topic_id: &str, partition: i32, block: u64) -> String {
    format!("{topic_id}:{partition}:{block}")
}

/// Of where the records of a partition went, at one destination.
pub(super) fn key_to(topic_id: &str, partition: i32, topic: &str) -> String {
    format!("{topic_id}:{partition}:{TO}{topic}")
}

const TO: &str = "to:";

/// What a record tells.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Of<'a> {
    /// The offsets of a block.
    Block(u64),
    /// Where the records went of this topic.
    To(&'a str),
}

/// Topic id and partition of a key, and what its record tells.
pub(super) fn parse_key(key: &[u8]) -> Option<(&str, i32, Of<'_>)> {
    let mut parts = std::str::from_utf8(key).ok()?.splitn(3, ':');
    let (topic_id, partition, rest) = (parts.next()?, parts.next()?, parts.next()?);
    let of = match rest.strip_prefix(TO) {
        Some(topic) => Of::To(topic),
        None => Of::Block(rest.parse().ok()?),
    };
    Some((topic_id, partition.parse().ok()?, of))
}

pub(super) fn value(offsets: &RoaringBitmap) -> Vec<u8> {
    let mut small = offsets.clone();
    small.optimize();
    let mut value = Vec::with_capacity(1 + small.serialized_size());
    value.push(VERSION);
    small.serialize_into(&mut value).expect("a vector takes what is written to it");
    value
}

pub(super) fn parse_value(value: &[u8]) -> Result<RoaringBitmap> {
    let corrupt = |why: &str| Error::new(Kind::Corrupt, format!("a record of the resolved set {why}"));
    let (version, rest) = value.split_first().ok_or_else(|| corrupt("is empty"))?;
    if *version != VERSION {
        return Err(Error::new(Kind::Unsupported, format!("the resolved set is of version {version}"))
            .hint("a newer dlq wrote it: use that one"));
    }
    let offsets = RoaringBitmap::deserialize_from(rest).map_err(|e| corrupt("is no bitmap").because(e))?;
    match offsets.max() {
        Some(most) if u64::from(most) >= BLOCK => Err(corrupt("names offsets of another block")),
        _ => Ok(offsets),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_back_what_it_writes_and_refuses_the_rest() {
        let offsets: RoaringBitmap = (0..70).chain([400, 65_535]).collect();
        assert_eq!(parse_value(&value(&offsets)).unwrap(), offsets);
        assert_eq!(parse_value(&value(&RoaringBitmap::new())).unwrap(), RoaringBitmap::new());
        assert!(value(&(0..65_536).collect()).len() < 64, "a full block is small");
        let mut newer = value(&offsets);
        newer[0] = 2;
        assert_eq!(parse_value(&newer).unwrap_err().kind(), Kind::Unsupported);
        for bad in [vec![], vec![1], vec![1, 2, 3], value(&[65_536].into())] {
            assert_eq!(parse_value(&bad).unwrap_err().kind(), Kind::Corrupt, "{bad:?}");
        }
    }

    #[test]
    fn keys_are_of_one_topic() {
        let key = key("AbC-_9", 3, 17);
        assert_eq!(parse_key(key.as_bytes()), Some(("AbC-_9", 3, Of::Block(17))));
        assert_eq!(parse_key(key_to("AbC-_9", 3, "a.b").as_bytes()), Some(("AbC-_9", 3, Of::To("a.b"))));
        assert_eq!(parse_key(b"AbC-_9:x:1"), None);
        assert_eq!(parse_key(b"AbC-_9:3"), None);
    }
}
