//! A message's identity where the broker gives none.

use xxhash_rust::xxh3::Xxh3;

use super::{DeadLetter, Fields, Payload, Value};

/// 128 bits over payload, key, headers and properties, less the names for which `volatile` is true (delivery counters and
/// whatever else changes between two looks at the same message). Equal messages have equal fingerprints.
pub fn fingerprint(m: &DeadLetter, volatile: impl Fn(&str) -> bool) -> u128 {
    let mut h = Xxh3::new();
    match &m.payload {
        Payload::Absent => h.update(&[0]),
        Payload::Bytes(b) => bytes(&mut h, 1, b),
    }
    if let Some(key) = &m.key {
        bytes(&mut h, 2, key);
    }
    for fields in [&m.headers, &m.properties] {
        h.update(&[3]);
        for (name, v) in fields.iter().filter(|(name, _)| !volatile(name)) {
            bytes(&mut h, 4, name.as_bytes());
            value(&mut h, v);
        }
    }
    h.digest128()
}

fn bytes(h: &mut Xxh3, tag: u8, b: &[u8]) {
    h.update(&[tag]);
    h.update(&(b.len() as u64).to_le_bytes());
    h.update(b);
}

fn table(h: &mut Xxh3, fields: &Fields) {
    h.update(&(fields.len() as u64).to_le_bytes());
    for (name, v) in fields.iter() {
        bytes(h, 4, name.as_bytes());
        value(h, v);
    }
}

fn value(h: &mut Xxh3, v: &Value) {
    match v {
        Value::Null => h.update(&[10]),
        Value::Bool(b) => h.update(&[11, u8::from(*b)]),
        Value::I8(n) => bytes(h, 12, &n.to_le_bytes()),
        Value::U8(n) => bytes(h, 13, &n.to_le_bytes()),
        Value::I16(n) => bytes(h, 14, &n.to_le_bytes()),
        Value::U16(n) => bytes(h, 15, &n.to_le_bytes()),
        Value::I32(n) => bytes(h, 16, &n.to_le_bytes()),
        Value::U32(n) => bytes(h, 17, &n.to_le_bytes()),
        Value::I64(n) => bytes(h, 18, &n.to_le_bytes()),
        Value::U64(n) => bytes(h, 19, &n.to_le_bytes()),
        Value::F32(n) => bytes(h, 20, &n.to_bits().to_le_bytes()),
        Value::F64(n) => bytes(h, 21, &n.to_bits().to_le_bytes()),
        Value::Decimal { scale, value } => {
            h.update(&[22, *scale]);
            h.update(&value.to_le_bytes());
        }
        Value::Number(s) => bytes(h, 23, s.as_bytes()),
        Value::Text(b) => bytes(h, 24, b),
        Value::ShortText(s) => bytes(h, 25, s.as_bytes()),
        Value::Bytes(b) => bytes(h, 26, b),
        Value::Time(n) => bytes(h, 27, &n.to_le_bytes()),
        Value::Array(vs) => {
            h.update(&[28]);
            h.update(&(vs.len() as u64).to_le_bytes());
            vs.iter().for_each(|v| value(h, v));
        }
        Value::Table(t) => {
            h.update(&[29]);
            table(h, t);
        }
        Value::Labelled(label, v) => {
            bytes(h, 30, label.as_bytes());
            value(h, v);
        }
    }
}
