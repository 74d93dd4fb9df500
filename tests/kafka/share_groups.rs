//! Dead letters as share groups write them (KIP-1191): text headers, and no payload unless copying was enabled.

use crate::cluster::{Stored, cluster};
use crate::sandbox::Sandbox;

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
