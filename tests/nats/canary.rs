//! A few first, and what their consumers do with them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::jetstream::Server;
use crate::sandbox::{Ran, Sandbox};
use crate::unique;

/// Replays nine to a stream with a consumer, three first, while something is done there again and again.
fn first(server: &Server, meanwhile: impl Fn(&str) + Sync) -> (Ran, String, String) {
    let (dead, to) = (unique("DEAD"), unique("TO"));
    server.make(json!({ "name": dead, "subjects": [format!("dead.{dead}")] }));
    server.make(json!({ "name": to, "subjects": [format!("to.{to}")] }));
    server.publish_all(&format!("dead.{dead}"), &(0..9).map(|n| n.to_string()).collect::<Vec<_>>());
    server.consume(&to, "C", &json!({}));
    let (from, place, subject) = (server.address(&dead), server.address(&to), format!("subject=to.{to}"));
    let over = AtomicBool::new(false);
    let ran = std::thread::scope(|scope| {
        scope.spawn(|| {
            let began = Instant::now();
            while !over.load(Ordering::Acquire) && began.elapsed() < Duration::from_secs(60) {
                meanwhile(&to);
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        let pace = ["--canary", "3", "--canary-wait", "5s", "-y", "-o", "json"];
        let ran = Sandbox::new().run(&[&["replay", &from, "--to", &place, "--to-X", &subject][..], &pace].concat());
        over.store(true, Ordering::Release);
        ran
    });
    (ran, dead, to)
}

fn verdict(ran: &Ran) -> Value {
    ran.json()["canary"]["verdict"].clone()
}

#[test]
fn what_is_acknowledged_is_followed_by_the_rest() {
    let Some(server) = Server::shared() else { return };
    let taking = Server::at(&server.url, &json!({}));
    let (ran, dead, to) = first(&server, |to| {
        for m in taking.pull(to, "C", 3) {
            taking.say(&m.reply.unwrap(), "+ACK");
        }
    });
    assert_eq!((ran.code, verdict(&ran)), (0, "consumed".into()), "{}", ran.stderr);
    assert_eq!((server.count(&dead), server.count(&to)), (0, 9));
}

#[test]
fn what_nobody_acknowledges_is_unknown() {
    let Some(server) = Server::shared() else { return };
    let holding = Server::at(&server.url, &json!({}));
    let (ran, dead, to) = first(&server, |to| drop(holding.pull(to, "C", 3)));
    assert_eq!((ran.code, verdict(&ran)), (6, "unknown".into()), "{}", ran.stderr);
    assert_eq!((server.count(&dead), server.count(&to)), (6, 3));
}
