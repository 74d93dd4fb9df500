//! Fits a message to SQS before it is sent: what it would refuse, or what has no place there.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::codec::{self, DEDUPLICATION, GROUP, OF_THE_DELIVERY, TRACE};
use super::queue::Queue;
use crate::broker::{Error, Kind, Outgoing, Result};
use crate::message::{DeadLetter, MARK_HEADER, Name, Payload, Value};

/// Attributes of a message.
pub const MOST_ATTRIBUTES: usize = 10;

/// Queues that are sent to, by what a message's target calls them; the empty name is the place the sink was opened to.
#[derive(Clone, Default)]
pub struct Known(Arc<RwLock<HashMap<Arc<str>, Arc<Queue>>>>);

impl Known {
    /// By name.
    pub fn get(&self, name: &str) -> Option<Arc<Queue>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// Remembers one.
    pub fn add(&self, name: Arc<str>, queue: Arc<Queue>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(name, queue);
    }
}

/// What a message is fitted to.
#[derive(Clone)]
pub struct Limits {
    /// The queues there are.
    pub known: Known,
    /// `-X group=NAME`: of messages that have none.
    pub group: Option<Arc<str>>,
}

/// Changes a message so that it can be sent; says what was left out or changed.
///
/// # Errors
/// `TooLarge`, `Rejected`.
pub fn fit(limits: &Limits, o: &mut Outgoing) -> Result<Vec<String>> {
    let name = o.target.as_ref().and_then(|t| t.queue.as_deref()).unwrap_or_default();
    let queue = limits.known.get(name).unwrap_or_else(|| Arc::new(Queue::unknown(name)));
    body(&o.message)?;
    let mut left = Vec::new();
    if let Some(key) = o.message.key.take() {
        o.message.headers.set("dlq-key", Value::Bytes(key));
        left.push("the record key, kept in the attribute dlq-key".to_owned());
    }
    attributes(&mut o.message, &mut left)?;
    properties(o, queue.fifo, limits.group.as_deref(), &mut left);
    if o.verbatim && o.message.origin.take().is_some() {
        left.push("where it came from, which SQS notes itself".to_owned());
    }
    size(&mut o.message, &queue, &mut left)?;
    Ok(left)
}

/// Refuses a payload that is no text SQS takes.
///
/// # Errors
/// `Rejected`.
pub fn body(m: &DeadLetter) -> Result<()> {
    let refused = |what: &str| {
        Err(Error::new(Kind::Rejected, format!("SQS carries text, and {what}"))
            .hint("an archive (file:PATH) keeps every message as it is"))
    };
    let Payload::Bytes(body) = &m.payload else { return refused("this message has no payload") };
    match std::str::from_utf8(body) {
        Ok("") => refused("not an empty one"),
        Ok(text) => match text.chars().find(|c| !is_allowed(*c)) {
            Some(c) => refused(&format!("not the character U+{:04X}, which is in the payload", u32::from(c))),
            None => Ok(()),
        },
        Err(_) => refused("the payload is not UTF-8"),
    }
}

/// `#x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF`, as the API reference has it.
fn is_allowed(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

/// Leaves out headers that cannot be attributes; the mark gives way where ten are used without it.
///
/// # Errors
/// `Rejected` for more than ten.
pub fn attributes(m: &mut DeadLetter, left: &mut Vec<String>) -> Result<()> {
    let mut kept: Vec<(Name, Value)> = Vec::new();
    for (name, value) in std::mem::take(&mut m.headers) {
        if !is_name(&name) {
            left.push(format!("header {name}, whose name SQS does not take"));
            continue;
        }
        match codec::value_to(&value) {
            None => left.push(format!("header {name}, which has a value of a type SQS does not have")),
            Some(v) if !is_value(v.string_value(), v.binary_value().map(AsRef::as_ref)) => {
                left.push(format!("header {name}, which is empty or has characters SQS does not take"));
            }
            Some(_) => {
                if let Some(at) = kept.iter().position(|(n, _)| *n == name) {
                    left.push(format!("header {name}, but for the last of its name"));
                    kept.remove(at);
                }
                kept.push((name, value));
            }
        }
    }
    if kept.len() > MOST_ATTRIBUTES {
        let before = kept.len();
        kept.retain(|(n, _)| n != MARK_HEADER);
        if kept.len() < before {
            left.push(format!("the replay mark, since SQS carries {MOST_ATTRIBUTES} attributes"));
        }
    }
    if kept.len() > MOST_ATTRIBUTES {
        let text = format!("it has {} headers, and SQS carries {MOST_ATTRIBUTES} attributes", kept.len());
        return Err(Error::new(Kind::Rejected, text).hint("an archive (file:PATH) keeps every message as it is"));
    }
    m.headers = kept.into_iter().collect();
    Ok(())
}

/// Names of attributes: letters, digits, `_`, `-`, `.`; not Amazon's own.
fn is_name(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    (1..=256).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b))
        && !name.starts_with('.')
        && !name.ends_with('.')
        && !name.contains("..")
        && !lower.starts_with("aws.")
        && !lower.starts_with("amazon.")
}

