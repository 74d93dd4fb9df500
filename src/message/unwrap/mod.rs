//! Messages inside messages: the envelope of a service that carried one here. One small file an envelope.

mod sns;

use bytes::Bytes;
use jiff::Timestamp;

use super::{DeadLetter, Fields, Mark, Payload};

/// What was in an envelope.
#[derive(Clone, Debug, PartialEq)]
pub struct Inner {
    /// Whose envelope it is.
    pub envelope: &'static str,
    /// Where it was published to.
    pub topic: String,
    /// The id it had there.
    pub id: String,
    /// Its subject line.
    pub subject: Option<String>,
    /// When it was published.
    pub time: Option<Timestamp>,
    /// Its own attributes, with their types.
    pub headers: Fields,
    /// Its own body.
    pub payload: Bytes,
}

/// One kind of envelope.
#[derive(Debug)]
pub struct Envelope {
    /// Its name for `--unwrap` and in the view.
    pub name: &'static str,
    /// Opens it; `None` where the payload is none of these. Is asked for every message: must be quick to say no.
    pub open: fn(&Bytes) -> Option<Inner>,
}

/// All there are.
pub static ENVELOPES: &[Envelope] = &[sns::ENVELOPE];

/// The envelope of that name.
pub fn named(name: &str) -> Option<&'static Envelope> {
    ENVELOPES.iter().find(|e| e.name == name)
}

/// What is inside a message, where it is an envelope.
pub fn inner(m: &DeadLetter) -> Option<Inner> {
    match &m.payload {
        Payload::Bytes(b) => ENVELOPES.iter().find_map(|e| (e.open)(b)),
        Payload::Absent => None,
    }
}

impl Envelope {
    /// What is inside a message, where it is this envelope.
    pub fn inner(&self, m: &DeadLetter) -> Option<Inner> {
        match &m.payload {
            Payload::Bytes(b) => (self.open)(b),
            Payload::Absent => None,
        }
    }
}

impl Inner {
    /// Takes the place of the outer message: its body, and its attributes over those of the outer.
    pub fn replace(self, outer: &mut DeadLetter) {
        for (name, value) in self.headers {
            outer.headers.set(&name, value);
        }
        outer.payload = Payload::Bytes(self.payload);
    }

    /// The mark of the last replay, whether that was of the outer message or of this one before it was put in.
    pub fn mark(&self, outer: &DeadLetter) -> Option<Mark> {
        [Mark::of(&outer.headers), Mark::of(&self.headers)].into_iter().flatten().max_by_key(|m| m.count)
    }
}
