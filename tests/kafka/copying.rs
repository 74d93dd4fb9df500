//! Sent outside of transactions: any number of a key is under way, and a failure still holds up those behind it.

use std::collections::{HashMap, HashSet};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::cluster::{Cluster, Stored, cluster, until};
use crate::node::Node;
use crate::replaying::numbered;
use crate::sandbox::Sandbox;

pub fn now() -> i64 {
    i64::try_from(std::time::SystemTime::UNIX_EPOCH.elapsed().expect("after 1970").as_millis()).expect("small")
}

/// The numbers in these, in the order they are stored in.
fn numbers(records: &[Stored]) -> Vec<usize> {
    records.iter().map(|r| r.text().parse().expect("a number")).collect()
}

#[test]
fn records_of_one_key_keep_their_order() {
    let Some(cluster) = cluster() else { return };
    let (topic, to) = (cluster.topic(1, &[]), cluster.topic(3, &[]));
    let mut records = numbered("none", 30_000, 1);
    records.iter_mut().for_each(|r| r.key = Some(b"the same".to_vec()));
    cluster.send(&topic, &records);
    let ran = Sandbox::new().run(&["copy", &cluster.address(&topic), &cluster.address(&to), "-y", "-o", "json"]);
    assert_eq!((ran.code, &ran.json()["copied"]), (0, &30_000.into()), "{}", ran.stderr);
    assert_eq!(numbers(&cluster.read(&to)), (0..30_000).collect::<Vec<_>>());
}

/// Once so many have arrived, the topic takes no records whose time is to come: nobody but the broker knows.
#[test]
fn what_the_broker_refuses_meanwhile_holds_up_its_key_and_no_other() {
    const MANY: usize = 6000;
    const KEYS: usize = 97;
    let Some(cluster) = cluster() else { return };
    let any_time = [("message.timestamp.after.max.ms", "9223372036854775807")];
    for held in [true, false] {
        let (topic, to) = (cluster.topic(1, &any_time), cluster.topic(1, &any_time));
        let mut records = numbered("none", MANY, 1);
        let ahead = |n: usize| n % 250 == 7;
        for (n, r) in records.iter_mut().enumerate() {
            r.time = Some(now() + if ahead(n) { 7_200_000 } else { 0 });
            r.headers.push(("null".into(), None));
            r.headers.push(("bytes".into(), Some(vec![0, 255])));
        }
        cluster.send(&topic, &records);
        let sandbox = Sandbox::new();
        let run = sandbox
            .command()
            .args(["copy", &cluster.address(&topic), &cluster.address(&to), "-y", "-o", "json"])
            .args(["--to-X", "keep-timestamps=true", "--rate", "1500/s"])
            .args(if held { &[][..] } else { &["--on-failure", "skip"] })
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("start dlq");
        until("it begins", || cluster.ends(&to)[0].1 > 600);
        cluster.alter(&to, "message.timestamp.after.max.ms", "3600000");
        let ran = run.wait_with_output().expect("wait");
        let said = String::from_utf8_lossy(&ran.stderr);
        assert_eq!(ran.status.code(), Some(3), "{said}");
        let report: serde_json::Value = serde_json::from_slice(&ran.stdout).expect("a report");

        let there = cluster.read(&to);
        let arrived = numbers(&there);
        let mut sorted = arrived.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), arrived.len(), "none came twice");
        let mut last = [0; KEYS];
        for n in &arrived {
            assert!(last[n % KEYS] <= *n, "{n} came too late");
            last[n % KEYS] = *n;
        }
        let is_there = |n: &usize| sorted.binary_search(n).is_ok();
        let failed: Vec<usize> = (0..MANY).filter(|n| ahead(*n) && !is_there(n)).collect();
        assert!(failed.len() > 5, "{} failed: {said}", failed.len());
        let first = |key: usize| failed.iter().find(|n| *n % KEYS == key);
        let wanted = |n: &usize| if held { first(n % KEYS).is_none_or(|f| n < f) } else { !failed.contains(n) };
        let missing: Vec<usize> = (0..MANY).filter(|n| wanted(n) != is_there(n)).collect();
        assert_eq!(missing, [0; 0], "held {held}: {report}");
        let behind = MANY - arrived.len() - report["failed"].as_u64().expect("a number") as usize;
        assert_eq!((&report["copied"], &report["skipped"]), (&arrived.len().into(), &behind.into()), "{report}");
        // Sent once more or not, as they were.
        for (r, time) in there.iter().zip(cluster.times(&to)) {
            let n: usize = r.text().parse().expect("a number");
            assert_eq!(
                (&r.key, &r.headers, Some(time)),
                (&records[n].key, &records[n].headers, records[n].time),
                "{n}"
            );
        }
    }
}

