//! AMQP values, tables and properties to ours and back, without loss.
//!
//! What AMQP has no type for comes only from the archives of other brokers, and becomes the nearest there is: a `U64` above
//! the largest signed integer and a `Number` become long strings of their decimal digits, a `Labelled` value loses its label,
//! a `ShortText` inside a table becomes a long string, an absent payload becomes an empty one.

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use lapin::BasicProperties;
use lapin::types::{AMQPValue, DecimalValue, FieldArray, FieldTable, LongString, ShortString};

use crate::message::{DeadLetter, Fields, Identity, Payload, Value, fingerprint};

/// Headers and properties that differ between two looks at the same message.
pub const VOLATILE: &[&str] = &["redelivered", "x-delivery-count", "x-acquired-count", "x-stream-offset"];

/// What a delivery, a get or a return hands out.
#[derive(Debug)]
pub struct Received {
    /// The exchange it was published to.
    pub exchange: ShortString,
    /// With this key.
    pub routing_key: ShortString,
    /// Whether it was handed out before.
    pub redelivered: bool,
    /// Properties and headers.
    pub properties: BasicProperties,
    /// The body.
    pub data: Vec<u8>,
}

impl From<lapin::message::Delivery> for Received {
    fn from(d: lapin::message::Delivery) -> Self {
        Received {
            exchange: d.exchange,
            routing_key: d.routing_key,
            redelivered: d.redelivered,
            properties: d.properties,
            data: d.data,
        }
    }
}

/// A value of a header.
pub fn value_from(v: &AMQPValue) -> Value {
    match v {
        AMQPValue::Void => Value::Null,
        AMQPValue::Boolean(b) => Value::Bool(*b),
        AMQPValue::ShortShortInt(n) => Value::I8(*n),
        AMQPValue::ShortShortUInt(n) => Value::U8(*n),
        AMQPValue::ShortInt(n) => Value::I16(*n),
        AMQPValue::ShortUInt(n) => Value::U16(*n),
        AMQPValue::LongInt(n) => Value::I32(*n),
        AMQPValue::LongUInt(n) => Value::U32(*n),
        AMQPValue::LongLongInt(n) => Value::I64(*n),
        AMQPValue::Float(f) => Value::F32(*f),
        AMQPValue::Double(f) => Value::F64(*f),
        AMQPValue::DecimalValue(d) => Value::Decimal { scale: d.scale, value: d.value },
        AMQPValue::ShortString(s) => Value::ShortText(s.as_str().to_owned()),
        AMQPValue::LongString(s) => Value::Text(Bytes::copy_from_slice(s.as_bytes())),
        AMQPValue::ByteArray(b) => Value::Bytes(Bytes::copy_from_slice(b.as_slice())),
        AMQPValue::Timestamp(t) => Value::Time(*t),
        AMQPValue::FieldArray(a) => Value::Array(a.as_slice().iter().map(value_from).collect()),
        AMQPValue::FieldTable(t) => Value::Table(fields_from(t)),
    }
}

/// A table, in the order the client library has it (by name).
pub fn fields_from(t: &FieldTable) -> Fields {
    t.inner().iter().map(|(k, v)| (k.as_str().to_owned(), value_from(v))).collect()
}

/// A value for a header.
pub fn value_to(v: &Value) -> AMQPValue {
    match v {
        Value::Null => AMQPValue::Void,
        Value::Bool(b) => AMQPValue::Boolean(*b),
        Value::I8(n) => AMQPValue::ShortShortInt(*n),
        Value::U8(n) => AMQPValue::ShortShortUInt(*n),
        Value::I16(n) => AMQPValue::ShortInt(*n),
        Value::U16(n) => AMQPValue::ShortUInt(*n),
        Value::I32(n) => AMQPValue::LongInt(*n),
        Value::U32(n) => AMQPValue::LongUInt(*n),
        Value::I64(n) => AMQPValue::LongLongInt(*n),
        Value::U64(n) => i64::try_from(*n).map_or_else(|_| long(n.to_string()), AMQPValue::LongLongInt),
        Value::F32(f) => AMQPValue::Float(*f),
        Value::F64(f) => AMQPValue::Double(*f),
        Value::Decimal { scale, value } => AMQPValue::DecimalValue(DecimalValue { scale: *scale, value: *value }),
        Value::Number(s) | Value::ShortText(s) => long(s.as_bytes()),
        Value::Text(b) => long(b.as_ref()),
        Value::Bytes(b) => AMQPValue::ByteArray(b.as_ref().into()),
        Value::Time(t) => AMQPValue::Timestamp(*t),
        Value::Array(vs) => AMQPValue::FieldArray(FieldArray::from(vs.iter().map(value_to).collect::<Vec<_>>())),
        Value::Table(t) => AMQPValue::FieldTable(table_to(t)),
        Value::Labelled(_, v) => value_to(v),
    }
}

