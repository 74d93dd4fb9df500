//! What a consumer gave up on: from the advisories a stream keeps, and the messages from theirs.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::cutting;
use crate::jetstream::Server;
use crate::sandbox::Sandbox;
use crate::{rows, unique};

/// A stream with six messages, of which its consumer has acknowledged one, terminated one and failed on three.
struct Failed {
    server: Server,
    stream: String,
}

impl Failed {
    fn new(keeps: bool) -> Option<Failed> {
        let server = Server::shared()?;
        let stream = unique("ORDERS");
        server.make(json!({ "name": stream, "subjects": [format!("orders.{stream}.>")] }));
        if keeps {
            let subject = |kind: &str| format!("$JS.EVENT.ADVISORY.CONSUMER.{kind}.{stream}.>");
            let subjects = [subject("MAX_DELIVERIES"), subject("MSG_TERMINATED")];
            server.make(json!({ "name": format!("{stream}_KEPT"), "subjects": subjects }));
        }
        for n in 0..6 {
            server.publish(
                &format!("orders.{stream}.new"),
                "Tenant: globex\r\nNats-Expected-Stream: {}\r\n".replace("{}", &stream).as_str(),
                format!("{{\"n\":{n}}}").as_bytes(),
            );
        }
        server.consume(&stream, "billing", &json!({ "max_deliver": 1, "ack_wait": 60_000_000_000_u64 }));
        let got = server.pull(&stream, "billing", 5);
        assert_eq!(got.len(), 5);
        server.settle(got[0].reply.as_ref().unwrap(), "+ACK");
        server.settle(got[1].reply.as_ref().unwrap(), "+TERM no such order");
        // From now on those three are late.
        server.consume(&stream, "billing", &json!({ "max_deliver": 1, "ack_wait": 200_000_000 }));
        let began = Instant::now();
        while keeps && server.count(&format!("{stream}_KEPT")) < 4 {
            assert!(began.elapsed() < Duration::from_secs(60), "no advisories");
            std::thread::sleep(Duration::from_millis(50));
        }
        Some(Failed { server, stream })
    }

    fn address(&self) -> String {
        format!("{}?consumer=billing", self.server.address(&self.stream))
    }
}

