//! From one cluster to another: confirmed, then marked, whatever happens to the other one.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::cluster::{Cluster, Stored, cluster};
use crate::node::Node;
use crate::replaying::{counted, numbered};
use crate::sandbox::Sandbox;

/// What a record is besides where it is.
fn content(records: &[Stored]) -> BTreeSet<Stored> {
    let not_ours = |name: &str| !name.starts_with("dlq-");
    let bare = |r: &Stored| Stored {
        headers: r.headers.iter().filter(|(name, _)| not_ours(name)).cloned().collect(),
        ..Stored { key: r.key.clone(), value: r.value.clone(), ..Stored::default() }
    };
    records.iter().map(bare).collect()
}

#[test]
fn what_is_confirmed_there_is_resolved_here_even_if_it_dies_meanwhile() {
    let Some(cluster) = cluster() else { return };
    let Some(second) = Node::start() else { return };
    confirmed_then_resolved(&cluster, second.cluster());
    dies_and_comes_back(&cluster, &second);
}

fn confirmed_then_resolved(cluster: &Cluster, other: &Cluster) {
    // The same names on both: what is meant is the cluster of the address, never the one where the name is known too.
    let (topic, origin) = (cluster.topic(3, &[]), cluster.topic(2, &[]));
    other.create(&topic, 2, &[]);
    other.create(&origin, 2, &[]);
    let mut records = numbered(&origin, 300, 3);
    let odd = |n: i32, key: Option<&[u8]>, value: Option<&[u8]>| Stored {
        partition: n,
        key: key.map(<[u8]>::to_vec),
        value: value.map(<[u8]>::to_vec),
        headers: vec![
            ("trace".into(), Some(vec![0, 159, 255])),
            ("trace".into(), None),
            ("trace".into(), Some(vec![])),
        ],
        ..Stored::default()
    };
    let odd = [odd(0, None, Some(b"")), odd(1, Some(b""), None), odd(2, Some(&[0, 255]), Some(&[0, 1, 254]))];
    records.extend(odd.clone());
    cluster.send(&topic, &records);

    let s = Sandbox::new();
    let (from, to) = (cluster.address(&topic), other.address(&topic));
    let ran = s.run(&["move", &from, &to, "-y", "-o", "json"]);
    assert_eq!((ran.code, &ran.json()["moved"]), (0, &303.into()), "{}", ran.stderr);
    let there = other.read(&topic);
    assert_eq!(there.len(), 303);
    assert!(content(&there).is_superset(&content(&odd)), "byte for byte");
    assert_eq!(s.run(&["depth", &from, "-o", "json"]).json()[0]["unresolved"], 0);
    let ran = s.run(&["move", &from, &to, "-y", "-o", "json"]);
    assert_eq!((ran.code, &ran.json()["moved"]), (0, &0.into()), "{}", ran.stderr);
    assert_eq!((other.read(&topic).len(), cluster.read(&origin).len(), other.read(&origin).len()), (303, 0, 0));

    // Resolved there is resolved there alone, and the origin is that of the cluster it is read from.
    let ran = s.run(&["replay", &to, "-y", "-o", "json", "--filter", ".headers[\"kafka_dlt-original-topic\"]"]);
    assert_eq!((ran.code, &ran.json()["replayed"]), (0, &300.into()), "{}", ran.stderr);
    assert_eq!((cluster.read(&origin).len(), other.read(&origin).len()), (0, 300));
    assert_eq!(s.run(&["depth", &to, "-o", "json"]).json()[0]["unresolved"], 3);
}

fn dies_and_comes_back(cluster: &Cluster, second: &Node) {
    const MANY: usize = 6000;
    let other = second.cluster();
    let (topic, place) = (cluster.topic(2, &[]), other.topic(2, &[]));
    cluster.send(&topic, &numbered("orders", MANY, 2));
    let bodies: BTreeMap<String, usize> = cluster
        .read(&topic)
        .iter()
        .map(|r| (format!("{}:{}", r.partition, r.offset), r.text().parse().expect("a number")))
        .collect();

    let s = Sandbox::new();
    let (from, to) = (cluster.address(&topic), other.address(&place));
    let call = ["replay", &from, "--to", &to, "-y", "--run", "over", "--timeout", "4s"];
    let run = s
        .command()
        .args(call)
        .args(["--rate", "250/s"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("start dlq");
    let began = Instant::now();
    while other.ends(&place).iter().map(|(_, high)| high).sum::<i64>() < 500 {
        assert!(began.elapsed() < Duration::from_secs(60), "it begins");
        std::thread::sleep(Duration::from_millis(50));
    }
    second.control("kill");
    let ran = run.wait_with_output().expect("wait");
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(matches!(ran.status.code(), Some(1 | 3)), "{:?}: {said}", ran.status);
    let left = s.run(&["depth", &from, "-o", "json"]).json()[0]["unresolved"].as_u64().expect("a number");
    assert!((1..6000).contains(&left), "{left} left: {said}");

    second.control("start");
    let ran = s.run(&[&call[..], &["--rate", "2000/s"]].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(s.run(&["depth", &from, "-o", "json"]).json()[0]["unresolved"], 0);
    let counts = counted(&other.read(&place), MANY);
    assert_eq!(counts.iter().filter(|n| **n == 0).count(), 0, "nothing is lost");
    let history = s.run(&["history", "over", "-o", "json"]).json();
    let named: BTreeSet<usize> = history["messages"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|m| m["kind"] != "failed")
        .map(|m| bodies[m["id"].as_str().expect("an id")])
        .collect();
    let twice: BTreeSet<usize> = (0..MANY).filter(|n| counts[*n] > 1).collect();
    assert!(twice.is_subset(&named), "{} twice, {} named: {history}", twice.len(), named.len());
}
