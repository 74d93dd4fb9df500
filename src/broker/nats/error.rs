//! What the client and the server say, as our errors.

use async_nats::{ConnectError, ConnectErrorKind};
use serde::Deserialize;

use super::address::Parts;
use crate::broker::{Error, Kind, tls};

/// Codes of JetStream's answers, as `server/errors.json` has them.
pub mod code {
    /// No message with this sequence.
    pub const NO_MESSAGE: u64 = 10037;
    /// The sequence to delete is not there.
    pub const SEQUENCE_NOT_FOUND: u64 = 10043;
    /// No such consumer.
    pub const CONSUMER_NOT_FOUND: u64 = 10014;
    /// No such stream.
    pub const STREAM_NOT_FOUND: u64 = 10059;
    /// Of the message.
    pub const TOO_LARGE: &[u64] = &[10054, 10097];
    /// The account has no JetStream, or the server has none.
    pub const NO_JETSTREAM: &[u64] = &[10039, 10076];
    /// It may work a moment later.
    pub const UNAVAILABLE: &[u64] = &[10008, 10009];
}

/// An error as JetStream answers it.
#[derive(Clone, Debug, Deserialize)]
pub struct Refusal {
    /// As in HTTP.
    #[serde(default)]
    pub code: u64,
    /// One of [`code`], or another.
    #[serde(default)]
    pub err_code: u64,
    /// For people.
    #[serde(default)]
    pub description: String,
}

/// Of an answer of the API. `what` names the thing it was asked about.
pub fn of_api(r: &Refusal, doing: &'static str, what: &str) -> Error {
    let kind = match r.err_code {
        code::NO_MESSAGE | code::SEQUENCE_NOT_FOUND | code::CONSUMER_NOT_FOUND | code::STREAM_NOT_FOUND => {
            Kind::NotFound
        }
        c if code::NO_JETSTREAM.contains(&c) => Kind::Unsupported,
        c if code::UNAVAILABLE.contains(&c) => Kind::Unreachable,
        c if code::TOO_LARGE.contains(&c) => Kind::TooLarge,
        _ => Kind::Rejected,
    };
    Error::new(kind, format!("{what}: {} (JetStream error {})", r.description, r.err_code)).during(doing)
}

/// Of a message that was not stored.
pub fn of_publish(r: &Refusal, subject: &str) -> Error {
    let kind = if code::TOO_LARGE.contains(&r.err_code) { Kind::TooLarge } else { Kind::Rejected };
    let text = format!(
        "the stream did not store what was sent to {subject}: {} (JetStream error {})",
        r.description, r.err_code
    );
    Error::new(kind, text).during("sending")
}

/// Why no connection came about.
pub fn of_connect(e: &ConnectError, parts: &Parts, login: &str) -> Error {
    let place = parts.place();
    let hint = "write nats:// for a server without TLS";
    if let Some(tls) = tls::explain(e, &parts.host, parts.port, hint) {
        return tls.during("connecting");
    }
    let text = e.to_string();
    let mut cause = std::error::Error::source(e);
    let mut io = None;
    while let Some(inner) = cause {
        io = io.or_else(|| inner.downcast_ref::<std::io::Error>().map(std::io::Error::kind));
        cause = inner.source();
    }
    let e = match (e.kind(), io) {
        (ConnectErrorKind::AuthorizationViolation, _) => {
            Error::new(Kind::Denied, format!("{place} refused the login ({login})"))
                .hint("give user and password, -X token-env=NAME, -X creds=FILE or -X nkey=FILE")
        }
        (ConnectErrorKind::Authentication, _) => {
            Error::new(Kind::Denied, format!("the login could not be signed ({login})"))
        }
        (ConnectErrorKind::Dns, _) => Error::new(Kind::Unreachable, format!("the host {} is not known", parts.host)),
        (_, Some(std::io::ErrorKind::ConnectionRefused)) => {
            Error::new(Kind::Unreachable, format!("nothing listens at {place}"))
                .hint("is the server running, and is this its client port (4222 unless configured otherwise)?")
        }
        (ConnectErrorKind::Tls, _) => Error::new(Kind::Tls, format!("TLS with {place} failed: {text}")),
        (ConnectErrorKind::TimedOut, _) => Error::new(Kind::Timeout, format!("{place} did not answer in time"))
            .hint("check host and port; --timeout sets how long to wait"),
        _ if text.contains("expected INFO") || text.contains("invalid") => {
            Error::new(Kind::Unreachable, format!("{place} does not speak NATS: {text}"))
                .hint("is this the client port of the server (4222 unless configured otherwise)?")
        }
        _ => Error::new(Kind::Unreachable, format!("{place} cannot be reached: {text}")),
    };
    e.during("connecting")
}

/// Nobody answers requests of JetStream.
pub fn no_jetstream(place: &str) -> Error {
    Error::new(Kind::Unsupported, format!("{place} has no JetStream, or none for this account"))
        .hint("streams need a server with JetStream enabled; one in another domain is named with -X domain=NAME")
}

/// `Permissions Violation for Publish to "$JS.API.STREAM.INFO.S"`, as the server says it of its own accord.
pub fn denied(said: &str) -> Error {
    let e = Error::new(Kind::Denied, format!("the server refused: {said}"));
    if said.contains("Subscription") {
        e.hint("answers come to an inbox: name one that may be subscribed to with -X inbox-prefix=SUBJECT")
    } else {
        e.hint("the README lists the permissions each verb takes")
    }
}