fn long(s: impl Into<Vec<u8>>) -> AMQPValue {
    AMQPValue::LongString(LongString::from(s))
}

/// A table. Of a repeated name the last wins; a name over 255 bytes cannot be in one and is left out ([`super::fit`] says so).
pub fn table_to(fields: &Fields) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, v) in fields.iter() {
        if let Ok(name) = ShortString::try_new(name) {
            table.insert(name, value_to(v));
        }
    }
    table
}

/// The message of a delivery. `queue` is the address shown for it.
pub fn from_delivery(queue: &Arc<str>, r: Received) -> DeadLetter {
    let mut m = DeadLetter::new(queue.clone(), Payload::Bytes(Bytes::from(r.data)));
    let p = &r.properties;
    if let Some(headers) = p.headers() {
        m.headers = fields_from(headers);
    }
    // All there can be, so that it need not grow.
    m.properties = Fields::with_capacity(16);
    let mut text = |name: &'static str, v: &Option<ShortString>| {
        if let Some(v) = v {
            m.properties.push(name, Value::ShortText(v.as_str().to_owned()));
        }
    };
    text("content_type", p.content_type());
    text("content_encoding", p.content_encoding());
    text("correlation_id", p.correlation_id());
    text("reply_to", p.reply_to());
    text("expiration", p.expiration());
    text("message_id", p.message_id());
    text("type", p.kind());
    text("user_id", p.user_id());
    text("app_id", p.app_id());
    text("cluster_id", p.cluster_id());
    if let Some(n) = p.delivery_mode() {
        m.properties.push("delivery_mode", Value::U8(*n));
    }
    if let Some(n) = p.priority() {
        m.properties.push("priority", Value::U8(*n));
    }
    if let Some(t) = p.timestamp() {
        m.properties.push("timestamp", Value::Time(*t));
        m.time = i64::try_from(*t).ok().and_then(|s| Timestamp::from_second(s).ok());
    }
    m.properties.push("exchange", Value::ShortText(r.exchange.into()));
    m.properties.push("routing_key", Value::ShortText(r.routing_key.into()));
    m.properties.push("redelivered", Value::Bool(r.redelivered));
    // The header counts the failed deliveries before this one; without it there is nothing to go by.
    m.deliveries = m.headers.int("x-delivery-count").and_then(|n| u64::try_from(n).ok()).map(|n| n.saturating_add(1));
    identify(&mut m);
    m
}

/// Sets the id and the identity: a fingerprint of all that does not change from look to look.
pub fn identify(m: &mut DeadLetter) {
    let print = fingerprint(m, |name| VOLATILE.contains(&name));
    m.id = smol_str::format_smolstr!("{print:032x}");
    m.identity = Identity::Like(print);
}

/// The properties a publish can have, headers aside; those that are [`TEXTS`] come first.
pub const PROPERTIES: &[&str] = &[
    "content_type",
    "content_encoding",
    "correlation_id",
    "reply_to",
    "expiration",
    "message_id",
    "type",
    "user_id",
    "app_id",
    "cluster_id",
    "delivery_mode",
    "priority",
    "timestamp",
];
/// Those of them that are short texts.
pub const TEXTS: &[&str] = PROPERTIES.split_at(10).0;

/// Properties, headers among them, for a publish. What does not fit a property (text over 255 bytes, a delivery mode that is
/// no number) is left out; [`super::fit`] reports it before.
pub fn to_publish(m: &DeadLetter) -> BasicProperties {
    let mut p = BasicProperties::default();
    let text = |name: &str| m.properties.text(name).and_then(|s| ShortString::try_new(s).ok());
    let byte = |name: &str| m.properties.int(name).and_then(|n| u8::try_from(n).ok());
    if !m.headers.is_empty() {
        p = p.with_headers(table_to(&m.headers));
    }
    macro_rules! put {
        ($($with:ident $value:expr),* $(,)?) => { $(if let Some(v) = $value { p = p.$with(v); })* };
    }
    put!(
        with_content_type text("content_type"),
        with_content_encoding text("content_encoding"),
        with_delivery_mode byte("delivery_mode"),
        with_priority byte("priority"),
        with_correlation_id text("correlation_id"),
        with_reply_to text("reply_to"),
        with_expiration text("expiration"),
        with_message_id text("message_id"),
        with_timestamp timestamp(m),
        with_type text("type"),
        with_user_id text("user_id"),
        with_app_id text("app_id"),
        with_cluster_id text("cluster_id"),
    );
    p
}

fn timestamp(m: &DeadLetter) -> Option<u64> {
    match m.properties.last("timestamp")? {
        Value::Time(t) => Some(*t),
        other => other.as_i64().and_then(|n| u64::try_from(n).ok()),
    }
}

#[cfg(test)]
#[path = "codec_tests.rs"]
mod tests;
