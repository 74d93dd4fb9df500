//! What may be done with a queue, or sent to a place, as far as it is known without doing it.

use std::collections::BTreeMap;

use futures::future::join_all;
use regex::Regex;
use serde_json::Value as Json;

use super::address::encode;
use super::connect::Link;
use super::facts::Facts;
use super::hazard::{Limit, Policy};
use super::letter::Place;
use super::management::Management;
use super::queue_info::QueueInfo;
use super::{room, topology};
use crate::broker::{Ability, Finding, Load, Result};
use crate::output::human;

const READ: &str = "permission to read";
const WRITE: &str = "permission to write";
const UNASKED: &str = "it is told by the management API alone, which does not answer";
/// Queues behind an exchange that are looked at.
const QUEUES: usize = 20;

/// By the permissions of the user and the limits of the queue.
pub async fn of(facts: &Facts, api: Option<&Management>, link: &Link, ability: Ability) -> Vec<Finding> {
    // To be told how many there are takes any permission on the queue, and we were told.
    if ability == Ability::Count {
        return vec![];
    }
    // Reading, settling and purging take `read`.
    let mut found = vec![match api {
        Some(api) => {
            let shown = format!("queue {}", link.queue);
            permission(READ, &rights(api, link).await, link, "read", &link.queue, &shown)
        }
        None => Finding::unknown(READ, UNASKED),
    }];
    if facts.auto_delete {
        found.push(Finding::no(
            "reading",
            "the queue is auto-delete: the server deletes it when its last consumer leaves",
        ));
    }
    if facts.single_active {
        found.push(Finding::unknown("reading", "one consumer has the queue to itself (single active consumer)"));
    }
    let headroom = match (facts.policy, facts.limit) {
        (Policy::Free, _) => Finding::yes("delivery headroom", "giving a message back does not count"),
        (_, Limit::Known(n)) if n >= 0 => {
            Finding::yes("delivery headroom", format!("a message is dropped or dead-lettered after {n} deliveries"))
        }
        (_, Limit::Absent) => Finding::yes("delivery headroom", "there is no delivery limit"),
        _ => Finding::unknown("delivery headroom", "the delivery limit of the queue is not known"),
    };
    found.push(headroom);
    if let Some(ttl) = facts.ttl {
        let kept = human::duration(ttl);
        let text =
            format!("a message is dropped or dead-lettered {kept} after it came here; when that was is not told");
        found.push(Finding::limit("retention", text));
    }
    if let Some(unused) = facts.expires {
        let text = format!("the queue is deleted once nobody has used it for {}", human::duration(unused));
        found.push(Finding::limit("expiry", text));
    }
    found
}

/// What holds wherever something is sent.
pub struct Everywhere {
    rights: Result<Option<Json>>,
    alarms: Vec<Finding>,
}

impl Everywhere {
    /// Asks for both at once.
    pub async fn ask(api: &Management, link: &Link) -> Everywhere {
        let (rights, alarms) = tokio::join!(rights(api, link), alarms(api));
        Everywhere { rights, alarms }
    }
}

/// Sends so much to each place: by the permissions of the user, alarms of the server, and the limits of the queues behind it,
/// which may be behind several of these places.
pub async fn send(
    api: &Management,
    everywhere: &Everywhere,
    link: &Link,
    places: &[(Option<Place>, Load)],
) -> Vec<Vec<Finding>> {
    let (rooms, keys) = tokio::join!(
        rooms(api, places),
        futures::future::join_all(places.iter().map(|(place, _)| topic_permission(api, link, place.as_ref())))
    );
    let each = places.iter().zip(rooms).zip(keys).map(|(((place, _), room), key)| {
        let Some(place) = place else { return Vec::new() };
        // Publishing takes `write` on the exchange; the default exchange goes by the name of `amq.default` there.
        let (name, shown) = match place.exchange.as_str() {
            "" => ("amq.default", "the default exchange".to_owned()),
            named => (named, format!("exchange {named}")),
        };
        let may = permission(WRITE, &everywhere.rights, link, "write", name, &shown);
        [may].into_iter().chain(key).chain(everywhere.alarms.iter().cloned()).chain(room).collect()
    });
    each.collect()
}

/// The same where nobody can be asked.
pub fn send_unasked() -> Vec<Finding> {
    vec![Finding::unknown(WRITE, UNASKED), Finding::unknown("room", UNASKED)]
}

/// On a topic exchange the routing key may be limited as well. Most users have no such rule.
async fn topic_permission(api: &Management, link: &Link, place: Option<&Place>) -> Option<Finding> {
    const ABOUT: &str = "permission for the routing key";
    let place = place?;
    let (exchange, key) = (place.exchange.as_str(), place.key.as_deref()?);
    if exchange.is_empty() {
        return None;
    }
    let path = format!("/api/topic-permissions/{}/{}", encode(&link.vhost), encode(&link.user));
    let rules = api.array(path).await.ok()?;
    let rule = rules.iter().find(|rule| rule["exchange"] == exchange)?["write"].as_str()?.to_owned();
    // A rule may name user and vhost by a variable.
    Some(match pattern(&rule).filter(|_| !rule.contains('{')) {
        None => Finding::unknown(ABOUT, format!("the rule {rule:?} cannot be read here")),
        Some(may) if may.is_match(key) => Finding::yes(ABOUT, format!("{key:?} matches {rule:?}")),
        Some(_) => Finding::no(ABOUT, format!("user {} may write to {exchange} with keys like {rule:?}", link.user)),
    })
}

