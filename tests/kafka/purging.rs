//! Purging marks, and deletes what it may: never a record that was not selected.

use crate::cluster::{Stored, cluster};
use crate::sandbox::Sandbox;

fn numbered(many: i32, partitions: i32) -> Vec<Stored> {
    (0..many)
        .map(|n| Stored { partition: n % partitions, value: Some(n.to_string().into()), ..Stored::default() })
        .collect()
}

#[test]
fn what_was_not_selected_stays_whatever_is_deleted() {
    let Some(cluster) = cluster() else { return };
    let topic = cluster.topic(1, &[]);
    cluster.send(&topic, &numbered(3000, 1));
    let address = cluster.address(&topic);
    let sandbox = Sandbox::new();
    let left = || sandbox.run(&["filter", &address, "true", "--print", ".body", "-o", "raw"]).stdout().lines().count();
    let ran = sandbox.run(&["purge", &address, "-n", "10", "-y", "--no-backup"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("10 offsets at the heads of partitions were deleted"), "{}", ran.stderr);
    assert_eq!((left(), cluster.ends(&topic)), (2990, vec![(10, 3000)]));

    let ran =
        sandbox.run(&["purge", &address, "-f", ".body % 2 == 1 and .body > 20", "-y", "--backup", "file:b.ndjson"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("are only marked"), "{}", ran.stderr);
    assert_eq!(sandbox.read("b.ndjson").lines().count(), 1490);
    assert_eq!((left(), cluster.ends(&topic)), (1500, vec![(10, 3000)]));
    assert_eq!(cluster.read(&topic).len(), 2990, "a log keeps what is only marked");

    let ran = sandbox.run(&["purge", &address, "--all", "-y", "--no-backup"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!((left(), cluster.ends(&topic)), (0, vec![(3000, 3000)]));
    let depth = sandbox.run(&["depth", &address, "-o", "json"]).json();
    assert_eq!(depth[0]["unresolved"], 0);
}

#[test]
fn a_compacted_topic_is_marked_and_says_why_no_more() {
    let Some(cluster) = cluster() else { return };
    let topic = cluster.topic(1, &[("cleanup.policy", "compact")]);
    let records: Vec<Stored> = numbered(20, 1).into_iter().map(|r| Stored { key: r.value.clone(), ..r }).collect();
    cluster.send(&topic, &records);
    let address = cluster.address(&topic);
    let sandbox = Sandbox::new();
    let ran = sandbox.run(&["purge", &address, "-n", "5", "-y", "--no-backup"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("compact"), "{}", ran.stderr);
    let ran = sandbox.run(&["filter", &address, "true", "--include-resolved", "--print", ".resolved"]);
    assert_eq!(ran.stdout().lines().filter(|l| *l == "true").count(), 5);
    assert_eq!(sandbox.run(&["filter", &address, "true"]).lines(), 15);
}

#[test]
fn a_topic_made_anew_does_not_inherit_the_set() {
    let Some(cluster) = cluster() else { return };
    let topic = cluster.topic(1, &[]);
    let address = cluster.address(&topic);
    let sandbox = Sandbox::new();
    cluster.send(&topic, &numbered(50, 1));
    // One in the middle, so that the set is not hidden by what is deleted.
    let ran = sandbox.run(&["purge", &address, "--id", "0:20", "--id", "0:21", "-y", "--no-backup"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(sandbox.run(&["filter", &address, "true"]).lines(), 48);
    cluster.delete(&topic);
    cluster.create(&topic, 1, &[]);
    cluster.send(&topic, &numbered(50, 1));
    assert_eq!(sandbox.run(&["filter", &address, "true"]).lines(), 50);
}
