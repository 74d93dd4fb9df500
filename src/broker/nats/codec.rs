//! Stored messages as ours: the header block in its order, repeats and bytes.

use std::sync::Arc;

use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_128;

use super::advisories::GivenUp;
use super::api::Stored;
use super::stream::StreamInfo;
use crate::message::{DeadLetter, Fields, Identity, Origin, Payload, Value};

/// Property with the subject.
pub const SUBJECT: &str = "subject";
/// Property with what stood in the header of this name: by it the stream tells repeats.
pub const MSG_ID: &str = "msg_id";
/// The header itself.
pub const MSG_ID_HEADER: &str = "Nats-Msg-Id";
/// Properties from the notice that a consumer gave up: what it is called, who, why, when.
pub const ADVISORY: &[&str] = &["advisory", "consumer", "advisory_reason", "advisory_time"];
/// All properties, none of which is sent but the subject.
pub const PROPERTIES: &[&str] = &[SUBJECT, MSG_ID, "advisory", "consumer", "advisory_reason", "advisory_time"];

/// Makes messages of one stream ours.
#[derive(Clone, Debug)]
pub struct Letters {
    /// Its address, for people.
    pub shown: Arc<str>,
    /// Its name, and when it was made: a sequence alone names another message once a stream is made anew.
    salt: String,
}

impl Letters {
    /// A stream as it is now.
    pub fn new(shown: Arc<str>, info: &StreamInfo) -> Letters {
        Letters { shown, salt: format!("nats\n{}\n{}\n", info.config.name, info.created) }
    }

    /// A message, and what is known of its end.
    pub fn letter(&self, stored: Stored, given_up: Option<&GivenUp>) -> DeadLetter {
        let Stored { seq, subject, time, headers, data } = stored;
        let mut m = DeadLetter::new(Arc::clone(&self.shown), Payload::Bytes(data));
        m.id = smol_str::format_smolstr!("{seq}");
        m.identity = Identity::Exact(xxh3_128(format!("{}{seq}", self.salt).as_bytes()));
        let number = i64::try_from(seq).unwrap_or(i64::MAX);
        m.position.push("sequence", Value::I64(number));
        m.time = time;
        m.headers = fields(&headers);
        if let Some(g) = given_up {
            m.origin = Some(Origin {
                routing_key: Some(subject.as_str().into()),
                offset: Some(number),
                group: Some(g.consumer.as_str().into()),
                ..Origin::default()
            });
            m.deliveries = g.deliveries;
        }
        m.properties.push(SUBJECT, subject);
        if let Some(id) = m.headers.last(MSG_ID_HEADER).cloned() {
            m.headers.remove_if(|name, _| name == MSG_ID_HEADER);
            m.properties.push(MSG_ID, id);
        }
        if let Some(g) = given_up {
            m.properties.push("advisory", g.kind);
            m.properties.push("consumer", g.consumer.as_str());
            if let Some(reason) = &g.reason {
                m.properties.push("advisory_reason", reason.as_str());
            }
            if let Some(at) = g.at {
                m.properties.push("advisory_time", at.to_string());
            }
        }
        m
    }
}

/// The headers of a block, as its lines stand.
pub fn fields(block: &Bytes) -> Fields {
    let mut fields = Fields::default();
    let mut lines = block.split(|b| *b == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    // The first is the version.
    lines.next();
    for line in lines {
        let Some(at) = line.iter().position(|b| *b == b':') else { continue };
        let (name, value) = (&line[..at], &line[at + 1..]);
        let value = value.strip_prefix(b" ").unwrap_or(value);
        fields.push(String::from_utf8_lossy(name).into_owned(), Value::Text(block.slice_ref(value)));
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_block_keeps_order_repeats_and_bytes() {
        let block = Bytes::from_static(b"NATS/1.0\r\nB: 1\r\nA:2\r\nB:  three \r\nodd: \xff:\r\nempty:\r\n\r\n");
        let got: Vec<(String, Vec<u8>)> = fields(&block)
            .iter()
            .map(|(n, v)| match v {
                Value::Text(b) => (n.to_owned(), b.to_vec()),
                other => panic!("{other:?}"),
            })
            .collect();
        let wanted: [(&str, &[u8]); 5] =
            [("B", b"1"), ("A", b"2"), ("B", b" three "), ("odd", b"\xff:"), ("empty", b"")];
        assert_eq!(got, wanted.map(|(n, v)| (n.to_owned(), v.to_vec())));
        assert!(fields(&Bytes::new()).is_empty());
    }
}
