//! A destination that refuses some of the messages: they stay, are named, and go once it takes them.

use lapin::types::AMQPValue;

use crate::load;
use crate::on_rabbitmq::{arrived, bodies_of, fill};
use crate::queues::Queues;
use crate::rabbit::{Broker, text};
use crate::sandbox::Sandbox;

#[test]
fn a_queue_that_is_full_takes_the_rest_later() {
    let Some(b) = Broker::open("43") else { return };
    let s = Sandbox::new();
    let limit = [("x-max-length", AMQPValue::LongInt(100)), ("x-overflow", text("reject-publish"))];
    let (from, to) = (b.queue("from", "quorum", &[]), b.queue("to", "classic", &limit));
    let bodies = load::bodies(0, 250);
    fill(&b, &from, &bodies);
    let (source, place) = (b.address(&from), b.address(&to));
    let ids = bodies_of(&s, &source);
    let args = ["replay", &source, "--to", &place, "-y", "--run", "n", "-o", "json"];
    let mut there = vec![];
    for expected in [3, 3, 0] {
        let ran = s.run(&args);
        assert_eq!(ran.code, expected, "{}", ran.stderr);
        let report = ran.json();
        assert_eq!(report["failed"].as_u64().unwrap() > 0, expected == 3, "{report}");
        there.extend(arrived(&b, &to));
    }
    assert_eq!(b.ready(&from), 0);
    assert_eq!(load::count(there.into_iter().map(|a| a.body)), load::count(bodies));
    let failed = s.run(&["history", "n", "-o", "json"]).json();
    let failed = failed["messages"].as_array().unwrap();
    assert!(failed.iter().all(|m| m["kind"] == "failed" && ids.contains_key(m["id"].as_str().unwrap())), "{failed:?}");
    assert_eq!(failed.len(), 150 + 50, "each by each attempt");
}

#[test]
fn what_is_too_large_or_has_no_way_stays_and_the_others_go() {
    let (Some(b), Some(q)) = (Broker::open("43"), Queues::open()) else { return };
    let s = Sandbox::new();
    let (from, to) = (b.queue("from", "quorum", &[]), q.queue("to", &[]));
    let mut bodies = load::bodies(0, 50);
    bodies[7] = "x".repeat(2_000_000);
    bodies[20] = "y".repeat(2_000_000);
    fill(&b, &from, &bodies);
    let (source, place) = (b.address(&from), q.address(&to));
    let args = ["move", &source, &place, "-y", "--run", "n", "-o", "json"];
    for attempt in 1..3 {
        let ran = s.run(&args);
        assert_eq!(ran.code, if attempt == 1 { 3 } else { 1 }, "{}", ran.stderr);
        let report = ran.json();
        assert_eq!((&report["failed"], &report["indeterminate"]), (&2.into(), &0.into()), "{report}");
        assert_eq!(b.ready(&from), 2);
    }
    let exchange = b.exchange("nowhere", lapin::ExchangeKind::Direct);
    let unroutable = format!("{}/?exchange={exchange}", b.server.url);
    let ran = s.run(&["resume", "n", "--abandon"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let ran = s.run(&["move", &source, &unroutable, "-y", "-o", "json"]);
    assert_ne!(ran.code, 0, "{}", ran.stderr);
    b.settled(&from, 2);
}