fn is_value(text: Option<&str>, bytes: Option<&[u8]>) -> bool {
    match (text, bytes) {
        (Some(text), _) => !text.is_empty() && text.chars().all(is_allowed),
        (None, bytes) => bytes.is_some_and(|b| !b.is_empty()),
    }
}

fn properties(o: &mut Outgoing, fifo: bool, group: Option<&str>, left: &mut Vec<String>) {
    let m = &mut o.message;
    let gone = m.properties.remove_if(|name, _| ![GROUP, DEDUPLICATION, TRACE].contains(&name));
    left.extend(gone.into_iter().filter(|n| !OF_THE_DELIVERY.contains(&n.as_str())).map(|n| format!("property {n}")));
    set_group(m, fifo, group, left);
}

/// Takes off a group that SQS does not take; a FIFO queue gets one where there is none: `group`, or its own.
pub fn set_group(m: &mut DeadLetter, fifo: bool, group: Option<&str>, left: &mut Vec<String>) {
    if m.properties.text(GROUP).is_some_and(|g| !is_group(g)) {
        m.properties.remove_if(|name, _| name == GROUP);
        left.push(format!("property {GROUP}, which SQS does not take"));
    }
    if !fifo || m.properties.text(GROUP).is_some() {
        return;
    }
    if let Some(group) = group {
        m.properties.set(GROUP, group);
        return;
    }
    let own = if is_group(&m.id) { m.id.to_string() } else { format!("{:032x}", codec::identity(&m.id)) };
    m.properties.set(GROUP, own);
    left.push(
        "order: it has no group, and becomes a group of its own (-X group=NAME or --to-X group=NAME names one)".into(),
    );
}

