//! Headers and properties as jq sees them: for reading, so types that JSON does not have become the nearest it has.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use jaq_core::ValT;
use jaq_json::{Map, Num, Val};
use jiff::Timestamp;

use super::body::is_number;
use crate::message::{Fields, Value};

/// An object; the last of a repeated name wins.
pub fn fields(fields: &Fields) -> Option<Val> {
    let mut o = Map::with_capacity_and_hasher(fields.len(), Default::default());
    for (name, v) in fields.iter() {
        o.insert(super::text(name), value(v));
    }
    Some(Val::obj(o))
}

/// Text where it is text, else `{"base64": …}`.
pub fn bytes(b: &Bytes) -> Val {
    if std::str::from_utf8(b).is_ok() {
        return Val::utf8_str(b.clone());
    }
    let mut o = Map::default();
    o.insert(super::key("base64"), Val::from(STANDARD.encode(b)));
    Val::obj(o)
}

/// One value.
pub fn value(v: &Value) -> Val {
    match v {
        Value::Null => Val::Null,
        Value::Bool(b) => Val::from(*b),
        Value::I8(n) => int(*n),
        Value::U8(n) => int(*n),
        Value::I16(n) => int(*n),
        Value::U16(n) => int(*n),
        Value::I32(n) => int(*n),
        Value::U32(n) => int(*n),
        Value::I64(n) => int(*n),
        Value::U64(n) => Val::Num(Num::from_integral(*n)),
        // The shortest text that reads back as this float: 0.1, not 0.10000000149.
        Value::F32(n) => Val::from(n.to_string().parse::<f64>().unwrap_or(f64::NAN)),
        Value::F64(n) => Val::from(*n),
        Value::Decimal { scale, value } => number(&decimal(*scale, *value)),
        Value::Number(s) if is_number(s.as_bytes()) => number(s),
        Value::Number(s) | Value::ShortText(s) => super::text(s),
        Value::Text(b) | Value::Bytes(b) => bytes(b),
        Value::Time(secs) => match i64::try_from(*secs).ok().and_then(|s| Timestamp::from_second(s).ok()) {
            Some(t) => super::time(t),
            None => Val::Num(Num::from_integral(*secs)),
        },
        Value::Array(vs) => vs.iter().map(value).collect(),
        Value::Table(t) => fields(t).unwrap_or_default(),
        Value::Labelled(_, v) => value(v),
    }
}

fn int(n: impl Into<i64>) -> Val {
    Val::Num(Num::from_integral(n.into()))
}

fn number(text: &str) -> Val {
    Val::from_num(text).unwrap_or_default()
}

/// AMQP's decimal, exactly: all its digits with a point before the last `scale`.
fn decimal(scale: u8, value: u32) -> String {
    let scale = usize::from(scale);
    if scale == 0 {
        return value.to_string();
    }
    let digits = format!("{value:0>width$}", width = scale + 1);
    let (whole, part) = digits.split_at(digits.len() - scale);
    format!("{whole}.{part}")
}
