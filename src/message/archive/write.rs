//! Message to line.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::super::{DeadLetter, Fields, Origin, Payload, Value};
use super::tag::Tag;
use super::{BEGINNING, MAX_DEPTH};
use crate::broker::{Error, Kind, Result};

/// Appends one line and its line break. On an error nothing is appended.
///
/// # Errors
/// `Rejected` where headers, properties or position nest deeper than [`MAX_DEPTH`].
pub fn write(line: &str, m: &DeadLetter, out: &mut Vec<u8>) -> Result<()> {
    check(m)?;
    out.reserve(256 + m.size() + m.size() / 4);
    out.extend_from_slice(BEGINNING);
    string(line, out);
    out.extend_from_slice(b",\"id\":");
    string(&m.id, out);
    out.extend_from_slice(b",\"queue\":");
    string(&m.queue, out);
    some_fields(b",\"position\":", &m.position, out);
    if let Some(time) = m.time {
        put(out, format_args!(",\"time\":\"{time}\""));
    }
    if let Some(key) = &m.key {
        out.extend_from_slice(b",\"key\":");
        bytes(key, out);
    }
    out.extend_from_slice(b",\"payload\":");
    match &m.payload {
        Payload::Absent => out.extend_from_slice(b"null"),
        Payload::Bytes(b) => bytes(b, out),
    }
    some_fields(b",\"headers\":", &m.headers, out);
    some_fields(b",\"properties\":", &m.properties, out);
    if let Some(o) = &m.origin {
        origin(o, out);
    }
    if let Some(n) = m.deliveries {
        out.extend_from_slice(b",\"deliveries\":");
        integer(n.into(), out);
    }
    out.extend_from_slice(b"}\n");
    Ok(())
}

/// Whether a line can hold the message: only what nests too deep cannot be written.
///
/// # Errors
/// `Rejected`.
pub fn check(m: &DeadLetter) -> Result<()> {
    if [&m.position, &m.headers, &m.properties].into_iter().any(|f| f.iter().any(|(_, v)| too_deep(v, 1))) {
        let text = format!("message {} has a header that nests deeper than {MAX_DEPTH} levels", m.id);
        return Err(Error::new(Kind::Rejected, text).during("writing an archive line"));
    }
    Ok(())
}

fn too_deep(v: &Value, depth: usize) -> bool {
    depth > MAX_DEPTH
        || match v {
            Value::Array(vs) => vs.iter().any(|v| too_deep(v, depth + 1)),
            Value::Table(t) => t.iter().any(|(_, v)| too_deep(v, depth + 1)),
            Value::Labelled(_, v) => too_deep(v, depth + 1),
            _ => false,
        }
}

fn put(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("a Vec takes every write");
}

fn some_fields(label: &[u8], f: &Fields, out: &mut Vec<u8>) {
    if !f.is_empty() {
        out.extend_from_slice(label);
        fields(f, out);
    }
}

fn fields(f: &Fields, out: &mut Vec<u8>) {
    list(out, f.iter(), |(name, v), out| {
        out.push(b'[');
        string(name, out);
        out.push(b',');
        tagged(v, out);
    });
}

fn list<T>(out: &mut Vec<u8>, items: impl Iterator<Item = T>, mut one: impl FnMut(T, &mut Vec<u8>)) {
    out.push(b'[');
    for (i, item) in items.enumerate() {
        if i > 0 {
            out.push(b',');
        }
        one(item, out);
    }
    out.push(b']');
}