/// The broker tells which records of a batch it refuses: their neighbours go once more.
#[test]
fn what_is_refused_for_others_goes_once_more() {
    let Some(cluster) = cluster() else { return };
    let (topic, compacted) = (cluster.topic(1, &[]), cluster.topic(1, &[("cleanup.policy", "compact")]));
    let mut records = numbered("none", 5000, 1);
    // The compacted topic is to keep them all.
    for (n, r) in records.iter_mut().enumerate() {
        r.key = (n % 1000 != 3).then(|| n.to_string().into_bytes());
    }
    cluster.send(&topic, &records);
    let ran = Sandbox::new().run(&["copy", &cluster.address(&topic), &cluster.address(&compacted), "-y", "-o", "json"]);
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    let report = ran.json();
    assert_eq!((&report["copied"], &report["failed"]), (&4995.into(), &5.into()), "{report}");
    let mut arrived = numbers(&cluster.read(&compacted));
    arrived.sort_unstable();
    assert_eq!(arrived, (0..5000).filter(|n| n % 1000 != 3).collect::<Vec<_>>());
}

fn signal(process: &str, name: &str) {
    assert!(Command::new("kill").args([name, process]).status().expect("kill").success());
}

fn stored(cluster: &Cluster, topic: &str) -> i64 {
    cluster.ends(topic).iter().map(|(_, high)| high).sum()
}

/// How often each number is there.
fn counts(records: &[Stored], many: usize) -> Vec<usize> {
    let mut counts = vec![0; many];
    numbers(records).into_iter().for_each(|n| counts[n] += 1);
    counts
}

