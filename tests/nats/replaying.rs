//! Sending to streams: what is refused stays, what would be obeyed is left out, what cannot be removed is not sent.

use std::process::Stdio;
use std::time::{Duration, Instant};

use std::collections::BTreeSet;

use serde_json::json;

use crate::jetstream::Server;
use crate::sandbox::Sandbox;
use crate::unique;

/// A stream of dead letters and one to send to, with this in its configuration besides.
fn two(server: &Server, many: usize, more: serde_json::Value) -> (String, String) {
    let (dead, to) = (unique("DEAD"), unique("TO"));
    server.make(json!({ "name": dead, "subjects": [format!("dead.{dead}.>")] }));
    let mut config = json!({ "name": to, "subjects": [format!("to.{to}.>")] });
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    server.make(config);
    for n in 0..many {
        server.publish(
            &format!("dead.{dead}.new"),
            &format!("Tenant: globex\r\nNats-Msg-Id: {n}\r\n"),
            format!("{n}").as_bytes(),
        );
    }
    (dead, to)
}

#[test]
fn every_message_gets_an_id_of_its_own_and_none_is_taken_for_a_repeat() {
    let Some(server) = Server::shared() else { return };
    let (dead, to) = two(&server, 700, json!({}));
    let s = Sandbox::new();
    let (from, place) = (server.address(&dead), server.address(&to));
    let subject = format!("subject=to.{to}.new");
    // The destination has seen the ids that the messages had: copied, they would be dropped.
    for n in 0..700 {
        server.publish(&format!("to.{to}.seen"), &format!("Nats-Msg-Id: {n}\r\n"), b"before");
    }
    let ran = s.run(&["replay", &from, "--to", &place, "--to-X", &subject, "-y", "-o", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(ran.json()["replayed"], 700);
    let there = server.contents(&to).split_off(700);
    let ids: BTreeSet<&str> =
        there.iter().filter_map(|m| m.headers.split("Nats-Msg-Id: ").nth(1)?.split('\r').next()).collect();
    assert_eq!((there.len(), ids.len(), server.count(&dead)), (700, 700, 0));
    let order: Vec<usize> = there.iter().map(|m| String::from_utf8_lossy(&m.body).parse().unwrap()).collect();
    assert_eq!(order, (0..700).collect::<Vec<_>>());
    assert!(there.iter().all(|m| m.headers.contains("Tenant: globex\r\n")));
}

#[test]
fn what_a_full_stream_refuses_stays_and_is_named() {
    let Some(server) = Server::shared() else { return };
    let (dead, to) = two(&server, 10, json!({ "max_msgs": 4, "discard": "new" }));
    let s = Sandbox::new();
    let (from, place) = (server.address(&dead), server.address(&to));
    let subject = format!("subject=to.{to}.new");
    let plan = s.run(&["replay", &from, "--to", &place, "--to-X", &subject, "--dry-run"]);
    assert!(
        plan.stdout().contains("holds 4 messages at most") || plan.stderr.contains("holds 4 messages at most"),
        "{}{}",
        plan.stdout(),
        plan.stderr
    );
    let ran = s.run(&["replay", &from, "--to", &place, "--to-X", &subject, "-y", "-o", "json"]);
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    assert_eq!((&ran.json()["replayed"], &ran.json()["failed"]), (&json!(4), &json!(6)));
    assert!(ran.stdout().contains("maximum messages exceeded"), "{}", ran.stdout());
    assert_eq!((server.count(&to), server.count(&dead)), (4, 6));
}

#[test]
fn where_nothing_can_be_removed_nothing_is_sent() {
    let Some(server) = Server::shared() else { return };
    let (_, to) = two(&server, 0, json!({}));
    let frozen = unique("FROZEN");
    server.make(json!({ "name": frozen, "subjects": [format!("frozen.{frozen}")], "deny_delete": true }));
    server.publish(&format!("frozen.{frozen}"), "", b"x");
    let s = Sandbox::new();
    let (from, place, subject) = (server.address(&frozen), server.address(&to), format!("subject=to.{to}.new"));
    for verb in [
        &["replay", &from, "--to", &place, "--to-X", &subject, "-y"][..],
        &["move", &from, &place, "--to-X", &subject, "-y"],
    ] {
        let ran = s.run(verb);
        assert_eq!(ran.code, 4, "{}", ran.stderr);
    }
    assert_eq!((server.count(&to), server.count(&frozen)), (0, 1));
    let ran = s.run(&["copy", &from, &place, "--to-X", &subject, "-y"]);
    assert_eq!((ran.code, server.count(&to), server.count(&frozen)), (0, 1, 1), "{}", ran.stderr);
}

#[test]
fn a_subject_that_is_not_known_or_not_taken_is_said_before_anything_is_sent() {
    let Some(server) = Server::shared() else { return };
    let (dead, to) = two(&server, 3, json!({}));
    let s = Sandbox::new();
    let (from, place) = (server.address(&dead), server.address(&to));
    let ran = s.run(&["replay", &from, "--to", &place, "-y"]);
    assert!(ran.code == 1 && ran.stdout().contains("--to-X subject=NAME"), "{} {}", ran.code, ran.stdout());
    let ran = s.run(&["replay", &from, "--to", &place, "--to-X", "subject=elsewhere", "-y"]);
    assert!(ran.code == 2 && ran.stderr.contains("does not take elsewhere"), "{} {}", ran.code, ran.stderr);
    assert_eq!((server.count(&to), server.count(&dead)), (0, 3));
}

#[test]
fn an_archive_and_back_is_the_same_and_a_purge_saves_first() {
    let Some(server) = Server::shared() else { return };
    let (dead, _) = two(&server, 25, json!({}));
    let s = Sandbox::new();
    let from = server.address(&dead);
    let ran = s.run(&["purge", &from, "--all", "-y", "--backup", "file:saved.ndjson"]);
    assert_eq!((ran.code, server.count(&dead), s.read("saved.ndjson").lines().count()), (0, 0, 25), "{}", ran.stderr);
    let ran = s.run(&["move", "file:saved.ndjson", &from, "-y"]);
    assert_eq!((ran.code, server.count(&dead)), (0, 25), "{}", ran.stderr);
    let there = server.contents(&dead);
    assert!(there.iter().enumerate().all(|(n, m)| m.body == n.to_string().as_bytes()));
    assert!(there.iter().all(|m| m.headers.contains("Tenant: globex") && m.subject == format!("dead.{dead}.new")));
    let ran = s.run(&["purge", &from, "--all", "--no-backup", "-y", "-o", "json"]);
    assert_eq!((ran.code, &ran.json()["purged"], server.count(&dead)), (0, &json!(25), 0), "{}", ran.stderr);
}

#[test]
fn what_an_interest_stream_would_drop_at_once_is_not_sent() {
    let Some(server) = Server::shared() else { return };
    let (dead, to) = two(&server, 5, json!({ "retention": "interest" }));
    let s = Sandbox::new();
    let (from, place) = (server.address(&dead), server.address(&to));
    let subject = format!("subject=to.{to}.new");
    let replay = ["replay", &from, "--to", &place, "--to-X", &subject, "-y"];
    for consumer in [None, Some("to.else")] {
        if let Some(filter) = consumer {
            server.consume(&to, "else", &json!({ "filter_subject": filter.replace("to.", &format!("to.{to}.")) }));
        }
        let ran = s.run(&replay);
        assert!(ran.code == 1 && ran.stderr.contains("drops at once what nobody wants"), "{} {}", ran.code, ran.stderr);
        assert_eq!((server.count(&dead), server.count(&to)), (5, 0));
    }
    server.consume(&to, "all", &json!({}));
    let ran = s.run(&replay);
    assert_eq!((ran.code, server.count(&dead), server.count(&to)), (0, 0, 5), "{}", ran.stderr);
}

#[test]
fn a_stream_that_keeps_one_of_a_subject_is_called_harm() {
    let Some(server) = Server::shared() else { return };
    let (dead, to) = two(&server, 5, json!({ "max_msgs_per_subject": 1 }));
    let s = Sandbox::new();
    let (from, place) = (server.address(&dead), server.address(&to));
    let ran = s.run(&["replay", &from, "--to", &place, "--to-X", &format!("subject=to.{to}.new"), "--dry-run"]);
    assert!(ran.stderr.contains("harm") && ran.stderr.contains("keeps 1 message of a subject"), "{}", ran.stderr);
}

#[test]
fn from_a_stream_that_is_made_anew_meanwhile_nothing_is_removed() {
    let Some(server) = Server::shared() else { return };
    let (dead, to) = two(&server, 200, json!({}));
    let subject = format!("subject=to.{to}.new");
    let (s, from, to) = (Sandbox::new(), server.address(&dead), server.address(&to));
    let args = ["replay", &from, "--to", &to, "--to-X", &subject, "-y", "--rate", "10/s"];
    let run = s.command().args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let began = Instant::now();
    while server.count(&dead) == 200 {
        assert!(began.elapsed() < Duration::from_secs(60), "it begins");
        std::thread::sleep(Duration::from_millis(20));
    }
    server.api(&format!("STREAM.DELETE.{dead}"), &json!({}));
    server.make(json!({ "name": dead, "subjects": [format!("dead.{dead}.>")] }));
    server.publish_all(&format!("dead.{dead}.new"), &(0..60).map(|n| format!("new {n}")).collect::<Vec<_>>());
    let ran = run.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(matches!(ran.status.code(), Some(1 | 3)), "{:?}: {said}", ran.status);
    assert!(said.contains("made anew"), "{said}");
    assert_eq!(server.count(&dead), 60, "{said}");
}

#[test]
fn an_application_that_answers_is_not_taken_for_the_stream() {
    let Some(server) = Server::shared() else { return };
    let (dead, to) = two(&server, 11, json!({}));
    let (s, from, place) = (Sandbox::new(), server.address(&dead), server.address(&to));
    let subject = format!("to.{to}.new");
    let answering = server.answer(&subject, r#"{"error":{"code":500,"description":"no such order"}}"#, 11);
    let to_subject = format!("subject={subject}");
    let args = ["replay", &from, "--to", &place, "--to-X", &to_subject, "-y", "--rate", "1/s", "-o", "json"];
    let run =
        s.command().args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let began = Instant::now();
    while server.count(&to) == 0 {
        assert!(began.elapsed() < Duration::from_secs(60), "it begins");
        std::thread::sleep(Duration::from_millis(20));
    }
    // From here on the stream stores without a word, so that the application is the first to answer.
    let config = json!({ "name": to, "subjects": [format!("to.{to}.>")], "no_ack": true });
    let changed = server.api(&format!("STREAM.UPDATE.{to}"), &config);
    assert!(changed["error"].is_null(), "{changed}");
    let ran = run.wait_with_output().unwrap();
    answering.join().unwrap();
    let report: serde_json::Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!((ran.status.code(), &report["failed"]), (Some(3), &json!(0)), "{report}");
    let unknown = report["indeterminate"].as_u64().unwrap();
    assert!(unknown > 0 && report["errors"].to_string().contains("no such order"), "{report}");
    assert_eq!((server.count(&to), server.count(&dead)), (11, unknown), "{report}");
}

#[test]
fn a_stream_in_memory_is_said_to_be_one() {
    let Some(server) = Server::shared() else { return };
    let s = Sandbox::new();
    for (storage, said) in [("memory", true), ("file", false)] {
        let (dead, to) = two(&server, 5, json!({ "storage": storage }));
        let (from, place) = (server.address(&dead), server.address(&to));
        let ran = s.run(&["replay", &from, "--to", &place, "--to-X", &format!("subject=to.{to}.new"), "--dry-run"]);
        let text = format!("stream {to} is in memory: what it has confirmed is gone when its server stops");
        assert_eq!((ran.code, ran.stderr.contains(&text)), (0, said), "{}{}", ran.stdout(), ran.stderr);
    }
}
