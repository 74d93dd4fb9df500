//! The server is killed under a replay, and comes back or stays away.

use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::cutting;
use crate::jetstream::Server;
use crate::own::Own;
use crate::sandbox::Sandbox;
use crate::unique;

const MANY: usize = 12_000;

fn filled(own: &Own) -> Server {
    let server = Server::at(&own.url(), &json!({}));
    server.make(json!({ "name": "DEAD", "subjects": ["dead"] }));
    server.make(json!({ "name": "TO", "subjects": ["to"] }));
    server.publish_all("dead", &(0..MANY).map(|n| n.to_string()).collect::<Vec<_>>());
    server
}

fn begun(server: &Server) {
    let began = Instant::now();
    while server.count("TO") == 0 {
        assert!(began.elapsed() < Duration::from_secs(60), "it begins");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_server_that_is_killed_under_a_replay_and_comes_back_costs_and_doubles_nothing() {
    let Some(mut own) = Own::start("") else { return };
    let server = filled(&own);
    let s = Sandbox::new();
    let (from, to) = (server.address("DEAD"), server.address("TO"));
    let args = ["replay", &from, "--to", &to, "-y", "--run", "one", "--rate", "2000/s"];
    let run =
        s.command().args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    begun(&server);
    for _ in 0..2 {
        std::thread::sleep(Duration::from_millis(800));
        // So that there is something under way that has no answer when it is killed.
        own.freeze();
        std::thread::sleep(Duration::from_millis(300));
        own.kill();
        std::thread::sleep(Duration::from_millis(300));
        own.go_on();
    }
    let ran = run.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(0), "{said}");
    let server = Server::at(&own.url(), &json!({}));
    let mut there: Vec<usize> =
        server.contents("TO").iter().map(|m| String::from_utf8_lossy(&m.body).parse().unwrap()).collect();
    assert_eq!((there.len(), server.count("DEAD")), (MANY, 0), "{said}");
    there.sort_unstable();
    assert_eq!(there, (0..MANY).collect::<Vec<_>>());
}

#[test]
fn a_server_that_stays_away_ends_a_replay_and_the_next_run_finishes_it() {
    let Some(mut own) = Own::start("") else { return };
    let server = filled(&own);
    let s = Sandbox::new();
    let (from, to) = (server.address("DEAD"), server.address("TO"));
    let args = ["replay", &from, "--to", &to, "-y", "--run", "one"];
    let slow = [&args[..], &["--rate", "1000/s", "--timeout", "2s"]].concat();
    let run =
        s.command().args(slow).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    begun(&server);
    own.kill();
    let began = Instant::now();
    let ran = run.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(began.elapsed() < Duration::from_secs(40), "took {:?}: {said}", began.elapsed());
    assert!(matches!(ran.status.code(), Some(1 | 3)), "{:?}: {said}", ran.status);
    own.go_on();
    let ran = s.run(&args);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let server = Server::at(&own.url(), &json!({}));
    assert_eq!((server.count("TO"), server.count("DEAD")), (MANY as u64, 0), "{}", ran.stderr);
}

#[test]
fn a_purge_whose_answer_is_lost_is_not_said_to_have_removed_none() {
    let Some(server) = Server::shared() else { return };
    for (comes_back, says) in [(true, "how many of its 25 messages"), (false, "may or may not have been emptied")] {
        let name = unique("PURGED");
        server.make(json!({ "name": name, "subjects": [format!("purged.{name}")] }));
        server.publish_all(&format!("purged.{name}"), &(0..25).map(|n| n.to_string()).collect::<Vec<_>>());
        let address = format!("{}/{name}", cutting::at(&server.url, "\"purged\":", comes_back));
        let s = Sandbox::new();
        let ran = s.run(&["purge", &address, "--all", "--no-backup", "-y", "--timeout", "3s"]);
        assert_eq!((ran.code, server.count(&name)), (3, 0), "{}", ran.stderr);
        assert!(ran.stderr.contains("unknown outcome") && ran.stderr.contains(says), "{}", ran.stderr);
        // Of what is known to be empty nothing is unknown.
        let ran = s.run(&["purge", &server.address(&name), "--all", "--no-backup", "-y", "-o", "json"]);
        assert_eq!((ran.code, &ran.json()["purged"]), (0, &json!(0)), "{}", ran.stderr);
    }
}
