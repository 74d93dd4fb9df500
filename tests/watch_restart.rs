//! The broker is killed and started again under a watch.
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

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;
use std::time::Duration;

use cluster::Cluster;
use node::Node;
use sandbox::Sandbox;
use serde_json::Value;

#[test]
fn a_watch_outlives_a_broker_and_sees_what_came_after() {
    let Some(node) = Node::start() else { return };
    let cluster = node.cluster();
    let topic = cluster.topic(2, &[]);
    cluster.send(&topic, &[Cluster::dead("orders", 0, "k", "1")]);
    let sandbox = Sandbox::new();
    let address = cluster.address(&topic);
    let args = ["--until", "depth>=3", "--timeout", "300s", "--interval", "300ms", "-o", "jsonl"];
    let mut watch = sandbox
        .command()
        .args(["watch", &address])
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("start dlq");
    let mut talk = BufReader::new(watch.stdout.take().expect("piped"));
    let mut out = String::new();
    talk.read_line(&mut out).expect("the first reading");
    node.control("kill");
    // Longer than one answer is waited for.
    std::thread::sleep(Duration::from_secs(35));
    node.control("start");
    cluster.send(&topic, &[Cluster::dead("orders", 1, "k", "2"), Cluster::dead("orders", 1, "k", "3")]);
    talk.read_to_string(&mut out).expect("the others");
    let ran = watch.wait_with_output().expect("wait");
    let err = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(0), "{out} {err}");
    let readings: Vec<Value> = out.lines().map(|l| serde_json::from_str(l).expect("JSON")).collect();
    assert_eq!(readings.first().map(|r| &r["unresolved"]), Some(&1.into()), "{out}");
    assert!(readings.iter().any(|r| !r["error"].is_null()), "the loss was seen: {out}");
    assert_eq!(readings.last().map(|r| &r["unresolved"]), Some(&3.into()), "{out}");
    assert_eq!(err.matches("cannot be read for now").count(), 1, "{err}");
    assert_eq!(err.matches("is back, after").count(), 1, "{err}");
}
