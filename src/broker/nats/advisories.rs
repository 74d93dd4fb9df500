//! Which messages a consumer gave up on. JetStream keeps no list of them; it tells once, in an advisory, which is lost unless a
//! stream captures it.

use jiff::Timestamp;
use roaring::RoaringTreemap;
use serde::Deserialize;

use super::connect::{Line, Link};
use super::stream::StreamInfo;
use super::walk::Walk;
use crate::broker::{Error, Kind, Result};

/// Subjects of the advisories that matter, less stream and consumer.
pub const KINDS: [&str; 2] =
    ["$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES", "$JS.EVENT.ADVISORY.CONSUMER.MSG_TERMINATED"];

/// What an advisory tells of a message.
#[derive(Clone, Debug, PartialEq)]
pub struct GivenUp {
    /// `max_deliver` or `terminated`.
    pub kind: &'static str,
    /// The stream.
    pub stream: String,
    /// Who gave up.
    pub consumer: String,
    /// Which message of the stream.
    pub seq: u64,
    /// How often it was delivered.
    pub deliveries: Option<u64>,
    /// Why, as the consumer said.
    pub reason: Option<String>,
    /// When.
    pub at: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Advisory {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    timestamp: Option<Timestamp>,
    stream: String,
    consumer: String,
    stream_seq: u64,
    #[serde(default)]
    deliveries: Option<u64>,
    #[serde(default)]
    reason: Option<String>,
}

/// Reads an advisory; `None` for any other.
pub fn read(body: &[u8]) -> Option<GivenUp> {
    let a: Advisory = serde_json::from_slice(body).ok()?;
    let kind = match a.kind.strip_prefix("io.nats.jetstream.advisory.v1.")? {
        "max_deliver" => "max_deliver",
        "terminated" => "terminated",
        _ => return None,
    };
    Some(GivenUp {
        kind,
        stream: a.stream,
        consumer: a.consumer,
        seq: a.stream_seq,
        deliveries: a.deliveries,
        reason: a.reason.filter(|r| !r.is_empty()),
        at: a.timestamp,
    })
}

/// The stream and the consumer of an advisory's subject.
pub fn about(subject: &str) -> Option<(&str, &str)> {
    let rest = KINDS.iter().find_map(|kind| subject.strip_prefix(kind)?.strip_prefix('.'))?;
    rest.split_once('.')
}

/// Whether a subject is that of an advisory.
pub fn is_one(subject: &str) -> bool {
    subject.starts_with("$JS.EVENT.ADVISORY.")
}

/// Streams that keep what is told of a consumer, by the subject they keep.
///
/// # Errors
/// `Unsupported` where none does, with how to make one.
pub async fn kept(link: &Line, stream: &str, consumer: &str) -> Result<Vec<(StreamInfo, String)>> {
    let mut found = Vec::new();
    for kind in KINDS {
        let subject = format!("{kind}.{stream}.{consumer}");
        let streams = link.streams(Some(&subject)).await?;
        found.extend(streams.into_iter().map(|info| (info, subject.clone())));
    }
    if found.is_empty() {
        let text = format!(
            "no stream keeps what JetStream tells of consumer {consumer} of {stream}, so which messages it gave up on is not known"
        );
        return Err(Error::new(Kind::Unsupported, text).during("looking for the advisories").hint(format!(
            "from now on: nats stream add {stream}_GIVEN_UP --subjects '{}.{stream}.>' --subjects '{}.{stream}.>' --storage file --defaults",
            KINDS[0], KINDS[1]
        )));
    }
    Ok(found)
}

/// What is not seen, as a sentence, where streams keep one of the two subjects and not the other.
pub fn unseen(kept: &[(StreamInfo, String)], consumer: &str) -> Option<String> {
    let is_kept = |kind: &str| kept.iter().any(|(_, subject)| subject.starts_with(kind));
    let (which, missing) = match KINDS.map(is_kept) {
        [true, false] => ("it terminated", KINDS[1]),
        [false, true] => ("it was given as often as its max_deliver allows", KINDS[0]),
        _ => return None,
    };
    Some(format!("messages that consumer {consumer} gave up on since {which} are not seen: no stream keeps {missing}"))
}

/// All advisories about one consumer, of one message the first.
pub struct Advisories {
    walks: Vec<Walk>,
    seen: RoaringTreemap,
    stream: String,
    consumer: String,
    /// When the stream was made: what was told before is of another one of that name.
    since: Option<Timestamp>,
    /// Messages of both kinds are told of.
    pub whole: bool,
}

impl Advisories {
    /// Of those that are kept now.
    ///
    /// # Errors
    /// As [`kept`].
    pub async fn of(link: &Link, stream: &str, consumer: &str) -> Result<Advisories> {
        let kept = kept(link, stream, consumer).await?;
        let since = link.info(stream, serde_json::Value::Null).await?.created.parse().ok();
        let walks = kept.iter().rev().map(|(info, subject)| Walk::new(link, &info.config.name, subject, &info.state));
        Ok(Advisories {
            walks: walks.collect(),
            seen: RoaringTreemap::new(),
            stream: stream.to_owned(),
            consumer: consumer.to_owned(),
            since,
            whole: unseen(&kept, consumer).is_none(),
        })
    }

    /// The next of them; never none, but for the end.
    ///
    /// # Errors
    /// As the connection is.
    pub async fn page(&mut self) -> Result<Option<Vec<GivenUp>>> {
        while let Some(walk) = self.walks.last_mut() {
            let Some(page) = walk.page().await? else {
                self.walks.pop();
                continue;
            };
            let mut new: Vec<GivenUp> = page.iter().filter_map(|m| read(&m.data)).collect();
            new.retain(|g| self.since.is_none_or(|since| g.at.is_none_or(|at| at >= since)));
            new.retain(|g| g.stream == self.stream && g.consumer == self.consumer && self.seen.insert(g.seq));
            if !new.is_empty() {
                return Ok(Some(new));
            }
        }
        Ok(None)
    }

    /// Reads all and gives the numbers of the messages.
    ///
    /// # Errors
    /// As the connection is.
    pub async fn numbers(mut self) -> Result<RoaringTreemap> {
        while self.page().await?.is_some() {}
        Ok(self.seen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_advisory_is_read_and_others_are_not() {
        let body = br#"{"type":"io.nats.jetstream.advisory.v1.terminated","id":"x","timestamp":"2026-11-28T14:58:26Z",
            "stream":"ORDERS","consumer":"C","consumer_seq":9,"stream_seq":4,"deliveries":3,"reason":"no such order"}"#;
        let g = read(body).expect("an advisory");
        assert_eq!((g.kind, g.stream.as_str(), g.consumer.as_str(), g.seq), ("terminated", "ORDERS", "C", 4));
        assert_eq!((g.deliveries, g.reason.as_deref()), (Some(3), Some("no such order")));
        assert_eq!(
            read(br#"{"type":"io.nats.jetstream.advisory.v1.nak","stream":"S","consumer":"C","stream_seq":4}"#),
            None
        );
        assert_eq!(read(b"{}"), None);
        assert_eq!(about("$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.ORDERS.C"), Some(("ORDERS", "C")));
        assert_eq!(about("$JS.EVENT.ADVISORY.CONSUMER.CREATED.ORDERS.C"), None);
    }
}
