//! Where dead letters of a queue can come from, and who else receives what is sent somewhere.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use super::management::Management;
use super::queue_info::QueueInfo;
use crate::broker::Result;
use crate::message::Target;

/// One way into a queue: an exchange and the key it must match.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    exchange: String,
    key: String,
    /// Keys count for nothing here: a fanout or headers exchange, or one behind another exchange.
    any: bool,
    topic: bool,
}

impl Entry {
    fn admits(&self, key: &str) -> bool {
        self.any || if self.topic { topic_matches(&self.key, key) } else { self.key == key }
    }
}

/// The queues whose dead letters end in `queue`, by argument or policy. A queue that keeps each message's own key is taken
/// to be one where its exchange leads here.
///
/// # Errors
/// As the API's.
pub async fn origins(api: &Management, queue: &str) -> Result<Vec<Target>> {
    let entries = entries(api, queue).await?;
    let queues = api.queues().await?;
    Ok(queues.iter().filter(|q| dead_letters_into(q, queue, &entries)).map(|q| to_queue(&q.name)).collect())
}

/// A queue by its name, through the default exchange.
pub fn to_queue(name: &str) -> Target {
    Target { queue: Some(name.into()), exchange: Some("".into()), routing_key: Some(name.into()), ..Target::default() }
}

fn dead_letters_into(from: &QueueInfo, queue: &str, entries: &BTreeSet<Entry>) -> bool {
    let Some(exchange) = from.dead_letter_exchange.as_deref() else { return false };
    match (exchange, from.dead_letter_routing_key.as_deref()) {
        ("", Some(key)) => key == queue,
        // Each message's own key, which here names its own queue, or is not known.
        ("", None) => false,
        (x, key) => entries.iter().any(|e| e.exchange == x && key.is_none_or(|k| e.admits(k))),
    }
}

/// Every exchange that leads to a queue, directly or through other exchanges.
async fn entries(api: &Management, queue: &str) -> Result<BTreeSet<Entry>> {
    let mut found = BTreeSet::new();
    let mut kinds = BTreeMap::new();
    let mut behind = Vec::new();
    for binding in api.bindings_of_queue(queue).await? {
        let Some((exchange, key)) = source(&binding) else { continue };
        let kind = kind(api, &mut kinds, &exchange).await?;
        let any = kind != "direct" && kind != "topic";
        behind.push(exchange.clone());
        found.insert(Entry { exchange, key, any, topic: kind == "topic" });
    }
    let mut seen: BTreeSet<String> = behind.iter().cloned().collect();
    while let Some(exchange) = behind.pop() {
        for binding in api.bindings_into_exchange(&exchange).await? {
            let Some((outer, key)) = source(&binding) else { continue };
            if seen.insert(outer.clone()) {
                behind.push(outer.clone());
                found.insert(Entry { exchange: outer, key, any: true, topic: false });
            }
        }
    }
    Ok(found)
}

/// Exchange and key of a binding; not the default exchange's, which every queue has.
fn source(binding: &Json) -> Option<(String, String)> {
    let exchange = binding["source"].as_str().filter(|s| !s.is_empty())?;
    Some((exchange.to_owned(), binding["routing_key"].as_str().unwrap_or_default().to_owned()))
}

async fn kind(api: &Management, known: &mut BTreeMap<String, String>, exchange: &str) -> Result<String> {
    if let Some(kind) = known.get(exchange) {
        return Ok(kind.clone());
    }
    let path = format!("{}/{}", api.path("exchanges"), super::address::encode(exchange));
    let kind = api.get(path).await?.and_then(|x| x["type"].as_str().map(str::to_owned)).unwrap_or_default();
    known.insert(exchange.to_owned(), kind.clone());
    Ok(kind)
}

