//! Looks that cost nothing, and changes that are stopped in the middle.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use futures::StreamExt;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions, QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::FieldTable;

use crate::broker::{BOTH, Broker, KINDS, LONG};
use crate::sandbox::{Sandbox, signal};

#[test]
fn fifty_looks_lose_nothing() {
    let Some(b) = Broker::open("43") else { return };
    let s = Sandbox::new();
    let q = b.queue("q", "quorum", &[("x-delivery-limit", lapin::types::AMQPValue::LongInt(20))]);
    let all = b.fill(&q, 40);
    for n in 0..50 {
        let address = if n % 2 == 0 { b.address(&q) } else { b.bare(&q) };
        let ran = match n % 5 {
            0 => s.run(&["inspect", &address, "-n", "7", "-o", "raw"]),
            1 => s.run(&["sample", &address, "-n", "3", "-o", "raw"]),
            2 => s.run(&["purge", &address, "--all", "--dry-run"]),
            3 => s.run(&["replay", &address, "--to", &address.replace(&q, "amq.none"), "--dry-run"]),
            _ => s.run(&["filter", &address, ".body < 7", "-o", "raw"]),
        };
        let expected = if n % 5 == 3 { 1 } else { 0 };
        assert_eq!(ran.code, expected, "{n}: {}", ran.stderr);
    }
    b.settled(&q, 40);
    assert_eq!(b.bodies(&q), all);
}

#[test]
fn a_queue_that_would_go_with_its_reader_is_not_read() {
    for version in BOTH {
        let Some(b) = Broker::open(version) else { return };
        let s = Sandbox::new();
        let name = b.name("auto");
        let o = QueueDeclareOptions { durable: true, auto_delete: true, ..Default::default() };
        b.runtime.block_on(b.channel.queue_declare(name.as_str().into(), o, FieldTable::default())).unwrap();
        b.fill(&name, 10);
        for address in [b.address(&name), b.bare(&name)] {
            for args in [
                &["inspect", &address][..],
                &["move", &address, "file:all.ndjson", "-y"],
                &["purge", &address, "-f", ".body < 3", "-y"],
            ] {
                let ran = s.run(args);
                assert_eq!(ran.code, 4, "{args:?}: {}", ran.stderr);
            }
            assert_eq!(s.run(&["depth", &address]).code, 0);
        }
        assert_eq!(b.ready(&name), 10);
        b.runtime.block_on(b.channel.queue_delete(name.into(), QueueDeleteOptions::default())).unwrap();
    }
}

