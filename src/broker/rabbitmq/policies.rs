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
    fn the_smallest_limit_is_the_one_to_fear() {
        let (old, new) = ((3, 10, 8), (4, 3, 6));
        assert_eq!(worst([20, 5].into_iter(), old), 5);
        assert_eq!(worst([-1, 7].into_iter(), new), 7);
        assert_eq!(worst([-1].into_iter(), new), -1);
        assert_eq!((worst([].into_iter(), old), worst([].into_iter(), new)), (-1, 20));
    }
}
