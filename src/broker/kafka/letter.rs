//! From records of the library to messages. Bytes of a batch share one block, so that a message costs few allocations.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use jiff::Timestamp;
use smol_str::format_smolstr;

use super::resolved::Offsets;
use super::spent::Spent;
use super::sys::Record;
use crate::broker::{Delivery, Error, Kind, Result, Token};
use crate::message::{DeadLetter, Id, Identity, Name, Payload, Value};

/// Set on a message one of whose header names is not UTF-8 and cannot be given back as it was.
pub(super) const SPOILT: &str = "header_names_not_utf8";

/// Set on a dead letter of a share group that carries no payload of its own: empty is not what it stands for.
pub(super) const NOT_COPIED: &str = "payload_not_copied";

/// Set on a dead letter of a share group that carries its payload: the headers and the time it had are never copied.
pub(super) const BARE: &str = "headers_not_copied";

/// What is noted of a message besides what the record has.
const NOTED: [&str; 3] = [SPOILT, NOT_COPIED, BARE];

const SHARE_GROUP: &[u8] = b"__dlq.errors.";

/// An offset and its partition in one number. Offsets have 48 bits of it: at a million records a second, nine years.
pub(super) fn token(partition: i32, offset: i64) -> Token {
    Token(((partition as u64) << 48) | (offset as u64 & OFFSET))
}

const OFFSET: u64 = (1 << 48) - 1;

/// The partition and offset of a token.
pub(super) fn place(token: Token) -> (i32, i64) {
    ((token.0 >> 48) as i32, (token.0 & OFFSET) as i64)
}

/// `3:1047` taken apart.
pub(super) fn parse_id(id: &str) -> Option<(i32, i64)> {
    let (partition, offset) = id.split_once(':')?;
    let plain = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    (plain(partition) && plain(offset)).then_some(())?;
    Some((partition.parse().ok()?, offset.parse().ok()?))
}

/// Makes messages of one topic.
#[derive(Clone)]
pub(super) struct Letters {
    shown: Arc<str>,
    /// Half of the identity of each message: that of the topic's life.
    life: u64,
    /// What is resolved is said to be.
    marked: Arc<BTreeMap<i32, Offsets>>,
    /// Whose memory is used again.
    pub(super) spent: Spent,
}

impl Letters {
    /// `shown` is the queue's address, `topic_id` tells topics of one name apart.
    pub(super) fn new(shown: Arc<str>, topic_id: &str) -> Self {
        Letters {
            shown,
            life: xxhash_rust::xxh3::xxh3_64(topic_id.as_bytes()),
            marked: Arc::default(),
            spent: Spent::default(),
        }
    }

    /// The same, saying of each message in this set that it is resolved.
    pub(super) fn marking(&self, resolved: BTreeMap<i32, Offsets>) -> Self {
        Letters { marked: Arc::new(resolved), ..self.clone() }
    }

