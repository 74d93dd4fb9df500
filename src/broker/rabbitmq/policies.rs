//! The delivery limit as policies set it, for servers whose API does not say what holds for a queue: before 4.2.5, and for a
//! few seconds after a queue was declared.

use serde_json::Value as Json;

use super::management::Management;
use super::queue_info::QueueInfo;
use crate::broker::Result;

/// The limit that holds at worst: the smallest of argument, policies and operator policies that may apply; -1 for none.
/// `None` where the user may not read policies.
pub async fn delivery_limit(api: &Management, queue: &QueueInfo, version: (u64, u64, u64)) -> Option<i64> {
    let (policies, operators) = (all(api, "policies").await.ok()?, all(api, "operator-policies").await.ok()?);
    let limits = policies.iter().chain(&operators).filter(|p| may_apply(p, &queue.name)).filter_map(limit);
    Some(worst(limits.chain(queue.arguments["x-delivery-limit"].as_i64()), version))
}

async fn all(api: &Management, kind: &str) -> Result<Vec<Json>> {
    Ok(match api.get(api.path(kind)).await? {
        Some(Json::Array(items)) => items,
        _ => vec![],
    })
}

/// The policies that can be read, of one vhost or all.
pub(super) struct Policies(Vec<Json>);

impl Policies {
    /// `None` where the user may not read them, which takes the tag policymaker.
    pub(super) async fn read(api: &Management, path: String) -> Option<Policies> {
        api.array(path).await.ok().map(Policies)
    }

    /// What the policy that applies to a queue of the API says; an empty object where none does, and `None` where a pattern
    /// cannot be read.
    pub(super) fn of_queue(&self, queue: &Json) -> Option<Json> {
        let kind = queue["type"].as_str().unwrap_or("classic");
        self.of(queue, &["all", "queues", &format!("{kind}_queues"), &format!("{kind}s")])
    }

    /// The same of an exchange.
    pub(super) fn of_exchange(&self, exchange: &Json) -> Option<Json> {
        self.of(exchange, &["all", "exchanges"])
    }

    fn of(&self, thing: &Json, kinds: &[&str]) -> Option<Json> {
        let name = thing["name"].as_str().unwrap_or_default();
        let mut highest: Option<&Json> = None;
        for policy in self.0.iter().filter(|p| p["vhost"] == thing["vhost"]) {
            let pattern = regex::Regex::new(policy["pattern"].as_str().unwrap_or_default()).ok()?;
            let applies = policy["apply-to"].as_str().is_none_or(|to| kinds.contains(&to)) && pattern.is_match(name);
            let rank = |p: &Json| p["priority"].as_i64().unwrap_or(0);
            if applies && highest.is_none_or(|h| rank(policy) > rank(h)) {
                highest = Some(policy);
            }
        }
        Some(highest.map_or_else(|| Json::Object(serde_json::Map::new()), |p| p["definition"].clone()))
    }
}

fn limit(policy: &Json) -> Option<i64> {
    policy["definition"]["delivery-limit"].as_i64()
}

/// A pattern this cannot read may match.
fn may_apply(policy: &Json, queue: &str) -> bool {
    let kinds = policy["apply-to"].as_str().is_none_or(|to| matches!(to, "all" | "queues" | "quorum_queues"));
    let pattern = policy["pattern"].as_str().unwrap_or_default();
    kinds && regex::Regex::new(pattern).map_or(true, |p| p.is_match(queue))
}

fn worst(limits: impl Iterator<Item = i64>, version: (u64, u64, u64)) -> i64 {
    let set: Vec<i64> = limits.collect();
    match set.iter().copied().filter(|n| *n >= 0).min() {
        Some(n) => n,
        None if set.is_empty() && version >= (4, 0, 0) => 20,
        None => -1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_policy_applies_by_pattern_and_kind_and_in_doubt() {
        let policy = |pattern: &str, to: &str| json!({ "pattern": pattern, "apply-to": to });
        assert!(may_apply(&policy("^orders", "queues"), "orders.dlq"));
        assert!(may_apply(&policy("", "quorum_queues"), "orders.dlq"));
        assert!(!may_apply(&policy("^bills", "all"), "orders.dlq"));
        assert!(!may_apply(&policy("", "exchanges"), "orders.dlq"));
        assert!(!may_apply(&policy("", "classic_queues"), "orders.dlq"));
        assert!(may_apply(&policy("(?<!x)dlq", "all"), "orders.dlq"), "a pattern that cannot be read may match");
    }

    #[test]
    fn the_highest_policy_that_matches_is_the_one() {
        let policy = |pattern: &str, to: &str, priority: i64| json!({ "vhost": "/", "pattern": pattern, "apply-to": to, "priority": priority, "definition": { "n": priority } });
        let all = Policies(vec![
            policy("^o", "all", 1),
            policy("^orders", "queues", 5),
            policy("^orders", "exchanges", 7),
            policy("^orders", "streams", 9),
        ]);
        let thing = |vhost: &str, name: &str| json!({ "vhost": vhost, "name": name, "type": "quorum" });
        let n = |found: Option<Json>| found.expect("read")["n"].as_i64();
        assert_eq!(n(all.of_queue(&thing("/", "orders"))), Some(5));
        assert_eq!(n(all.of_queue(&thing("/", "other"))), Some(1));
        assert_eq!(n(all.of_exchange(&thing("/", "orders"))), Some(7));
        assert_eq!(all.of_queue(&thing("v", "orders")), Some(json!({})));
        let unread = Policies(vec![policy("(?<!x)orders", "all", 1)]);
        assert_eq!(unread.of_queue(&thing("/", "orders")), None, "a pattern that cannot be read");
    }

    #[test]
    fn the_smallest_limit_is_the_one_to_fear() {
        let (old, new) = ((3, 10, 8), (4, 3, 6));
        assert_eq!(worst([20, 5].into_iter(), old), 5);
        assert_eq!(worst([-1, 7].into_iter(), new), 7);
        assert_eq!(worst([-1].into_iter(), new), -1);
        assert_eq!((worst([].into_iter(), old), worst([].into_iter(), new)), (-1, 20));
    }
}
