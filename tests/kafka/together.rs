//! Topics counted at once are asked about together; each is counted, refused and held up by itself.

use std::time::{Duration, Instant};

use rdkafka::producer::Producer;
use serde_json::Value;

use crate::acls::{self, Denied, Operation, Resource};
use crate::cluster::{Cluster, LONG, Stored, cluster, hand_over};
use crate::permissions::as_reader;
use crate::replaying::numbered;
use crate::sandbox::{Ran, Sandbox};
use crate::servers;

const TIMEOUT: [&str; 2] = ["--timeout", "10s"];
/// Where nothing is to be late.
const PATIENT: [&str; 2] = ["--timeout", "30s"];

/// Topics of 3 records each, one of which is resolved in every second.
fn topics(cluster: &Cluster, many: usize, state: &str, sandbox: &Sandbox) -> Vec<String> {
    let topics: Vec<String> = (0..many).map(|_| cluster.topic(1, &[])).collect();
    for (n, topic) in topics.iter().enumerate() {
        cluster.send(topic, &numbered("x", 3, 1));
        if n % 2 == 0 {
            let ran = sandbox.run(&["purge", &cluster.address(topic), "-n", "1", "--no-backup", "-y", "-X", state]);
            assert_eq!(ran.code, 0, "{}", ran.stderr);
        }
    }
    topics
}

fn row<'a>(rows: &'a [Value], topic: &str) -> &'a Value {
    let named = |row: &&Value| row["queue"].as_str().is_some_and(|q| q.ends_with(&format!("/{topic}")));
    rows.iter().find(named).unwrap_or_else(|| panic!("no row of {topic}: {rows:#?}"))
}

fn rows(ran: &Ran) -> Vec<Value> {
    ran.json().as_array().expect("a list").clone()
}

#[test]
fn one_that_is_missing_or_refused_fails_alone() {
    let _alone = acls::alone();
    let Some(cluster) = cluster() else { return };
    let Some(sasl) = servers::var("DLQ_TEST_KAFKA_SASL_URL") else { return };
    let (sandbox, state) = (Sandbox::new(), format!("state-topic={}", cluster.name()));
    let topics = topics(&cluster, 20, &state, &sandbox);
    let (missing, refused, unread) = (cluster.name(), cluster.topic(2, &[]), cluster.topic(1, &[]));
    cluster.send(&refused, &numbered("x", 4, 2));
    cluster.send(&unread, &numbered("x", 4, 1));
    let mut denied = Denied::none(&cluster);
    denied.deny(Resource::RD_KAFKA_RESOURCE_TOPIC, &refused, Operation::RD_KAFKA_ACL_OPERATION_DESCRIBE);
    denied.deny(Resource::RD_KAFKA_RESOURCE_TOPIC, &unread, Operation::RD_KAFKA_ACL_OPERATION_READ);
    denied.allow(Resource::RD_KAFKA_RESOURCE_TOPIC, &unread, Operation::RD_KAFKA_ACL_OPERATION_DESCRIBE);

    // The first stands there twice.
    let all = [&missing, &topics[0], &refused].into_iter().chain(&topics).chain([&unread]);
    let addresses: Vec<String> = all.map(|topic| format!("{sasl}/{topic}")).collect();
    let run = |verb: &[&str]| {
        let addresses = addresses.iter().map(String::as_str);
        as_reader(&sandbox, &verb.iter().copied().chain(addresses).chain(["-X", &state]).collect::<Vec<_>>())
    };
    for _ in 0..3 {
        let ran = run(&["depth", "-o", "json"]);
        assert_eq!(ran.code, 3, "{}", ran.stderr);
        let found = rows(&ran);
        assert_eq!(found.len(), addresses.len());
        for (n, topic) in topics.iter().enumerate() {
            let (row, left) = (row(&found, topic), if n % 2 == 0 { 2 } else { 3 });
            // What is resolved at the head is deleted.
            assert_eq!((&row["ready"], &row["unresolved"]), (&left.into(), &left.into()), "{row}");
            assert_eq!((&row["accuracy"], &row["oldest"]), (&"upper-bound".into(), &Value::Null), "{row}");
        }
        assert_eq!(found[1], found[3], "the same twice");
        let error = |topic| row(&found, topic)["error"].as_str().expect("an error").to_owned();
        assert!(error(&missing).contains("there is no topic"), "{}", error(&missing));
        assert!(error(&refused).contains("is not shown to \"reader\""), "{}", error(&refused));
        // Counting reads nothing.
        assert_eq!(row(&found, &unread)["unresolved"], 4, "{found:#?}");
    }
    // How old it is takes a read.
    let found = rows(&run(&["depth", "--age", "-o", "json"]));
    assert!(row(&found, &topics[1])["oldest"].is_string(), "{found:#?}");
    assert!(row(&found, &unread)["error"].as_str().is_some_and(|e| e.contains("does not allow")), "{found:#?}");

    let ran = run(&["check", "--warn", "3", "--max-age", "1d", "-o", "json"]);
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    let found = ran.json()["queues"].as_array().expect("a list").clone();
    let status = |topic: &String| row(&found, topic)["status"].as_str().expect("a status").to_owned();
    let of = [&missing, &refused, &unread, &topics[0], &topics[1]].map(status);
    assert_eq!(of, ["UNKNOWN", "UNKNOWN", "UNKNOWN", "OK", "WARNING"], "{found:#?}");
    assert!(row(&found, &topics[0])["oldest_age_seconds"].is_u64(), "{found:#?}");

    // What a list can count it tells, though it may not look.
    let mut list = vec!["list", &sasl, "-o", "jsonl", "-X", &state];
    let lone = format!("{unread}.DLT");
    cluster.create(&lone, 1, &[]);
    cluster.send(&lone, &numbered("x", 2, 1));
    denied.deny(Resource::RD_KAFKA_RESOURCE_TOPIC, &lone, Operation::RD_KAFKA_ACL_OPERATION_READ);
    denied.allow(Resource::RD_KAFKA_RESOURCE_TOPIC, &lone, Operation::RD_KAFKA_ACL_OPERATION_DESCRIBE);
    list.extend(["-q"]);
    let ran = as_reader(&sandbox, &list);
    let found: Vec<Value> = ran.stdout().lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let row = row(&found, &lone);
    assert_eq!((&row["ready"], row["error"].is_string()), (&2.into(), true), "{row} {}", ran.stderr);
    cluster.delete(&lone);
}