/// `type,value]`: the opening bracket, and a name or label where there is one, are there already.
fn tagged(v: &Value, out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(Tag::name_of(v).as_bytes());
    out.extend_from_slice(b"\",");
    match v {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(b) => out.extend_from_slice(if *b { b"true" } else { b"false" }),
        Value::I8(n) => integer((*n).into(), out),
        Value::U8(n) => integer((*n).into(), out),
        Value::I16(n) => integer((*n).into(), out),
        Value::U16(n) => integer((*n).into(), out),
        Value::I32(n) => integer((*n).into(), out),
        Value::U32(n) => integer((*n).into(), out),
        Value::I64(n) => integer((*n).into(), out),
        Value::U64(n) | Value::Time(n) => integer((*n).into(), out),
        // A NaN carries bits that its name would lose.
        Value::F32(n) if n.is_nan() => put(out, format_args!("\"nan:{:08x}\"", n.to_bits())),
        Value::F64(n) if n.is_nan() => put(out, format_args!("\"nan:{:016x}\"", n.to_bits())),
        Value::F32(n) => put(out, format_args!("\"{n:?}\"")),
        Value::F64(n) => put(out, format_args!("\"{n:?}\"")),
        Value::Decimal { scale, value } => put(out, format_args!("[{scale},{value}]")),
        Value::Number(s) | Value::ShortText(s) => string(s, out),
        Value::Text(b) | Value::Bytes(b) => bytes(b, out),
        Value::Array(vs) => list(out, vs.iter(), |v, out| {
            out.push(b'[');
            tagged(v, out);
        }),
        Value::Table(t) => fields(t, out),
        Value::Labelled(label, v) => {
            out.push(b'[');
            string(label, out);
            out.push(b',');
            tagged(v, out);
        }
    }
    out.push(b']');
}

/// Other tools read JSON numbers as doubles, which hold integers up to 2^53.
fn integer(n: i128, out: &mut Vec<u8>) {
    if n.unsigned_abs() <= 1 << 53 {
        put(out, format_args!("{n}"));
    } else {
        put(out, format_args!("\"{n}\""));
    }
}

fn origin(o: &Origin, out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"origin\":{");
    let start = out.len();
    let label = |name: &str, out: &mut Vec<u8>| {
        let comma = if out.len() > start { "," } else { "" };
        put(out, format_args!("{comma}\"{name}\":"));
    };
    let texts = [("queue", &o.queue), ("exchange", &o.exchange), ("routing_key", &o.routing_key), ("group", &o.group)];
    for (name, text) in texts {
        if let Some(text) = text {
            label(name, out);
            string(text, out);
        }
    }
    for (name, n) in [("partition", o.partition), ("offset", o.offset)] {
        if let Some(n) = n {
            label(name, out);
            integer(n.into(), out);
        }
    }
    out.push(b'}');
}

fn bytes(b: &[u8], out: &mut Vec<u8>) {
    match std::str::from_utf8(b) {
        Ok(text) => string(text, out),
        Err(_) => {
            out.extend_from_slice(b"{\"base64\":\"");
            let start = out.len();
            out.resize(start + b.len().div_ceil(3) * 4, 0);
            let written = STANDARD.encode_slice(b, &mut out[start..]).expect("four bytes for every three fit");
            out.truncate(start + written);
            out.extend_from_slice(b"\"}");
        }
    }
}

/// What follows the backslash, 0 for bytes that need none, 1 for `\u00XX`, 2 for a byte that may begin a C1 control.
static ESCAPES: [u8; 256] = {
    let mut escapes = [0; 256];
    let mut b = 0;
    while b < 0x20 {
        escapes[b] = 1;
        b += 1;
    }
    escapes[b'"' as usize] = b'"';
    escapes[b'\\' as usize] = b'\\';
    escapes[b'\n' as usize] = b'n';
    escapes[b'\r' as usize] = b'r';
    escapes[b'\t' as usize] = b't';
    escapes[0x7f] = 1;
    escapes[0xc2] = 2;
    escapes
};

/// A JSON string in which no control character is left as it is, C1 and DEL included: lines are shown on terminals.
fn string(text: &str, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    out.push(b'"');
    let mut start = 0;
    for (i, &b) in bytes.iter().enumerate() {
        let escape = ESCAPES[usize::from(b)];
        if escape == 0 {
            continue;
        }
        let (code, length) = match escape {
            2 if bytes[i + 1] < 0xa0 => (bytes[i + 1], 2),
            2 => continue,
            _ => (b, 1),
        };
        out.extend_from_slice(&bytes[start..i]);
        start = i + length;
        if escape > 2 {
            out.extend_from_slice(&[b'\\', escape]);
        } else {
            let hex = |n: u8| b"0123456789abcdef"[usize::from(n)];
            out.extend_from_slice(&[b'\\', b'u', b'0', b'0', hex(code >> 4), hex(code & 15)]);
        }
    }
    out.extend_from_slice(&bytes[start..]);
    out.push(b'"');
}
