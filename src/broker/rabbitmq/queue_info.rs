//! What the management API says about one queue.

use std::time::Duration;

use serde_json::Value as Json;

/// One queue. What is not known is `None`: the API learns counts and limits a few seconds after the declaration.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct QueueInfo {
    /// Its name.
    pub name: String,
    /// `classic`, `quorum` or `stream`.
    pub kind: String,
    /// Whether it goes with its last consumer.
    pub auto_delete: bool,
    /// The delivery limit that holds; -1 for none.
    pub delivery_limit: Option<i64>,
    /// As declared.
    pub arguments: Json,
    /// The policy that applies.
    pub policy: Option<String>,
    /// What policy and operator policy come to.
    pub effective_policy: Json,
    /// Consumers there are.
    pub consumers: Option<u64>,
    /// Messages that can be delivered.
    pub messages_ready: Option<u64>,
    /// Bytes of the bodies of those.
    pub bytes_ready: Option<u64>,
    /// Messages that consumers hold.
    pub messages_unacknowledged: Option<u64>,
    /// `running`, `down`, …
    pub state: Option<String>,
    /// Where its dead letters go; empty is the default exchange.
    pub dead_letter_exchange: Option<String>,
    /// With this key; `None`: each with its own.
    pub dead_letter_routing_key: Option<String>,
    /// How long a consumer may hold a message, where the queue sets it.
    pub consumer_timeout: Option<Duration>,
}

impl QueueInfo {
    /// A number that argument and policy may both set: the smaller holds, as the documentation has it.
    pub fn least(&self, name: &str) -> Option<u64> {
        [&self.arguments[format!("x-{name}")], &self.effective_policy[name]].into_iter().filter_map(Json::as_u64).min()
    }

    /// Reads one item of `/api/queues`; `version` is the server's.
    pub fn of(json: &Json, version: (u64, u64, u64)) -> QueueInfo {
        let text = |name: &str| json[name].as_str().map(str::to_owned);
        let arguments = json["arguments"].clone();
        let effective_policy = json["effective_policy_definition"].clone();
        let setting = |name: &str| {
            let argument = &arguments[format!("x-{name}")];
            if argument.is_null() { effective_policy[name].clone() } else { argument.clone() }
        };
        let kind = text("type").or_else(|| arguments["x-queue-type"].as_str().map(str::to_owned));
        let kind = kind.map_or_else(|| "classic".to_owned(), |k| short(&k).to_owned());
        QueueInfo {
            name: text("name").unwrap_or_default(),
            auto_delete: json["auto_delete"].as_bool().unwrap_or(false),
            delivery_limit: if kind == "quorum" { delivery_limit(json, version) } else { None },
            kind,
            policy: text("policy").filter(|p| !p.is_empty()),
            consumers: json["consumers"].as_u64(),
            messages_ready: json["messages_ready"].as_u64(),
            bytes_ready: json["message_bytes_ready"].as_u64(),
            messages_unacknowledged: json["messages_unacknowledged"].as_u64(),
            state: text("state"),
            dead_letter_exchange: setting("dead-letter-exchange").as_str().map(str::to_owned),
            dead_letter_routing_key: setting("dead-letter-routing-key").as_str().map(str::to_owned),
            consumer_timeout: setting("consumer-timeout").as_u64().map(Duration::from_millis),
            arguments,
            effective_policy,
        }
    }
}

/// `rabbit_quorum_queue` is how old servers call a quorum queue.
fn short(kind: &str) -> &str {
    kind.strip_prefix("rabbit_").and_then(|k| k.strip_suffix("_queue")).unwrap_or(kind)
}

/// The limit that holds: what the server says (since 4.2.5), else argument and policy, else the default, which is 20 since
/// 4.0. Without a word on the policy it is not known.
fn delivery_limit(json: &Json, version: (u64, u64, u64)) -> Option<i64> {
    match &json["delivery_limit"] {
        Json::Number(n) => return n.as_i64(),
        Json::String(s) if s == "unlimited" => return Some(-1),
        _ => {}
    }
    let policy = &json["effective_policy_definition"];
    let argument = json["arguments"]["x-delivery-limit"].as_i64();
    let by_policy = policy["delivery-limit"].as_i64();
    if policy.is_null() || policy.is_string() {
        return None;
    }
    match (argument, by_policy) {
        // Which of the two wins has changed between versions; the smaller is the one to fear.
        (Some(a), Some(p)) if a >= 0 && p >= 0 => Some(a.min(p)),
        (Some(a), Some(p)) => Some(a.max(p)),
        (Some(n), None) | (None, Some(n)) => Some(n),
        (None, None) if version >= (4, 0, 0) => Some(20),
        (None, None) if version > (0, 0, 0) => Some(-1),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn limit(mut queue: Json, version: (u64, u64, u64)) -> Option<i64> {
        queue["type"] = "quorum".into();
        QueueInfo::of(&queue, version).delivery_limit
    }

    #[test]
    fn the_limit_is_the_servers_word_or_worked_out_or_unknown() {
        let (old, new) = ((3, 10, 8), (4, 2, 0));
        assert_eq!(limit(json!({"delivery_limit": 5, "arguments": {"x-delivery-limit": 9}}), new), Some(5));
        assert_eq!(limit(json!({"delivery_limit": "unlimited"}), new), Some(-1));
        assert_eq!(limit(json!({"arguments": {}}), new), None, "no statistics yet");
        assert_eq!(limit(json!({"effective_policy_definition": {}}), new), Some(20));
        assert_eq!(limit(json!({"effective_policy_definition": {}}), old), Some(-1));
        let both = json!({"effective_policy_definition": {"delivery-limit": 3}, "arguments": {"x-delivery-limit": 9}});
        assert_eq!(limit(both, new), Some(3));
        let none = json!({"effective_policy_definition": {"delivery-limit": 3}, "arguments": {"x-delivery-limit": -1}});
        assert_eq!(limit(none, new), Some(3));
    }

    #[test]
    fn an_argument_beats_the_policy_in_dead_lettering() {
        let q = QueueInfo::of(
            &json!({"name": "q", "type": "classic",
                "arguments": {"x-dead-letter-exchange": ""},
                "effective_policy_definition": {"dead-letter-exchange": "x", "dead-letter-routing-key": "k", "consumer-timeout": 1500}}),
            (4, 3, 0),
        );
        assert_eq!(q.dead_letter_exchange.as_deref(), Some(""));
        assert_eq!(q.dead_letter_routing_key.as_deref(), Some("k"));
        assert_eq!(q.consumer_timeout, Some(Duration::from_millis(1500)));
        assert_eq!(q.delivery_limit, None);
        assert_eq!((q.consumers, q.messages_ready), (None, None));
        assert_eq!(QueueInfo::of(&json!({"type": "rabbit_quorum_queue"}), (4, 0, 0)).kind, "quorum");
    }
}
