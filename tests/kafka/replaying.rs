//! Replays within one cluster: exactly once, byte for byte, one run at a time.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use rand::RngExt;

use crate::cluster::{Cluster, Stored, cluster};
use crate::sandbox::Sandbox;

const MARK: &str = "dlq-replay";
const TIME: &str = "dlq-original-timestamp";

pub fn numbered(origin: &str, many: usize, partitions: usize) -> Vec<Stored> {
    let one = |n: usize| {
        let partition = i32::try_from(n % partitions).expect("few");
        Cluster::dead(origin, partition, &format!("k{}", n % 97), &n.to_string())
    };
    (0..many).map(one).collect()
}

/// How often each body from 0 on is there.
pub fn counted(stored: &[Stored], many: usize) -> Vec<usize> {
    let mut counts = vec![0; many];
    for r in stored {
        counts[r.text().parse::<usize>().expect("a number")] += 1;
    }
    counts
}

#[test]
fn to_the_origin_the_headers_name_once_and_no_more() {
    let Some(cluster) = cluster() else { return };
    let (topic, origin) = (cluster.topic(4, &[]), cluster.topic(4, &[]));
    cluster.send(&topic, &numbered(&origin, 5000, 4));
    let sandbox = Sandbox::new();
    let ran = sandbox.run(&["replay", &cluster.address(&topic), "-y", "-o", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let report = ran.json();
    assert_eq!((&report["replayed"], &report["remaining"]), (&5000.into(), &0.into()), "{report}");
    let there = cluster.read(&origin);
    assert!(counted(&there, 5000).iter().all(|n| *n == 1));
    assert!(there.iter().all(|r| !r.headers.iter().any(|(n, _)| n.starts_with("kafka_dlt"))), "notes are stripped");
    assert!(there.iter().all(|r| r.headers.iter().any(|(n, _)| n == MARK)));
    let ran = sandbox.run(&["replay", &cluster.address(&topic), "-y", "-o", "json"]);
    assert_eq!(ran.json()["read"], 0, "{}", ran.stdout());
    assert_eq!(cluster.read(&origin).len(), 5000);
    // Equal keys meet in one partition, whoever sends them: Java's murmur2 of k0 and k1 over four partitions.
    let mut of = std::collections::BTreeMap::new();
    for r in &there {
        of.entry(r.key.clone()).or_insert_with(std::collections::BTreeSet::new).insert(r.partition);
    }
    assert!(of.values().all(|partitions| partitions.len() == 1));
}

#[test]
fn any_record_is_replayed_byte_for_byte() {
    let Some(cluster) = cluster() else { return };
    let bytes = || proptest::collection::vec(any::<u8>(), 0..40);
    let header = ("[a-zA-Z0-9 é._-]{1,12}", proptest::option::of(bytes()));
    let record =
        (proptest::option::of(bytes()), proptest::option::of(bytes()), proptest::collection::vec(header, 0..5));
    let mut runner = TestRunner::new(Config { cases: 6, ..Config::default() });
    let all = proptest::collection::vec(record, 1..120);
    runner
        .run(&all, |records| {
            let (topic, origin) = (cluster.topic(1, &[]), cluster.topic(1, &[]));
            let records: Vec<Stored> = records
                .into_iter()
                .map(|(key, value, headers)| Stored { key, value, headers, ..Stored::default() })
                .collect();
            cluster.send(&topic, &records);
            let sandbox = Sandbox::new();
            let to = cluster.address(&origin);
            let ran = sandbox.run(&["replay", &cluster.address(&topic), "--to", &to, "-y"]);
            prop_assert_eq!(ran.code, 0, "{}", ran.stderr);
            let there: Vec<Stored> = cluster
                .read(&origin)
                .into_iter()
                .map(|mut r| {
                    r.headers.retain(|(n, _)| n != MARK && n != TIME);
                    Stored { offset: 0, ..r }
                })
                .collect();
            prop_assert_eq!(there, records);
            Ok(())
        })
        .expect("every record");
}

#[test]
fn what_one_topic_refuses_fails_alone_and_stays() {
    let Some(cluster) = cluster() else { return };
    let (topic, small) = (cluster.topic(1, &[]), cluster.topic(1, &[("max.message.bytes", "4000")]));
    let mut records = numbered(&small, 300, 1);
    records[100].value = Some(vec![b'x'; 5000]);
    records[200] = Cluster::dead("no.such.topic", 0, "k", "200");
    cluster.send(&topic, &records);
    let sandbox = Sandbox::new();
    let address = cluster.address(&topic);
    let ran = sandbox.run(&["replay", &address, "-y", "-o", "json", "--on-failure", "skip"]);
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    let report = ran.json();
    assert_eq!((&report["replayed"], &report["failed"]), (&298.into(), &2.into()), "{report}");
    assert_eq!(cluster.read(&small).len(), 298);
    let left = sandbox.run(&["filter", &address, "true", "--print", ".id", "-o", "raw"]);
    assert_eq!(left.stdout(), "0:100\n0:200\n");
}

/// Six records of each of 97 keys, some too large for their topic.
fn ones_that_fail(to: &str) -> Vec<Stored> {
    let mut records = numbered(to, 6 * 97, 2);
    for (n, r) in records.iter_mut().enumerate() {
        r.partition = i32::try_from(n % 97 % 2).expect("few");
    }
    // k3 fails at its second record, k4 at its first and its third, k5 at its last.
    for n in [97 + 3, 4, 2 * 97 + 4, 5 * 97 + 5] {
        records[n].value = Some(vec![b'x'; 5000]);
    }
    // Nothing is behind one that has no key.
    for n in [10, 11] {
        records[n].key = None;
        records[n].value = Some(vec![b'x'; 5000]);
    }
    for n in [97 + 10, 97 + 11] {
        records[n].key = None;
    }
    records
}

/// Which bodies of [`ones_that_fail`] get through.
fn get_through(n: usize, held: bool) -> bool {
    let (round, key) = (n / 97, n % 97);
    let large = [97 + 3, 4, 2 * 97 + 4, 5 * 97 + 5, 10, 11].contains(&n);
    !large && !(held && (key == 3 && round > 1 || key == 4 && round > 0))
}

#[test]
fn those_behind_a_failed_one_with_its_key_wait_in_a_transaction_and_to_another_broker() {
    let Some(cluster) = cluster() else { return };
    let home = cluster.topic(1, &[("max.message.bytes", "4000")]);
    let records = ones_that_fail(&home);
    let many = records.len();
    let address = |topic: &str| cluster.address(topic);
    for (held, option) in [(true, None), (true, Some("hold-lane")), (false, Some("skip"))] {
        for whole in [true, false] {
            let topic = cluster.topic(2, &[]);
            let small = cluster.topic(1, &[("max.message.bytes", "4000")]);
            cluster.send(&topic, &records);
            let (from, to) = (address(&topic), address(&small));
            // A copy goes the way that everything goes which is for another broker.
            let mut args = if whole { vec!["replay", &from, "--to", &to] } else { vec!["copy", &from, &to] };
            args.extend(["-y", "-o", "json", "-v"]);
            args.extend(option.iter().flat_map(|o| ["--on-failure", o]));
            let ran = Sandbox::new().run(&args);
            assert_eq!(ran.code, 3, "{args:?} {}", ran.stderr);
            assert!(
                !ran.stderr.contains("Message size too large"),
                "batches are as small as the topic wants them: {}",
                ran.stderr
            );
            let through: Vec<usize> = (0..many).filter(|n| get_through(*n, held)).collect();
            let mut there: Vec<usize> = cluster.read(&small).iter().map(|r| r.text().parse().expect("small")).collect();
            // Of a key in their order: all that has one number modulo 97.
            let mut last = vec![0; 97];
            for n in &there {
                assert!(last[n % 97] <= *n, "{n} came too late, behind {}: {args:?} {}", last[n % 97], ran.stderr);
                last[n % 97] = *n;
            }
            there.sort_unstable();
            assert_eq!(there, through, "{args:?}");
            let report = ran.json();
            let (failed, waiting) = if held { (5, 4 + 5) } else { (6, 0) };
            assert_eq!((&report["failed"], &report["skipped"]), (&failed.into(), &waiting.into()), "{args:?} {report}");
            if whole {
                let left = Sandbox::new().run(&["filter", &from, "true", "--print", ".id", "-o", "raw"]);
                assert_eq!(left.stdout().lines().count(), many - through.len());
            }
        }
    }
}

#[test]
fn what_has_no_place_to_go_holds_up_its_key() {
    let Some(cluster) = cluster() else { return };
    let (topic, origin) = (cluster.topic(1, &[]), cluster.topic(1, &[]));
    let mut records = numbered(&origin, 3000, 1);
    for n in [500, 1000] {
        records[n].headers[0].1 = Some(b"no.such.topic".to_vec());
    }
    cluster.send(&topic, &records);
    let ran = Sandbox::new().run(&["replay", &cluster.address(&topic), "-y", "-o", "json"]);
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    let behind = |n: usize, of: usize| n > of && n % 97 == of % 97;
    let waiting = (0..3000).filter(|n| behind(*n, 500) || behind(*n, 1000)).count();
    let report = ran.json();
    assert_eq!((&report["failed"], &report["skipped"]), (&2.into(), &waiting.into()), "{report}");
    let there: Vec<usize> = cluster.read(&origin).iter().map(|r| r.text().parse().expect("a number")).collect();
    let through: Vec<usize> =
        (0..3000).filter(|n| ![500, 1000].contains(n) && !behind(*n, 500) && !behind(*n, 1000)).collect();
    assert_eq!(there, through);
}

#[test]
fn more_partitions_than_producers_are_done_one_after_the_other() {
    let Some(cluster) = cluster() else { return };
    let (topic, origin) = (cluster.topic(9, &[]), cluster.topic(2, &[]));
    cluster.send(&topic, &numbered(&origin, 900, 9));
    let ran = Sandbox::new().run(&["replay", &cluster.address(&topic), "-y", "-o", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(counted(&cluster.read(&origin), 900).iter().all(|n| *n == 1));
}

#[test]
fn a_topic_of_many_partitions_is_replayed_to_its_end() {
    let Some(cluster) = cluster() else { return };
    let (topic, origin) = (cluster.topic(64, &[]), cluster.topic(4, &[]));
    cluster.send(&topic, &numbered(&origin, 64 * 50, 64));
    let sandbox = Sandbox::new();
    let ran = sandbox.run(&["replay", &cluster.address(&topic), "-y", "-o", "json"]);
    assert_eq!((ran.code, &ran.json()["remaining"]), (0, &0.into()), "{}", ran.stderr);
    assert!(counted(&cluster.read(&origin), 64 * 50).iter().all(|n| *n == 1));
}

#[test]
fn what_the_broker_alone_refuses_is_found_among_its_neighbours() {
    let Some(cluster) = cluster() else { return };
    // A compacted topic refuses records without a key, which nobody can know but the broker.
    let (topic, compacted) = (cluster.topic(1, &[]), cluster.topic(1, &[("cleanup.policy", "compact")]));
    let mut records = numbered(&compacted, 200, 1);
    let own = [("a".to_owned(), Some(b"1".to_vec())), ("a".to_owned(), None)];
    records.iter_mut().for_each(|r| r.headers.extend(own.iter().cloned()));
    for n in [3, 77, 199] {
        records[n].key = None;
    }
    cluster.send(&topic, &records);
    let sandbox = Sandbox::new();
    let address = cluster.address(&topic);
    let ran = sandbox.run(&["replay", &address, "-y", "-o", "json", "--on-failure", "skip"]);
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    let report = ran.json();
    assert_eq!((&report["replayed"], &report["failed"]), (&197.into(), &3.into()), "{report}");
    let there = cluster.read(&compacted);
    assert!(counted(&there, 200).iter().enumerate().all(|(n, c)| *c == usize::from(![3, 77, 199].contains(&n))));
    // Sent more than once, and as they were each time.
    for r in &there {
        let sent = &records[r.text().parse::<usize>().expect("a number")];
        let theirs: Vec<_> = r.headers.iter().filter(|(n, _)| n != MARK && n != TIME).collect();
        assert_eq!((&r.key, theirs), (&sent.key, own.iter().collect()));
        assert_eq!(r.headers.iter().filter(|(n, _)| n == MARK || n == TIME).count(), 2);
    }
    let left = sandbox.run(&["filter", &address, "true", "--print", ".id", "-o", "raw"]);
    assert_eq!(left.stdout(), "0:3\n0:77\n0:199\n");
}

#[test]
fn the_recorded_partition_is_kept_where_that_is_asked_for() {
    let Some(cluster) = cluster() else { return };
    let (topic, origin) = (cluster.topic(3, &[]), cluster.topic(3, &[]));
    let mut records = numbered(&origin, 30, 3);
    for (n, r) in records.iter_mut().enumerate() {
        let partition = i32::try_from((n + 1) % 3).expect("few");
        r.headers.push(("kafka_dlt-original-partition".into(), Some(partition.to_be_bytes().to_vec())));
    }
    cluster.send(&topic, &records);
    let sandbox = Sandbox::new();
    let ran = sandbox.run(&["replay", &cluster.address(&topic), "-y", "--keep-partition"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    for r in cluster.read(&origin) {
        let n: i32 = r.text().parse().expect("a number");
        assert_eq!(r.partition, (n + 1) % 3);
    }
}

pub fn start(sandbox: &Sandbox, args: &[&str]) -> Child {
    sandbox
        .command()
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("start dlq")
}

#[test]
fn of_two_runs_the_second_goes_on_and_the_first_is_told() {
    let Some(cluster) = cluster() else { return };
    let (topic, origin) = (cluster.topic(1, &[]), cluster.topic(1, &[]));
    cluster.send(&topic, &numbered(&origin, 3000, 1));
    let sandbox = Sandbox::new();
    let address = cluster.address(&topic);
    // Slow enough to be in the middle of it when the second comes.
    let state = format!("state-topic={}", cluster.name());
    let first = start(&sandbox, &["replay", &address, "-y", "--rate", "150/s", "-X", &state]);
    let began = Instant::now();
    while cluster.read(&origin).is_empty() {
        assert!(began.elapsed() < Duration::from_secs(60), "the first run begins");
        std::thread::sleep(Duration::from_millis(100));
    }
    // On another machine: on this one it would be refused.
    let second = Sandbox::new().run(&["replay", &address, "-y", "-X", &state]);
    assert_eq!(second.code, 0, "{}", second.stderr);
    let first = first.wait_with_output().expect("wait");
    let said = String::from_utf8_lossy(&first.stderr);
    assert!(!first.status.success(), "{said}");
    assert!(said.contains("another run of dlq has taken over partition 0"), "{said}");
    let there = cluster.read(&origin);
    assert!(counted(&there, 3000).iter().all(|n| *n == 1), "each once, whichever run sent it");
}

#[test]
fn two_machines_share_a_topic_by_its_partitions() {
    let Some(cluster) = cluster() else { return };
    let (topic, origin) = (cluster.topic(8, &[]), cluster.topic(4, &[]));
    cluster.send(&topic, &numbered(&origin, 8000, 8));
    let sandbox = Sandbox::new();
    let address = cluster.address(&topic);
    let a = start(&sandbox, &["replay", &address, "-y", "--partitions", "0-3"]);
    let b = start(&sandbox, &["replay", &address, "-y", "--partitions", "4-7"]);
    for run in [a, b] {
        let ran = run.wait_with_output().expect("wait");
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    }
    assert!(counted(&cluster.read(&origin), 8000).iter().all(|n| *n == 1));
}

#[test]
fn a_move_to_an_archive_marks_what_it_wrote() {
    let Some(cluster) = cluster() else { return };
    let topic = cluster.topic(6, &[]);
    cluster.send(&topic, &numbered("orders", 600, 6));
    let sandbox = Sandbox::new();
    let address = cluster.address(&topic);
    let ran = sandbox.run(&["move", &address, "file:out.ndjson", "-n", "450", "-y"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(sandbox.read("out.ndjson").lines().count(), 450);
    assert_eq!(sandbox.run(&["filter", &address, "true"]).lines(), 150);
    let ran = sandbox.run(&["move", &address, "file:rest.ndjson", "-y"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(sandbox.read("rest.ndjson").lines().count(), 150);
}

#[test]
fn the_plan_tells_of_the_topic_that_will_be_made() {
    let Some(cluster) = cluster() else { return };
    let (topic, state) = (cluster.topic(1, &[]), cluster.name());
    cluster.send(&topic, &numbered("orders", 3, 1));
    let sandbox = Sandbox::new();
    let address = cluster.address(&topic);
    let option = format!("state-topic={state}");
    let ran = sandbox.run(&["purge", &address, "--all", "--no-backup", "--dry-run", "-X", &option]);
    assert!(ran.stderr.contains(&format!("the topic {state} will be made")), "{}", ran.stderr);
    assert!(cluster.ends(&state).is_empty(), "a dry run makes nothing");
    let ran = sandbox.run(&["purge", &address, "--all", "--no-backup", "-y", "-X", &option]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(cluster.ends(&state).len(), 16);
}

#[test]
fn to_another_topic_of_the_cluster_in_the_same_transactions() {
    let Some(cluster) = cluster() else { return };
    let (topic, origin, other) = (cluster.topic(2, &[]), cluster.topic(1, &[]), cluster.topic(3, &[]));
    cluster.send(&topic, &numbered(&origin, 400, 2));
    let sandbox = Sandbox::new();
    let address = cluster.address(&topic);
    let ran = sandbox.run(&["replay", &address, "--to-topic", &other, "-y", "--partitions", "1", "-o", "json"]);
    assert_eq!((ran.code, &ran.json()["replayed"]), (0, &200.into()), "{}", ran.stderr);
    assert!(ran.stderr.contains("exactly once") && ran.stderr.contains(&other), "{}", ran.stderr);
    let there = cluster.read(&other);
    assert!(there.len() == 200 && cluster.read(&origin).is_empty());
    // What is committed in a transaction leaves a marker, which takes an offset.
    assert!(cluster.ends(&other).iter().map(|(_, high)| high).sum::<i64>() > 200);
    let ran = sandbox.run(&["replay", &address, "--to-topic", &topic, "-y"]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    let ran = sandbox.run(&["replay", &address, "--to-topic", &format!("{other}x"), "-y"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains(&format!("did you mean {other:?}")), "{}", ran.stderr);
    let ran = sandbox.run(&["replay", &address, "--to-topic", &other, "--to", "file:x", "-y"]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
}

#[test]
fn in_the_order_of_the_original_offsets_whatever_the_topic_did_to_it() {
    let Some(cluster) = cluster() else { return };
    let (topic, origin) = (cluster.topic(5, &[]), cluster.topic(3, &[]));
    // Each record says which of its origin's it was; where it is now is left to chance.
    let mut records = numbered(&origin, 600, 5);
    let mut rng = rand::rng();
    for (n, r) in records.iter_mut().enumerate() {
        let (partition, offset) = (i32::try_from(n % 3).expect("few"), i64::try_from(n / 3).expect("few"));
        r.headers.push(("kafka_dlt-original-partition".into(), Some(partition.to_be_bytes().to_vec())));
        r.headers.push(("kafka_dlt-original-offset".into(), Some(offset.to_be_bytes().to_vec())));
    }
    // Two that do not say so come last.
    for r in &mut records[598..] {
        r.headers.truncate(2);
    }
    for n in (1..records.len()).rev() {
        records.swap(n, rng.random_range(0..=n));
    }
    // Runs of a partition, as topics have them: each change of partition is a transaction.
    for (n, r) in records.iter_mut().enumerate() {
        r.partition = i32::try_from(n / 30 % 5).expect("few");
    }
    cluster.send(&topic, &records);
    let sandbox = Sandbox::new();
    let (address, state) = (cluster.address(&topic), format!("state-topic={}", cluster.name()));
    let ordered = ["replay", &address, "--order", "origin", "--keep-partition", "-y", "-X", &state];
    // A part of it is cut off, and done by the next.
    let mut run = start(&sandbox, &[&ordered[..], &["--run", "cut-off"]].concat());
    let began = Instant::now();
    while cluster.read(&origin).len() < 40 {
        assert!(began.elapsed() < Duration::from_secs(60), "the first run begins");
        std::thread::sleep(Duration::from_millis(50));
    }
    run.kill().expect("kill");
    run.wait().expect("wait");
    let ran = sandbox.run(&[&ordered[..], &["--run", "cut-off"]].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let there = cluster.read(&origin);
    assert!(counted(&there, 600).iter().all(|n| *n == 1), "each once");
    for partition in 0..3 {
        let numbers: Vec<usize> =
            there.iter().filter(|r| r.partition == partition).map(|r| r.text().parse().expect("a number")).collect();
        let told: Vec<usize> = numbers.iter().copied().filter(|n| *n < 598).collect();
        assert!(told.is_sorted(), "partition {partition}: {told:?}");
    }
    let ran = sandbox.run(&["replay", &address, "--order", "random"]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
}

#[test]
fn a_plan_on_file_keeps_the_order_that_was_asked_for() {
    let Some(cluster) = cluster() else { return };
    let (topic, origin) = (cluster.topic(1, &[]), cluster.topic(1, &[]));
    let mut records = numbered(&origin, 20, 1);
    for (n, r) in records.iter_mut().enumerate() {
        let offset = i64::try_from(19 - n).expect("few");
        r.headers.push(("kafka_dlt-original-partition".into(), Some(0_i32.to_be_bytes().to_vec())));
        r.headers.push(("kafka_dlt-original-offset".into(), Some(offset.to_be_bytes().to_vec())));
    }
    cluster.send(&topic, &records);
    let sandbox = Sandbox::new();
    let (address, state) = (cluster.address(&topic), format!("state-topic={}", cluster.name()));
    let set = ["-X", state.as_str()];
    let planned = ["replay", &address, "--order", "origin", "--plan-out", "plan.json"];
    let ran = sandbox.run(&[&planned[..], &set].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let again = sandbox.run(&[&["replay", "--plan", "plan.json", "--order", "origin", "-y"], &set[..]].concat());
    assert_eq!(again.code, 2, "the plan has said it: {}", again.stderr);
    let ran = sandbox.run(&[&["replay", "--plan", "plan.json", "-y", "-o", "json"], &set[..]].concat());
    assert_eq!((ran.code, &ran.json()["replayed"]), (0, &20.into()), "{}", ran.stderr);
    let there: Vec<usize> = cluster.read(&origin).iter().map(|r| r.text().parse().expect("a number")).collect();
    assert_eq!(there, (0..20).rev().collect::<Vec<_>>());
}
