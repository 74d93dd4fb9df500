//! A few first, what comes back, and messages that die again while a replay runs.

use crate::broker::{Broker, text};
use crate::consumer::{Consumer, Does};
use crate::sandbox::Sandbox;

/// A queue whose messages died, and the one they are in.
fn died(b: &Broker, n: usize) -> (String, String) {
    let dead = b.queue("dead", "classic", &[]);
    let routing = [("x-dead-letter-exchange", text("")), ("x-dead-letter-routing-key", text(&dead))];
    let orders = b.queue("orders", "classic", &routing);
    b.fill(&orders, n);
    b.reject(&orders, n);
    b.settled(&dead, n as u32);
    (orders, dead)
}

#[test]
fn a_canary_that_dies_again_ends_the_replay() {
    let Some(b) = Broker::open("43") else { return };
    let s = Sandbox::new();
    let (orders, dead) = died(&b, 20);
    let consumer = Consumer::start(&b, &orders, Does::Reject);
    let args = ["replay", &b.address(&dead), "--canary", "3", "--canary-wait", "5s", "-y", "-o", "json", "--run", "n"];
    let ran = s.run(&args);
    let report = ran.json();
    assert_eq!(
        (ran.code, &report["stopped_by"], &report["replayed"]),
        (6, &"canary".into(), &3.into()),
        "{}",
        ran.stderr
    );
    let canary = &report["canary"];
    assert_eq!((&canary["verdict"], &canary["came_back"]), (&"came-back".into(), &3.into()), "{canary}");
    assert_eq!(canary["came_back_causes"][0]["detail"], format!("rejected in {orders}"), "{canary}");
    assert!(ran.stderr.contains("--accept canary") && ran.stderr.contains("died again"), "{}", ran.stderr);
    assert_eq!(consumer.bodies().len(), 3);
    b.settled(&dead, 20);
    assert_eq!(s.run(&args).code, 6, "it stays stopped");
    assert_eq!(consumer.bodies().len(), 3);
    drop(consumer);
    let ran = s.run(&["resume", "n", "--accept", "canary", "-y", "-o", "json"]);
    assert_eq!((ran.code, &ran.json()["replayed"]), (0, &17.into()), "{}", ran.stderr);
    assert_eq!(ran.json()["skipped_because"]["came-back"], 3, "those of the canary are left alone");
    b.settled(&orders, 17);
    b.settled(&dead, 3);
}

#[test]
fn a_canary_that_is_consumed_is_followed_by_the_rest() {
    let Some(b) = Broker::open("43") else { return };
    let s = Sandbox::new();
    let (orders, dead) = died(&b, 20);
    let consumer = Consumer::start(&b, &orders, Does::Take);
    let ran = s.run(&["replay", &b.address(&dead), "--canary", "3", "--canary-wait", "20s", "-y", "-o", "json"]);
    let report = ran.json();
    assert_eq!((ran.code, &report["replayed"], &report["remaining"]), (0, &20.into(), &0.into()), "{}", ran.stderr);
    assert_eq!(report["canary"]["verdict"], "consumed", "{report}");
    b.settled(&orders, 0);
    let mut all = consumer.given(20);
    all.sort_by_key(|n| n.parse::<u32>().unwrap());
    assert_eq!(all, (0..20).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[test]
fn a_canary_that_nobody_takes_is_unknown() {
    let Some(b) = Broker::open("43") else { return };
    let s = Sandbox::new();
    let (orders, dead) = died(&b, 9);
    let q = b.address(&dead);
    assert_eq!(s.run(&["replay", &q, "--canary", "3", "-y"]).code, 2, "how long to wait is not told here");
    let ran = s.run(&["replay", &q, "--canary", "3", "--canary-wait", "1s", "-y", "-o", "json"]);
    assert_eq!((ran.code, &ran.json()["canary"]["verdict"]), (6, &"unknown".into()), "{}", ran.stderr);
    b.settled(&orders, 3);
    b.settled(&dead, 6);
    let again =
        ["replay", &q, "--canary", "3", "--canary-wait", "1s", "--accept", "unknown-canary", "-y", "-o", "json"];
    let ran = s.run(&again);
    assert_eq!((ran.code, &ran.json()["replayed"]), (0, &6.into()), "{}", ran.stderr);
    b.settled(&orders, 9);
}

#[test]
fn what_comes_back_after_a_replay_is_told_with_its_cause() {
    let Some(b) = Broker::open("43") else { return };
    let s = Sandbox::new();
    let (orders, dead) = died(&b, 10);
    let consumer = Consumer::start(&b, &orders, Does::Reject);
    let ran = s.run(&["replay", &b.address(&dead), "--watch-return", "5s", "-y", "-o", "json"]);
    let report = ran.json();
    assert_eq!(
        (ran.code, &report["replayed"], &report["outcome"]),
        (3, &10.into(), &"partly".into()),
        "{}",
        ran.stderr
    );
    assert_eq!(report["returned"]["came_back"], 10, "{report}");
    assert_eq!(report["returned"]["came_back_causes"][0]["detail"], format!("rejected in {orders}"));
    drop(consumer);
    b.settled(&dead, 10);
    let ran = s.run(&["replay", &b.address(&dead), "--watch-return", "1s", "-y", "-o", "json"]);
    assert_eq!((ran.code, &ran.json()["returned"]["came_back"]), (0, &0.into()), "{}", ran.stderr);
}

#[test]
fn what_dies_again_while_a_replay_runs_is_not_replayed_again_by_it() {
    for kind in ["classic", "quorum"] {
        for half in [false, true] {
            let Some(b) = Broker::open("43") else { return };
            let s = Sandbox::new();
            let dead = b.queue("dead", kind, &[]);
            let routing = [("x-dead-letter-exchange", text("")), ("x-dead-letter-routing-key", text(&dead))];
            let orders = b.queue("orders", "classic", &routing);
            b.fill(&orders, 400);
            b.reject(&orders, 400);
            b.settled(&dead, 400);
            let rejecting = Consumer::start(&b, &orders, Does::Reject);
            let taking = half.then(|| Consumer::start(&b, &dead, Does::TakeOnly(200)));
            let ran = s.run(&["replay", &b.address(&dead), "--rate", "200/s", "-y", "-o", "json"]);
            let report = ran.json();
            assert!(ran.code == 0 || half && ran.code == 3, "{}: {}", ran.code, ran.stderr);
            let replayed = report["replayed"].as_u64().unwrap();
            assert!(if half { replayed <= 400 } else { replayed == 400 }, "{report}");
            let mut seen = rejecting.given(usize::try_from(replayed).unwrap());
            assert_eq!(seen.len() as u64, replayed, "{kind}");
            seen.sort();
            seen.dedup();
            assert_eq!(seen.len() as u64, replayed, "{kind}: some were replayed twice");
            drop(taking);
        }
    }
}
