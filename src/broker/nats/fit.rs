//! Fits a message to NATS before it is sent: its subject, its headers, its size.

use std::collections::HashMap;
use std::str::FromStr;
use std::sync::{Arc, PoisonError, RwLock};

use async_nats::{HeaderMap, HeaderName, HeaderValue};

use super::codec::{MSG_ID, MSG_ID_HEADER, PROPERTIES, SUBJECT};
use super::stream::{StreamInfo, is_subject};
use super::{advisories, can, strip};
use crate::broker::keyless;
use crate::broker::{Error, Kind, Outgoing, Result};
use crate::message::{DeadLetter, MARK_HEADER, Value};

/// The server has two bytes for the length of a header block.
const MOST_HEADERS: usize = 65_535;
/// Digits of the id by which a stream tells repeats.
pub const ID_DIGITS: usize = 32;
/// The line of that id, and what frames a header block.
const FRAME: usize = "NATS/1.0\r\n".len() + MSG_ID_HEADER.len() + 4 + ID_DIGITS + 2;

/// Streams that were asked for, by a subject they take.
#[derive(Clone, Default)]
pub struct Known(Arc<RwLock<HashMap<String, Arc<StreamInfo>>>>);

impl Known {
    /// The stream that takes a subject, where it was asked for.
    pub fn get(&self, subject: &str) -> Option<Arc<StreamInfo>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(subject).cloned()
    }

    /// Remembers one.
    pub fn add(&self, subject: &str, info: Arc<StreamInfo>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(subject.to_owned(), info);
    }
}

/// The stream a sink was opened to.
#[derive(Clone)]
pub struct Place {
    /// It.
    pub info: Arc<StreamInfo>,
    /// `subject=S`: of all messages.
    pub subject: Option<Arc<str>>,
}

/// What a message is fitted to.
#[derive(Clone)]
pub struct Limits {
    /// Largest message of the server.
    pub max_payload: u64,
    /// None where each message has its own subject.
    pub place: Option<Place>,
    /// Streams of such subjects.
    pub known: Known,
}

impl Limits {
    /// The subject a message goes to.
    ///
    /// # Errors
    /// `Rejected` where nothing says which, or it is none.
    pub fn subject(&self, o: &Outgoing) -> Result<String> {
        let refused = |text: String| Error::new(Kind::Rejected, text);
        if let Some(target) = &o.target {
            let name = target.routing_key.as_deref().or(target.queue.as_deref()).or(target.exchange.as_deref());
            let subject = name.unwrap_or_default();
            return if is_subject(subject) {
                Ok(subject.to_owned())
            } else {
                Err(refused(format!("{subject:?}, where it came from, is no subject"))
                    .hint("give --to nats://HOST/STREAM"))
            };
        }
        let Some(place) = &self.place else {
            return Err(refused("nothing says which subject it goes to".into()).hint("give --to nats://HOST/STREAM"));
        };
        if let Some(subject) = &place.subject {
            return Ok(subject.to_string());
        }
        let own = o.message.properties.text(SUBJECT);
        if let Some(own) = own.filter(|s| is_subject(s) && place.info.takes(s)) {
            return Ok(own.to_owned());
        }
        let name = &place.info.config.name;
        match &place.info.config.subjects[..] {
            [only] if is_subject(only) => Ok(only.clone()),
            subjects => {
                let had = own.map_or_else(|| "it had none".to_owned(), |s| format!("it had {s}"));
                let text = format!(
                    "which subject of stream {name} it is to have is not known: {had}, and the stream takes {}",
                    subjects.join(", ")
                );
                Err(refused(text).hint("name one with --to-X subject=NAME, or ?subject=NAME on the address"))
            }
        }
    }

    fn most(&self, subject: &str) -> u64 {
        let info = self.place.as_ref().map(|p| Arc::clone(&p.info)).or_else(|| self.known.get(subject));
        info.map_or(self.max_payload, |info| can::most(&info, self.max_payload))
    }
}

