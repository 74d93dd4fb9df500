//! Changing records on the way, dry runs, and canaries.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::cluster::{Cluster, Stored, cluster, until};
use crate::groups::commit;
use crate::replaying::{numbered, start};
use crate::sandbox::Sandbox;

const OURS: [&str; 2] = ["dlq-replay", "dlq-original-timestamp"];

fn theirs(mut stored: Stored) -> Stored {
    stored.headers.retain(|(name, _)| !OURS.contains(&name.as_str()));
    stored
}

#[test]
fn repeated_null_and_binary_headers_survive_a_change() {
    let Some(cluster) = cluster() else { return };
    let (topic, to) = (cluster.topic(1, &[]), cluster.topic(1, &[]));
    let header = |name: &str, value: Option<&[u8]>| (name.to_owned(), value.map(<[u8]>::to_vec));
    let record = Stored {
        key: Some(b"k".to_vec()),
        value: Some(b"{ \"n\": 1.10 }".to_vec()),
        headers: vec![
            header("twice", Some(b"1")),
            header("null", None),
            header("bytes", Some(&[0xff, 0])),
            header("twice", Some(b"2")),
            header("empty", Some(b"")),
            header("plain", Some(b"x")),
        ],
        ..Stored::default()
    };
    let tombstone = Stored { offset: 1, value: Some(b"gone".to_vec()), key: Some(vec![0xfe]), ..Stored::default() };
    cluster.send(&topic, &[record.clone(), tombstone]);
    let s = Sandbox::new();
    let map = "if .body == \"gone\" then .body = null else .headers.plain = \"y\" | .headers.new = \"n\" | .key = \"other\" end";
    let args = ["replay", &cluster.address(&topic), "--to", &cluster.address(&to), "--map", map, "-y", "-o", "json"];
    let ran = s.run(&args);
    assert_eq!((ran.code, &ran.json()["changed"]), (0, &2.into()), "{}", ran.stderr);
    let got: Vec<Stored> = cluster.read(&to).into_iter().map(theirs).collect();
    let mut wanted = record;
    wanted.headers[5].1 = Some(b"y".to_vec());
    wanted.headers.push(header("new", Some(b"n")));
    wanted.key = Some(b"other".to_vec());
    assert_eq!(got[0], wanted);
    assert_eq!((&got[1].value, &got[1].key), (&None, &Some(vec![0xfe])), "a tombstone");
}

#[test]
fn a_dry_run_changes_nothing_on_the_cluster() {
    let Some(cluster) = cluster() else { return };
    let (topic, origin) = (cluster.topic(2, &[]), cluster.topic(2, &[]));
    cluster.send(&topic, &numbered(&origin, 50, 2));
    let topics = || {
        use rdkafka::consumer::{BaseConsumer, Consumer};
        let consumer: BaseConsumer = cluster.config().create().unwrap();
        let metadata = consumer.fetch_metadata(None, Duration::from_secs(10)).unwrap();
        let mut names: Vec<String> = metadata.topics().iter().map(|t| t.name().to_owned()).collect();
        names.retain(|n| *n == topic || *n == origin || *n == format!("state.{topic}"));
        names.sort();
        let groups = consumer.fetch_group_list(None, Duration::from_secs(10)).unwrap();
        let mut groups: Vec<String> = groups.groups().iter().map(|g| g.name().to_owned()).collect();
        // A group that is not ours may come and go.
        groups.retain(|g| g.contains("dlq"));
        (names, groups)
    };
    let state = format!("state.{topic}");
    let seen = || (topics(), cluster.ends(&topic), cluster.ends(&origin), cluster.ends(&state));
    let before = seen();
    let s = Sandbox::new();
    let q = cluster.address(&topic);
    let option = format!("state-topic={state}");
    for more in [&["--map", ".body = 1"][..], &["--canary", "2", "--canary-wait", "1s"], &["--set-header", "a=b"]] {
        let args: Vec<&str> = ["replay", &q, "-X", &option, "--dry-run"].iter().chain(more).copied().collect();
        let ran = s.run(&args);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        assert_eq!(seen(), before, "{more:?}");
    }
}

/// A consumer that puts everything back into the dead-letter topic.
fn rejecting(cluster: &Arc<Cluster>, origin: &str, topic: &str, stop: &Arc<AtomicBool>) -> std::thread::JoinHandle<()> {
    let (cluster, origin, topic, stop) = (Arc::clone(cluster), origin.to_owned(), topic.to_owned(), Arc::clone(stop));
    std::thread::spawn(move || {
        let mut done = 0;
        while !stop.load(Ordering::Relaxed) {
            let all = cluster.read(&origin);
            let back: Vec<Stored> = all[done..]
                .iter()
                .map(|r| {
                    let mut dead = Cluster::dead(&origin, 0, "k", &r.text());
                    dead.headers.extend(r.headers.iter().filter(|(n, _)| n == "dlq-replay").cloned());
                    dead
                })
                .collect();
            cluster.send(&topic, &back);
            done = all.len();
            std::thread::sleep(Duration::from_millis(100));
        }
    })
}

