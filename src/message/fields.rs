//! Ordered, typed, repeatable name-value pairs: one type for headers, properties and nested tables of every broker.

use std::cell::RefCell;
use std::fmt;
use std::io::Write as _;

use bytes::{Bytes, BytesMut};
use smol_str::SmolStr;

/// What is formatted; texts written one after another share a few KiB.
pub fn written(text: fmt::Arguments<'_>) -> Bytes {
    let mut short = [0; SHORT];
    let mut rest = &mut short[..];
    if rest.write_fmt(text).is_err() {
        return Bytes::from(text.to_string());
    }
    let length = SHORT - rest.len();
    ROOM.with_borrow_mut(|room| {
        if room.capacity() < length {
            *room = BytesMut::with_capacity(BLOCK);
        }
        room.extend_from_slice(&short[..length]);
        room.split().freeze()
    })
}

thread_local! {
    /// What is left of the block that texts are written to. They come by the million, and memory of their own would be given back
    /// on another thread each.
    static ROOM: RefCell<BytesMut> = RefCell::default();
}

/// Bytes that texts share: one that is kept keeps them all.
const BLOCK: usize = 4096;

/// Bytes that need not be formatted twice.
const SHORT: usize = 128;

/// One value with the type the broker gave it. Equality is exact: floats compare by their bits.
#[derive(Clone, Debug)]
pub enum Value {
    /// No value: AMQP void, a null Kafka header.
    Null,
    /// A truth value.
    Bool(bool),
    /// Integers keep their width, since AMQP consumers may insist on it.
    I8(i8),
    /// Unsigned 8 bit.
    U8(u8),
    /// Signed 16 bit.
    I16(i16),
    /// Unsigned 16 bit.
    U16(u16),
    /// Signed 32 bit.
    I32(i32),
    /// Unsigned 32 bit.
    U32(u32),
    /// Signed 64 bit.
    I64(i64),
    /// Unsigned 64 bit.
    U64(u64),
    /// Single precision.
    F32(f32),
    /// Double precision.
    F64(f64),
    /// AMQP decimal: `value` / 10^`scale`.
    Decimal {
        /// Digits behind the point.
        scale: u8,
        /// All digits.
        value: u32,
    },
    /// A decimal number that travels as text (SQS `Number`).
    Number(String),
    /// A string by its type; normally, but not provably, UTF-8 (AMQP long string, SQS `String`, NATS header).
    Text(Bytes),
    /// AMQP short string.
    ShortText(String),
    /// Bytes by their type (AMQP byte array, Kafka header, SQS `Binary`).
    Bytes(Bytes),
    /// AMQP timestamp, seconds since 1970.
    Time(u64),
    /// AMQP array.
    Array(Vec<Value>),
    /// AMQP table.
    Table(Fields),
    /// A value whose type has a name of the user's own (SQS `String.email`).
    Labelled(String, Box<Value>),
}

impl Value {
    /// Text from a Rust string.
    pub fn text(s: impl Into<String>) -> Self {
        Value::Text(Bytes::from(s.into()))
    }

