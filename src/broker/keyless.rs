//! What becomes of a message where there are no keys, and no payload that is absent.

use crate::message::{DeadLetter, Payload, Value};

/// Holds the key of a record.
pub const KEY_HEADER: &str = "dlq-key";

/// Puts the key into a header, and an empty payload where there is none; names what is lost by it.
pub fn settle(m: &mut DeadLetter) -> Vec<String> {
    let mut left = Vec::new();
    if m.payload == Payload::Absent {
        m.payload = Payload::Bytes(bytes::Bytes::new());
        left.push("that there is no payload, which becomes an empty one".to_owned());
    }
    if let Some(key) = m.key.take() {
        m.headers.set(KEY_HEADER, Value::Bytes(key));
        left.push(format!("the record key, kept in the header {KEY_HEADER}"));
    }
    left
}
