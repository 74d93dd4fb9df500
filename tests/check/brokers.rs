//! Many queues over several brokers.

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use crate::sandbox::Sandbox;
use crate::{Queues, VERBS, blocking, servers, sqs_client, unique};

/// Topics; the n-th has n records.
fn topics(many: usize) -> Option<Vec<String>> {
    let url = servers::kafka()?;
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", url.trim_start_matches("kafka://"));
    let admin: AdminClient<DefaultClientContext> = config.create().expect("connect to Kafka");
    let run = unique();
    let names: Vec<String> = (0..many).map(|n| format!("check.{run}.{n}")).collect();
    let new: Vec<_> = names.iter().map(|n| NewTopic::new(n, 1, TopicReplication::Fixed(1))).collect();
    blocking(admin.create_topics(&new, &AdminOptions::new())).expect("topics");
    let producer: BaseProducer = config.create().expect("a producer");
    let (patience, began) = (std::time::Duration::from_secs(60), std::time::Instant::now());
    for name in &names {
        while producer.client().fetch_watermarks(name, 0, patience).is_err() {
            assert!(began.elapsed() < patience, "{name} turns up");
        }
    }
    for (n, name) in names.iter().enumerate() {
        for _ in 0..n {
            producer.send(BaseRecord::<(), str>::to(name).payload("{}")).expect("sent");
        }
    }
    producer.flush(patience).expect("stored");
    Some(names.into_iter().map(|name| format!("{url}/{name}")).collect())
}

/// Queues; the n-th has n messages.
fn queues(many: usize) -> Option<Vec<String>> {
    let url = servers::elasticmq()?;
    let client = sqs_client::client(&url);
    let run = unique();
    blocking(async {
        let mut addresses = vec![];
        for n in 0..many {
            let made = client.create_queue().queue_name(format!("check-{run}-{n}")).send().await.expect("a queue");
            let queue = made.queue_url.expect("a URL");
            for _ in 0..n {
                client.send_message().queue_url(&queue).message_body("{}").send().await.expect("sent");
            }
            addresses.push(format!("{queue}?sign=no"));
        }
        Some(addresses)
    })
}

