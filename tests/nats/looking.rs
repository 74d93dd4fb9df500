//! Looks: exact, over gaps, and without leaving a trace.

use std::time::Instant;

use serde_json::json;

use crate::jetstream::Server;
use crate::own::Own;
use crate::sandbox::Sandbox;
use crate::{rows, unique};

#[test]
fn a_look_sees_headers_in_their_order_steps_over_gaps_and_finds_by_number() {
    let Some(server) = Server::shared() else { return };
    let (name, s) = (unique("LOOK"), Sandbox::new());
    server.make(json!({ "name": name, "subjects": [format!("look.{name}.>")] }));
    for n in 1..=3000 {
        let subject = format!("look.{name}.new");
        server.publish(
            &subject,
            "B: 1\r\nA: 2\r\nB: 3\r\nNats-Msg-Id: {n}\r\n".replace("{n}", &n.to_string()).as_str(),
            format!("{n}").as_bytes(),
        );
    }
    // A gap that is wider than what is asked for at once, and small ones.
    for n in (5..2900).chain([2902, 2999]) {
        server.api(&format!("STREAM.MSG.DELETE.{name}"), &json!({ "seq": n, "no_erase": true }));
    }
    let address = server.address(&name);
    let ran = s.run(&["filter", &address, "true"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let ids: Vec<u64> = rows(&ran).iter().map(|m| m["id"].as_str().unwrap().parse().unwrap()).collect();
    assert_eq!(ids, (1..5).chain(2900..2902).chain(2903..2999).chain([3000]).collect::<Vec<u64>>());
    let m = &rows(&ran)[0];
    assert_eq!((&m["body"], &m["position"]), (&json!(1), &json!({ "sequence": 1 })));
    assert_eq!(
        (&m["properties"]["subject"], &m["properties"]["msg_id"]),
        (&json!(format!("look.{name}.new")), &json!("1"))
    );
    assert!(m["time"].as_str().unwrap().starts_with("20"));

    let archive = s.run(&["inspect", &address, "--id", "2900", "-o", "archive"]);
    let headers = archive.stdout().split("\"headers\":").nth(1).unwrap_or_else(|| panic!("{}", archive.stdout()));
    let at = |what: &str| headers.find(what).unwrap_or_else(|| panic!("no {what} in {headers}"));
    assert!(at("\"B\"") < at("\"A\"") && headers.matches("\"B\"").count() == 2, "{headers}");

    let newest = s.run(&["inspect", &address, "--newest", "-n", "2", "-o", "jsonl"]);
    let ids: Vec<_> = rows(&newest).iter().map(|m| m["id"].clone()).collect();
    assert_eq!(ids, [json!("2998"), json!("3000")], "{}", newest.stderr);
    let depth = s.run(&["depth", &address, "-o", "json"]).json();
    assert_eq!(
        (&depth[0]["ready"], &depth[0]["kind"], &depth[0]["accuracy"]),
        (&json!(103), &json!("stream"), &json!("exact"))
    );
    assert!(depth[0]["oldest"].is_string());
}

#[test]
fn a_look_makes_no_consumer_and_takes_nothing_from_those_there_are() {
    let Some(server) = Server::shared() else { return };
    for retention in ["workqueue", "interest"] {
        let (name, s) = (unique("TRACE"), Sandbox::new());
        server.make(json!({ "name": name, "subjects": [format!("trace.{name}")], "retention": retention }));
        server.consume(&name, "C", &json!({}));
        server.publish_all(&format!("trace.{name}"), &(0..20).map(|n| n.to_string()).collect::<Vec<_>>());
        let address = server.address(&name);
        let consumers = || server.api(&format!("CONSUMER.LIST.{name}"), &json!({}))["consumers"].clone();
        // The server counts them for the consumer some time after it has confirmed them.
        let asked = format!("CONSUMER.INFO.{name}.C");
        Server::until(&server.url, &asked, &json!({}), |c| c["num_pending"] == 20);
        let before = consumers();
        for args in [&["inspect", &address][..], &["stats", &address], &["sample", &address, "-n", "3"]] {
            let ran = s.run(args);
            assert_eq!(ran.code, 0, "{}", ran.stderr);
        }
        let after = consumers();
        assert_eq!(after.as_array().map(Vec::len), Some(1), "{after} {before}");
        for field in ["delivered", "ack_floor", "num_pending", "num_ack_pending"] {
            assert_eq!(after[0][field], before[0][field], "{retention}: {field}");
        }
        assert_eq!(server.count(&name), 20);
        assert_eq!(server.pull(&name, "C", 20).len(), 20);
    }
}

#[test]
fn what_is_wrong_is_said_in_seconds() {
    let Some(server) = Server::shared() else { return };
    let (name, s) = (unique("WRONG"), Sandbox::new());
    server.make(json!({ "name": name, "subjects": [format!("wrong.{name}")] }));
    let bare = Own::start("jetstream: false").unwrap();
    // Takes connections and says nothing.
    let mute = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mute = format!("nats://{}/S", mute.local_addr().unwrap());
    let tls = server.address(&name).replace("nats://", "tls://");
    for (address, code, says) in [
        (server.address(&format!("{name}x")), 1, format!("did you mean \"{name}\"?")),
        (format!("{}/S", bare.url()), 4, "has no JetStream".to_owned()),
        ("nats://127.0.0.1:1/S".to_owned(), 1, "nothing listens at 127.0.0.1:1".to_owned()),
        ("nats://no-such-host.invalid/S".to_owned(), 1, "is not known".to_owned()),
        (mute, 1, "did not answer".to_owned()),
        (tls, 1, "does not speak TLS".to_owned()),
        (server.url.clone(), 2, "dlq list nats://".to_owned()),
    ] {
        let began = Instant::now();
        let ran = s.run(&["depth", &address, "--timeout", "2s"]);
        assert!(ran.code == code && ran.stderr.contains(&says), "{address}: {} {}", ran.code, ran.stderr);
        assert!(began.elapsed().as_secs() < 10, "{address}: {:?}", began.elapsed());
    }
}

#[test]
fn the_newest_are_found_over_gaps_however_wide() {
    let Some(own) = Own::start("") else { return };
    let server = Server::at(&own.url(), &json!({}));
    let s = Sandbox::new();
    server.make(json!({ "name": "WIDE", "subjects": ["kept", "gone"], "first_seq": 1_000_000_000_000_u64 }));
    // Seven messages, sixty thousand numbers apart; and some that stand side by side.
    for n in 0..7 {
        server.publish("kept", "", n.to_string().as_bytes());
        server.publish_all("gone", &vec![String::new(); 60_000]);
        let purged = server.api("STREAM.PURGE.WIDE", &json!({ "filter": "gone" }));
        assert_eq!(purged["purged"], 60_000, "{purged}");
    }
    server.publish_all("kept", &["7".to_owned(), "8".to_owned()]);
    server.publish_all("gone", &vec![String::new(); 60_000]);
    server.api("STREAM.PURGE.WIDE", &json!({ "filter": "gone" }));
    let asked = || server.api("INFO", &json!({}))["api"]["total"].as_u64().unwrap();
    for many in 1..=10_usize {
        let before = asked();
        let newest = s.run(&["inspect", &server.address("WIDE"), "--newest", "-n", &many.to_string(), "-o", "jsonl"]);
        let bodies: Vec<_> = rows(&newest).iter().map(|m| m["body"].as_u64().unwrap()).collect();
        assert_eq!(bodies, (9_u64.saturating_sub(many as u64)..9).collect::<Vec<_>>(), "{}", newest.stderr);
        let questions = asked() - before;
        assert!(questions < 20_000, "{questions} questions for {many}");
    }
}
