//! Why a message died, read from what the broker and the frameworks leave on it. One small file a family.
//!
//! A count of retries becomes `attempts` by adding the first try. Adding a family is one file and one line of [`FAMILIES`].

mod cause;
mod easynetq;
mod eventbridge;
mod kafka_connect;
mod kafka_streams;
mod lambda;
mod masstransit;
mod nats;
mod nservicebus;
mod rabbitmq;
mod read;
mod rebus;
mod share_group;
mod smallrye;
mod spring_amqp;
mod spring_cloud_stream;
mod spring_kafka;
mod sqs;
#[cfg(test)]
mod tests;
mod watermill;
mod wolverine;

use std::sync::LazyLock;

use jiff::Timestamp;

use crate::message::{DeadLetter, Origin};

/// Why and where a message died. A field is absent when it is not known; never guessed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Death {
    /// Eight hex digits, equal for messages that died of the same thing: family, reason, class, origin queue and message
    /// (numbers, ids and quoted parts in it aside).
    pub cause: String,
    /// Who wrote it: `rabbitmq`, `spring-kafka`, …
    pub family: &'static str,
    /// The broker's or framework's word: `rejected`, `expired`, `maxlen`, `delivery_limit`, `exception`, …
    pub reason: Option<String>,
    /// Exception class.
    pub class: Option<String>,
    /// Exception message.
    pub message: Option<String>,
    /// Where it was before it died: a replay goes there.
    pub origin: Option<Origin>,
    /// How often it was tried.
    pub attempts: Option<u64>,
    /// First death.
    pub first: Option<Timestamp>,
    /// Last death.
    pub last: Option<Timestamp>,
}

impl Death {
    /// Takes from `other` what is not known here.
    fn fill(&mut self, other: Death) {
        self.reason = self.reason.take().or(other.reason);
        self.class = self.class.take().or(other.class);
        self.message = self.message.take().or(other.message);
        self.origin = self.origin.take().or(other.origin);
        self.attempts = self.attempts.or(other.attempts);
        self.first = self.first.or(other.first);
        self.last = self.last.or(other.last);
    }
}

/// One family of dead-letter metadata.
pub struct Family {
    /// Its name in `death.family`.
    pub name: &'static str,
    /// Prefixes of header names, one of which is on every message of this family; `read` is called only where one is.
    /// Empty: it is not known by a header, and `read` must find out cheaply.
    pub signs: &'static [&'static str],
    /// Written by the broker itself, so it adds to what a framework says.
    pub broker: bool,
    /// Reads it; `None` where the message does not carry it. `cause` is left empty.
    pub read: fn(&DeadLetter) -> Option<Death>,
    /// Whether a header is this family's bookkeeping about a death, to be taken off before a replay.
    pub bookkeeping: fn(&str) -> bool,
}

/// All families. Of two frameworks on one message the earlier speaks; brokers come last.
pub const FAMILIES: &[Family] = &[
    spring_kafka::FAMILY,
    spring_amqp::FAMILY,
    spring_cloud_stream::FAMILY,
    kafka_connect::FAMILY,
    kafka_streams::FAMILY,
    smallrye::FAMILY,
    masstransit::FAMILY,
    nservicebus::FAMILY,
    rebus::FAMILY,
    wolverine::FAMILY,
    watermill::FAMILY,
    eventbridge::RULE,
    eventbridge::SCHEDULER,
    lambda::QUEUE,
    lambda::DESTINATION,
    easynetq::FAMILY,
    share_group::FAMILY,
    rabbitmq::FAMILY,
    sqs::FAMILY,
    nats::FAMILY,
];

/// What is known of the death of a message.
pub fn of(m: &DeadLetter) -> Option<Death> {
    let mut death: Option<Death> = None;
    for family in present(m) {
        if death.is_some() && !family.broker {
            continue;
        }
        let Some(found) = (family.read)(m) else { continue };
        match &mut death {
            Some(known) => known.fill(found),
            None => death = Some(found),
        }
    }
    let mut death = death?;
    if death.origin.is_none() {
        death.origin.clone_from(&m.origin);
    }
    death.cause = cause::of(&death);
    Some(death)
}

/// Takes off the headers in which frameworks keep their death notes, of whatever family; gives their names. The broker's
/// own are [`crate::broker::Source::strip`]'s.
///
/// A family's names are only touched on a message it has written on: `retry-count` alone is the user's own.
pub fn strip(m: &mut DeadLetter) -> Vec<String> {
    let written: Vec<&Family> = present(m).filter(|f| (f.read)(m).is_some()).collect();
    if written.is_empty() {
        return Vec::new();
    }
    m.headers.remove_if(|name, _| written.iter().any(|f| (f.bookkeeping)(name)))
}

/// Families by the first byte of their signs, as bits of [`FAMILIES`]: a message is asked for all of them in one pass over
/// its header names.
struct Signs {
    always: u32,
    by_first: [Vec<(u32, &'static str)>; 256],
}

static SIGNS: LazyLock<Signs> = LazyLock::new(|| {
    let mut signs = Signs { always: 0, by_first: [const { Vec::new() }; 256] };
    for (at, family) in FAMILIES.iter().enumerate() {
        if family.signs.is_empty() {
            signs.always |= 1 << at;
        }
        for sign in family.signs {
            signs.by_first[usize::from(sign.as_bytes()[0])].push((1 << at, sign));
        }
    }
    signs
});

/// The families that may have written on a message, in their order.
fn present(m: &DeadLetter) -> impl Iterator<Item = &'static Family> {
    let signs = &*SIGNS;
    let mut bits = signs.always;
    for (name, _) in m.headers.iter() {
        let Some(first) = name.as_bytes().first() else { continue };
        for (bit, sign) in &signs.by_first[usize::from(*first)] {
            if name.starts_with(sign) {
                bits |= bit;
            }
        }
    }
    FAMILIES.iter().enumerate().filter(move |(at, _)| bits & (1 << at) != 0).map(|(_, family)| family)
}
