//! Kafka: within a cluster exactly once, whenever it is killed; from Kafka to elsewhere at least once, and named.

use std::collections::BTreeMap;

use crate::cluster::{Cluster, Stored, cluster};
use crate::figures::Figures;
use crate::killed::Killing;
use crate::load::{self, Arrived};
use crate::on_rabbitmq;
use crate::rabbit::Broker;
use crate::sandbox::Sandbox;

const PARTITIONS: i32 = 3;

/// Sends these as dead letters of `origin`.
pub fn fill(cluster: &Cluster, topic: &str, origin: &str, bodies: &[String]) {
    let one = |(n, body): (i32, &String)| Cluster::dead(origin, n % PARTITIONS, &format!("k{}", n % 50), body);
    cluster.send(topic, &(0..).zip(bodies).map(one).collect::<Vec<Stored>>());
}

/// The same into one partition.
pub fn fill_one(cluster: &Cluster, topic: &str, origin: &str, bodies: &[String]) {
    let one = |body: &String| Cluster::dead(origin, 0, "k", body);
    cluster.send(topic, &bodies.iter().map(one).collect::<Vec<Stored>>());
}

pub fn mark(r: &Stored) -> Option<String> {
    let (_, value) = r.headers.iter().find(|(name, _)| name == "dlq-replay")?;
    load::mark_id(std::str::from_utf8(value.as_deref()?).ok()?)
}

#[test]
fn kafka_within_a_cluster_loses_and_doubles_nothing() {
    let Some(cluster) = cluster() else { return };
    let mut figures = Figures::default();
    let mut round = 0;
    while figures.kills < 30 {
        let (topic, origin) = (cluster.topic(PARTITIONS, &[]), cluster.topic(PARTITIONS, &[]));
        let bodies = load::bodies(round, 60_000);
        fill(&cluster, &topic, &origin, &bodies);
        let s = Sandbox::new();
        let (source, state) = (cluster.address(&topic), format!("state-topic={}", cluster.name()));
        let args = vec!["replay", &source, "-X", &state, "--rate", "20000/s"];
        let killing = Killing { sandbox: &s, args, run: "nightly", within: 100..1500 };
        figures.kills += killing.kill(15);
        let ran = killing.finish();
        let there: Vec<Arrived> =
            cluster.read(&origin).iter().map(|r| Arrived { body: r.text(), mark: mark(r) }).collect();
        let what = format!("Kafka, round {round}: {}", ran.stderr);
        figures.add(&what, &load::count(bodies), &there, &load::named(&s, "nightly", &BTreeMap::new()));
        round += 1;
    }
    figures.print("Kafka, within a cluster", 0);
    assert_eq!(figures.named, 0);
}

#[test]
fn kafka_to_rabbitmq_loses_nothing_and_names_what_may_be_doubled() {
    let Some(cluster) = cluster() else { return };
    let Some(b) = Broker::open("43") else { return };
    let mut figures = Figures::default();
    let mut round = 0;
    while figures.kills < 24 {
        let (topic, place) = (cluster.topic(PARTITIONS, &[]), b.queue(&format!("to.{round}"), "quorum", &[]));
        let bodies = load::bodies(round, 20_000);
        fill(&cluster, &topic, "gone", &bodies);
        let ids: BTreeMap<String, String> =
            cluster.read(&topic).iter().map(|r| (format!("{}:{}", r.partition, r.offset), r.text())).collect();
        let s = Sandbox::new();
        let (source, to, state) =
            (cluster.address(&topic), b.address(&place), format!("state-topic={}", cluster.name()));
        let args = match round % 2 {
            0 => vec!["replay", &source, "--to", &to, "-X", &state],
            _ => vec!["move", &source, &to, "-X", &state],
        };
        let killing = Killing { sandbox: &s, args, run: "nightly", within: 100..1500 };
        figures.kills += killing.kill(12);
        let ran = killing.finish();
        let there = on_rabbitmq::arrived(&b, &place);
        let what = format!("Kafka to RabbitMQ, round {round}: {}", ran.stderr);
        figures.add(&what, &load::count(bodies), &there, &load::named(&s, "nightly", &ids));
        round += 1;
    }
    figures.print("Kafka to RabbitMQ, quorum queues", 4000);
}