/// Who receives what is sent to `target`: each queue with its consumers, as short phrases.
///
/// # Errors
/// As the API's.
pub async fn receivers(api: &Management, target: &Target) -> Result<Vec<String>> {
    let exchange = target.exchange.as_deref().unwrap_or_default();
    let key = target.routing_key.as_deref().or(target.queue.as_deref()).unwrap_or_default();
    let names = if exchange.is_empty() { BTreeSet::from([key.to_owned()]) } else { behind(api, exchange, key).await? };
    let mut phrases = Vec::new();
    for name in names {
        phrases.push(match api.queue(&name).await? {
            None => format!("queue {name}, which is not there"),
            Some(q) => match q.consumers {
                None => format!("queue {name}"),
                Some(0) => format!("queue {name}, no consumers"),
                Some(1) => format!("queue {name}, 1 consumer"),
                Some(n) => format!("queue {name}, {n} consumers"),
            },
        });
    }
    Ok(phrases)
}

/// The queues a publish to an exchange with a key reaches, through other exchanges too.
///
/// # Errors
/// As the API's.
pub async fn behind(api: &Management, exchange: &str, key: &str) -> Result<BTreeSet<String>> {
    let (mut queues, mut kinds) = (BTreeSet::new(), BTreeMap::new());
    let (mut todo, mut seen) = (vec![exchange.to_owned()], BTreeSet::from([exchange.to_owned()]));
    while let Some(exchange) = todo.pop() {
        let kind = kind(api, &mut kinds, &exchange).await?;
        for binding in api.bindings_of_exchange(&exchange).await? {
            let Some((source, bound)) = source(&binding) else { continue };
            let any = kind != "direct" && kind != "topic";
            if !(Entry { exchange: source, key: bound, any, topic: kind == "topic" }).admits(key) {
                continue;
            }
            let destination = binding["destination"].as_str().unwrap_or_default().to_owned();
            if binding["destination_type"] == "queue" {
                queues.insert(destination);
            } else if seen.insert(destination.clone()) {
                todo.push(destination);
            }
        }
    }
    Ok(queues)
}

/// `*` is one word, `#` any number of them, words are divided by dots.
pub(super) fn topic_matches(pattern: &str, key: &str) -> bool {
    fn go(pattern: &[&str], key: &[&str]) -> bool {
        match (pattern, key) {
            ([], []) => true,
            (["#", rest @ ..], _) => go(rest, key) || matches!(key, [_, tail @ ..] if go(pattern, tail)),
            ([p, rest @ ..], [k, tail @ ..]) => (*p == "*" || p == k) && go(rest, tail),
            _ => false,
        }
    }
    go(&split(pattern), &split(key))
}

fn split(s: &str) -> Vec<&str> {
    if s.is_empty() { vec![] } else { s.split('.').collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topic_patterns_match_word_by_word() {
        for (pattern, key, expected) in [
            ("a.*", "a.b", true),
            ("a.*", "a.b.c", false),
            ("a.#", "a", true),
            ("a.#", "a.b.c", true),
            ("#", "", true),
            ("#.c", "a.b.c", true),
            ("*.c", "c", false),
            ("a.#.c", "a.c", true),
            ("", "", true),
            ("", "a", false),
        ] {
            assert_eq!(topic_matches(pattern, key), expected, "{pattern} {key}");
        }
    }

    #[test]
    fn dead_letters_come_through_the_default_exchange_by_name_only() {
        let from = |exchange: Option<&str>, key: Option<&str>| QueueInfo {
            dead_letter_exchange: exchange.map(str::to_owned),
            dead_letter_routing_key: key.map(str::to_owned),
            ..QueueInfo::default()
        };
        let entries = BTreeSet::from([
            Entry { exchange: "dlx".into(), key: "orders".into(), any: false, topic: false },
            Entry { exchange: "all".into(), key: "".into(), any: true, topic: false },
        ]);
        let leads = |q: QueueInfo| dead_letters_into(&q, "dead", &entries);
        assert!(leads(from(Some(""), Some("dead"))));
        assert!(!leads(from(Some(""), Some("other"))));
        assert!(!leads(from(Some(""), None)));
        assert!(leads(from(Some("dlx"), Some("orders"))));
        assert!(leads(from(Some("dlx"), None)));
        assert!(!leads(from(Some("dlx"), Some("x"))));
        assert!(leads(from(Some("all"), Some("x"))));
        assert!(!leads(from(None, Some("dead"))));
    }
}
