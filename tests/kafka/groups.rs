//! Who else reads a topic: consumer groups in the plan, and in depths.

use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::{Offset, TopicPartitionList};

use crate::cluster::{Cluster, cluster, until};
use crate::replaying::numbered;
use crate::sandbox::Sandbox;

/// A group that has committed these offsets, and has no member.
pub fn commit(cluster: &Cluster, group: &str, topic: &str, offsets: &[(i32, i64)]) {
    let consumer: BaseConsumer = cluster.config().set("group.id", group).create().expect("a consumer");
    let mut list = TopicPartitionList::new();
    for (partition, at) in offsets {
        list.add_partition_offset(topic, *partition, Offset::Offset(*at)).expect("a partition");
    }
    consumer.commit(&list, CommitMode::Sync).expect("committed");
}

/// A member that has its partitions.
fn member(cluster: &Cluster, group: &str, topic: &str) -> BaseConsumer {
    let consumer: BaseConsumer = cluster
        .config()
        .set("group.id", group)
        .set("auto.offset.reset", "earliest")
        .set("enable.auto.commit", "false")
        .create()
        .expect("a consumer");
    consumer.subscribe(&[topic]).expect("subscribe");
    until("the group forms", || {
        drop(consumer.poll(Duration::from_millis(100)));
        consumer.assignment().expect("an assignment").count() > 0
    });
    consumer
}

#[test]
fn the_plan_names_the_groups_of_the_destination_and_the_one_that_failed() {
    let Some(cluster) = cluster() else { return };
    let (topic, origin, other) = (cluster.topic(2, &[]), cluster.topic(2, &[]), cluster.topic(1, &[]));
    let name = |what: &str| format!("{what}.{origin}");
    let (billing, audit, elsewhere) = (name("billing"), name("audit"), name("elsewhere"));
    let mut records = numbered(&origin, 30, 2);
    for r in records.iter_mut().take(20) {
        r.headers.push(("kafka_dlt-original-consumer-group".into(), Some(billing.clone().into_bytes())));
    }
    cluster.send(&topic, &records);
    cluster.send(&origin, &numbered("x", 10, 2));
    commit(&cluster, &billing, &origin, &[(0, 2), (1, 5)]);
    commit(&cluster, &audit, &origin, &[(0, 5)]);
    commit(&cluster, &elsewhere, &other, &[(0, 0)]);
    let waiting = name("waiting");
    let consumer = member(&cluster, &waiting, &origin);
    let sandbox = Sandbox::new();
    let ran = sandbox.run(&["replay", &cluster.address(&topic), "--dry-run"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let said = &ran.stderr;
    assert!(said.contains(&format!("group {billing} (nobody reads now, lag 3)")), "{said}");
    let part = format!("group {audit} (nobody reads now, lag 0 and what it has not read of 1 partition)");
    assert!(said.contains(&part), "a partition without a commit is not read to its end: {said}");
    assert!(said.contains(&format!("group {waiting} (1 member, lag unknown)")), "{said}");
    assert!(!said.contains(&elsewhere), "{said}");
    assert!(said.contains(&format!("20 × group {billing}")), "{said}");
    drop(consumer);
    let ran = sandbox.run(&["copy", &cluster.address(&topic), &cluster.address(&origin), "--dry-run"]);
    assert!(ran.stderr.contains(&format!("group {billing} (nobody reads now, lag 3)")), "{}", ran.stderr);
    // The plan leaves no trace: nobody's offsets have moved.
    let ran = sandbox.run(&["depth", &cluster.address(&origin), "--group", &billing, "-o", "json"]);
    assert_eq!(ran.json()[0]["group"]["lag"], 3, "{}", ran.stdout());
}

#[test]
fn depth_by_partition_and_how_far_a_group_has_read() {
    let Some(cluster) = cluster() else { return };
    let topic = cluster.topic(3, &[]);
    let records = numbered("x", 20, 2);
    cluster.send(&topic, &records);
    let group = format!("g.{topic}");
    commit(&cluster, &group, &topic, &[(0, 4)]);
    let sandbox = Sandbox::new();
    let address = cluster.address(&topic);
    let ran = sandbox.run(&["purge", &address, "--id", "0:0", "--id", "1:5", "-y", "--no-backup"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let ran = sandbox.run(&["depth", &address, "--group", &group, "-o", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let depth = &ran.json()[0];
    assert_eq!((&depth["ready"], &depth["unresolved"]), (&19.into(), &18.into()), "{depth}");
    let of = |p: usize, what: &str| depth["partitions"][p][what].clone();
    let numbers = |p| ["ready", "unresolved", "committed", "lag"].map(|what| of(p, what));
    let null = serde_json::Value::Null;
    let wanted = |numbers: serde_json::Value| numbers.as_array().expect("four").clone();
    assert_eq!(numbers(0).to_vec(), wanted(serde_json::json!([9, 9, 4, 6])), "{depth}");
    assert_eq!(numbers(1).to_vec(), wanted(serde_json::json!([10, 9, null, null])), "{depth}");
    assert_eq!(numbers(2).to_vec(), wanted(serde_json::json!([0, 0, null, 0])), "{depth}");
    assert!(of(0, "oldest").is_string() && of(2, "oldest").is_null(), "{depth}");
    assert_eq!((&depth["group"]["name"], &depth["group"]["lag"]), (&group.clone().into(), &null), "{depth}");

    // What takes a read is done where it is asked for.
    assert!(depth["oldest"].is_null(), "{depth}");
    let aged = &sandbox.run(&["depth", &address, "--age", "-o", "json"]).json()[0];
    assert!(aged["oldest"].is_string() && aged["unresolved"] == depth["unresolved"], "{aged}");

    let ran = sandbox.run(&["depth", &address, "--by-partition", "--partitions", "1-2"]);
    assert!(ran.stdout().contains("PARTITION") && !ran.stdout().contains("LAG"), "{}", ran.stdout());
    let ran = sandbox.run(&["depth", &address, "--group", &format!("{group}x")]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("there is no consumer group") && ran.stderr.contains(&group), "{}", ran.stderr);
    let ran = sandbox.run(&["depth", &address, "-o", "json"]);
    assert!(ran.json()[0].get("partitions").is_none(), "{}", ran.stdout());
}