    /// Messages of records, in their order; their bytes are copied.
    pub(super) fn write(&self, records: &[Record<'_>]) -> Vec<Delivery> {
        self.write_some(records, usize::MAX)
    }

    /// The same of the first of them, which have `most` bytes together: one always, and all where they have fewer. Dead letters
    /// carry stack traces: headers can be most of it.
    pub(super) fn write_some(&self, records: &[Record<'_>], most: usize) -> Vec<Delivery> {
        let mut headers: Vec<(&[u8], Option<&[u8]>)> = Vec::new();
        let mut ends = Vec::with_capacity(records.len());
        let (mut size, mut names) = (0, 0);
        for r in records {
            let before = headers.len();
            headers.extend(r.headers());
            let mut mine = r.key().map_or(0, <[u8]>::len) + r.value().map_or(0, <[u8]>::len);
            mine += headers[before..].iter().map(|(_, v)| v.map_or(0, <[u8]>::len)).sum::<usize>();
            let of_names = headers[before..].iter().map(|(name, _)| name.len()).sum::<usize>();
            if !ends.is_empty() && size + names + mine + of_names > most {
                headers.truncate(before);
                break;
            }
            size += mine;
            names += of_names;
            ends.push(headers.len());
        }
        let mut block = BytesMut::with_capacity(size);
        let mut begin = 0;
        for (r, end) in records.iter().zip(&ends) {
            block.extend_from_slice(r.key().unwrap_or_default());
            block.extend_from_slice(r.value().unwrap_or_default());
            headers[begin..*end].iter().for_each(|(_, v)| block.extend_from_slice(v.unwrap_or_default()));
            begin = *end;
        }
        let block = block.freeze();
        let mut spent = self.spent.take(ends.len());
        let (mut at, mut begin) = (0, 0);
        let mut take = |len: usize| {
            at += len;
            block.slice(at - len..at)
        };
        records
            .iter()
            .zip(&ends)
            .map(|(r, end)| {
                let mine = &headers[begin..*end];
                begin = *end;
                self.one(*r, mine, spent.pop(), &mut take)
            })
            .collect()
    }

    /// A message as it is kept where messages are sorted: its place, time, key, payload, headers and what is noted of it.
    pub(super) fn pack(d: &Delivery) -> Vec<u8> {
        let m = &d.message;
        let mut out = Vec::with_capacity(64 + m.size());
        let number = |out: &mut Vec<u8>, n: i64| out.extend_from_slice(&n.to_le_bytes());
        let bytes = |out: &mut Vec<u8>, b: Option<&[u8]>| {
            number(out, b.map_or(-1, |b| i64::try_from(b.len()).unwrap_or(i64::MAX)));
            out.extend_from_slice(b.unwrap_or_default());
        };
        bytes(&mut out, Some(&d.token.0.to_le_bytes()));
        bytes(&mut out, m.time.map(|t| t.as_millisecond().to_le_bytes()).as_ref().map(<[u8; 8]>::as_slice));
        bytes(&mut out, m.key.as_deref());
        bytes(&mut out, if let Payload::Bytes(b) = &m.payload { Some(b) } else { None });
        let noted: Vec<u8> = NOTED.iter().map(|name| u8::from(m.properties.last(name).is_some())).collect();
        bytes(&mut out, Some(&noted));
        for (name, value) in m.headers.iter() {
            bytes(&mut out, Some(name.as_bytes()));
            bytes(&mut out, if let Value::Bytes(b) = value { Some(b) } else { None });
        }
        out
    }

    /// What [`Letters::pack`] has packed.
    ///
    /// # Errors
    /// `Corrupt` for what it has not.
    pub(super) fn unpack(&self, packed: &[u8]) -> Result<Delivery> {
        let corrupt = || Error::new(Kind::Corrupt, "what was sorted did not come back as it was");
        let block = Bytes::copy_from_slice(packed);
        let mut at = 0;
        let mut bytes = || -> Option<Option<Bytes>> {
            let length = i64::from_le_bytes(block.get(at..at + 8)?.try_into().ok()?);
            at += 8;
            let Ok(length) = usize::try_from(length) else { return Some(None) };
            let end = at.checked_add(length).filter(|end| *end <= block.len())?;
            let slice = block.slice(at..end);
            at = end;
            Some(Some(slice))
        };
        let mut read = || -> Option<Delivery> {
            let eight = |b: Bytes| <[u8; 8]>::try_from(&b[..]).ok();
            let token = Token(u64::from_le_bytes(eight(bytes()??)?));
            let (partition, offset) = place(token);
            let mut d = self.blank(partition, offset, None);
            let time = bytes()?.and_then(eight).map(i64::from_le_bytes);
            d.message.time = time.and_then(|ms| Timestamp::from_millisecond(ms).ok());
            d.message.key = bytes()?;
            if let Some(value) = bytes()? {
                d.message.payload = Payload::Bytes(value);
            }
            for (name, noted) in NOTED.iter().zip(bytes()??) {
                if noted == 1 {
                    d.message.properties.push(*name, Value::Bool(true));
                }
            }
            while let Some(name) = bytes() {
                let name = String::from_utf8(name?.to_vec()).ok()?;
                d.message.headers.push(name, bytes()?.map_or(Value::Null, Value::Bytes));
            }
            Some(d)
        };
        read().ok_or_else(corrupt)
    }

    /// A message of which only its place is known; an empty one is taken for it.
    fn blank(&self, partition: i32, offset: i64, empty: Option<Box<DeadLetter>>) -> Delivery {
        let token = token(partition, offset);
        let fresh = || Box::new(DeadLetter::new(Arc::clone(&self.shown), Payload::Absent));
        let mut m = empty.filter(|m| Arc::ptr_eq(&m.queue, &self.shown)).unwrap_or_else(fresh);
        m.id = id(partition, offset);
        m.identity = Identity::Exact((u128::from(self.life) << 64) | u128::from(token.0));
        m.position.reserve(2);
        m.position.push("partition", Value::I64(partition.into()));
        m.position.push("offset", Value::I64(offset));
        if self.marked.get(&partition).is_some_and(|set| set.contains(offset)) {
            m.position.push("resolved", Value::Bool(true));
        }
        Delivery { token, message: m }
    }

    fn one(
        &self,
        r: Record<'_>,
        headers: &[(&[u8], Option<&[u8]>)],
        empty: Option<Box<DeadLetter>>,
        take: &mut impl FnMut(usize) -> Bytes,
    ) -> Delivery {
        let Delivery { token, message: mut m } = self.blank(r.partition(), r.offset(), empty);
        m.time = r.time().and_then(|ms| Timestamp::from_millisecond(ms).ok());
        m.key = r.key().map(|k| take(k.len()));
        if let Some(value) = r.value() {
            m.payload = Payload::Bytes(take(value.len()));
        }
        if headers.iter().any(|(n, _)| n.starts_with(SHARE_GROUP)) {
            let nothing = r.value().is_none() && r.key().is_none();
            m.properties.push(if nothing { NOT_COPIED } else { BARE }, Value::Bool(true));
        }
        let mut spoilt = false;
        m.headers.reserve(headers.len());
        for (name, value) in headers {
            let text = String::from_utf8_lossy(name);
            spoilt |= matches!(text, Cow::Owned(_));
            m.headers.push(Name::new(text), value.map_or(Value::Null, |v| Value::Bytes(take(v.len()))));
        }
        if spoilt {
            m.properties.push(SPOILT, Value::Bool(true));
        }
        Delivery { token, message: m }
    }
}

/// `3:1047`, written by hand: there is one a message.
fn id(partition: i32, offset: i64) -> Id {
    let (Ok(partition), Ok(offset)) = (u64::try_from(partition), u64::try_from(offset)) else {
        return format_smolstr!("{partition}:{offset}");
    };
    let mut text = [b':'; 32];
    let colon = digits(&mut text, 32, offset) - 1;
    let from = digits(&mut text, colon, partition);
    std::str::from_utf8(&text[from..]).map(Id::new).unwrap_or_default()
}

/// Writes a number so that it ends before `end`; where it begins.
fn digits(text: &mut [u8; 32], end: usize, mut number: u64) -> usize {
    let mut at = end;
    loop {
        at -= 1;
        text[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return at;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_comes_back_as_it_was() {
        let letters = Letters::new("kafka://h/t".into(), "id");
        for n in 0..4 {
            let mut d = letters.blank(3, 70_000 + n, None);
            d.message.time = (n > 0).then(|| Timestamp::from_millisecond(1_700_000_000_123 + n).unwrap());
            d.message.key = (n > 1).then(|| Bytes::from_static(b""));
            d.message.payload = if n > 2 { Payload::Bytes(Bytes::from_static(b"\xff\0")) } else { Payload::Absent };
            for _ in 0..n {
                d.message.headers.push("a", Value::Bytes(Bytes::from_static(b"1")));
                d.message.headers.push("é", Value::Null);
            }
            if n == 2 {
                d.message.properties.push(BARE, Value::Bool(true));
            }
            let back = letters.unpack(&Letters::pack(&d)).expect("packed");
            assert_eq!((back.token, back.message), (d.token, d.message));
        }
        assert_eq!(letters.unpack(&[1, 2, 3]).unwrap_err().kind(), Kind::Corrupt);
    }

    #[test]
    fn tokens_and_ids_name_a_place() {
        for at in [(0, 0), (3, 1047), (65_535, (1 << 48) - 1)] {
            assert_eq!(place(token(at.0, at.1)), at);
            assert_eq!(id(at.0, at.1), format!("{}:{}", at.0, at.1));
            assert_eq!(parse_id(&format!("{}:{}", at.0, at.1)), Some(at));
        }
        for bad in ["", "3", ":", "3:", ":4", "-1:4", "3:+4", "3:4:5", "a:b"] {
            assert_eq!(parse_id(bad), None, "{bad}");
        }
    }
}
