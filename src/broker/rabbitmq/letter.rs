//! A message as it goes over the wire, and how it is recognised when it comes back.

use std::sync::Arc;

#[cfg(test)]
use bytes::Bytes;
use lapin::types::ShortString;

use super::codec::{self, Received};
use crate::broker::{Error, Kind, Outgoing, Result};
use crate::message::{DeadLetter, Mark, Payload, Target, Value, fingerprint};

/// Where messages go that carry no target of their own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// Empty: the default exchange.
    pub exchange: String,
    /// `None`: each message's own key.
    pub key: Option<String>,
}

impl Place {
    /// A target as an exchange and a key. An exchange beats a queue, since others may be bound to it too.
    ///
    /// # Errors
    /// `Usage` for a target that names neither.
    pub fn of(target: &Target) -> Result<Place> {
        let exchange = target.exchange.as_deref().unwrap_or_default().to_owned();
        let key = target.routing_key.as_deref().or(target.queue.as_deref()).map(str::to_owned);
        if exchange.is_empty() && key.is_none() {
            return Err(Error::new(Kind::Usage, "the target names no queue and no exchange"));
        }
        Ok(Place { exchange, key })
    }
}

/// One message on its way.
#[derive(Clone, Debug)]
pub struct Letter {
    /// Which batch it came in with.
    pub job: u64,
    /// Its place in that batch.
    pub at: usize,
    /// The exchange it goes to.
    pub exchange: ShortString,
    /// With this key.
    pub routing_key: ShortString,
    /// What is published. Its properties are encoded once it is sent, and again only where something goes wrong.
    pub message: DeadLetter,
}

impl Letter {
    /// Makes it out to its own target, else to `place`.
    ///
    /// # Errors
    /// `Usage` for a target without a name, or names longer than AMQP has room for.
    pub fn new(job: u64, at: usize, o: Outgoing, place: &Place) -> Result<Letter> {
        let own;
        let place = match &o.target {
            Some(target) => {
                own = Place::of(target)?;
                &own
            }
            None => place,
        };
        let key = place.key.as_deref().or_else(|| o.message.properties.text("routing_key")).unwrap_or_default();
        let name = |s: &str| {
            ShortString::try_new(s).map_err(|_| Error::new(Kind::Usage, "a name of the target is over 255 bytes"))
        };
        Ok(Letter { job, at, exchange: name(&place.exchange)?, routing_key: name(key)?, message: *o.message })
    }

    /// Recognises it when it is returned.
    pub fn print(&self) -> u128 {
        print(&Received {
            exchange: self.exchange.clone(),
            routing_key: self.routing_key.clone(),
            redelivered: false,
            properties: codec::to_publish(&self.message),
            data: self.message.payload.as_bytes().to_vec(),
        })
    }

    /// For messages of errors: `queue orders`, or exchange and key.
    pub fn place(&self) -> String {
        match self.exchange.as_str() {
            "" => format!("queue {}", self.routing_key),
            x => format!("exchange {x}, routing key {}", self.routing_key),
        }
    }

    #[cfg(test)]
    pub fn for_test(exchange: &str, key: &str, body: Bytes) -> Letter {
        let message = DeadLetter::new("".into(), Payload::Bytes(body));
        Letter { job: 0, at: 0, exchange: exchange.into(), routing_key: key.into(), message }
    }
}

/// Equal for a message and its return. A mark is unique; without one equal messages to the same place share it.
pub fn print(r: &Received) -> u128 {
    let queue: Arc<str> = "".into();
    let received = Received {
        exchange: r.exchange.clone(),
        routing_key: r.routing_key.clone(),
        redelivered: false,
        properties: r.properties.clone(),
        data: r.data.clone(),
    };
    let mut m = codec::from_delivery(&queue, received);
    if let Some(mark) = Mark::of(&m.headers) {
        // A server may be set up to add headers of its own to what it takes.
        m = DeadLetter::new(queue, Payload::Absent);
        m.headers.push("mark", Value::text(mark.id));
    }
    fingerprint(&m, |_| false)
}
