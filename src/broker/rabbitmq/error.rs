//! From the client library's errors to ours: the one place.

use lapin::ErrorKind;
use lapin::protocol::{AMQPError, AMQPErrorKind};

use crate::broker::{Error, Kind};

/// What an error of the client library means here; `doing` as a phrase: "opening the queue".
pub fn map(e: &lapin::Error, doing: &'static str) -> Error {
    match e.kind() {
        ErrorKind::ProtocolError(reply) => of_reply(reply).during(doing),
        ErrorKind::IOError(io) => broken(&io.to_string()).during(doing),
        ErrorKind::RuntimeShutdownError(_) => broken("this process is ending").during(doing),
        ErrorKind::MissingHeartbeatError => broken("the server missed its heartbeats").during(doing),
        ErrorKind::InvalidConnectionState(state) => broken(&format!("it is {state:?}").to_lowercase()).during(doing),
        ErrorKind::InvalidChannelState(state, _) => {
            Error::new(Kind::Unreachable, format!("the channel to the server is {state:?}").to_lowercase())
                .during(doing)
        }
        ErrorKind::ChannelsLimitReached => {
            Error::new(Kind::Rejected, "the server allows no more channels on this connection")
                .hint("raise channel_max, there or with -X channel_max=N")
                .during(doing)
        }
        ErrorKind::ParsingError(p) => {
            Error::new(Kind::Corrupt, format!("the server sent what is not AMQP 0-9-1: {p}")).during(doing)
        }
        ErrorKind::InvalidProtocolVersion(v) => {
            Error::new(Kind::Unsupported, format!("the server speaks AMQP {v} only, not 0-9-1")).during(doing)
        }
        _ => Error::new(Kind::Other, e.to_string()).during(doing),
    }
}

fn broken(why: &str) -> Error {
    Error::new(Kind::Unreachable, format!("the connection to the server broke: {why}"))
}

/// The reply code of the server, where the error is one.
pub fn reply_code(e: &lapin::Error) -> Option<u16> {
    match e.kind() {
        ErrorKind::ProtocolError(reply) => Some(reply.get_id()),
        _ => None,
    }
}

/// A reply of the server as it explains itself, such as `no queue 'orders' in vhost '/'`.
fn of_reply(reply: &AMQPError) -> Error {
    let text = explanation(reply.get_message().as_str());
    let kind = match reply.get_id() {
        404 => Kind::NotFound,
        403 => Kind::Denied,
        405 => Kind::Held,
        311 => Kind::TooLarge,
        406 if is_too_large(text) => Kind::TooLarge,
        406 => Kind::Rejected,
        312 => Kind::Unroutable,
        540 => Kind::Unsupported,
        // Vhosts that are not there, or at their connection limit.
        530 if text.contains("not found") => Kind::NotFound,
        530 if text.contains("limit") => Kind::Rejected,
        530 => Kind::Denied,
        // Closed by an operator, or the node goes down.
        320 => Kind::Unreachable,
        _ => Kind::Other,
    };
    match reply.kind() {
        AMQPErrorKind::Soft(_) => Error::new(kind, text),
        AMQPErrorKind::Hard(_) => Error::new(kind, format!("the server closed the connection: {text}")),
    }
}

/// `message size 20 is larger than configured max size 10` (and how 3.x puts it).
fn is_too_large(text: &str) -> bool {
    text.contains("larger than") && text.contains("size")
}

/// The reply text without the name of its code, which the kind says already.
fn explanation(text: &str) -> &str {
    match text.split_once(" - ") {
        Some((code, rest)) if code.chars().all(|c| c.is_ascii_uppercase() || c == '_') => rest,
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(id: u16, text: &str) -> (Kind, String) {
        let e = of_reply(&AMQPError::from_id(id, text.into()).unwrap());
        (e.kind(), e.to_string())
    }

    #[test]
    fn replies_become_kinds_and_keep_the_explanation() {
        assert_eq!(
            kind(404, "NOT_FOUND - no queue 'a' in vhost '/'"),
            (Kind::NotFound, "no queue 'a' in vhost '/'".into())
        );
        assert_eq!(kind(405, "RESOURCE_LOCKED - cannot obtain").0, Kind::Held);
        assert_eq!(
            kind(406, "PRECONDITION_FAILED - message size 17 is larger than configured max size 16").0,
            Kind::TooLarge
        );
        assert_eq!(kind(406, "PRECONDITION_FAILED - invalid expiration 'x'").0, Kind::Rejected);
        assert_eq!(kind(530, "NOT_ALLOWED - vhost x not found").0, Kind::NotFound);
        assert_eq!(kind(530, "NOT_ALLOWED - access to vhost 'x' refused for user 'u'").0, Kind::Denied);
        assert_eq!(kind(540, "NOT_IMPLEMENTED - basic.get not supported by stream queues").0, Kind::Unsupported);
        assert_eq!(kind(404, "a - b").1, "a - b");
    }
}