/// What was under way may be stored once the node goes on: it is named, and comes again.
#[test]
fn a_destination_that_freezes_ends_a_move_and_a_second_one_completes_it() {
    const MANY: usize = 6000;
    let Some(cluster) = cluster() else { return };
    let Some(node) = Node::start() else { return };
    let other = node.cluster();
    for held in [true, false] {
        let (topic, to) = (cluster.topic(1, &[]), other.topic(2, &[]));
        cluster.send(&topic, &numbered("none", MANY, 1));
        let number: HashMap<String, usize> = cluster
            .read(&topic)
            .iter()
            .map(|r| (format!("0:{}", r.offset), numbers(std::slice::from_ref(r))[0]))
            .collect();
        let sandbox = Sandbox::new();
        let (from, there) = (cluster.address(&topic), other.address(&to));
        let mut call = vec!["move", &from, &there, "-y", "--run", "one"];
        if !held {
            call.extend(["--on-failure", "skip"]);
        }
        let run = sandbox
            .command()
            .args(&call)
            .args(["--rate", "500/s", "--timeout", "4s"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("start dlq");
        until("it begins", || stored(other, &to) > 600);
        signal(&node.process(), "-STOP");
        let began = Instant::now();
        let ran = run.wait_with_output();
        signal(&node.process(), "-CONT");
        let ran = ran.expect("wait");
        let said = String::from_utf8_lossy(&ran.stderr);
        assert!(matches!(ran.status.code(), Some(1 | 3)), "{:?}: {said}", ran.status);
        assert!(began.elapsed() < Duration::from_secs(60), "{:?}: {said}", began.elapsed());

        let again = sandbox.run(&call);
        assert_eq!(again.code, 0, "{}", again.stderr);
        assert_eq!(sandbox.run(&["depth", &from, "-o", "json"]).json()[0]["unresolved"], 0);
        let counts = counts(&other.read(&to), MANY);
        let history = sandbox.run(&["history", "one", "-o", "json"]).json();
        let all = history["messages"].as_array().expect("a list");
        let named: HashSet<usize> =
            all.iter().filter(|m| m["kind"] != "failed").map(|m| number[m["id"].as_str().expect("an id")]).collect();
        assert_eq!(counts.iter().filter(|n| **n == 0).count(), 0, "nothing is lost: {said}");
        let silent: Vec<usize> = (0..MANY).filter(|n| counts[*n] > 1 && !named.contains(n)).collect();
        assert_eq!(silent, [0; 0], "twice, and not named: {said}");
    }
}

/// A broker that knows nothing of a producer yet takes any number in its sequence: what is behind the refused one too.
#[test]
fn what_is_refused_first_of_all_in_a_partition_holds_up_its_key() {
    const MANY: usize = 6000;
    const BLOCK: usize = 40;
    let Some(cluster) = cluster() else { return };
    let any_time = [("message.timestamp.after.max.ms", "9223372036854775807")];
    let (topic, to) = (cluster.topic(1, &any_time), cluster.topic(64, &any_time));
    let mut records = numbered("none", MANY, 1);
    for (n, r) in records.iter_mut().enumerate() {
        r.key = Some(format!("k{}", n / BLOCK).into_bytes());
        r.time = Some(now() + if n % BLOCK == 0 { 7_200_000 } else { 0 });
    }
    cluster.send(&topic, &records);
    let run = Sandbox::new()
        .command()
        .args(["copy", &cluster.address(&topic), &cluster.address(&to), "-y", "-o", "json"])
        .args(["--to-X", "keep-timestamps=true", "--to-X", "batch.size=1", "--rate", "600/s"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("start dlq");
    until("it begins", || cluster.ends(&to).iter().any(|(_, high)| *high > 0));
    cluster.alter(&to, "message.timestamp.after.max.ms", "3600000");
    let ran = run.wait_with_output().expect("wait");
    let said = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(3), "{said}");
    let counts = counts(&cluster.read(&to), MANY);
    assert!(counts.iter().all(|n| *n < 2), "none came twice");
    let refused: Vec<usize> = (0..MANY / BLOCK).filter(|block| counts[block * BLOCK] == 0).collect();
    assert!(refused.len() > 5, "{refused:?}: {said}");
    let there = |block: &usize| counts[block * BLOCK..][..BLOCK].iter().sum::<usize>();
    let ahead: Vec<(usize, usize)> =
        refused.iter().map(|block| (*block, there(block))).filter(|(_, n)| *n > 0).collect();
    assert_eq!(ahead, [], "of these {} keys records behind the refused one are stored", refused.len());
}

#[test]
fn what_is_larger_than_what_may_wait_fails_at_once_and_says_what_to_do() {
    let Some(cluster) = cluster() else { return };
    let (topic, to) = (cluster.topic(1, &[]), cluster.topic(1, &[]));
    let mut records = numbered("none", 3, 1);
    records[1].value = Some(vec![b'1'; 500_000]);
    cluster.send(&topic, &records);
    let (from, there) = (cluster.address(&topic), cluster.address(&to));
    let copy = ["copy", &from, &there, "-y", "-o", "json"];
    let ran = Sandbox::new().run(&[&copy[..], &["--to-X", "queue.buffering.max.kbytes=100"]].concat());
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    assert!(ran.stderr.contains("(queue.buffering.max.kbytes=100)"), "{}", ran.stderr);
    assert_eq!((&ran.json()["copied"], &ran.json()["failed"]), (&2.into(), &1.into()), "{}", ran.stderr);
    let ran = Sandbox::new().run(&copy);
    assert_eq!((ran.code, &ran.json()["copied"]), (0, &3.into()), "{}", ran.stderr);
}
