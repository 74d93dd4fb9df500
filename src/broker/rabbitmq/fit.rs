//! Fits a message to AMQP before it is sent: what the server would close the channel over, or what has no place there.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::codec::TEXTS;
use super::hazard::{ACQUIRED_COUNT, DELIVERY_COUNT};
use crate::broker::keyless;
use crate::broker::{Error, Kind, Outgoing, Result};
use crate::message::{DeadLetter, Fields, Value};

/// No server can be set to take more.
pub const MOST: u64 = 512 << 20;
/// What a delivery says about itself is not sent, and is no loss; the key may yet be needed to send it on.
const OF_THE_DELIVERY: &[&str] = &["exchange", "routing_key", "redelivered"];

/// What one connection can take.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Largest body in bytes; lowered when the server names its own limit.
    pub body: Arc<AtomicU64>,
    /// Largest frame in bytes: properties and headers travel in one.
    pub frame: u32,
    /// The user of the connection: no other can be named as a message's.
    pub user: String,
}

/// Changes a message so that it can be published; says what was left out or changed.
///
/// # Errors
/// `TooLarge`.
pub fn fit(limits: &Limits, o: &mut Outgoing) -> Result<Vec<String>> {
    let m = &mut o.message;
    let most = limits.body.load(Ordering::Relaxed);
    if m.payload.len() as u64 > most {
        return Err(Error::new(
            Kind::TooLarge,
            format!("the body has {} bytes, and the destination takes {most} at most", m.payload.len()),
        ));
    }
    let mut left = keyless::settle(m);
    headers(m, &mut left);
    properties(m, &limits.user, &mut left);
    let head = header_frame(m);
    // An unlimited frame is announced as 0.
    if limits.frame > 0 && head + 8 > limits.frame as usize {
        return Err(Error::new(
            Kind::TooLarge,
            format!("headers and properties have {head} bytes, and the server takes {} in one frame", limits.frame),
        )
        .hint("raise frame_max on the server"));
    }
    Ok(left)
}

fn headers(m: &mut DeadLetter, left: &mut Vec<String>) {
    // On a publish the server sends a copy to every key named in these, and hides that the target is missing.
    for gone in m.headers.remove_if(|name, _| name == "CC" || name == "BCC") {
        left.push(format!("the header {gone}, which would send it elsewhere too"));
    }
    // The server puts them on a delivery; they were never part of the message, and every later look at a copy would take them
    // for counts of its own.
    m.headers.remove_if(|name, _| name == DELIVERY_COUNT || name == ACQUIRED_COUNT);
    for gone in m.headers.remove_if(|name, _| name.len() > 255) {
        let start: String = gone.chars().take(20).collect();
        left.push(format!("the header {start}…, whose name is over 255 bytes"));
    }
    let repeated: BTreeSet<String> = m
        .headers
        .iter()
        .enumerate()
        .filter(|(at, (name, _))| m.headers.iter().take(*at).any(|(before, _)| before == *name))
        .map(|(_, (name, _))| name.to_owned())
        .collect();
    for name in repeated {
        if let Some(last) = m.headers.last(&name).cloned() {
            m.headers.set(&name, last);
        }
        left.push(format!("all but the last header {name}"));
    }
}

fn properties(m: &mut DeadLetter, user: &str, left: &mut Vec<String>) {
    m.properties.remove_if(|name, value| {
        let why = match name {
            "user_id" if value.as_str() != Some(user) => "which must be that of the connection",
            "expiration" if !value.as_str().is_some_and(is_expiration) => "which is not a number of milliseconds",
            n if TEXTS.contains(&n) && value.as_str().is_none() => "which is not text",
            n if TEXTS.contains(&n) && value.as_str().is_some_and(|s| s.len() > 255) => "which is over 255 bytes",
            n if TEXTS.contains(&n) || OF_THE_DELIVERY.contains(&n) => return false,
            "delivery_mode" | "priority" if value.as_i64().is_none_or(|n| u8::try_from(n).is_err()) => {
                "which is not a number from 0 to 255"
            }
            "timestamp" if !is_timestamp(value) => "which is not a time in seconds",
            "delivery_mode" | "priority" | "timestamp" => return false,
            _ => "which AMQP does not have",
        };
        left.push(format!("the property {name}, {why}"));
        true
    });
}