#[test]
fn a_canary_that_dies_again_ends_the_replay() {
    let Some(cluster) = cluster().map(Arc::new) else { return };
    let (topic, origin) = (cluster.topic(1, &[]), cluster.topic(1, &[]));
    cluster.send(&topic, &numbered(&origin, 40, 1));
    let s = Sandbox::new();
    let q = cluster.address(&topic);
    let stop = Arc::new(AtomicBool::new(false));
    let consumer = rejecting(&cluster, &origin, &topic, &stop);
    let ran = s.run(&["replay", &q, "--canary", "3", "--canary-wait", "60s", "-y", "-o", "json"]);
    stop.store(true, Ordering::Relaxed);
    consumer.join().unwrap();
    let report = ran.json();
    assert_eq!((ran.code, &report["canary"]["verdict"]), (6, &"came-back".into()), "{report}\n{}", ran.stderr);
    assert_eq!((&report["replayed"], &report["canary"]["came_back"]), (&3.into(), &3.into()));
    assert!(report["canary"]["waited_seconds"].as_u64().unwrap() < 55, "it ends as soon as one is back: {report}");
    assert_eq!(cluster.read(&origin).len(), 3);

    // Nobody reads it now.
    let ran = s.run(&["replay", &q, "--canary", "3", "--canary-wait", "1s", "-y", "-o", "json"]);
    assert_eq!((ran.code, &ran.json()["canary"]["verdict"]), (6, &"unknown".into()), "{}", ran.stderr);
}

/// Has read whatever there is of a topic of one partition, again and again until it is told to stop.
fn reading(cluster: &Arc<Cluster>, origin: &str, stop: &Arc<AtomicBool>) -> std::thread::JoinHandle<()> {
    let (cluster, origin, stop) = (Arc::clone(cluster), origin.to_owned(), Arc::clone(stop));
    std::thread::spawn(move || {
        while !stop.load(Ordering::Relaxed) {
            let (_, end) = cluster.ends(&origin)[0];
            commit(&cluster, &format!("reader.{origin}"), &origin, &[(0, end)]);
            std::thread::sleep(Duration::from_millis(200));
        }
    })
}

#[test]
fn a_canary_that_a_group_has_read_lets_the_rest_follow() {
    let Some(cluster) = cluster().map(Arc::new) else { return };
    let (topic, origin) = (cluster.topic(1, &[]), cluster.topic(1, &[]));
    cluster.send(&topic, &numbered(&origin, 40, 1));
    let s = Sandbox::new();
    let stop = Arc::new(AtomicBool::new(false));
    let consumer = reading(&cluster, &origin, &stop);
    let args = ["replay", &cluster.address(&topic), "--canary", "3", "--canary-wait", "20s", "-y", "-o", "json"];
    let ran = s.run(&args);
    stop.store(true, Ordering::Relaxed);
    consumer.join().unwrap();
    let report = ran.json();
    assert_eq!((ran.code, &report["canary"]["verdict"]), (0, &"consumed".into()), "{report}\n{}", ran.stderr);
    assert_eq!(report["replayed"], 40);
    assert_eq!(cluster.read(&origin).len(), 40);
}

#[test]
fn a_group_that_lags_holds_the_replay_back() {
    let Some(cluster) = cluster().map(Arc::new) else { return };
    let (topic, origin) = (cluster.topic(1, &[]), cluster.topic(1, &[]));
    cluster.send(&topic, &numbered(&origin, 40, 1));
    commit(&cluster, &format!("reader.{origin}"), &origin, &[(0, 0)]);
    let s = Sandbox::new();
    let run = start(&s, &["replay", &cluster.address(&topic), "--hold-while-backlog", "10", "-y", "-o", "json"]);
    until("it begins", || !cluster.read(&origin).is_empty());
    std::thread::sleep(Duration::from_secs(4));
    let waiting = cluster.read(&origin).len();
    assert!((1..=11).contains(&waiting), "{waiting} wait for a group that takes none");
    let stop = Arc::new(AtomicBool::new(false));
    let consumer = reading(&cluster, &origin, &stop);
    let ran = run.wait_with_output().expect("wait");
    stop.store(true, Ordering::Relaxed);
    consumer.join().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    assert_eq!(cluster.read(&origin).len(), 40);
}