#[test]
fn one_table_and_one_verdict_over_three_brokers() {
    let (Some(rabbit), Some(topics), Some(queues)) = (Queues::new(4), topics(4), queues(4)) else { return };
    let s = Sandbox::new();
    let mut all = vec!["file:orders.ndjson".to_owned()];
    for n in 0..4 {
        all.extend([rabbit.address(n), topics[n].clone(), queues[n].clone()]);
    }
    let args: Vec<&str> = all.iter().map(String::as_str).collect();
    let run = |more: &[&str]| s.run(&[more, args.as_slice()].concat());
    let ran = run(&["depth", "-o", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let found = ran.json();
    let found: Vec<_> = found.as_array().expect("a list").iter().collect();
    assert_eq!(found.len(), 13);
    let fields =
        ["queue", "kind", "ready", "in_flight", "delayed", "unresolved", "oldest", "oldest_age_seconds", "accuracy"];
    for (n, value) in found.iter().enumerate() {
        assert!(fields.iter().all(|f| value.get(f).is_some()), "{value}");
        let wanted = if n == 0 { 360 } else { (n as u64 - 1) / 3 };
        assert_eq!(value["ready"], wanted, "{value}");
    }
    assert_eq!(run(&["depth"]).lines(), 14);
    assert_eq!(run(&["check", "--crit", "361"]).code, 0);
    assert_eq!(run(&["check", "--warn", "300", "--crit", "361"]).code, 1);
    let ran = run(&["check", "--crit", "3", "-o", "json"]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    let report = ran.json();
    let critical = report["queues"].as_array().expect("a list").iter().filter(|q| q["status"] == "CRITICAL").count();
    assert_eq!((critical, &report["status"]), (4, &"CRITICAL".into()));
}

#[test]
fn an_empty_queue_is_asked_for_as_long_as_its_counts_lag() {
    let (Some(queues), Some(topics), Some(rabbit)) = (queues(2), topics(2), Queues::new(2)) else { return };
    let s = Sandbox::new();
    let late = "the counts of this queue lag behind by up to 60 s";
    let ran = s.run(&["check", &queues[0], "--expect-empty", "--for", "1s"]);
    assert_eq!(ran.code, 0, "{}", ran.stdout());
    assert!(ran.stdout().contains(late), "{}", ran.stdout());
    for empty in [&topics[0], &rabbit.address(0)] {
        let ran = s.run(&["check", empty, "--expect-empty"]);
        assert_eq!(ran.code, 0, "{}", ran.stdout());
        assert!(!ran.stdout().contains(late), "{}", ran.stdout());
    }
    for full in [&queues[1], &topics[1], &rabbit.address(1)] {
        let ran = s.run(&["check", full, "--expect-empty", "--for", "5m"]);
        assert_eq!(ran.code, 2, "{}", ran.stdout());
    }
    // A message that comes while it is asked.
    let late = std::thread::spawn({
        let (url, queue) = (servers::elasticmq().expect("seen above"), queues[0].replace("?sign=no", ""));
        move || {
            std::thread::sleep(std::time::Duration::from_secs(2));
            let client = sqs_client::client(&url);
            blocking(client.send_message().queue_url(queue).message_body("{}").send()).expect("sent");
        }
    });
    let ran = s.run(&["check", &queues[0], "--expect-empty", "--for", "30s"]);
    late.join().expect("sent");
    assert_eq!(ran.code, 2, "{}", ran.stdout());
}

#[test]
fn what_takes_a_look_is_done_where_it_is_free_or_accepted() {
    let (Some(queues), Some(topics)) = (queues(3), topics(3)) else { return };
    let s = Sandbox::new();
    let ran = s.run(&["check", &queues[2], "--max-age", "1h"]);
    assert_eq!(ran.code, 3, "{}", ran.stdout());
    assert!(ran.stdout().contains("--accept receive-count"), "{}", ran.stdout());
    let ran = s.run(&["check", &queues[2], "--max-age", "1h", "--accept", "receive-count", "-o", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.stdout());
    assert!(ran.json()["queues"][0]["oldest_age_seconds"].is_number());
    let ran = s.run(&["check", &topics[2], "--crit", "2", "--causes", "--since", "1h", "-o", "json"]);
    assert_eq!(ran.code, 2, "{}", ran.stdout());
    let queue = &ran.json()["queues"][0];
    assert_eq!((&queue["count"], &queue["causes"][0]["count"]), (&2.into(), &2.into()), "{queue}");
    assert_eq!(queue["causes"][0]["example"], "0:0");
}

#[test]
fn what_could_be_done_is_told_without_a_message_being_read() {
    let (Some(rabbit), Some(topics), Some(queues)) = (Queues::new(2), topics(2), queues(2)) else { return };
    let s = Sandbox::new();
    for (queue, abouts) in [
        (rabbit.address(1), &["delivery headroom", "permission to read", "what a look costs"][..]),
        (topics[1].clone(), &["size", "retention", "permission to read"]),
        (queues[1].clone(), &["size", "receive headroom", "permission"]),
    ] {
        let ran = s.run(&["can-i", "replay", &queue, "--to", "file:out.ndjson", "-o", "json"]);
        assert!([0, 3].contains(&ran.code), "{}", ran.stderr);
        let found = ran.json();
        for about in abouts {
            let there = found.as_array().expect("a list").iter().any(|f| f["about"] == *about);
            assert!(there, "{queue}: {about}: {found}");
        }
    }
    for verb in VERBS {
        for queue in [&rabbit.address(1), &topics[1], &queues[1]] {
            let ran = s.run(&["can-i", verb, queue, "-o", "json"]);
            assert!([0, 3].contains(&ran.code), "{verb} {queue}: {}{}", ran.stdout(), ran.stderr);
            let counted = ran.json().as_array().expect("a list").iter().any(|f| f["because"] == "1 message");
            assert!(counted, "{verb} {queue}: {}", ran.stdout());
            // Counting needs nothing that is told by trying alone.
            assert!(ran.code == 0 || !["depth", "check", "watch"].contains(&verb), "{verb} {queue}: {}", ran.stdout());
        }
    }
    let ran = s.run(&["can-i", "inspect", &rabbit.address(1).replace("check.", "gone.")]);
    assert_eq!(ran.code, 1, "{}", ran.stdout());
}

#[test]
fn what_every_look_says_is_said_once() {
    let Some(topics) = topics(1) else { return };
    let s = Sandbox::new();
    let ran = s.run(&["check", &topics[0], "--expect-empty", "--for", "1s", "--since", "1h"]);
    assert_eq!(ran.code, 0, "{}", ran.stdout());
    assert_eq!(ran.stderr.matches("reading begins at").count(), 1, "{}", ran.stderr);
}
