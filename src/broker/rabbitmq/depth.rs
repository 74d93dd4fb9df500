//! How many, and how old where the broker tells it without a message being touched.

use jiff::Timestamp;
use serde_json::Value as Json;

use super::facts::Facts;
use super::hazard::QueueKind;
use super::management::Management;
use crate::broker::{Accuracy, Depth, Result};

/// From a fresh count of ready messages, and the management API where there is one.
///
/// # Errors
/// None of its own: what the API does not say is `None`.
pub async fn of(facts: &Facts, ready: u64, consumers: u64, api: Option<&Management>, queue: &str) -> Result<Depth> {
    let json = match api {
        // The counts stand on their own: an API that fails now only leaves the rest unknown.
        Some(api) => api.get(format!("{}/{}", api.path("queues"), super::address::encode(queue))).await.ok().flatten(),
        None => None,
    };
    Ok(told(facts, ready, consumers, json.as_ref()))
}

/// The same from what the API said before.
pub fn told(facts: &Facts, ready: u64, consumers: u64, json: Option<&Json>) -> Depth {
    let stream = facts.kind == QueueKind::Stream;
    let mut depth = Depth {
        kind: facts.kind.word(),
        // A stream counts in chunks and answers a declare with its length by then.
        ready: Some(ready),
        in_flight: None,
        delayed: None,
        unresolved: None,
        oldest: None,
        accuracy: if stream { Accuracy::Approximate } else { Accuracy::Exact },
    };
    let Some(json) = json else { return depth };
    if !stream {
        depth.in_flight = json["messages_unacknowledged"].as_u64();
        depth.delayed = json["messages_delayed"].as_u64();
        // The API's counts are some seconds old, and so is who held what.
        if depth.in_flight.is_some_and(|n| n > 0) || consumers > 0 {
            depth.accuracy = Accuracy::Approximate;
        }
    }
    if ready > 0 {
        depth.oldest = oldest(json);
    }
    depth
}

/// The publisher's own time stamp of the message at the head, in seconds; absent or empty where it has none.
pub(super) fn oldest(json: &Json) -> Option<Timestamp> {
    let seconds = json["head_message_timestamp"].as_i64().filter(|s| *s > 0)?;
    Timestamp::from_second(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absent_or_empty_time_stamp_is_unknown() {
        let of = |v: Json| oldest(&serde_json::json!({ "head_message_timestamp": v }));
        assert_eq!(of(Json::Null), None);
        assert_eq!(of("".into()), None);
        assert_eq!(of(0.into()), None);
        assert_eq!(of(1_700_000_000.into()), Timestamp::from_second(1_700_000_000).ok());
    }
}
