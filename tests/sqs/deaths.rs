//! Messages that died at `maxReceiveCount` of a real source queue, looked at and put back to work.

use std::collections::BTreeMap;

use crate::queues::{Attributes, Letter, Queues, attribute, binary};
use crate::sandbox::Sandbox;

/// Every type of attribute; `n` makes it this message and no other.
fn everything(n: usize) -> Letter {
    Letter::new(format!("{{\"order\":{n},\"name\":\"ünï\\ncode\",\"total\":1.0000000000000000000001}}"))
        .with("text", attribute("String", "héllo\nworld"))
        .with("number", attribute("Number", "12345678901234567890.5"))
        .with("n", attribute("Number", &n.to_string()))
        .with("bytes", binary("Binary", &[0, 255, 10]))
        .with("mail", attribute("String.email", "a@example.com"))
        .with("count", attribute("Number.int", "7"))
        .with("png", binary("Binary.png", b"\x89PNG"))
}

fn mark(attributes: &mut Attributes) -> Option<String> {
    attributes.remove("dlq-replay").and_then(|v| v.string_value)
}

#[test]
fn each_goes_back_where_it_came_from_with_every_attribute() {
    let Some(q) = Queues::open() else { return };
    let s = Sandbox::new();
    let dead = q.queue("dead", &[]);
    let sources = [q.source("orders", &dead, 1), q.source("bills", &dead, 2)];
    let sent: Vec<Letter> = (0..30).map(everything).collect();
    q.send(&sources[0], &sent[..18]);
    q.send(&sources[1], &sent[18..]);
    q.let_die(&sources[0], &dead, 18);
    q.let_die(&sources[1], &dead, 30);
    let queue = q.address(&dead);

    let ran = s.run(&["filter", &queue, "true", "-o", "jsonl"]);
    assert_eq!((ran.code, ran.lines()), (0, 30), "{}", ran.stderr);
    for line in ran.stdout().lines() {
        let view: serde_json::Value = serde_json::from_str(line).unwrap();
        let n = view["body"]["order"].as_u64().unwrap();
        let source = &sources[usize::from(n >= 18)];
        assert_eq!(view["death"]["family"], "sqs");
        assert_eq!(view["death"]["origin"]["queue"], q.arn(source).as_str());
        assert_eq!((&view["headers"]["n"], &view["headers"]["mail"]), (&n.into(), &"a@example.com".into()));
        assert!(view["deliveries"].as_u64().unwrap() >= 2, "the count goes on from the source: {view}");
    }
    assert!(ran.stderr.contains("receive count") && ran.stderr.contains("dlq copy"), "{}", ran.stderr);
    assert_eq!(q.counts(&dead), (30, 0), "everything was given back");

    let ran = s.run(&["replay", &queue, "--filter", ".body.order < 5", "--dry-run", "-o", "json"]);
    assert_eq!((ran.code, ran.json()["selected"].as_u64()), (0, Some(5)), "{}", ran.stderr);
    assert!(ran.stderr.contains("account 000000000000") && ran.stderr.contains("us-east-1"), "{}", ran.stderr);
    assert_eq!(q.counts(&dead), (30, 0));

    let ran = s.run(&["replay", &queue, "--filter", ".body.order % 2 == 0", "--yes", "-o", "json"]);
    let report = ran.json();
    assert_eq!((ran.code, &report["replayed"], &report["failed"]), (0, &15.into(), &0.into()), "{}", ran.stderr);
    assert_eq!((&report["read"], &report["unmarked"], &report["remaining"]), (&30.into(), &0.into(), &15.into()));
    let ran = s.run(&["replay", &queue, "--yes", "-o", "json"]);
    assert_eq!((ran.code, &ran.json()["replayed"]), (0, &15.into()), "{}", ran.stderr);
    assert_eq!(q.counts(&dead), (0, 0));

    let mut back = BTreeMap::new();
    for (source, range) in [(&sources[0], 0..18), (&sources[1], 18..30)] {
        for m in q.drain(source) {
            let mut attributes = m.message_attributes.clone().unwrap();
            assert!(mark(&mut attributes).unwrap().ends_with("count=1"));
            let n: usize = attributes["n"].string_value().unwrap().parse().unwrap();
            assert!(range.contains(&n), "{n} went to the wrong queue");
            assert!(back.insert(n, (m.body.unwrap(), attributes)).is_none(), "{n} came twice");
        }
    }
    assert_eq!(back.len(), 30);
    for (n, (body, attributes)) in back {
        assert_eq!((body, attributes), (sent[n].body.clone(), sent[n].attributes.clone()), "message {n}");
    }
}

#[test]
fn without_a_source_in_the_message_the_topology_tells_and_two_are_listed() {
    let Some(q) = Queues::open() else { return };
    let s = Sandbox::new();
    let dead = q.queue("dead", &[]);
    let source = q.source("orders", &dead, 1);
    q.send(&dead, &[Letter::new("by hand")]);
    let ran = s.run(&["replay", &q.address(&dead), "--yes", "-o", "json"]);
    assert_eq!((ran.code, &ran.json()["replayed"]), (0, &1.into()), "{}", ran.stderr);
    assert_eq!(q.drain(&source).len(), 1);

    let other = q.source("bills", &dead, 1);
    q.send(&dead, &[Letter::new("by hand")]);
    let ran = s.run(&["replay", &q.address(&dead), "--yes", "-o", "json"]);
    let report = ran.json();
    assert_eq!((ran.code, &report["failed"]), (1, &1.into()), "{report}");
    let error = report["errors"][0]["error"].as_str().unwrap();
    assert!(error.contains(&source) && error.contains(&other), "{error}");
    assert_eq!(q.counts(&dead), (1, 0));

    let ran = s.run(&["replay", &q.address(&dead), "--to", &q.address(&other), "--yes", "-o", "json"]);
    assert_eq!((ran.code, &ran.json()["replayed"]), (0, &1.into()), "{}", ran.stderr);
    assert_eq!(q.drain(&other)[0].body(), Some("by hand"));
}

#[test]
fn what_dies_again_is_replayed_so_often_and_no_more() {
    let Some(q) = Queues::open() else { return };
    let s = Sandbox::new();
    let dead = q.queue("dead", &[]);
    let source = q.source("orders", &dead, 1);
    q.send(&source, &[Letter::new("poison")]);
    for round in 1..=4 {
        q.let_die(&source, &dead, 1);
        let ran = s.run(&["replay", &q.address(&dead), "--yes", "-o", "json"]);
        let report = ran.json();
        let expected = u64::from(round <= 3);
        assert_eq!((ran.code, report["replayed"].as_u64()), (0, Some(expected)), "round {round}: {report}");
    }
    let ran = s.run(&["inspect", &q.address(&dead), "-o", "json"]);
    assert_eq!(ran.json()[0]["replays"], 3, "{}", ran.stdout());
}
