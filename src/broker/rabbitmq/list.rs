//! The dead-letter queues of a cluster: where dead-letter exchanges, by argument or policy, lead to.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::address::{self, Parts, encode};
use super::connect::{self, Link};
use super::depth;
use super::management::Management;
use super::number;
use super::paths::{Exchange, Paths, Way};
use super::policies::Policies;
use super::queue_info::QueueInfo;
use crate::broker::listing::{Finds, Lister, Listing, Sign, is_conventional};
use crate::broker::{Accuracy, Address, Context, Depth, Error, Kind, Result};

/// Finds them.
pub(super) static LISTER: Lister = Lister {
    form: address::CLUSTER_FORM,
    understand: address::understand_cluster,
    implied: &["user"],
    list: |address, ctx| Box::pin(list(address, ctx)),
};

/// In the server's list of connections.
const ROLE: &str = "listing";
/// Names in one sentence.
const NAMED: usize = 5;

async fn list(address: &Address, ctx: &Context) -> Result<Listing> {
    let parts = address::parts(address)?;
    let link = match connect::connect(address, ctx, ROLE).await {
        Err(e) if parts.bare && matches!(e.kind(), Kind::Denied | Kind::NotFound) => {
            elsewhere(address, &parts, ctx, e).await?
        }
        link => link?,
    };
    let found = ask(&parts, address, ctx, &link).await;
    // Nothing hangs on how this ends.
    _ = link.close().await;
    found
}

/// Without a vhost in the address the default one was tried; a user without access to it is let in by another.
async fn elsewhere(address: &Address, parts: &Parts, ctx: &Context, e: Error) -> Result<Link> {
    let Some(vhost) = Management::some_vhost(address, parts, ctx).await else {
        return Err(e.hint(format!("name a vhost: {}", address::CLUSTER_FORM)));
    };
    let typed = format!("{}/{}", address.typed.expose().trim_end_matches('/'), encode(&vhost));
    let options: Vec<_> = address.options.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
    connect::connect(&Address::cluster(&typed, &options)?, ctx, ROLE).await
}

async fn ask(parts: &Parts, address: &Address, ctx: &Context, link: &Link) -> Result<Listing> {
    let api = Management::required(address, ctx, link).await?;
    let path = |kind: &str| if parts.bare { format!("/api/{kind}") } else { api.path(kind) };
    let (queues, exchanges, bindings) = (path("queues"), path("exchanges"), path("bindings"));
    let (queues, exchanges, bindings, policies, who) = futures::future::join5(
        api.list(&queues, "", usize::MAX),
        api.list(&exchanges, "", usize::MAX),
        api.array(bindings),
        Policies::read(&api, path("policies")),
        api.get("/api/whoami".to_owned()),
    )
    .await;
    let mut vhosts = Vhosts::default();
    queues?.iter().for_each(|q| vhosts.add_queue(q, policies.as_ref()));
    exchanges?.iter().for_each(|x| vhosts.at(x).paths.add_exchange(x, policies.as_ref()));
    bindings?.iter().for_each(|b| vhosts.at(b).paths.add_binding(b));
    let mut listing = vhosts.listing(parts, &link.server.cluster);
    if let (true, Some(said)) = (parts.bare, who.ok().flatten().and_then(|w| sees_only_its_own(&w))) {
        listing.notes.push(said);
    }
    Ok(listing)
}

/// What a user without a tag for it does not see.
fn sees_only_its_own(who: &Json) -> Option<String> {
    let tags: Vec<&str> = match &who["tags"] {
        Json::Array(tags) => tags.iter().filter_map(Json::as_str).collect(),
        // As servers before 3.9 write it.
        Json::String(tags) => tags.split(',').collect(),
        _ => vec![],
    };
    let all = tags.iter().any(|t| matches!(*t, "administrator" | "monitoring"));
    let name = who["name"].as_str().unwrap_or_default();
    (!all).then(|| {
        format!(
            "user {name} has neither the tag monitoring nor administrator, so only the vhosts it has permissions in were \
             looked at"
        )
    })
}

#[derive(Default)]
struct Vhosts(BTreeMap<String, Vhost>);

#[derive(Default)]
struct Vhost {
    queues: BTreeMap<String, (QueueInfo, Option<jiff::Timestamp>)>,
    paths: Paths,
    /// Declared a moment ago: which policy applies is not told yet.
    fresh: Vec<String>,
}

impl Vhosts {
    fn at(&mut self, thing: &Json) -> &mut Vhost {
        self.0.entry(thing["vhost"].as_str().unwrap_or_default().to_owned()).or_default()
    }

    fn add_queue(&mut self, json: &Json, policies: Option<&Policies>) {
        let mut json = json.clone();
        // What the server says of a queue is some seconds old, and nothing at first.
        if let Some(definition) = policies.and_then(|p| p.of_queue(&json)) {
            json["effective_policy_definition"] = definition;
        }
        let fresh = json["effective_policy_definition"].is_null();
        let info = QueueInfo::of(&json, (0, 0, 0));
        let vhost = self.at(&json);
        if fresh && info.dead_letter_exchange.is_none() {
            vhost.fresh.push(info.name.clone());
        }
        vhost.queues.insert(info.name.clone(), (info, depth::oldest(&json)));
    }

