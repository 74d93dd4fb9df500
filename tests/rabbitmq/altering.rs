//! Changing messages on the way, holding back, and plans that change nothing.

use std::process::Stdio;
use std::time::{Duration, Instant};

use lapin::BasicProperties;
use lapin::types::{AMQPValue, DecimalValue, FieldArray};

use crate::broker::{Broker, table, text};
use crate::consumer::{Consumer, Does};
use crate::sandbox::{Sandbox, signal};

fn everything() -> Vec<(&'static str, AMQPValue)> {
    let mut list = FieldArray::default();
    list.push(AMQPValue::ShortShortInt(-3));
    list.push(text("x"));
    vec![
        ("retries", AMQPValue::LongInt(5)),
        ("tiny", AMQPValue::ShortShortInt(-7)),
        ("wide", AMQPValue::LongLongInt(1 << 40)),
        ("yes", AMQPValue::Boolean(true)),
        ("void", AMQPValue::Void),
        ("at", AMQPValue::Timestamp(1_700_000_000)),
        ("price", AMQPValue::DecimalValue(DecimalValue { scale: 2, value: 1050 })),
        ("half", AMQPValue::Float(0.5)),
        ("double", AMQPValue::Double(0.1)),
        ("bytes", AMQPValue::ByteArray(vec![0, 255].into())),
        ("list", AMQPValue::FieldArray(list)),
        ("nested", AMQPValue::FieldTable(table(&[("n", AMQPValue::ShortInt(4)), ("t", text("y"))]))),
        ("text", text("héllo")),
    ]
}

#[test]
fn what_a_map_does_not_name_arrives_byte_for_byte() {
    let Some(b) = Broker::open("43") else { return };
    let s = Sandbox::new();
    let (q, to) = (b.queue("q", "classic", &[]), b.queue("to", "quorum", &[]));
    let odd: &[u8] = b"{ \"n\": 1.10, \"n\":2 ,\"big\":12345678901234567890.5}\n";
    let properties = BasicProperties::default()
        .with_headers(table(&everything()))
        .with_content_type("application/json".into())
        .with_priority(3)
        .with_message_id("m-1".into())
        .with_timestamp(1_700_000_001);
    b.publish("", &q, properties.clone(), odd);
    b.publish("", &q, properties.clone(), b"\xff\x00");
    let map = "if (.body | type) == \"object\" and .body.big then .headers.retries = 0 | .headers.nested.n = 9 | .properties.priority = 7
               else .body = {n: 1} end";
    let ran = s.run(&["replay", &b.address(&q), "--to", &b.address(&to), "--map", map, "-y", "-o", "json"]);
    assert_eq!((ran.code, &ran.json()["changed"]), (0, &2.into()), "{}", ran.stderr);
    b.settled(&to, 2);
    let got = b.drain(&to);
    assert_eq!((got[0].data.as_slice(), got[1].data.as_slice()), (odd, &b"{\"n\":1}"[..]));
    let mut wanted = table(&everything());
    for (at, d) in got.iter().enumerate() {
        let mut headers = d.properties.headers().clone().unwrap();
        let mark = headers.inner().get("dlq-replay").cloned();
        assert!(mark.is_some());
        if at == 0 {
            wanted.insert("retries".into(), AMQPValue::LongInt(0));
            wanted.insert(
                "nested".into(),
                AMQPValue::FieldTable(table(&[("n", AMQPValue::ShortInt(9)), ("t", text("y"))])),
            );
        } else {
            wanted = table(&everything());
        }
        wanted.insert("dlq-replay".into(), mark.unwrap());
        headers.insert("dlq-replay".into(), wanted.inner()["dlq-replay"].clone());
        assert_eq!(headers, wanted, "message {at}");
        let p = &d.properties;
        assert_eq!((p.message_id(), p.timestamp()), (properties.message_id(), properties.timestamp()));
        assert_eq!(p.priority(), &Some(if at == 0 { 7 } else { 3 }));
    }
}

#[test]
fn edits_that_rabbitmq_cannot_hold_fail_and_stay() {
    let Some(b) = Broker::open("43") else { return };
    let s = Sandbox::new();
    let (q, to) = (b.queue("q", "classic", &[]), b.queue("to", "classic", &[]));
    b.fill(&q, 2);
    for (map, told) in [(".body = null", "cannot be null"), (".properties.exchange = \"x\"", "cannot be set there")] {
        let ran = s.run(&["replay", &b.address(&q), "--to", &b.address(&to), "--map", map, "-y", "-o", "json"]);
        assert_eq!((ran.code, &ran.json()["failed"]), (1, &2.into()), "{}", ran.stderr);
        assert!(ran.json()["errors"][0]["error"].as_str().unwrap().contains(told), "{}", ran.stdout());
    }
    b.settled(&q, 2);
}

