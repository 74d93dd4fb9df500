//! The broker is killed and started again under a replay.
#![allow(missing_docs)]
#![allow(dead_code, reason = "the cluster's helper is shared")]

#[path = "kafka/cluster.rs"]
mod cluster;
#[path = "kafka/node.rs"]
mod node;
#[path = "support/sandbox.rs"]
mod sandbox;
#[path = "support/servers.rs"]
mod servers;

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use cluster::{Cluster, Stored};
use node::Node;
use sandbox::Sandbox;

const MANY: usize = 20_000;

/// A replay in the middle of which the broker is killed, before it can be done.
fn left_alone(sandbox: &Sandbox, replay: &[&str], rate: &str, node: &Node) -> Child {
    let run = sandbox
        .command()
        .args(replay)
        .args(["--rate", rate])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("start dlq");
    std::thread::sleep(Duration::from_millis(1800));
    node.control("kill");
    run
}

fn missing_and_doubled(cluster: &Cluster, topic: &str) -> (usize, usize) {
    let mut counts = vec![0; MANY];
    for r in cluster.read(topic) {
        counts[r.text().parse::<usize>().expect("a number")] += 1;
    }
    (counts.iter().filter(|n| **n == 0).count(), counts.iter().filter(|n| **n > 1).count())
}

#[test]
fn a_broker_that_dies_under_a_replay_costs_and_doubles_nothing() {
    let Some(node) = Node::start() else { return };
    let cluster = node.cluster();
    let (topic, origin) = (cluster.topic(2, &[]), cluster.topic(2, &[]));
    let one = |n: usize| Cluster::dead(&origin, i32::try_from(n % 2).expect("few"), &format!("k{n}"), &n.to_string());
    cluster.send(&topic, &(0..MANY).map(one).collect::<Vec<Stored>>());
    let sandbox = Sandbox::new();
    let address = cluster.address(&topic);
    let state = format!("state-topic={}", cluster.name());
    for _ in 0..2 {
        let run = left_alone(
            &sandbox,
            &["replay", &address, "-y", "--run", "one", "--timeout", "20s", "-X", &state],
            "4000/s",
            &node,
        );
        std::thread::sleep(Duration::from_millis(500));
        node.control("start");
        let began = Instant::now();
        // It goes on, or gives up and says so; either way nothing is wrong afterwards.
        let ran = run.wait_with_output().expect("wait");
        let said = String::from_utf8_lossy(&ran.stderr);
        assert!(began.elapsed() < Duration::from_secs(120), "took {:?}: {said}", began.elapsed());
        assert!(matches!(ran.status.code(), Some(0 | 1 | 3)), "{said}");
    }
    // One that went on may be done by now.
    let ran = sandbox.run(&["replay", &address, "-y", "--run", "one", "-X", &state]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let left = sandbox.run(&["depth", &address, "-o", "json", "-X", &state]);
    assert_eq!(left.code, 0, "{}", left.stderr);
    assert_eq!(left.json()[0]["unresolved"], 0, "{}", left.stderr);
    assert_eq!(missing_and_doubled(cluster, &origin), (0, 0));
}

#[test]
fn a_broker_that_stays_away_ends_a_replay_for_all_that_is_under_way_and_the_next_doubles_nothing() {
    let Some(node) = Node::start() else { return };
    let cluster = node.cluster();
    let (topic, origin) = (cluster.topic(1, &[]), cluster.topic(1, &[]));
    let one = |n: usize| Cluster::dead(&origin, 0, &format!("k{n}"), &n.to_string());
    cluster.send(&topic, &(0..MANY).map(one).collect::<Vec<Stored>>());
    let sandbox = Sandbox::new();
    let (address, state) = (cluster.address(&topic), format!("state-topic={}", cluster.name()));
    let replay = ["replay", &address, "-y", "-X", &state];
    // Away for longer than a transaction may be open: more often than not Kafka then says that it has ended it, and has not
    // where its records are.
    let away = ["--timeout", "3s", "-X", "transaction.timeout.ms=3000"];
    for _ in 0..3 {
        let run = left_alone(&sandbox, &[&replay[..], &away].concat(), "1200/s", &node);
        let began = Instant::now();
        let ran = run.wait_with_output().expect("wait");
        let took = began.elapsed();
        node.control("start");
        let said = String::from_utf8_lossy(&ran.stderr);
        // Hundreds are under way: one wait after another for each would be an hour.
        assert!(took < Duration::from_secs(60), "took {took:?}: {said}");
        assert!(matches!(ran.status.code(), Some(1 | 3)), "{said}");
    }
    let ran = sandbox.run(&replay);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(missing_and_doubled(cluster, &origin), (0, 0));
}
