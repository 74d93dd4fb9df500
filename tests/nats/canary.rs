//! A few first, and what their consumers do with them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::jetstream::Server;
use crate::sandbox::{Ran, Sandbox};
use crate::unique;

/// Two streams: dead letters, and one with a consumer.
fn two(server: &Server, consumer: &Value) -> (String, String) {
    let (dead, to) = (unique("DEAD"), unique("TO"));
    server.make(json!({ "name": dead, "subjects": [format!("dead.{dead}")] }));
    server.make(json!({ "name": to, "subjects": [format!("to.{to}"), format!("other.{to}")] }));
    server.publish_all(&format!("dead.{dead}"), &(0..9).map(|n| n.to_string()).collect::<Vec<_>>());
    server.consume(&to, "C", consumer);
    (dead, to)
}

/// Replays three first, while something is done again and again.
fn first(s: &Sandbox, replay: &[&str], meanwhile: impl Fn() + Sync) -> Ran {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let began = Instant::now();
            while !over.load(Ordering::Acquire) && began.elapsed() < Duration::from_secs(60) {
                meanwhile();
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        let canary = ["--canary", "3", "--canary-wait", "5s", "-y", "-o", "json"];
        let ran = s.run(&[&["replay"], replay, &canary].concat());
        over.store(true, Ordering::Release);
        ran
    })
}

/// From the one to the other, where `with` is done with what its consumer gets.
fn passed(server: &Server, consumer: &Value, with: impl Fn(&str) + Sync) -> (Ran, u64, u64) {
    let (dead, to) = two(server, consumer);
    let (from, place, subject) = (server.address(&dead), server.address(&to), format!("subject=to.{to}"));
    let ran = first(&Sandbox::new(), &[&from, "--to", &place, "--to-X", &subject], || with(&to));
    (ran, server.count(&dead), server.count(&to))
}

/// Acknowledges what there is.
fn take(server: &Server, stream: &str) {
    for m in server.pull(stream, "C", 3) {
        server.say(&m.reply.unwrap(), "+ACK");
    }
}

fn verdict(ran: &Ran) -> Value {
    ran.json()["canary"]["verdict"].clone()
}

#[test]
fn what_is_acknowledged_is_followed_by_the_rest() {
    let Some(server) = Server::shared() else { return };
    let taking = Server::at(&server.url, &json!({}));
    let (ran, left, there) = passed(&server, &json!({}), |to| take(&taking, to));
    assert_eq!((ran.code, verdict(&ran)), (0, "consumed".into()), "{}", ran.stderr);
    assert_eq!((left, there), (0, 9));
}

#[test]
fn what_nobody_acknowledges_or_its_consumer_gave_up_on_is_unknown() {
    let Some(server) = Server::shared() else { return };
    for consumer in [json!({}), json!({ "max_deliver": 1, "ack_wait": 300_000_000 })] {
        let holding = Server::at(&server.url, &json!({}));
        let (ran, left, there) = passed(&server, &consumer, |to| drop(holding.pull(to, "C", 3)));
        assert_eq!((ran.code, verdict(&ran)), (6, "unknown".into()), "{consumer}: {}", ran.stderr);
        assert_eq!((left, there), (6, 3), "{consumer}");
    }
}

#[test]
fn where_each_has_its_own_subject_a_consumer_of_others_holds_up_no_verdict() {
    let Some(server) = Server::shared() else { return };
    let (taking, s) = (Server::at(&server.url, &json!({})), Sandbox::new());
    let (_, to) = two(&server, &json!({}));
    server.publish_all(&format!("to.{to}"), &(0..9).map(|n| n.to_string()).collect::<Vec<_>>());
    let place = server.address(&to);
    assert_eq!(s.run(&["move", &place, "file:kept.ndjson", "-y"]).code, 0);
    server.api(&format!("CONSUMER.DELETE.{to}.C"), &json!({}));
    server.consume(&to, "C", &json!({ "filter_subject": format!("to.{to}") }));
    server.consume(&to, "OTHER", &json!({ "filter_subject": format!("other.{to}") }));
    let ran = first(&s, &["file:kept.ndjson", "--to", &place], || take(&taking, &to));
    assert_eq!((ran.code, verdict(&ran)), (0, "consumed".into()), "{}", ran.stderr);
    assert_eq!(server.count(&to), 9);
}