/// Groups and deduplication ids: up to 128 letters, digits and punctuation.
fn is_group(text: &str) -> bool {
    (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

fn size(m: &mut DeadLetter, queue: &Queue, left: &mut Vec<String>) -> Result<()> {
    let most = queue.max_message;
    let mut has = codec::counted_size(m);
    if has > most && m.headers.last(MARK_HEADER).is_some() {
        m.headers.remove_if(|name, _| name == MARK_HEADER);
        has = codec::counted_size(m);
        left.push(format!("the replay mark, since it would be larger than the {most} bytes the queue takes"));
    }
    if has > most {
        let text = format!("it has {has} bytes with its attributes, and the destination takes {most} at most");
        return Err(Error::new(Kind::TooLarge, text).hint("MaximumMessageSize of the queue can be raised, up to 1 MiB"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Mark, Origin};

    fn fitted(url: &str, most: usize, change: impl FnOnce(&mut DeadLetter)) -> (Result<Vec<String>>, DeadLetter) {
        let mut message = DeadLetter::new("q".into(), Payload::Bytes("x".into()));
        message.id = "m1".into();
        change(&mut message);
        let limits = Limits { known: Known::default(), group: None };
        limits.known.add("".into(), Arc::new(Queue { max_message: most, ..Queue::unknown(url) }));
        let mut o = Outgoing::verbatim(0, Box::new(message));
        (fit(&limits, &mut o), *o.message)
    }

    fn mark(m: &mut DeadLetter) {
        m.headers.set(MARK_HEADER, Mark { id: "r.1".into(), count: 1 }.to_value());
    }

    #[test]
    fn what_fits_stays_as_it_is() {
        let (left, m) = fitted("http://h/1/q", 1000, |m| {
            m.headers.push("a", "1");
            m.headers.push("n", Value::Number("1.0".into()));
            m.headers.push("mail", Value::Labelled("email".into(), Box::new(Value::text("a@b"))));
            m.properties.push(GROUP, "tenant-1");
            m.properties.push(TRACE, "Root=1");
            m.properties.push("sender_id", "AIDA");
        });
        assert_eq!(left.unwrap(), Vec::<String>::new());
        assert_eq!((m.headers.len(), m.properties.len()), (3, 2));
    }

    #[test]
    fn the_mark_gives_way_where_ten_attributes_are_used() {
        let (left, m) = fitted("http://h/1/q", 1000, |m| {
            (0..10).for_each(|n| m.headers.push(format!("a{n}"), "v"));
            mark(m);
        });
        assert!(left.unwrap()[0].contains("replay mark"));
        assert_eq!((m.headers.len(), m.headers.last(MARK_HEADER)), (10, None));
        let (refused, _) = fitted("http://h/1/q", 1000, |m| (0..11).for_each(|n| m.headers.push(format!("a{n}"), "v")));
        assert_eq!(refused.unwrap_err().kind(), Kind::Rejected);
    }

    #[test]
    fn the_mark_gives_way_to_the_size_of_the_queue() {
        let body = |n: usize| move |m: &mut DeadLetter| m.payload = Payload::Bytes(vec![b'x'; n].into());
        let (left, m) = fitted("http://h/1/q", 1024, |m| {
            body(1010)(m);
            mark(m);
        });
        assert!(left.unwrap()[0].contains("1024 bytes"));
        assert_eq!(m.headers.len(), 0);
        assert_eq!(fitted("http://h/1/q", 1024, body(1024)).0.unwrap(), Vec::<String>::new());
        assert_eq!(fitted("http://h/1/q", 1024, body(1025)).0.unwrap_err().kind(), Kind::TooLarge);
    }

    #[test]
    fn what_sqs_refuses_is_refused_here_and_what_has_no_place_is_named() {
        for payload in
            [Payload::Absent, Payload::Bytes("".into()), Payload::Bytes(vec![0xff].into()), Payload::Bytes("\0".into())]
        {
            let (refused, _) = fitted("http://h/1/q", 1000, |m| m.payload = payload.clone());
            assert_eq!(refused.unwrap_err().kind(), Kind::Rejected, "{payload:?}");
        }
        let (left, m) = fitted("http://h/1/q", 1000, |m| {
            m.headers.push("AWS.mine", "v");
            m.headers.push("has space", "v");
            m.headers.push("empty", "");
            m.headers.push("null", Value::Null);
            m.headers.push("r", "1");
            m.headers.push("r", "2");
            m.key = Some("k".into());
            m.origin = Some(Origin::default());
            m.properties.push("content_type", "text/plain");
        });
        let left = left.unwrap().join("\n");
        for what in ["AWS.mine", "has space", "empty", "null", "header r,", "key", "content_type", "where it came from"]
        {
            assert!(left.contains(what), "{what}: {left}");
        }
        assert_eq!(m.headers.iter().map(|(n, _)| n).collect::<Vec<_>>(), ["r", "dlq-key"]);
        assert_eq!(m.headers.text("r"), Some("2"));
    }

    #[test]
    fn a_fifo_queue_gets_a_group() {
        let group = |m: &DeadLetter| m.properties.text(GROUP).map(str::to_owned);
        let (left, m) = fitted("http://h/1/q.fifo", 1000, |_| {});
        assert_eq!((left.unwrap().len(), group(&m).as_deref()), (1, Some("m1")));
        let (left, m) = fitted("http://h/1/q.fifo", 1000, |m| m.properties.push(GROUP, "g"));
        assert_eq!((left.unwrap().len(), group(&m).as_deref()), (0, Some("g")));
    }
}
