//! Names, settings, and the headers of one record.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::json;

use crate::cluster::{Cluster, Stored, cluster};
use crate::sandbox::Sandbox;
use crate::{row, rows, servers};

/// A list is of all topics: one that another test deletes meanwhile would be an error in it.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn names_settings_and_headers_give_dead_letter_topics_away() {
    let _alone = alone();
    let Some(c) = cluster() else { return };
    let (dlt, empty, plain) = (c.name() + ".DLT", c.name() + "-dlq", c.name());
    let (for_groups, of_connect) = (c.name() + ".groups", c.name() + ".sunk");
    let configs = c.name() + ".connect-configs";
    c.create(&dlt, 3, &[]);
    c.create(&empty, 1, &[]);
    c.create(&plain, 1, &[]);
    c.create(&of_connect, 1, &[]);
    c.create(&for_groups, 1, &[("errors.deadletterqueue.group.enable", "true")]);
    c.create(&configs, 1, &[("cleanup.policy", "compact")]);
    c.send(&dlt, &[Cluster::dead("orders", 1, "k", "{}"), Cluster::dead("orders", 2, "k", "{}")]);
    c.send(&plain, &[Cluster::dead("orders", 0, "k", "{}")]);
    let connector = |topic: &str| {
        json!({ "properties": { "name": "sink", "errors.deadletterqueue.topic.name": topic } }).to_string().into_bytes()
    };
    let setting = |key: &str, value: Vec<u8>| Stored {
        key: Some(key.as_bytes().to_vec()),
        value: Some(value),
        ..Stored::default()
    };
    c.send(
        &configs,
        &[
            setting("connector-sink", connector("elsewhere")),
            setting("connector-sink", connector(&of_connect)),
            setting("connector-lost", connector("no-such-topic")),
        ],
    );
    let s = Sandbox::new();
    let ran = s.run(&["list", &c.url, "-o", "jsonl"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let found = rows(&ran);
    let of = |topic: &str| row(&found, &format!("/{topic}"));
    assert_eq!(of(&dlt)["recognised_by"], json!(["header", "name"]));
    assert_eq!((&of(&dlt)["sources"], &of(&dlt)["unresolved"]), (&json!(["orders"]), &json!(2)));
    assert!(of(&dlt)["oldest"].is_string() && of(&dlt)["oldest_age_seconds"].is_u64(), "{}", of(&dlt));
    assert_eq!((&of(&empty)["recognised_by"], &of(&empty)["ready"]), (&json!(["name"]), &json!(0)));
    assert_eq!(of(&for_groups)["recognised_by"], json!(["config"]));
    assert_eq!(of(&of_connect)["recognised_by"], json!(["config"]));
    assert_eq!(of(&of_connect)["sources"], json!(["connector sink"]));
    assert!(!found.iter().any(|r| r["queue"].as_str().unwrap().ends_with(&format!("/{plain}"))), "{found:#?}");
    assert!(!ran.stdout().contains("__"), "nothing of the cluster itself");
    assert!(ran.stderr.contains("connector lost sends dead letters to topic no-such-topic, which is not there"));
    let depth = s.run(&["depth", of(&dlt)["address"].as_str().unwrap(), "-o", "json"]);
    assert_eq!(depth.json()[0]["ready"], 2, "{}", depth.stderr);
    for topic in [&dlt, &empty, &for_groups, &of_connect, &configs] {
        c.delete(topic);
    }
}

#[test]
fn topics_looked_at_side_by_side_do_not_take_each_others_resolved_sets() {
    let _alone = alone();
    let Some(c) = cluster() else { return };
    // Of so many, some keep their sets in the same partition.
    let topics: Vec<String> = (0..12).map(|_| c.name() + ".DLT").collect();
    let state = format!("state-topic={}", c.name());
    let s = Sandbox::new();
    for topic in &topics {
        c.create(topic, 1, &[]);
        c.send(topic, &[Cluster::dead("orders", 0, "k", "1"), Cluster::dead("orders", 0, "k", "2")]);
        let ran = s.run(&["purge", &c.address(topic), "-n", "1", "--no-backup", "-y", "-X", &state]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
    }
    for _ in 0..3 {
        let ran = s.run(&["list", &c.url, "-o", "jsonl", "-X", &state, "--timeout", "30s"]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let found = rows(&ran);
        for topic in &topics {
            assert_eq!(row(&found, &format!("/{topic}"))["unresolved"], 1, "{found:#?}");
        }
    }
    topics.iter().for_each(|topic| c.delete(topic));
}

#[test]
fn a_topic_where_a_cluster_should_stand_and_the_other_way_around() {
    let Some(url) = servers::kafka() else { return };
    let s = Sandbox::new();
    let ran = s.run(&["list", &format!("{}/orders.DLT", url)]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains(&format!("dlq depth {}/orders.DLT", url)), "{}", ran.stderr);
    let ran = s.run(&["depth", &url]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains(&format!("dlq list {} finds", url)), "{}", ran.stderr);
    let ran = s.run(&["list", "kafka://127.0.0.1:1", "--timeout", "1s"]);
    assert_eq!((ran.code, ran.stdout()), (1, ""), "{}", ran.stderr);
}

#[test]
fn a_share_group_gives_its_dead_letter_topic_away_whatever_that_is_called() {
    let _alone = alone();
    let Some(c) = cluster() else { return };
    let Some(control) = servers::var("DLQ_TEST_KAFKA_CONTROL") else { return };
    // Brokers take no other prefix than `dlq.`; the name behind it is free.
    let (topic, dead, group) = (c.topic(1, &[]), format!("dlq.{}", c.name()), format!("group-{}", c.name()));
    c.create(&dead, 1, &[("errors.deadletterqueue.group.enable", "true")]);
    c.send(&topic, &[Stored { value: Some(b"poison".to_vec()), ..Stored::default() }]);
    let done = std::process::Command::new(control).args(["share", &topic, &dead, &group]).status().unwrap();
    assert!(done.success());
    let began = std::time::Instant::now();
    let s = Sandbox::new();
    loop {
        let found = rows(&s.run(&["list", &c.url, "-o", "jsonl"]));
        let r = row(&found, &format!("/{dead}"));
        if r["ready"] == 1 {
            assert_eq!(r["recognised_by"], json!(["config", "header", "name"]));
            let mut sources = [topic.clone(), format!("share group {group}")];
            sources.sort();
            assert_eq!(r["sources"], json!(sources));
            break;
        }
        assert!(began.elapsed().as_secs() < 60, "{r}");
        std::thread::sleep(std::time::Duration::from_millis(300));
    }
    c.delete(&dead);
}