#[test]
fn a_set_that_is_held_back_holds_up_no_other() {
    let Some(cluster) = cluster() else { return };
    let (sandbox, state) = (Sandbox::new(), cluster.topic(4, &[("cleanup.policy", "compact")]));
    let option = format!("state-topic={state}");
    let topics = topics(&cluster, 24, &option, &sandbox);
    let producer = cluster.transaction("holds");
    let held = Stored { partition: 1, key: Some(b"none:0:0".to_vec()), value: Some(vec![1]), ..Stored::default() };
    hand_over(&producer, &state, &[held]);
    producer.flush(LONG).expect("flush");
    let addresses: Vec<String> = topics.iter().map(|topic| cluster.address(topic)).collect();
    let run = || {
        let began = Instant::now();
        let addresses = addresses.iter().map(String::as_str);
        let ran = sandbox.run(
            &["depth", "-o", "json", "-X", &option].into_iter().chain(addresses).chain(TIMEOUT).collect::<Vec<_>>(),
        );
        (ran, began.elapsed())
    };
    let counts = |ran: &Ran| {
        for (n, topic) in topics.iter().enumerate() {
            assert_eq!(row(&rows(ran), topic)["unresolved"], if n % 2 == 0 { 2 } else { 3 }, "{}", ran.stdout());
        }
    };
    let (ran, took) = run();
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    counts(&ran);
    let told = ran.stderr.lines().filter(|line| line.contains("not visible yet")).count();
    assert!((1..20).contains(&told), "of those in one partition of four: {}", ran.stderr);
    assert!(took < Duration::from_secs(10 * u64::try_from(told).expect("few").max(4)), "one after the other: {took:?}");
    producer.abort_transaction(LONG).expect("abort");
    let (ran, took) = run();
    counts(&ran);
    assert!(!ran.stderr.contains("not visible yet") && took < Duration::from_secs(10), "{took:?} {}", ran.stderr);
}

#[test]
fn a_set_is_read_as_committed_whatever_level_the_topic_is_read_at() {
    let Some(cluster) = cluster() else { return };
    let (sandbox, state) = (Sandbox::new(), cluster.topic(1, &[("cleanup.policy", "compact")]));
    let option = format!("state-topic={state}");
    let topic = cluster.topic(1, &[]);
    cluster.send(&topic, &numbered("x", 5, 1));
    let address = cluster.address(&topic);
    let purge = |many| {
        let ran = sandbox.run(&["purge", &address, "-n", many, "--no-backup", "-y", "-X", &option]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
    };
    // The one in the middle, so that nothing is deleted for it.
    let ran = sandbox.run(&["purge", &address, "--id", "0:2", "--no-backup", "-y", "-X", &option]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let noted = cluster.read(&state).pop().expect("the set");
    let mut undone = noted.clone();
    let all = roaring::RoaringBitmap::from_iter(0..5);
    let value = undone.value.as_mut().expect("a value");
    value.truncate(1);
    all.serialize_into(value).expect("written");
    let producer = cluster.transaction("undone");
    hand_over(&producer, &state, &[undone]);
    producer.flush(LONG).expect("flush");
    producer.abort_transaction(LONG).expect("abort");
    let depth = || {
        let ran =
            sandbox.run(&["depth", &address, "-X", &option, "-X", "isolation.level=read_uncommitted", "-o", "json"]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        ran.json()[0]["unresolved"].clone()
    };
    assert_eq!(depth(), 4);
    purge("1");
    assert_eq!(depth(), 3);
}

#[test]
fn the_same_topic_twice_is_read_one_after_the_other() {
    let Some(cluster) = cluster() else { return };
    let (sandbox, topic) = (Sandbox::new(), cluster.topic(2, &[]));
    cluster.send(&topic, &numbered("x", 5000, 2));
    let address = cluster.address(&topic);
    for _ in 0..3 {
        let four = [address.as_str(); 4];
        let args = ["check", "--since", "1h", "--crit", "9000", "--max-age", "1d", "-o", "json"];
        let ran = sandbox.run(&args.into_iter().chain(four).chain(PATIENT).collect::<Vec<_>>());
        assert_eq!(ran.code, 0, "{} {}", ran.stdout(), ran.stderr);
        let ran =
            sandbox.run(&["depth", "--age", "-o", "json"].into_iter().chain(four).chain(PATIENT).collect::<Vec<_>>());
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        assert!(rows(&ran).iter().all(|row| row["ready"] == 5000 && row["oldest"].is_string()), "{}", ran.stdout());
    }
}