/// Changes a message so that it can be sent; says what was left out or changed.
///
/// # Errors
/// `TooLarge`, `Rejected`.
pub fn fit(limits: &Limits, o: &mut Outgoing) -> Result<Vec<String>> {
    let had = o.message.properties.text(SUBJECT).unwrap_or_default();
    if !o.verbatim && advisories::is_one(had) {
        let e = Error::new(Kind::Rejected, "it is a notice about a message, and not the message");
        return Err(match advisories::about(had) {
            Some((stream, consumer)) => {
                e.hint(format!("the messages themselves are in nats://HOST/{stream}?consumer={consumer}"))
            }
            None => e,
        });
    }
    let subject = limits.subject(o)?;
    let m = &mut o.message;
    let mut left = keyless::settle(m);
    headers(m, &mut left);
    let gone = m.properties.remove_if(|name, _| !PROPERTIES.contains(&name));
    left.extend(gone.into_iter().map(|name| format!("property {name}")));
    m.properties.remove_if(|name, _| name != SUBJECT && name != MSG_ID);
    m.properties.set(SUBJECT, subject.as_str());
    size(m, limits.most(&subject), &mut left)?;
    Ok(left)
}

fn headers(m: &mut DeadLetter, left: &mut Vec<String>) {
    m.headers.remove_if(|name, value| {
        let why = if strip::is_control(name) {
            "which the server would obey"
        } else if HeaderName::from_str(name).is_err() {
            "whose name NATS does not take"
        } else if text(value).is_none() {
            "whose value is no line of text"
        } else {
            return false;
        };
        left.push(format!("header {name}, {why}"));
        true
    });
}

/// A value as one line of text; numbers in decimal.
pub fn text(value: &Value) -> Option<String> {
    let text = match value {
        Value::Bool(b) => b.to_string(),
        Value::F32(n) => n.to_string(),
        Value::F64(n) => n.to_string(),
        Value::U64(n) | Value::Time(n) => n.to_string(),
        Value::Decimal { scale, value } => {
            let digits = format!("{value:0>width$}", width = usize::from(*scale) + 1);
            let (whole, rest) = digits.split_at(digits.len() - usize::from(*scale));
            if rest.is_empty() { whole.to_owned() } else { format!("{whole}.{rest}") }
        }
        Value::Labelled(_, inner) => return text(inner),
        Value::Null | Value::Array(_) | Value::Table(_) => return None,
        Value::Text(_) | Value::Bytes(_) | Value::ShortText(_) | Value::Number(_) => value.as_str()?.to_owned(),
        number => number.as_i64()?.to_string(),
    };
    (!text.contains(['\r', '\n'])).then_some(text)
}

fn block(m: &DeadLetter) -> usize {
    let lines = m.headers.iter().map(|(name, v)| name.len() + 4 + text(v).map_or(0, |t| t.len()));
    FRAME + lines.sum::<usize>()
}

fn size(m: &mut DeadLetter, most: u64, left: &mut Vec<String>) -> Result<()> {
    let fits = |m: &DeadLetter| {
        let block = block(m);
        block <= MOST_HEADERS && (block + m.payload.len()) as u64 <= most
    };
    if fits(m) {
        return Ok(());
    }
    let bare = {
        let mut bare = m.clone();
        bare.headers.remove_if(|name, _| name == MARK_HEADER);
        bare
    };
    if bare.headers.len() < m.headers.len() && fits(&bare) {
        *m = bare;
        left.push(format!("the replay mark, since it would be larger than the {most} bytes the destination takes"));
        return Ok(());
    }
    let block = block(m);
    Err(if block > MOST_HEADERS {
        Error::new(Kind::TooLarge, format!("its headers have {block} bytes, and NATS takes {MOST_HEADERS}"))
    } else {
        let has = block + m.payload.len();
        Error::new(
            Kind::TooLarge,
            format!("it has {has} bytes with its headers, and the destination takes {most} at most"),
        )
        .hint("max_payload of the server and max_msg_size of the stream can be raised")
    })
}