    fn listing(self, parts: &Parts, cluster: &str) -> Listing {
        let mut listing = Listing::default();
        let (mut queues, names) = (0, self.0.keys().map(|v| format!("{v:?}")).collect::<Vec<_>>());
        let mut finds = Finds::default();
        for (name, vhost) in &self.0 {
            queues += vhost.queues.len();
            vhost.find(&mut finds, &mut listing.notes, |queue| address_of(parts, name, queue));
            if !vhost.fresh.is_empty() {
                listing.gaps.push(format!(
                    "{} of vhost {name:?} declared a moment ago, and which policy applies to them the server does not tell yet: {}",
                    if vhost.fresh.len() == 1 { "1 queue was".to_owned() } else { format!("{} queues were", vhost.fresh.len()) },
                    some(&vhost.fresh)
                ));
            }
        }
        let vhosts = match names.len() {
            0 => "no vhost".to_owned(),
            1 => format!("vhost {}", names[0]),
            n => format!("{n} vhosts ({})", some(&names)),
        };
        listing.looked_at = format!(
            "{} in {vhosts} of {cluster}, their dead-letter exchanges by argument and policy",
            number(queues as u64, "queue")
        );
        listing.found = finds.into_vec();
        listing
    }
}

impl Vhost {
    fn find(&self, finds: &mut Finds, notes: &mut Vec<String>, address: impl Fn(&str) -> String) {
        let mut ways: BTreeMap<&str, Way> = BTreeMap::new();
        let mut nowhere: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, (info, _)) in &self.queues {
            let Some(exchange) = info.dead_letter_exchange.as_deref() else { continue };
            let key = info.dead_letter_routing_key.as_deref();
            let way = self.paths.from(exchange, key, |q| self.queues.contains_key(q));
            if way.queues.is_empty() {
                nowhere.entry(why_nowhere(info, exchange, key, &way)).or_default().push(name.clone());
            }
            ways.insert(name, way);
        }
        for (source, way) in &ways {
            let by_argument = !self.queues[*source].0.arguments["x-dead-letter-exchange"].is_null();
            let sign = if by_argument { Sign::DeadLetterExchange } else { Sign::Policy };
            for queue in &way.queues {
                let found = finds.at(&address(queue));
                found.sources.insert((*source).to_owned());
                found.signs.insert(sign);
                if queue != source && ways.get(queue.as_str()).is_some_and(|on| on.queues.contains(*source)) {
                    notes.push(format!(
                        "{queue} dead-letters back to {source}, which dead-letters to it: the two are a loop, such as one \
                         of retries with a delay"
                    ));
                }
            }
        }
        for (why, sources) in nowhere {
            notes.push(format!("dead letters of {} {why}", some(&sources)));
        }
        for (name, (info, oldest)) in &self.queues {
            let at = address(name);
            if is_conventional(name) {
                finds.at(&at).signs.insert(Sign::Name);
            }
            if finds.knows(&at) {
                finds.at(&at).depth = Some(depth_of(info, *oldest));
            }
        }
    }
}

/// What becomes of dead letters that lead to no queue.
fn why_nowhere(info: &QueueInfo, exchange: &str, key: Option<&str>, way: &Way) -> String {
    let setting = |name: &str| info.arguments[format!("x-{name}")].as_str().or(info.effective_policy[name].as_str());
    let lost = match setting("dead-letter-strategy") {
        Some("at-least-once") => "they stay where they are until it does",
        _ => "they are dropped",
    };
    match (way.missing.as_slice(), key) {
        ([first, ..], _) => format!("go to exchange {first:?}, which is not there: {lost}"),
        ([], None) if exchange.is_empty() => {
            "keep their own routing key through the default exchange: where that leads the topology does not tell"
                .to_owned()
        }
        ([], Some(key)) if exchange.is_empty() => format!("go to queue {key:?}, which is not there: {lost}"),
        ([], Some(key)) => format!("go to exchange {exchange:?} with key {key:?}, which leads to no queue: {lost}"),
        ([], None) => format!("go to exchange {exchange:?}, which leads to no queue: {lost}"),
    }
}

fn depth_of(info: &QueueInfo, oldest: Option<jiff::Timestamp>) -> Depth {
    let kind = match info.kind.as_str() {
        "quorum" => "quorum",
        "stream" => "stream",
        _ => "classic",
    };
    Depth {
        kind,
        ready: info.messages_ready,
        in_flight: info.messages_unacknowledged.filter(|_| kind != "stream"),
        delayed: None,
        unresolved: None,
        oldest: oldest.filter(|_| info.messages_ready.is_some_and(|n| n > 0)),
        // The API's counts are some seconds old.
        accuracy: Accuracy::Approximate,
    }
}