#[test]
fn a_replay_does_not_bury_a_slow_consumer() {
    let Some(b) = Broker::open("43") else { return };
    let s = Sandbox::new();
    let (q, to) = (b.queue("q", "classic", &[]), b.queue("to", "classic", &[]));
    b.fill(&q, 200);
    let consumer = Consumer::start(&b, &to, Does::TakeSlowly(Duration::from_millis(15)));
    let (from, there) = (b.address(&q), b.bare(&to));
    let mut run = s
        .command()
        .args(["replay", &from, "--to", &there, "--hold-while-backlog", "20", "-y", "-o", "json"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut most = 0;
    let began = Instant::now();
    while run.try_wait().unwrap().is_none() {
        most = most.max(b.ready(&to));
        assert!(began.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(10));
    }
    let output = run.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["replayed"], 200, "{report}");
    assert!(report["held_seconds"].as_u64() > Some(0), "{report}");
    assert!((10..=21).contains(&most), "{most} waited at once");
    b.settled(&to, 0);
    drop(consumer);
}

#[test]
fn a_replay_that_is_held_can_be_stopped() {
    let Some(b) = Broker::open("43") else { return };
    let s = Sandbox::new();
    let (q, to) = (b.queue("q", "classic", &[]), b.queue("to", "classic", &[]));
    b.fill(&q, 50);
    let (from, there) = (b.address(&q), b.address(&to));
    let mut run = s
        .command()
        .args([
            "replay",
            &from,
            "--to",
            &there,
            "--hold-while-backlog",
            "5",
            "-y",
            "-o",
            "json",
            "--log-format",
            "json",
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    b.settled(&to, 6);
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(b.ready(&to), 6, "nothing more is sent while it is held");
    assert!(run.try_wait().unwrap().is_none());
    let began = Instant::now();
    signal(&run, "-INT");
    let code = run.wait().unwrap().code();
    assert_eq!(code, Some(130));
    assert!(began.elapsed() < Duration::from_secs(30), "nobody makes room");
    let output = run.wait_with_output().unwrap();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["replayed"], &report["remaining"]), (&6.into(), &44.into()), "{report}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("\"held\":true"));
    b.settled(&q, 44);
}

#[test]
fn of_equal_messages_a_plan_takes_as_many_as_there_were() {
    let Some(b) = Broker::open("43") else { return };
    let s = Sandbox::new();
    let (q, to) = (b.queue("q", "classic", &[]), b.queue("to", "classic", &[]));
    for body in ["same", "other", "same", "same", "last"] {
        b.publish("", &q, BasicProperties::default(), body.as_bytes());
    }
    let (from, there) = (b.address(&q), b.address(&to));
    let ran = s.run(&["replay", &from, "--to", &there, "--filter", ".body != \"last\"", "--plan-out", "plan.json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(!s.read("plan.json").contains("guest:guest"), "a plan holds no password");
    for body in ["same", "same", "newcomer"] {
        b.publish("", &q, BasicProperties::default(), body.as_bytes());
    }
    b.settled(&q, 8);
    let args = ["replay", &from, "--to", &there, "--plan", "plan.json", "-y", "-o", "json"];
    let ran = s.run(&args);
    assert_eq!(
        (ran.code, &ran.json()["replayed"], &ran.json()["remaining"]),
        (0, &4.into(), &4.into()),
        "{}",
        ran.stderr
    );
    let mut got = b.bodies(&to);
    got.sort();
    assert_eq!(got, ["other", "same", "same", "same"]);
    b.settled(&q, 4);
    let ran = s.run(&args);
    assert_eq!((ran.code, &ran.json()["replayed"]), (0, &2.into()), "two more that are equal: {}", ran.stderr);
    assert_eq!(ran.json()["gone"].as_array().map(Vec::len), Some(2), "{}", ran.stdout());
    let other = s.run(&["replay", &b.address(&to), "--plan", "plan.json", "-y"]);
    assert_eq!(other.code, 2, "{}", other.stderr);
}

#[test]
fn a_dry_run_leaves_everything_as_it_was() {
    let Some(b) = Broker::open("43") else { return };
    let s = Sandbox::new();
    let (q, to) = (b.queue("q", "quorum", &[]), b.queue("to", "classic", &[]));
    b.fill(&q, 30);
    let topology = |what: &str| {
        let login = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, "guest:guest");
        let url = format!("{}/api/{what}?disable_stats=true", b.server.management);
        let mut answer = ureq::get(&url).header("authorization", &format!("Basic {login}")).call().unwrap();
        let all: serde_json::Value = answer.body_mut().read_json().unwrap();
        let mut names: Vec<String> = all
            .as_array()
            .unwrap()
            .iter()
            .map(|q| format!("{} {} {}", q["name"], q["source"], q["destination"]))
            .filter(|name| name.contains(&b.name("")))
            .collect();
        names.sort();
        names
    };
    let seen = || (["queues", "exchanges", "bindings"].map(topology), b.ready(&q), b.ready(&to));
    let files = || {
        let mut names: Vec<_> = std::fs::read_dir(s.path(".")).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.extend(std::fs::read_dir(s.state()).unwrap().map(|e| e.unwrap().file_name()));
        names.sort();
        names
    };
    let (before, there) = (seen(), files());
    let (from, to) = (b.address(&q), b.address(&to));
    for args in [
        &["replay", &from, "--to", &to, "--dry-run"][..],
        &["replay", &from, "--to", &to, "--map", ".body = 1", "--canary", "2", "--canary-wait", "1s", "--dry-run"],
        &["replay", &from, "--to", &to, "--hold-while-backlog", "1", "--failed-to", "file:f.ndjson", "--dry-run"],
        &["move", &from, &to, "--dry-run"],
        &["copy", &from, &to, "--dry-run"],
        &["purge", &from, "--all", "--dry-run"],
    ] {
        let ran = s.run(args);
        assert_eq!(ran.code, 0, "{args:?}: {}", ran.stderr);
        b.settled(&q, 30);
        assert_eq!((seen(), files()), (before.clone(), there.clone()), "{args:?}");
    }
}