fn is_timestamp(v: &Value) -> bool {
    matches!(v, Value::Time(_)) || v.as_i64().is_some_and(|n| n >= 0)
}

/// Whole milliseconds, which the server holds in 32 bits.
pub fn is_expiration(s: &str) -> bool {
    s.bytes().all(|b| b.is_ascii_digit()) && s.parse::<u32>().is_ok()
}

/// Bytes of the frame that properties and headers travel in, at most.
fn header_frame(m: &DeadLetter) -> usize {
    let properties: usize = m.properties.iter().map(|(_, v)| 1 + v.size().max(8)).sum();
    14 + properties + table(&m.headers)
}

fn table(t: &Fields) -> usize {
    4 + t.iter().map(|(name, v)| 1 + name.len() + 1 + value(v)).sum::<usize>()
}

fn value(v: &Value) -> usize {
    match v {
        Value::Table(t) => table(t),
        Value::Array(vs) => 4 + vs.iter().map(|v| 1 + value(v)).sum::<usize>(),
        Value::Labelled(_, v) => value(v),
        Value::U64(_) => 24,
        other => 4 + other.size(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::keyless::KEY_HEADER;
    use crate::message::Payload;

    fn limits() -> Limits {
        Limits { body: Arc::new(AtomicU64::new(100)), frame: 4096, user: "me".into() }
    }

    fn fitted(change: impl FnOnce(&mut DeadLetter)) -> (Result<Vec<String>>, DeadLetter) {
        let mut message = DeadLetter::new("q".into(), Payload::Bytes("x".into()));
        change(&mut message);
        let mut o = Outgoing::verbatim(0, Box::new(message));
        (fit(&limits(), &mut o), *o.message)
    }

    fn short(s: &str) -> Value {
        Value::ShortText(s.into())
    }

    #[test]
    fn what_fits_stays_as_it_is() {
        let (left, m) = fitted(|m| {
            m.headers.push("a", "1");
            m.properties.push("expiration", short("1000"));
            m.properties.push("user_id", short("me"));
            m.properties.push("reply_to", short(""));
            m.properties.push("exchange", short("x"));
        });
        assert_eq!(left.unwrap(), Vec::<String>::new());
        assert_eq!(m.headers.len(), 1);
        assert_eq!(
            m.properties.iter().map(|(n, _)| n).collect::<Vec<_>>(),
            ["expiration", "user_id", "reply_to", "exchange"]
        );
    }

    #[test]
    fn what_would_close_the_channel_or_has_no_place_is_left_out_and_named() {
        let (left, m) = fitted(|m| {
            m.headers.push("CC", Value::Array(vec!["k".into()]));
            m.headers.push(DELIVERY_COUNT, Value::I64(26));
            m.headers.push("r", "1");
            m.headers.push("r", "2");
            m.key = Some("k".into());
            m.payload = Payload::Absent;
            m.properties.push("user_id", short("other"));
            m.properties.push("expiration", short("soon"));
            m.properties.push("app_id", short(&"x".repeat(256)));
            m.properties.push("priority", Value::I64(300));
            m.properties.push("group", short("g"));
        });
        let left = left.unwrap().join("\n");
        for what in ["CC", "header r", "key", "payload", "user_id", "expiration", "app_id", "priority", "group"] {
            assert!(left.contains(what), "{what}: {left}");
        }
        assert!(m.properties.is_empty());
        assert_eq!(m.headers.iter().map(|(n, _)| n).collect::<Vec<_>>(), ["r", KEY_HEADER]);
        assert_eq!(m.headers.text("r"), Some("2"));
        assert_eq!(m.payload, Payload::Bytes(bytes::Bytes::new()));
    }

    #[test]
    fn too_large_is_said_before_it_is_sent() {
        let (body, _) = fitted(|m| m.payload = Payload::Bytes(vec![0; 101].into()));
        assert_eq!(body.unwrap_err().kind(), Kind::TooLarge);
        let (headers, _) = fitted(|m| m.headers.push("deep", Value::Array(vec![Value::Null; 5000])));
        assert_eq!(headers.unwrap_err().kind(), Kind::TooLarge);
    }

    #[test]
    fn expirations_are_whole_milliseconds() {
        for (s, ok) in
            [("0", true), ("4294967295", true), ("4294967296", false), ("", false), ("+1", false), ("1.5", false)]
        {
            assert_eq!(is_expiration(s), ok, "{s:?}");
        }
    }
}
