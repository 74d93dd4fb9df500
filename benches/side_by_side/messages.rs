//! The messages everything is measured with: orders of about 450 bytes, with headers and properties as frameworks set them.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use dlq::message::archive;
use dlq::message::{DeadLetter, Identity, Payload, Value, fingerprint};
use jiff::Timestamp;
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, LongString};

use super::Result;

/// 2026-11-23T06:00:00Z.
const BEGAN: u64 = 1_795_413_600;

/// Spreads consecutive numbers (SplitMix64), so that every run has the same messages.
fn spread(n: u64) -> u64 {
    let z = n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn id(n: u64) -> String {
    let (a, b) = (spread(n), spread(!n));
    format!(
        "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
        a >> 32,
        a >> 16 & 0xffff,
        a & 0xfff,
        b >> 52,
        b & 0xffff_ffff_ffff
    )
}

/// The body of message `n`. `total` is between 0 and 100, about evenly.
pub fn body(n: u64) -> String {
    let r = spread(n);
    let total = r % 10_000;
    format!(
        r#"{{"order":"{}","number":{n},"customer":{{"id":{},"name":"Ada Lövelace","email":"ada.{}@example.org"}},"placed":"{}","currency":"EUR","total":{}.{:02},"items":[{{"sku":"SKU-{:05}","name":"Enamel mug, blue","quantity":{},"price":{}.5}},{{"sku":"SKU-{:05}","name":"Notebook A5","quantity":1,"price":12.9}}],"shipping":{{"method":"parcel","street":"Storgatan {}","zip":"114 55","city":"Stockholm"}},"attempt":{}}}"#,
        id(n),
        r >> 40,
        r >> 50,
        Timestamp::from_second((BEGAN + n % 86_400) as i64).unwrap_or_default(),
        total / 100,
        total % 100,
        r >> 20 & 0x7fff,
        1 + r % 4,
        5 + r % 30,
        r >> 30 & 0x7fff,
        r % 90,
        r % 5,
    )
}

/// A smaller body of about 370 bytes.
pub fn short_body(n: u64) -> String {
    let r = spread(n);
    format!(
        r#"{{"order":"{}","number":{n},"customer":{{"id":{},"email":"ada.{}@example.org"}},"currency":"EUR","total":{}.{:02},"items":[{{"sku":"SKU-{:05}","name":"Enamel mug, blue","quantity":{},"price":{}.5}}],"shipping":{{"method":"parcel","street":"Storgatan {}","zip":"114 55","city":"Stockholm"}},"note":"leave it at the door"}}"#,
        id(n),
        r >> 40,
        r >> 50,
        r % 100,
        r / 100 % 100,
        r >> 20 & 0x7fff,
        1 + r % 4,
        5 + r % 30,
        r % 90,
    )
}

fn trace(n: u64) -> String {
    format!("00-{:016x}{:016x}-{:016x}-01", spread(n), spread(n ^ 1), spread(n ^ 2))
}

/// Properties and headers of message `n` on AMQP.
pub fn properties(n: u64) -> BasicProperties {
    let text = |s: &str| AMQPValue::LongString(LongString::from(s));
    let mut headers = FieldTable::default();
    headers.insert("event-type".into(), text("OrderPlaced"));
    headers.insert("tenant".into(), text(["acme", "globex", "initech"][(n % 3) as usize]));
    headers.insert("traceparent".into(), text(&trace(n)));
    headers.insert("schema-version".into(), AMQPValue::LongInt(3));
    BasicProperties::default()
        .with_content_type("application/json".into())
        .with_delivery_mode(2)
        .with_message_id(id(n).into())
        .with_app_id("checkout".into())
        .with_timestamp(BEGAN + n % 86_400)
        .with_headers(headers)
}

/// Message `n` as it comes off RabbitMQ.
fn dead_letter(n: u64, queue: &std::sync::Arc<str>) -> DeadLetter {
    let mut m = DeadLetter::new(queue.clone(), Payload::Bytes(body(n).into()));
    m.time = Timestamp::from_second((BEGAN + n % 86_400) as i64).ok();
    m.headers.push("event-type", "OrderPlaced");
    m.headers.push("schema-version", Value::I32(3));
    m.headers.push("tenant", ["acme", "globex", "initech"][(n % 3) as usize]);
    m.headers.push("traceparent", trace(n));
    m.properties.push("content_type", Value::ShortText("application/json".into()));
    m.properties.push("message_id", Value::ShortText(id(n)));
    m.properties.push("app_id", Value::ShortText("checkout".into()));
    m.properties.push("delivery_mode", Value::U8(2));
    m.properties.push("timestamp", Value::Time(BEGAN + n % 86_400));
    m.properties.push("exchange", Value::ShortText(String::new()));
    m.properties.push("routing_key", Value::ShortText("orders.dlq".into()));
    m.properties.push("redelivered", Value::Bool(false));
    let print = fingerprint(&m, |name| name == "redelivered");
    m.id = format!("{print:032x}").into();
    m.identity = Identity::Like(print);
    m
}

/// Writes an archive of `lines` messages, and their bodies alone, one a line, where that is wanted. Gives the bytes a line.
pub fn archive(lines: u64, path: &Path, bodies: Option<&Path>) -> Result<u64> {
    let queue: std::sync::Arc<str> = "amqp://rabbit-1.shop.example:5672/orders.dlq".into();
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let mut plain = bodies.map(|p| File::create(p).map(|f| BufWriter::with_capacity(1 << 20, f))).transpose()?;
    let (mut line, mut bytes) = (Vec::new(), 0);
    for n in 0..lines {
        let m = dead_letter(n, &queue);
        line.clear();
        archive::write(&archive::fresh_line_id(), &m, &mut line)?;
        out.write_all(&line)?;
        bytes += line.len() as u64;
        if let Some(plain) = &mut plain {
            plain.write_all(m.payload.as_bytes())?;
            plain.write_all(b"\n")?;
        }
    }
    out.flush()?;
    if let Some(plain) = &mut plain {
        plain.flush()?;
    }
    Ok(bytes / lines.max(1))
}
