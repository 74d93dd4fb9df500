//! Looking: everything that was there, as it was, and no trace of it.

use std::io::{BufRead, BufReader};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::Producer;

use crate::cluster::{LONG, Stored, cluster, hand_over};
use crate::replaying::start;
use crate::sandbox::Sandbox;

fn plain(partition: i32, value: &str) -> Stored {
    Stored { partition, value: Some(value.into()), ..Stored::default() }
}

#[test]
fn what_is_absent_is_not_empty_and_headers_keep_order_repeats_and_nulls() {
    let Some(cluster) = cluster() else { return };
    let topic = cluster.topic(1, &[]);
    let headers = vec![
        ("a".to_owned(), Some(b"1".to_vec())),
        ("n".to_owned(), None),
        ("a".to_owned(), Some(vec![0xff, 0])),
        ("e".to_owned(), Some(vec![])),
    ];
    let records = [
        Stored { key: Some(vec![]), value: None, headers, ..Stored::default() },
        Stored { key: None, value: Some(vec![]), ..Stored::default() },
    ];
    cluster.send(&topic, &records);
    let sandbox = Sandbox::new();
    let ran = sandbox.run(&["filter", &cluster.address(&topic), "true", "-o", "archive"]);
    assert_eq!((ran.code, ran.lines()), (0, 2), "{}", ran.stderr);
    let copied = cluster.topic(1, &[]);
    sandbox.write("a.ndjson", ran.stdout());
    let ran = sandbox.run(&["copy", "file:a.ndjson", &cluster.address(&copied), "-y"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let strip = |all: Vec<Stored>| all.into_iter().map(|r| Stored { offset: 0, ..r }).collect::<Vec<_>>();
    assert_eq!(strip(cluster.read(&copied)), records, "through an archive and back it is the same record");
    let ran = sandbox.run(&["filter", &cluster.address(&topic), "true", "--print", "[.key, .body, .headers.n]"]);
    assert_eq!(ran.stdout(), "[\"\",null,null]\n[null,\"\",null]\n");
}

#[test]
fn transactions_count_when_they_are_committed_and_open_ones_are_told() {
    let Some(cluster) = cluster() else { return };
    let topic = cluster.topic(2, &[]);
    let producer = cluster.transaction("looking");
    hand_over(&producer, &topic, &[plain(0, "committed")]);
    producer.commit_transaction(LONG).expect("commit");
    producer.begin_transaction().expect("begin");
    hand_over(&producer, &topic, &[plain(0, "aborted"), plain(0, "aborted too")]);
    producer.flush(LONG).expect("flush");
    producer.abort_transaction(LONG).expect("abort");
    cluster.send(&topic, &[plain(0, "plain")]);
    cluster.settled(&topic);
    let sandbox = Sandbox::new();
    let address = cluster.address(&topic);
    let look = || sandbox.run(&["filter", &address, "true", "--print", ".body", "-o", "raw"]);
    let ran = look();
    assert_eq!((ran.stdout(), ran.code), ("committed\nplain\n", 0), "{}", ran.stderr);
    assert!(!ran.stderr.contains("hidden"), "{}", ran.stderr);

    producer.begin_transaction().expect("begin");
    hand_over(&producer, &topic, &[plain(0, "open"), plain(0, "open too")]);
    producer.flush(LONG).expect("flush");
    cluster.send(&topic, &[plain(0, "behind it")]);
    let ran = look();
    assert_eq!(ran.stdout(), "committed\nplain\n");
    assert!(ran.stderr.contains("3 offsets at the end of a partition are hidden"), "{}", ran.stderr);
    producer.abort_transaction(LONG).expect("abort");
    cluster.settled(&topic);
    assert_eq!(look().stdout(), "committed\nplain\nbehind it\n");
}

#[test]
fn ids_partitions_and_the_newest_are_found_without_reading_the_rest() {
    let Some(cluster) = cluster() else { return };
    let topic = cluster.topic(3, &[]);
    let records: Vec<Stored> = (0..300).map(|n| plain(n % 3, &format!("{n}"))).collect();
    cluster.send(&topic, &records);
    let sandbox = Sandbox::new();
    let address = cluster.address(&topic);
    let bodies = |args: &[&str]| {
        let mut all = vec!["filter", &address, "true", "--print", ".body", "-o", "raw"];
        all.extend(args);
        let ran = sandbox.run(&all);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        ran.stdout().lines().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(bodies(&["--id", "1:7"]), ["22"]);
    assert_eq!(bodies(&["--partitions", "0,2", "-n", "1000"]).len(), 200);
    let ran = sandbox.run(&["inspect", &address, "--newest", "-n", "2", "--print", ".body", "-o", "raw"]);
    assert_eq!(ran.lines(), 2, "{}", ran.stderr);
    let ran = sandbox.run(&["inspect", &address, "--id", "1:7000"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    let ran = sandbox.run(&["inspect", &address, "--partitions", "0-3"]);
    assert!(ran.stderr.contains("there is no partition 3: the topic has 0 to 2"), "{}", ran.stderr);
    let ran = sandbox.run(&["inspect", &address, "--newest", "-f", "true"]);
    assert_eq!(ran.code, 4, "{}", ran.stderr);
}

#[test]
fn compacted_and_empty_and_trimmed_topics_end() {
    let Some(cluster) = cluster() else { return };
    let empty = cluster.topic(5, &[]);
    let sandbox = Sandbox::new();
    let ran = sandbox.run(&["filter", &cluster.address(&empty), "true"]);
    assert_eq!((ran.lines(), ran.code), (0, 0), "{}", ran.stderr);
    let settings = [
        ("cleanup.policy", "compact"),
        ("segment.ms", "100"),
        ("min.cleanable.dirty.ratio", "0.001"),
        ("max.compaction.lag.ms", "100"),
    ];
    let compacted = cluster.topic(1, &settings);
    for n in 0..5 {
        let same: Vec<Stored> = (0..50)
            .map(|k| Stored {
                key: Some(format!("k{}", k % 3).into()),
                value: Some(format!("{n}").into()),
                ..Stored::default()
            })
            .collect();
        cluster.send(&compacted, &same);
        std::thread::sleep(Duration::from_millis(300));
    }
    // The cleaner takes its time: whatever it left, ours and another reader see the same.
    for _ in 0..3 {
        std::thread::sleep(Duration::from_millis(700));
        // It may be at work between one reader and the next.
        let before = cluster.read(&compacted).len();
        let ran = sandbox.run(&["filter", &cluster.address(&compacted), "true"]);
        let after = cluster.read(&compacted).len();
        assert!(
            ran.code == 0 && (after..=before).contains(&ran.lines()),
            "{} of {before}: {}",
            ran.lines(),
            ran.stderr
        );
    }
}

#[test]
fn a_look_leaves_no_group_behind() {
    let Some(cluster) = cluster() else { return };
    let topic = cluster.topic(1, &[]);
    cluster.send(&topic, &[plain(0, "x")]);
    let consumer: BaseConsumer = cluster.config().create().expect("a consumer");
    let groups = || {
        let list = consumer.fetch_group_list(None, LONG).expect("groups");
        list.groups().iter().filter(|g| g.name().contains("dlq")).count()
    };
    let before = groups();
    let sandbox = Sandbox::new();
    sandbox.write("options", "# of another program\ngroup.id=dlq-other\nauto.offset.reset=latest\n");
    let ran = sandbox.run(&["filter", &cluster.address(&topic), "true", "-F", "options"]);
    assert_eq!((ran.lines(), ran.code), (1, 0), "{}", ran.stderr);
    assert_eq!(groups(), before);
}

#[test]
fn every_verb_keeps_to_the_partitions_it_is_given() {
    let Some(cluster) = cluster() else { return };
    let (topic, to) = (cluster.topic(3, &[]), cluster.topic(1, &[]));
    let records: Vec<Stored> = (0..30).map(|n| plain(n % 3, &n.to_string())).collect();
    cluster.send(&topic, &records);
    let (from, to) = (cluster.address(&topic), cluster.address(&to));
    let verbs: [&[&str]; 9] = [
        &["inspect", &from],
        &["filter", &from, "true"],
        &["sample", &from, "-n", "50"],
        &["stats", &from],
        &["depth", &from],
        &["replay", &from, "--to", &to, "--dry-run"],
        &["copy", &from, &to, "--dry-run"],
        &["move", &from, &to, "--dry-run"],
        &["purge", &from, "--all", "--no-backup", "--dry-run"],
    ];
    let sandbox = Sandbox::new();
    for verb in verbs {
        let ran = sandbox.run(&[verb, &["--partitions", "0,2", "-o", "json"]].concat());
        assert_eq!(ran.code, 0, "{verb:?} {}", ran.stderr);
        let report = ran.json();
        let seen = match verb[0] {
            "inspect" | "filter" | "sample" => report.as_array().map_or(0, Vec::len) as u64,
            "stats" => report["groups"].as_array().expect("groups").iter().map(|g| g["count"].as_u64().unwrap()).sum(),
            "depth" => report[0]["unresolved"].as_u64().expect("a number"),
            _ => report["selected"].as_u64().expect("a number"),
        };
        assert_eq!(seen, 20, "{verb:?} {report}");
        let ran = sandbox.run(&[verb, &["--partitions", "2-3"]].concat());
        assert_eq!(ran.code, 1, "{verb:?} {}", ran.stderr);
        assert!(ran.stderr.contains("there is no partition 3"), "{verb:?} {}", ran.stderr);
        let ran = sandbox.run(&[verb, &["--partitions", "two"]].concat());
        assert_eq!(ran.code, 2, "{verb:?} {}", ran.stderr);
    }
    // The newest are read where it is known how many; nothing is removed by them.
    for (verb, lines) in [(&["inspect", &from, "-n", "4"][..], 4), (&["filter", &from, "true", "--scan-limit", "4"], 4)]
    {
        let ran = sandbox.run(&[verb, &["--newest", "--print", ".body", "-o", "raw"]].concat());
        assert_eq!((ran.code, ran.lines()), (0, lines), "{verb:?} {}", ran.stderr);
        let least = ran.stdout().lines().map(|l| l.parse::<i32>().expect("a number")).min();
        assert!(least >= Some(18), "{verb:?} {}", ran.stdout());
    }
    for verb in [&["filter", &from, "true"][..], &["sample", &from, "-n", "3"]] {
        let ran = sandbox.run(&[verb, &["--newest"]].concat());
        assert_eq!(ran.code, 4, "{verb:?} {}", ran.stderr);
        assert!(ran.stderr.contains("--scan-limit"), "{verb:?} {}", ran.stderr);
    }
    let ran = sandbox.run(&["purge", &from, "--all", "--no-backup", "-y", "-X", "newest=true"]);
    assert_eq!(ran.code, 4, "{}", ran.stderr);
}

#[test]
fn a_topic_that_is_trimmed_while_it_is_read_is_read_on_behind_and_that_is_said() {
    let Some(cluster) = cluster() else { return };
    let topic = cluster.topic(1, &[]);
    // More than all buffers on the way hold, so that the reader stands still.
    const MANY: i64 = 900;
    let large = "x".repeat(100_000);
    let records: Vec<Stored> = (0..MANY).map(|_| plain(0, &large)).collect();
    cluster.send(&topic, &records);
    let sandbox = Sandbox::new();
    let mut run = start(
        &sandbox,
        &["filter", &cluster.address(&topic), "true", "--print", "[.id, .body] | join(\" \")", "-o", "raw"],
    );
    let mut lines = BufReader::new(run.stdout.take().expect("piped")).lines();
    let id = |line: String| line.split(' ').next().expect("an id")[2..].parse::<i64>().expect("an offset");
    let mut ids = vec![id(lines.next().expect("a line").expect("read"))];
    std::thread::sleep(Duration::from_secs(2));
    cluster.trim(&topic, 0, MANY - 10);
    ids.extend(lines.map(|l| id(l.expect("read"))));
    let ran = run.wait_with_output().expect("wait");
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{said}");
    let gap = ids.iter().zip(0..).find(|(id, n)| **id != *n).map(|(id, n)| (n, *id)).expect("something was trimmed");
    assert_eq!(gap.1, MANY - 10, "it goes on where the topic begins now");
    assert_eq!(ids.last(), Some(&(MANY - 1)));
    let wanted = format!("partition 0: offsets {} to {} were deleted while this read", gap.0, MANY - 11);
    assert!(said.contains(&wanted), "{wanted}: {said}");
}