fn address_of(parts: &Parts, vhost: &str, queue: &str) -> String {
    let vhost = if vhost == "/" { String::new() } else { format!("{}/", encode(vhost)) };
    format!("{}/{vhost}{}", address::server(parts), encode(queue))
}

fn some(names: &[String]) -> String {
    let named: Vec<&str> = names.iter().take(NAMED).map(String::as_str).collect();
    match names.len().saturating_sub(NAMED) {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

impl Paths {
    fn add_exchange(&mut self, json: &Json, policies: Option<&Policies>) {
        let argument = json["arguments"]["alternate-exchange"].as_str().map(str::to_owned);
        let by_policy = || policies?.of_exchange(json)?["alternate-exchange"].as_str().map(str::to_owned);
        let kind = json["type"].as_str().unwrap_or_default().to_owned();
        let name = json["name"].as_str().unwrap_or_default().to_owned();
        self.exchanges.insert(name, Exchange { kind, alternate: argument.or_else(by_policy) });
    }

    fn add_binding(&mut self, json: &Json) {
        let text = |name: &str| json[name].as_str().unwrap_or_default().to_owned();
        self.bind(&text("source"), &text("routing_key"), &text("destination"), json["destination_type"] == "queue");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn queue(name: &str, arguments: Json, policy: Json) -> Json {
        json!({ "name": name, "vhost": "/", "type": "classic", "arguments": arguments,
                "effective_policy_definition": policy, "messages_ready": 3 })
    }

    fn listing(queues: &[Json], exchanges: &[Json], bindings: &[Json]) -> Listing {
        let mut vhosts = Vhosts::default();
        queues.iter().for_each(|q| vhosts.add_queue(q, None));
        exchanges.iter().for_each(|x| vhosts.at(x).paths.add_exchange(x, None));
        bindings.iter().for_each(|b| vhosts.at(b).paths.add_binding(b));
        let options = crate::broker::address::Options::new();
        let typed = address::understand_cluster("amqp://me@h", &options).unwrap_or_else(|e| panic!("{e}"));
        let address = Address::cluster(&typed.typed, &[]).unwrap_or_else(|e| panic!("{e}"));
        vhosts.listing(&address::parts(&address).expect("parts"), "rabbit@h")
    }

    #[test]
    fn arguments_and_policies_lead_through_exchanges_to_queues() {
        let queues = [
            queue("a", json!({ "x-dead-letter-exchange": "dlx" }), json!({})),
            queue("b", json!({}), json!({ "dead-letter-exchange": "", "dead-letter-routing-key": "dead/b" })),
            queue("c", json!({ "x-dead-letter-exchange": "gone" }), json!({})),
            queue("dead", json!({}), json!({})),
            queue("dead/b", json!({}), json!({})),
            queue("x.dlq", json!({}), json!({})),
            queue("busy", json!({}), json!({})),
        ];
        let exchanges = [json!({ "name": "dlx", "vhost": "/", "type": "fanout", "arguments": {} })];
        let bindings = [
            json!({ "vhost": "/", "source": "dlx", "routing_key": "", "destination": "dead", "destination_type": "queue" }),
        ];
        let found = listing(&queues, &exchanges, &bindings);
        let rows: Vec<(&str, Vec<&str>, Vec<&str>)> = found
            .found
            .iter()
            .map(|f| {
                let sources = f.sources.iter().map(String::as_str).collect();
                (f.address.as_str(), sources, f.signs.iter().map(|s| s.word()).collect())
            })
            .collect();
        assert_eq!(
            rows,
            [
                ("amqp://me@h/dead", vec!["a"], vec!["dead-letter-exchange"]),
                ("amqp://me@h/dead%2Fb", vec!["b"], vec!["policy"]),
                ("amqp://me@h/x.dlq", vec![], vec!["name"]),
            ]
        );
        assert_eq!(found.found[0].depth.as_ref().and_then(|d| d.ready), Some(3));
        assert_eq!(found.notes, ["dead letters of c go to exchange \"gone\", which is not there: they are dropped"]);
        assert!(found.complete());
    }

    #[test]
    fn a_loop_of_retries_is_called_one() {
        let to = |key: &str| json!({ "x-dead-letter-exchange": "", "x-dead-letter-routing-key": key });
        let found = listing(&[queue("work", to("wait"), json!({})), queue("wait", to("work"), json!({}))], &[], &[]);
        assert_eq!(found.found.len(), 2);
        assert!(found.notes[0].contains("loop"), "{:?}", found.notes);
    }

    #[test]
    fn a_queue_whose_policy_is_not_told_yet_is_a_gap() {
        let found = listing(&[queue("new", json!({}), Json::Null)], &[], &[]);
        assert!(!found.complete() && found.gaps[0].contains("new"), "{found:?}");
    }

    #[test]
    fn who_sees_all_is_told_by_tags() {
        assert_eq!(sees_only_its_own(&json!({ "name": "a", "tags": ["monitoring"] })), None);
        assert_eq!(sees_only_its_own(&json!({ "name": "a", "tags": "administrator" })), None);
        assert!(sees_only_its_own(&json!({ "name": "a", "tags": ["management"] })).is_some());
    }
}