/// The headers as they are sent, under an id by which the stream tells repeats. The library keeps the order of a repeated name
/// and no other.
pub fn to_send(m: &DeadLetter, id: &str) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in m.headers.iter() {
        let parsed = text(value).and_then(|t| HeaderName::from_str(name).ok().zip(HeaderValue::from_str(&t).ok()));
        if let Some((name, value)) = parsed {
            map.append(name, value);
        }
    }
    map.insert(MSG_ID_HEADER, id);
    map
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::keyless::KEY_HEADER;
    use crate::message::Mark;
    use crate::message::Payload;

    fn limits(subjects: &[&str], subject: Option<&str>, most: u64) -> Limits {
        let mut info = StreamInfo::default();
        info.config.name = "S".into();
        info.config.subjects = subjects.iter().map(|s| (*s).to_owned()).collect();
        let place = Place { info: Arc::new(info), subject: subject.map(Arc::from) };
        Limits { max_payload: most, place: Some(place), known: Known::default() }
    }

    fn fitted(limits: &Limits, change: impl FnOnce(&mut DeadLetter)) -> (Result<Vec<String>>, DeadLetter) {
        let mut message = DeadLetter::new("q".into(), Payload::Bytes("x".into()));
        change(&mut message);
        let mut o = Outgoing { verbatim: false, ..Outgoing::verbatim(0, Box::new(message)) };
        (fit(limits, &mut o), *o.message)
    }

    #[test]
    fn the_subject_is_the_named_one_else_its_own_else_the_only_one() {
        let subject = |l: &Limits, own: Option<&str>| {
            let (left, m) = fitted(l, |m| own.iter().for_each(|s| m.properties.push(SUBJECT, *s)));
            left.map(|_| m.properties.text(SUBJECT).unwrap_or_default().to_owned())
        };
        assert_eq!(subject(&limits(&["a.>"], Some("a.x"), 1000), Some("a.b")).expect("one"), "a.x");
        assert_eq!(subject(&limits(&["a.>"], None, 1000), Some("a.b")).expect("one"), "a.b");
        assert_eq!(subject(&limits(&["a.b"], None, 1000), Some("dlq.b")).expect("one"), "a.b");
        for own in [None, Some("dlq.b")] {
            let e = subject(&limits(&["a.>"], None, 1000), own).expect_err("which");
            assert!(e.kind() == Kind::Rejected && e.get_hint().is_some_and(|h| h.contains("subject=")), "{e:?}");
        }
    }

    #[test]
    fn what_fits_stays_and_what_has_no_place_is_named() {
        let l = limits(&["s"], None, 1000);
        let (left, m) = fitted(&l, |m| {
            m.headers.push("a", "1");
            m.headers.push("a", "2");
            m.headers.push("n", Value::I64(-3));
            m.headers.push("d", Value::Decimal { scale: 2, value: 5 });
        });
        assert_eq!((left.expect("fits"), m.headers.len()), (Vec::new(), 4));
        assert_eq!(text(&Value::Decimal { scale: 2, value: 5 }).as_deref(), Some("0.05"));
        let (left, m) = fitted(&l, |m| {
            m.headers.push("Nats-Rollup", "all");
            m.headers.push("two lines", "x");
            m.headers.push("lines", "x\r\nNats-Rollup: all");
            m.headers.push("bytes", Value::Bytes(bytes::Bytes::from_static(b"\xff")));
            m.headers.push("null", Value::Null);
            m.properties.push("content_type", "text/plain");
            m.key = Some("k".into());
            m.payload = Payload::Absent;
        });
        let left = left.expect("fits").join("\n");
        for what in ["Nats-Rollup", "two lines", "header lines", "bytes", "null", "content_type", "key", "payload"] {
            assert!(left.contains(what), "{what}: {left}");
        }
        assert_eq!(m.headers.iter().map(|(n, _)| n).collect::<Vec<_>>(), [KEY_HEADER]);
    }

    #[test]
    fn the_mark_gives_way_to_the_size_and_more_is_too_large() {
        let mark = Mark { id: "r.1".into(), count: 1 }.to_value();
        let marked = |n: usize| {
            let mark = mark.clone();
            move |m: &mut DeadLetter| {
                m.payload = Payload::Bytes(vec![b'x'; n].into());
                m.headers.set(MARK_HEADER, mark);
            }
        };
        let l = limits(&["s"], None, 1000);
        assert_eq!(fitted(&l, marked(800)).0.expect("fits"), Vec::<String>::new());
        let (left, m) = fitted(&l, marked(1000 - FRAME));
        assert!(left.expect("fits without")[0].contains("replay mark") && m.headers.is_empty());
        assert_eq!(fitted(&l, marked(1001 - FRAME)).0.expect_err("too large").kind(), Kind::TooLarge);
        let big = |m: &mut DeadLetter| m.headers.push("h", "x".repeat(MOST_HEADERS));
        assert_eq!(fitted(&limits(&["s"], None, 1 << 20), big).0.expect_err("too large").kind(), Kind::TooLarge);
    }

    #[test]
    fn a_notice_is_not_replayed_in_place_of_its_message() {
        let about = "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.ORDERS.C";
        let (refused, _) = fitted(&limits(&["s"], None, 1000), |m| m.properties.push(SUBJECT, about));
        let e = refused.expect_err("refused");
        assert!(e.get_hint().is_some_and(|h| h.contains("ORDERS?consumer=C")), "{e:?}");
    }
}