#[test]
fn what_a_consumer_gave_up_on_is_shown_counted_and_put_back_to_work() {
    let Some(f) = Failed::new(true) else { return };
    let (s, address) = (Sandbox::new(), f.address());
    let depth = s.run(&["depth", &address, "-o", "json"]).json();
    assert_eq!((&depth[0]["ready"], &depth[0]["kind"]), (&json!(4), &json!("consumer")));
    assert!(depth[0]["oldest"].is_string());
    let ran = s.run(&["inspect", &f.server.address(&f.stream), "-X", "consumer=billing", "-o", "jsonl"]);
    let mut seen = rows(&ran);
    seen.sort_by_key(|m| m["id"].as_str().unwrap().to_owned());
    let ids: Vec<_> = seen.iter().map(|m| m["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["2", "3", "4", "5"], "{}", ran.stderr);
    let death = &seen[0]["death"];
    assert_eq!(
        (&death["family"], &death["reason"], &death["message"]),
        (&json!("nats"), &json!("terminated"), &json!("no such order"))
    );
    let death = &seen[1]["death"];
    assert_eq!((&death["reason"], &death["attempts"]), (&json!("max_deliver"), &json!(1)));
    assert_eq!((&death["origin"]["group"], &death["origin"]["offset"]), (&json!("billing"), &json!(3)));

    // One is removed by somebody else: told, and not counted.
    f.server.api(&format!("STREAM.MSG.DELETE.{}", f.stream), &json!({ "seq": 3, "no_erase": true }));
    let ran = s.run(&["inspect", &address, "-o", "jsonl"]);
    assert!(ran.stderr.contains("1 message that it gave up on is no longer in stream"), "{}", ran.stderr);
    assert_eq!(s.run(&["depth", &address, "-o", "json"]).json()[0]["ready"], 3);

    let ran = s.run(&["replay", &address, "-y", "-o", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!((&ran.json()["replayed"], &ran.json()["remaining"]), (&json!(3), &json!(0)));
    let there = f.server.contents(&f.stream);
    let bodies: Vec<_> = there.iter().map(|m| m.json()["n"].as_u64().unwrap()).collect();
    // The acknowledged one and the one not handed out stay where they were.
    assert_eq!(bodies[..2], [0, 5]);
    let mut again = bodies[2..].to_vec();
    again.sort_unstable();
    assert_eq!(again, [1, 3, 4]);
    for m in &there[2..] {
        assert_eq!(m.subject, format!("orders.{}.new", f.stream));
        assert!(m.headers.contains("Tenant: globex\r\n") && m.headers.contains("dlq-replay: id="), "{}", m.headers);
        assert!(m.headers.contains("Nats-Msg-Id: ") && !m.headers.contains("Nats-Expected"), "{}", m.headers);
    }
    // Its consumer gets them once more.
    f.server.waits(&f.stream, "billing", 4);
    assert_eq!(f.server.pull(&f.stream, "billing", 10).len(), 4);
}

#[test]
fn without_a_stream_that_keeps_the_advisories_it_says_how_to_make_one() {
    let Some(f) = Failed::new(false) else { return };
    let s = Sandbox::new();
    let ran = s.run(&["inspect", &f.address()]);
    assert_eq!(ran.code, 4, "{}", ran.stderr);
    assert!(ran.stderr.contains("nats stream add") && ran.stderr.contains("MAX_DELIVERIES"), "{}", ran.stderr);
    let ran = s.run(&["depth", &f.address().replace("billing", "biling")]);
    assert!(ran.code == 1 && ran.stderr.contains("did you mean \"billing\"?"), "{}", ran.stderr);
}

#[test]
fn the_advisories_themselves_are_not_replayed() {
    let Some(f) = Failed::new(true) else { return };
    let s = Sandbox::new();
    let kept = f.server.address(&format!("{}_KEPT", f.stream));
    let ran = s.run(&["replay", &kept, "-y", "-o", "json"]);
    assert_eq!((ran.code, &ran.json()["failed"]), (1, &json!(4)), "{}", ran.stderr);
    assert!(ran.stdout().contains("?consumer=billing"), "{}", ran.stdout());
    assert_eq!((f.server.count(&f.stream), f.server.count(&format!("{}_KEPT", f.stream))), (6, 4));
}

#[test]
fn list_finds_advisory_streams_consumers_and_names() {
    let Some(f) = Failed::new(true) else { return };
    let unkept = Failed::new(false).unwrap();
    let named = format!("{}_DLQ", f.stream);
    f.server.make(json!({ "name": named, "subjects": [format!("dlq.{named}")] }));
    let s = Sandbox::new();
    let ran = s.run(&["list", &f.server.url, "-o", "jsonl"]);
    // Other tests make and remove streams meanwhile.
    assert!(matches!(ran.code, 0 | 3), "{}", ran.stderr);
    let found = rows(&ran);
    let row = |end: &str| {
        found
            .iter()
            .find(|r| r["queue"].as_str().unwrap().ends_with(end))
            .unwrap_or_else(|| panic!("no {end} in {found:#?}"))
    };
    let consumer = row(&format!("/{}?consumer=billing", f.stream));
    assert_eq!((&consumer["recognised_by"], &consumer["ready"]), (&json!(["advisory"]), &json!(4)));
    assert_eq!((&consumer["accuracy"], &consumer["sources"]), (&json!("upper-bound"), &json!(["consumer billing"])));
    let depth = s.run(&["depth", consumer["address"].as_str().unwrap(), "-o", "json"]);
    assert_eq!((depth.code, &depth.json()[0]["ready"]), (0, &json!(4)), "{}", depth.stderr);
    let keeper = row(&format!("/{}_KEPT", f.stream));
    assert_eq!((&keeper["recognised_by"], &keeper["ready"]), (&json!(["advisory"]), &json!(4)));
    assert_eq!(row(&format!("/{named}"))["recognised_by"], json!(["name"]));
    let note = format!("consumer billing of stream {} gives up on a message after 1 delivery", unkept.stream);
    assert!(ran.stderr.contains(&note), "{}", ran.stderr);
    f.server.api(&format!("STREAM.DELETE.{named}"), &json!({}));
}

#[test]
fn what_was_told_of_an_earlier_stream_of_the_name_is_not_of_this_one() {
    let Some(f) = Failed::new(true) else { return };
    f.server.api(&format!("STREAM.DELETE.{}", f.stream), &json!({}));
    f.server.make(json!({ "name": f.stream, "subjects": [format!("orders.{}.>", f.stream)] }));
    for n in 0..6 {
        f.server.publish(&format!("orders.{}.new", f.stream), "Tenant: globex\r\n", format!("{n}").as_bytes());
    }
    f.server.consume(&f.stream, "billing", &json!({ "max_deliver": 1, "ack_wait": 60_000_000_000_u64 }));
    let s = Sandbox::new();
    assert_eq!(s.run(&["depth", &f.address(), "-o", "json"]).json()[0]["ready"], 0);
    let ran = s.run(&["replay", &f.address(), "-y", "-o", "json"]);
    assert_eq!((ran.code, &ran.json()["replayed"]), (0, &json!(0)), "{}", ran.stderr);
    assert_eq!(f.server.count(&f.stream), 6);
}

#[test]
fn where_one_of_the_two_subjects_is_kept_counts_are_lower_bounds() {
    let Some(f) = Failed::new(true) else { return };
    let s = Sandbox::new();
    let depth = |stderr: Option<&str>| {
        let ran = s.run(&["depth", &f.address(), "-o", "json"]);
        assert_eq!((ran.code, ran.stderr.contains("are not seen")), (0, stderr.is_some()), "{}", ran.stderr);
        assert!(ran.stderr.contains(stderr.unwrap_or_default()), "{}", ran.stderr);
        (ran.json()[0]["ready"].clone(), ran.json()[0]["accuracy"].clone())
    };
    assert_eq!(depth(None), (json!(4), json!("exact")));
    for (kept, says, ready) in [("MAX_DELIVERIES", "it terminated", 3), ("MSG_TERMINATED", "max_deliver", 1)] {
        // What is kept already of the other kind is as if it had never been.
        let (name, other) = (format!("{}_KEPT", f.stream), ["MAX_DELIVERIES", "MSG_TERMINATED"]);
        let subject = |kind: &str| format!("$JS.EVENT.ADVISORY.CONSUMER.{kind}.{}.>", f.stream);
        let config = json!({ "name": name, "subjects": [subject(kept)] });
        assert!(f.server.api(&format!("STREAM.UPDATE.{name}"), &config)["error"].is_null());
        assert_eq!(depth(Some(says)), (json!(ready), json!("lower-bound")));
        let text = s.run(&["depth", &f.address(), "-o", "table"]);
        assert!(text.stdout().contains("lower bounds"), "{}", text.stdout());
        // Few are not few enough where there may be more.
        let check = s.run(&["check", &f.address(), "--warn", "10", "--crit", "20"]);
        assert_eq!(check.code, 3, "{}{}", check.stdout(), check.stderr);
        let check = s.run(&["check", &f.address(), "--crit", &ready.to_string()]);
        assert_eq!(check.code, 2, "{}{}", check.stdout(), check.stderr);
        let found = s.run(&["list", &f.server.url, "-o", "jsonl"]);
        let end = format!("/{}?consumer=billing", f.stream);
        let row = rows(&found).into_iter().find(|r| r["queue"].as_str().unwrap().ends_with(&end)).unwrap();
        assert_eq!(row["accuracy"], json!("approximate"), "{row}");
        let both = json!({ "name": name, "subjects": other.map(subject) });
        assert!(f.server.api(&format!("STREAM.UPDATE.{name}"), &both)["error"].is_null());
    }
    assert_eq!(depth(None), (json!(4), json!("exact")));
}

#[test]
fn few_of_what_may_be_large_are_asked_for_at_once() {
    let Some(server) = Server::shared() else { return };
    let (stream, many) = (unique("LARGE"), 90);
    server.make(json!({ "name": stream, "subjects": [format!("large.{stream}")] }));
    let subject = format!("$JS.EVENT.ADVISORY.CONSUMER.MSG_TERMINATED.{stream}.>");
    server.make(json!({ "name": format!("{stream}_KEPT"), "subjects": [subject] }));
    server.publish_all(&format!("large.{stream}"), &(0..many).map(|n| n.to_string()).collect::<Vec<_>>());
    server.consume(&stream, "billing", &json!({}));
    for m in server.pull(&stream, "billing", many) {
        server.say(&m.reply.unwrap(), "+TERM");
    }
    let began = Instant::now();
    while server.count(&format!("{stream}_KEPT")) < many {
        assert!(began.elapsed() < Duration::from_secs(60), "no advisories");
        std::thread::sleep(Duration::from_millis(50));
    }
    let s = Sandbox::new();
    let ids: Vec<String> = (1..=many).flat_map(|n| ["--id".to_owned(), n.to_string()]).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    for more in [&["-X", "consumer=billing"][..], &ids] {
        let way = cutting::slow(&server.url, format!("$JS.API.STREAM.MSG.GET.{stream} "));
        let address = format!("{}/{stream}", way.url);
        let ran = s.run(&[&["filter", &address, "true"], more].concat());
        assert_eq!((ran.code, rows(&ran).len() as u64), (0, many), "{}", ran.stderr);
        // A server takes a megabyte at least, so that these were sixteen of them.
        let most = way.at_once();
        assert!((1..=16).contains(&most), "{most} at once");
    }
}