#[test]
fn a_look_at_a_queue_that_never_rests_ends() {
    let Some(b) = Broker::open("43") else { return };
    for kind in KINDS {
        let s = Sandbox::new();
        let q = b.queue(kind, kind, &[]);
        b.fill(&q, 20_000);
        let channel = b.runtime.block_on(b.connection.create_channel()).unwrap();
        let name = q.clone();
        let consuming = b.runtime.spawn(async move {
            channel.basic_qos(300, BasicQosOptions::default()).await.unwrap();
            let (tag, o) = ("steady".into(), BasicConsumeOptions::default());
            let mut consumer = channel.basic_consume(name.into(), tag, o, FieldTable::default()).await.unwrap();
            while let Some(Ok(d)) = consumer.next().await {
                d.ack(BasicAckOptions::default()).await.unwrap();
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        });
        let began = Instant::now();
        let ran = s.run(&["inspect", &b.address(&q), "-n", "500", "-o", "raw"]);
        let took = began.elapsed();
        consuming.abort();
        assert_eq!((ran.code, ran.stdout().lines().count()), (0, 500), "{}", ran.stderr);
        assert!(took < Duration::from_secs(30), "{kind}: {took:?}");
        assert!(b.ready(&q) > 0, "{kind}: it was at rest before the look ended");
    }
}

/// A replay at a pace at which it cannot be done before it is stopped.
fn slow(b: &Broker, s: &Sandbox, from: &str, to: &str) -> Child {
    slow_as(b, s, [&b.address(from), &b.address(to)], to)
}

fn slow_as(b: &Broker, s: &Sandbox, [from, into]: [&str; 2], to: &str) -> Child {
    let mut child = s
        .command()
        .args(["replay", from, "--to", into, "-y", "-o", "json", "--rate", "200/s"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let began = Instant::now();
    while began.elapsed() < LONG {
        if b.ready(to) > 20 {
            return child;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let _ = child.kill();
    panic!("it never began: {:?}", child.wait_with_output());
}

#[test]
fn a_signal_finishes_what_is_in_flight_and_gives_back_the_rest() {
    let Some(b) = Broker::open("43") else { return };
    for kind in KINDS {
        for (name, code) in [("-INT", 130), ("-TERM", 143)] {
            let s = Sandbox::new();
            let (q, to) =
                (b.queue(&format!("q{name}.{kind}"), kind, &[]), b.queue(&format!("to{name}.{kind}"), kind, &[]));
            let all = b.fill(&q, 3000);
            let child = slow(&b, &s, &q, &to);
            signal(&child, name);
            let output = child.wait_with_output().unwrap();
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(code), "{stderr}");
            let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
            assert_eq!(report["stopped_by"], "signal");
            let (there, here) = (b.bodies(&to), b.bodies(&q));
            assert_eq!(report["replayed"], there.len(), "{report}");
            assert_eq!(report["remaining"], here.len(), "{report}");
            assert_eq!(report["indeterminate"], 0);
            assert_eq!([there, here].concat(), all, "each in one place, in order");
        }
    }
}

#[test]
fn killed_it_loses_nothing() {
    let Some(b) = Broker::open("43") else { return };
    for kind in KINDS {
        let s = Sandbox::new();
        let (q, to) = b.pair(kind);
        let all = b.fill(&q, 2000);
        let mut child = slow(&b, &s, &q, &to);
        child.kill().unwrap();
        child.wait().unwrap();
        b.all_back(&[&q, &to], all.len());
        std::thread::sleep(Duration::from_millis(500));
        let (there, here) = (b.bodies(&to), b.bodies(&q));
        let twice = there.len() + here.len() - all.len();
        assert!(twice <= 500, "{twice} may come twice");
        let mut each: Vec<u32> = there.iter().chain(&here).map(|n| n.parse().unwrap()).collect();
        each.sort();
        each.dedup();
        assert_eq!(each.len(), all.len(), "nothing is lost");
    }
}

/// What is held goes back with the connection: to go on sending it would only make duplicates.
#[test]
fn a_lost_connection_ends_the_sending() {
    let Some(b) = Broker::open("43") else { return };
    let Some(ctl) = crate::servers::var("DLQ_TEST_RABBITMQ_43_CTL") else { return };
    let user = b.name("closed");
    let ctl = |args: &[&str]| assert!(std::process::Command::new(&ctl).args(args).output().unwrap().status.success());
    ctl(&["add_user", &user, "s3cret"]);
    ctl(&["set_permissions", &user, ".*", ".*", ".*"]);
    for role in ["reading", "publishing"] {
        let s = Sandbox::new();
        let (q, to) = (b.queue(&format!("q.{role}"), "quorum", &[]), b.queue(&format!("to.{role}"), "quorum", &[]));
        // The API shows a connection some seconds late.
        let all = b.fill(&q, 6000);
        let of = |queue: &str| b.bare(queue).replace("guest:guest", &format!("{user}:s3cret"));
        let child = slow_as(&b, &s, [&of(&q), &of(&to)], &to);
        b.close_connections(&user, &format!("dlq {role}"));
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{role}: {stderr}");
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["stopped_by"], "error", "{role}: {report}");
        let count = |field: &str| report[field].as_u64().unwrap();
        b.settled(&q, 6000 - count("replayed") as u32);
        let (there, here) = (b.bodies(&to), b.bodies(&q));
        let twice = there.len() + here.len() - all.len();
        assert!(twice <= 500, "{role}: {twice} come twice");
        assert!(count("not_removed") + count("indeterminate") >= twice as u64, "{role}: {report}");
        let mut each: Vec<u32> = there.iter().chain(&here).map(|n| n.parse().unwrap()).collect();
        each.sort();
        each.dedup();
        assert_eq!(each.len(), all.len(), "nothing is lost");
    }
    ctl(&["delete_user", &user]);
}