    /// The UTF-8 text of a string or of bytes.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::Text(b) | Value::Bytes(b) => std::str::from_utf8(b).ok(),
            Value::ShortText(s) | Value::Number(s) => Some(s),
            Value::Labelled(_, v) => v.as_str(),
            _ => None,
        }
    }

    /// The integer, of whatever width, or in decimal text.
    pub fn as_i64(&self) -> Option<i64> {
        Some(match self {
            Value::I8(n) => i64::from(*n),
            Value::U8(n) => i64::from(*n),
            Value::I16(n) => i64::from(*n),
            Value::U16(n) => i64::from(*n),
            Value::I32(n) => i64::from(*n),
            Value::U32(n) => i64::from(*n),
            Value::I64(n) => *n,
            Value::U64(n) | Value::Time(n) => i64::try_from(*n).ok()?,
            _ => return self.as_str()?.parse().ok(),
        })
    }

    /// Rough size in bytes.
    pub fn size(&self) -> usize {
        match self {
            Value::Null => 0,
            Value::Bool(_) | Value::I8(_) | Value::U8(_) => 1,
            Value::I16(_) | Value::U16(_) => 2,
            Value::I32(_) | Value::U32(_) | Value::F32(_) | Value::Decimal { .. } => 4,
            Value::I64(_) | Value::U64(_) | Value::F64(_) | Value::Time(_) => 8,
            Value::Text(b) | Value::Bytes(b) => b.len(),
            Value::ShortText(s) | Value::Number(s) => s.len(),
            Value::Array(vs) => vs.iter().map(Value::size).sum(),
            Value::Table(t) => t.size(),
            Value::Labelled(l, v) => l.len() + v.size(),
        }
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        use Value::*;
        match (self, other) {
            (Null, Null) => true,
            (Bool(a), Bool(b)) => a == b,
            (I8(a), I8(b)) => a == b,
            (U8(a), U8(b)) => a == b,
            (I16(a), I16(b)) => a == b,
            (U16(a), U16(b)) => a == b,
            (I32(a), I32(b)) => a == b,
            (U32(a), U32(b)) => a == b,
            (I64(a), I64(b)) => a == b,
            (U64(a), U64(b)) | (Time(a), Time(b)) => a == b,
            (F32(a), F32(b)) => a.to_bits() == b.to_bits(),
            (F64(a), F64(b)) => a.to_bits() == b.to_bits(),
            (Decimal { scale: s, value: v }, Decimal { scale: t, value: w }) => s == t && v == w,
            (Number(a), Number(b)) | (ShortText(a), ShortText(b)) => a == b,
            (Text(a), Text(b)) | (Bytes(a), Bytes(b)) => a == b,
            (Array(a), Array(b)) => a == b,
            (Table(a), Table(b)) => a == b,
            (Labelled(l, a), Labelled(m, b)) => l == m && a == b,
            _ => false,
        }
    }
}

impl Eq for Value {}

impl From<&str> for Value {
    fn from(s: &str) -> Self {
        Value::text(s)
    }
}

impl From<String> for Value {
    fn from(s: String) -> Self {
        Value::text(s)
    }
}

/// A name. Up to 23 bytes of it take no memory of their own.
pub type Name = SmolStr;

/// Name-value pairs in the order the broker gave them; names may repeat.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields(Vec<(Name, Value)>);

impl Fields {
    /// None yet, with room for so many.
    pub fn with_capacity(room: usize) -> Self {
        Fields(Vec::with_capacity(room))
    }

    /// Makes room for so many more.
    pub fn reserve(&mut self, more: usize) {
        self.0.reserve_exact(more);
    }

    /// Takes all out; the room stays.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Adds at the end; an equal name that is there already stays.
    pub fn push(&mut self, name: impl Into<Name>, value: impl Into<Value>) {
        self.0.push((name.into(), value.into()));
    }

    /// Replaces every field of that name by one, or adds it at the end.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        let value = value.into();
        match self.0.iter().position(|(n, _)| n == name) {
            Some(at) => {
                self.0[at].1 = value;
                let mut nth = 0;
                self.0.retain(|(n, _)| {
                    nth += usize::from(n == name);
                    n != name || nth == 1
                });
            }
            None => self.0.push((name.into(), value)),
        }
    }

    /// The last value of that name.
    pub fn last(&self, name: &str) -> Option<&Value> {
        self.0.iter().rev().find(|(n, _)| n == name).map(|(_, v)| v)
    }

    /// The first value of that name.
    pub fn first(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, v)| v)
    }

    /// The last value of that name as UTF-8 text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.last(name)?.as_str()
    }

    /// The last value of that name as an integer.
    pub fn int(&self, name: &str) -> Option<i64> {
        self.last(name)?.as_i64()
    }

    /// Removes every field for which `drop` is true and returns their names.
    pub fn remove_if(&mut self, mut drop: impl FnMut(&str, &Value) -> bool) -> Vec<String> {
        let mut gone = Vec::new();
        self.0.retain(|(n, v)| {
            let go = drop(n, v);
            if go {
                gone.push(n.to_string());
            }
            !go
        });
        gone
    }

    /// In order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&str, &Value)> + ExactSizeIterator {
        self.0.iter().map(|(n, v)| (&**n, v))
    }

    /// How many, repeats included.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True when there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Rough size in bytes, names included.
    pub fn size(&self) -> usize {
        self.0.iter().map(|(n, v)| n.len() + v.size()).sum()
    }
}

impl<N: Into<Name>> FromIterator<(N, Value)> for Fields {
    fn from_iter<I: IntoIterator<Item = (N, Value)>>(iter: I) -> Self {
        Fields(iter.into_iter().map(|(name, value)| (name.into(), value)).collect())
    }
}

impl IntoIterator for Fields {
    type Item = (Name, Value);
    type IntoIter = std::vec::IntoIter<(Name, Value)>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}