/// A server that is short of memory or disk takes nothing. Told to users with the tag monitoring.
async fn alarms(api: &Management) -> Vec<Finding> {
    let nodes = api.array("/api/nodes?columns=name,mem_alarm,disk_free_alarm".into()).await.unwrap_or_default();
    let of = |alarm: &'static str, what: &str| {
        let short = nodes.iter().filter(|n| n[alarm] == true).filter_map(|n| n["name"].as_str()).collect::<Vec<_>>();
        let text = format!("{} is short of {what}: until that is over it takes no messages", short.join(", "));
        (!short.is_empty()).then(|| Finding::no("alarm", text))
    };
    of("mem_alarm", "memory").into_iter().chain(of("disk_free_alarm", "disk")).collect()
}

/// Of each queue that what is sent to a place reaches, with all that comes to it from these places.
async fn rooms(api: &Management, places: &[(Option<Place>, Load)]) -> Vec<Vec<Finding>> {
    let behind = join_all(places.iter().map(|(place, _)| queues_behind(api, place.as_ref()))).await;
    let mut coming: BTreeMap<&str, Load> = BTreeMap::new();
    for ((_, load), queues) in places.iter().zip(&behind) {
        for queue in queues.iter().flatten() {
            coming.entry(queue).and_modify(|sum| sum.join(*load)).or_insert(*load);
        }
    }
    let asked = coming.into_iter().map(|(queue, load)| async move {
        let found: Vec<Finding> = match api.queue(queue).await {
            Ok(Some(q)) => [down(&q), Some(room::of(&q, load))].into_iter().flatten().collect(),
            // That it is not there is told with who receives.
            Ok(None) => vec![],
            Err(e) => vec![Finding::unknown("room", format!("queue {queue}: {e}"))],
        };
        (queue, found)
    });
    let found: BTreeMap<&str, Vec<Finding>> = join_all(asked).await.into_iter().collect();
    let each = behind.iter().map(|queues| match queues {
        Ok(queues) => queues.iter().filter_map(|queue| found.get(queue.as_str())).flatten().cloned().collect(),
        Err(unknown) => vec![unknown.clone()],
    });
    each.collect()
}

/// The first of them by name; in their stead why they are not told.
async fn queues_behind(api: &Management, place: Option<&Place>) -> std::result::Result<Vec<String>, Finding> {
    let Some(place) = place else { return Ok(vec![]) };
    let key = place.key.as_deref().unwrap_or_default();
    match place.exchange.as_str() {
        "" => Ok(vec![key.to_owned()]),
        exchange => match topology::behind(api, exchange, key).await {
            Ok(queues) => Ok(queues.into_iter().take(QUEUES).collect()),
            Err(e) => Err(Finding::unknown("room", format!("what is bound to {exchange} is not told: {e}"))),
        },
    }
}

fn down(q: &QueueInfo) -> Option<Finding> {
    let state = q.state.as_deref().filter(|s| matches!(*s, "down" | "stopped" | "crashed" | "minority"))?;
    Some(Finding::no("state", format!("queue {} is {state}", q.name)))
}

/// What the server's own database has of the user in this vhost; an administrator is told.
async fn rights(api: &Management, link: &Link) -> Result<Option<Json>> {
    api.get(format!("/api/permissions/{}/{}", encode(&link.vhost), encode(&link.user))).await
}

/// What they let the user do with a resource.
fn permission(
    about: &'static str,
    rights: &Result<Option<Json>>,
    link: &Link,
    what: &str,
    name: &str,
    shown: &str,
) -> Finding {
    let user = &link.user;
    match rights {
        Ok(Some(json)) => match json[what].as_str().map(|rule| (pattern(rule), rule)) {
            Some((Some(may), _)) if may.is_match(name) => {
                Finding::yes(about, format!("user {user} may {} {shown}", verb(what)))
            }
            Some((Some(_), rule)) => {
                Finding::no(about, format!("user {user} may {} what matches {rule:?}, not {shown}", verb(what)))
            }
            _ => Finding::unknown(about, "the pattern of the permission cannot be read here"),
        },
        // It could log in: another backend than the server's own database let it.
        Ok(None) => Finding::unknown(about, format!("the server's own database has no permissions of user {user}")),
        Err(_) => Finding::unknown(about, "only an administrator is told the permissions of a user"),
    }
}

fn verb(what: &str) -> &'static str {
    if what == "write" { "write to" } else { "read" }
}

/// RabbitMQ takes an empty pattern for one that matches nothing, and looks for the others anywhere in a name.
fn pattern(rule: &str) -> Option<Regex> {
    Regex::new(if rule.is_empty() { "^$" } else { rule }).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_pattern_matches_no_name() {
        let matches = |rule: &str, name: &str| pattern(rule).is_some_and(|p| p.is_match(name));
        assert!(!matches("", "orders"));
        assert!(matches("", ""));
        assert!(matches("ord", "my.orders"));
        assert!(pattern("(?<!x)orders").is_none());
    }
}
