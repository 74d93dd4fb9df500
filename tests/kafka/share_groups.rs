//! Dead letters as share groups write them (KIP-1191): text headers, and no payload unless copying was enabled.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::cluster::{Stored, cluster};
use crate::sandbox::Sandbox;
use crate::servers;

fn dead(topic: &str, offset: i64) -> Stored {
    let headers = [
        ("topic", topic.to_owned()),
        ("partition", "0".to_owned()),
        ("offset", offset.to_string()),
        ("group", "workers".to_owned()),
        ("delivery.count", "1".to_owned()),
        ("message", "Offset rejected by client.".to_owned()),
    ];
    let headers = headers.map(|(name, value)| (format!("__dlq.errors.{name}"), Some(value.into_bytes())));
    Stored { headers: headers.into(), ..Stored::default() }
}

#[test]
fn a_payload_that_was_not_copied_is_read_from_the_original_or_not_sent_at_all() {
    let Some(cluster) = cluster() else { return };
    let (topic, died_in, to) = (cluster.topic(1, &[]), cluster.topic(1, &[]), cluster.topic(1, &[]));
    let original = |n: usize| Stored {
        key: Some(format!("k{n}").into()),
        value: Some(format!("{{\"n\":{n}}}").into()),
        headers: vec![("tenant".into(), Some(b"globex".to_vec())), ("none".into(), None)],
        ..Stored::default()
    };
    cluster.send(&died_in, &[original(0), original(1), original(2)]);
    // The last one stands for a record that is not there.
    cluster.send(&topic, &[dead(&died_in, 2), dead(&died_in, 0), dead(&died_in, 77)]);
    let sandbox = Sandbox::new();
    let address = cluster.address(&topic);
    let ran = sandbox.run(&["filter", &address, "true", "--print", "[.key, .body.n, .headers.tenant]"]);
    assert_eq!(ran.stdout(), "[\"k2\",2,\"globex\"]\n[\"k0\",0,\"globex\"]\n[null,null,null]\n");
    assert!(ran.stderr.contains("dead letters without a payload: 2, whose payload was read"), "{}", ran.stderr);
    assert!(ran.stderr.contains("dead letters without a payload: 1, and the record"), "{}", ran.stderr);

    let ran = sandbox.run(&["replay", &address, "--to", &cluster.address(&to), "-y", "-o", "json"]);
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    let report = ran.json();
    assert_eq!((&report["replayed"], &report["failed"]), (&2.into(), &1.into()), "{report}");
    let there: Vec<Stored> = cluster
        .read(&to)
        .into_iter()
        .map(|mut r| {
            r.headers.retain(|(name, _)| !name.starts_with("dlq-"));
            Stored { offset: 0, ..r }
        })
        .collect();
    assert_eq!(there, [original(2), original(0)], "key, value and headers are those of the original");
    let left = sandbox.run(&["filter", &address, "true", "--print", ".id", "-o", "raw"]);
    assert_eq!(left.stdout(), "0:2\n");
}

/// A real share group of kafka-clients rejects what is in `topic`; the broker writes the dead letters.
fn reject(topic: &str, dead: &str, copy: bool) -> bool {
    let Some(script) = servers::var("DLQ_TEST_KAFKA_CONTROL") else { return false };
    // Others look for groups that `dlq` has left behind.
    let group = format!("group.{topic}");
    let mut args = vec!["share", topic, dead, &group];
    args.extend(copy.then_some("copy"));
    let ran = Command::new(script).args(&args).stdin(Stdio::null()).output().expect("run the script");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    true
}

#[test]
fn dead_letters_of_a_real_share_group_with_and_without_a_copy() {
    let Some(cluster) = cluster() else { return };
    let original = |n: i32| Stored {
        key: (n != 1).then(|| format!("k{n}").into()),
        value: (n != 2).then(|| format!("{{\"n\":{n}}}").into()),
        headers: vec![("tenant".into(), Some(b"globex".to_vec())), ("tenant".into(), None)],
        ..Stored::default()
    };
    let originals = [original(0), original(1), original(2)];
    for copy in [false, true] {
        let died_in = cluster.topic(1, &[]);
        let dead = format!("dlq.{}", cluster.name());
        cluster.create(&dead, 1, &[("errors.deadletterqueue.group.enable", "true")]);
        let cleared = Cleared(&cluster, dead.clone());
        cluster.send(&died_in, &originals);
        if !reject(&died_in, &dead, copy) {
            return;
        }
        let began = Instant::now();
        while cluster.read(&dead).len() < 3 {
            assert!(began.elapsed() < Duration::from_secs(60), "the broker writes them: {:?}", cluster.read(&dead));
            std::thread::sleep(Duration::from_millis(200));
        }
        let (sandbox, address) = (Sandbox::new(), cluster.address(&dead));
        let shown = "[.key, .body, .death.family, .death.reason, .death.origin.offset, .death.origin.group]";
        let ran = sandbox.run(&["filter", &address, "true", "--print", shown]);
        let group = format!("group.{died_in}");
        let wanted = format!(
            "[\"k0\",{{\"n\":0}},\"share-group\",\"rejected\",0,\"{group}\"]\n\
             [null,{{\"n\":1}},\"share-group\",\"rejected\",1,\"{group}\"]\n\
             [\"k2\",null,\"share-group\",\"rejected\",2,\"{group}\"]\n"
        );
        assert_eq!(ran.stdout(), wanted, "copy {copy}: {}", ran.stderr);
        assert_eq!(ran.stderr.contains("dead letters without a payload: 3"), !copy, "{}", ran.stderr);
        let ran = sandbox.run(&["replay", &address, "--dry-run"]);
        assert!(ran.stderr.contains(&format!("3 × group {group}")), "{}", ran.stderr);

        let to = cluster.topic(1, &[]);
        let ran = sandbox.run(&["copy", &address, &cluster.address(&to), "-y"]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let copied = cluster.read(&to);
        assert_eq!(copied.len(), 3);
        for (c, o) in copied.iter().zip(&originals) {
            assert_eq!((&c.key, &c.value), (&o.key, &o.value), "a copy has the payload, which is said");
            assert!(c.headers.iter().any(|(name, _)| name == "__dlq.errors.offset"), "{:?}", c.headers);
        }

        let ran = sandbox.run(&["replay", &address, "-y", "-o", "json"]);
        assert_eq!((ran.code, &ran.json()["replayed"]), (0, &3.into()), "{}", ran.stderr);
        let there: Vec<Stored> = cluster
            .read(&died_in)
            .into_iter()
            .skip(3)
            .map(|mut r| {
                r.headers.retain(|(name, _)| !name.starts_with("dlq-"));
                Stored { offset: 0, ..r }
            })
            .collect();
        assert_eq!(there, originals, "copy {copy}: the headers too, which the broker never copies");
        drop(cleared);
    }
}

/// A topic the cluster's own clearing does not know by its name.
struct Cleared<'a>(&'a crate::cluster::Cluster, String);

impl Drop for Cleared<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.0.delete(&self.1);
        }
    }
}
