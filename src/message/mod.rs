//! The message as every backend hands it out and takes it: payload, headers and properties exactly as they were stored.

pub mod archive;
mod claim_check;
mod fields;
mod fingerprint;
mod mark;
pub mod unwrap;
pub mod view;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;

pub use claim_check::ClaimCheck;
pub use fields::{Fields, Name, Value, written};
pub use fingerprint::fingerprint;
pub use mark::{MARK_HEADER, Mark};

/// The payload. A Kafka tombstone or a payload-less dead letter is `Absent`, which is not the same as empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// There is no payload.
    Absent,
    /// The stored bytes, possibly none.
    Bytes(Bytes),
}

impl Payload {
    /// The bytes, or an empty slice where the payload is absent.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Payload::Absent => &[],
            Payload::Bytes(b) => b,
        }
    }

    /// Length in bytes; 0 where the payload is absent.
    pub fn len(&self) -> usize {
        self.as_bytes().len()
    }

    /// True for absent and for zero bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What a message is called by. Up to 23 bytes of it take no memory of their own.
pub type Id = smol_str::SmolStr;

/// Finds a message again after a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Identity {
    /// No other message of this queue has it.
    Exact(u128),
    /// A fingerprint; equal messages share it, so it never proves a removal.
    Like(u128),
}

/// A place in a broker a message came from or goes to. Fields that do not apply to the broker, or are not known, are absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Origin {
    /// Queue, topic, stream, or ARN.
    pub queue: Option<Arc<str>>,
    /// AMQP exchange; the default exchange is the empty string.
    pub exchange: Option<Arc<str>>,
    /// AMQP routing key, or NATS subject.
    pub routing_key: Option<Arc<str>>,
    /// Kafka partition.
    pub partition: Option<i64>,
    /// Kafka offset or stream sequence.
    pub offset: Option<i64>,
    /// Consumer group, or durable consumer.
    pub group: Option<Arc<str>>,
}

/// Property in which AMQP says that a message was delivered before.
pub const REDELIVERED: &str = "redelivered";

/// One message of a dead-letter queue, exactly as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct DeadLetter {
    /// Finds the message again on its broker; what `--id` takes. A fingerprint in hex where the broker has no ids.
    pub id: Id,
    /// What a journal may conclude from meeting the message again.
    pub identity: Identity,
    /// Address of the queue the message was read from (or, in an archive, was archived from), without secrets.
    pub queue: Arc<str>,
    /// Where in that queue, as the broker counts (`partition`, `offset`, `sequence`); empty where it does not.
    pub position: Fields,
    /// When the broker or producer says the message was created or stored.
    pub time: Option<Timestamp>,
    /// Kafka record key. Absent is not empty.
    pub key: Option<Bytes>,
    /// The body.
    pub payload: Payload,
    /// Headers (attributes), in order, with repeats and types.
    pub headers: Fields,
    /// What the broker keeps beside the headers: AMQP basic properties, exchange and routing key; FIFO ids.
    pub properties: Fields,
    /// Where the broker itself says the message was before it died; headers are read by [`crate::death`].
    pub origin: Option<Origin>,
    /// How often the broker says it was delivered, this delivery included.
    pub deliveries: Option<u64>,
}

impl DeadLetter {
    /// A message with nothing known but its payload.
    pub fn new(queue: Arc<str>, payload: Payload) -> Self {
        DeadLetter {
            id: Id::default(),
            identity: Identity::Like(0),
            queue,
            position: Fields::default(),
            time: None,
            key: None,
            payload,
            headers: Fields::default(),
            properties: Fields::default(),
            origin: None,
            deliveries: None,
        }
    }

    /// Makes it a message of the same queue of which nothing is known, with the room its fields had.
    pub fn clear(&mut self) {
        let DeadLetter {
            id,
            identity,
            queue: _,
            position,
            time,
            key,
            payload,
            headers,
            properties,
            origin,
            deliveries,
        } = self;
        (*id, *identity, *time, *deliveries) = (Id::default(), Identity::Like(0), None, None);
        (*key, *payload, *origin) = (None, Payload::Absent, None);
        [position, headers, properties].into_iter().for_each(Fields::clear);
    }

    /// Whether it was delivered before, where the broker flags that.
    pub fn redelivered(&self) -> Option<bool> {
        match self.properties.last(REDELIVERED) {
            Some(Value::Bool(again)) => Some(*again),
            _ => None,
        }
    }

    /// Bytes of payload, key and headers together, roughly what the broker stores.
    pub fn size(&self) -> usize {
        self.payload.len() + self.key.as_ref().map_or(0, Bytes::len) + self.headers.size()
    }
}

/// Where one message goes inside the broker a sink is opened to.
pub type Target = Origin;

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.exchange, &self.routing_key, &self.queue) {
            (Some(x), Some(k), _) if !x.is_empty() => write!(f, "exchange {x}, routing key {k}"),
            (Some(x), None, _) if !x.is_empty() => write!(f, "exchange {x}"),
            (_, Some(k), None) => write!(f, "queue {k}"),
            (_, _, Some(q)) => match self.partition {
                Some(p) => write!(f, "{q}, partition {p}"),
                None => write!(f, "{q}"),
            },
            _ => write!(f, "unknown"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_is_cleared_is_as_a_new_one() {
        let mut m = DeadLetter::new("q".into(), Payload::Bytes(Bytes::from_static(b"v")));
        (m.id, m.identity, m.key) = ("1".into(), Identity::Exact(1), Some(Bytes::new()));
        (m.time, m.origin, m.deliveries) = (Some(Timestamp::UNIX_EPOCH), Some(Origin::default()), Some(1));
        for fields in [&mut m.position, &mut m.headers, &mut m.properties] {
            fields.push("a", "b");
        }
        m.clear();
        assert_eq!(m, DeadLetter::new("q".into(), Payload::Absent));
    }
}
