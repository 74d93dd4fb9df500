//! Reading header values by what their name promises; what is not as promised is absent.

use std::sync::Arc;

use jiff::Timestamp;

use crate::message::{Fields, Origin, Value};

/// The last value of that name, as owned text that is not empty.
pub fn text(fields: &Fields, name: &str) -> Option<String> {
    fields.text(name).filter(|t| !t.is_empty()).map(str::to_owned)
}

/// The first value of that name, as text.
pub fn first_text<'a>(fields: &'a Fields, name: &str) -> Option<&'a str> {
    fields.first(name)?.as_str().filter(|t| !t.is_empty())
}

/// A count in a number's type or in decimal text; negative is absent.
pub fn count(fields: &Fields, name: &str) -> Option<u64> {
    u64::try_from(fields.int(name)?).ok()
}

/// A count of retries as a number of tries.
pub fn tries(fields: &Fields, name: &str) -> Option<u64> {
    count(fields, name)?.checked_add(1)
}

/// An integer in exactly `width` bytes, big end first. An integer by its type (as other brokers carry it) is taken too;
/// bytes are never read as decimal text.
pub fn big_endian(value: Option<&Value>, width: usize) -> Option<i64> {
    match value? {
        Value::Bytes(b) | Value::Text(b) if b.len() == width => match width {
            1 => Some(i64::from(b[0])),
            4 => Some(i64::from(i32::from_be_bytes(b[..].try_into().ok()?))),
            8 => Some(i64::from_be_bytes(b[..].try_into().ok()?)),
            _ => None,
        },
        Value::Bytes(_) | Value::Text(_) | Value::ShortText(_) | Value::Number(_) => None,
        number => number.as_i64(),
    }
}

/// Seconds since 1970, where a time stamp can hold them.
pub fn seconds(value: &Value) -> Option<Timestamp> {
    Timestamp::from_second(value.as_i64()?).ok()
}

/// Milliseconds since 1970 in decimal text or a number's type.
pub fn millis(fields: &Fields, name: &str) -> Option<Timestamp> {
    Timestamp::from_millisecond(fields.int(name)?).ok()
}

/// RFC 3339 text, or the time stamp type of the broker.
pub fn time(fields: &Fields, name: &str) -> Option<Timestamp> {
    match fields.last(name)? {
        at @ Value::Time(_) => seconds(at),
        other => other.as_str()?.trim().parse().ok(),
    }
}

/// An origin that is nothing but a queue, topic or ARN.
pub fn queue(name: &str) -> Origin {
    Origin { queue: Some(Arc::from(name)), ..Origin::default() }
}

/// `Namespace.SomeException: what happened` in the first line of a stack trace that has one: its class and its message.
/// Without one the line is the message.
pub fn exception_line(trace: &str) -> (Option<String>, Option<String>) {
    let Some(line) = trace.lines().map(str::trim).find(|l| !l.is_empty()) else { return (None, None) };
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '+' | '`' | '$');
    let Some(at) = line.find("Exception:") else { return (None, Some(line.to_owned())) };
    let (before, message) = (&line[..at + "Exception".len()], line[at + "Exception:".len()..].trim());
    let class = before.rsplit(|c| !is_name(c)).next().unwrap_or(before);
    (Some(class.to_owned()), (!message.is_empty()).then(|| message.to_owned()))
}

/// Whether `whole` is `prefix` and `name`, without building it.
fn is_joined(whole: &str, prefix: &str, name: &str) -> bool {
    whole.strip_prefix(prefix) == Some(name)
}

/// The first value of the name made of prefix and name.
pub fn first_of<'a>(fields: &'a Fields, prefix: &str, name: &str) -> Option<&'a Value> {
    fields.iter().find(|(n, _)| is_joined(n, prefix, name)).map(|(_, v)| v)
}

/// The last text of the name made of prefix and name, if it is not empty.
pub fn last_of<'a>(fields: &'a Fields, prefix: &str, name: &str) -> Option<&'a str> {
    let (_, value) = fields.iter().rev().find(|(n, _)| is_joined(n, prefix, name))?;
    value.as_str().filter(|t| !t.is_empty())
}

/// Where a record was, from headers of this prefix that end in `topic`, `partition` and `offset`, in decimal text.
pub fn text_position(headers: &Fields, prefix: &str) -> Option<Origin> {
    let number = |name| last_of(headers, prefix, name)?.parse::<i64>().ok().filter(|n| *n >= 0);
    Some(Origin {
        partition: number("partition"),
        offset: number("offset"),
        ..queue(last_of(headers, prefix, "topic")?)
    })
}
