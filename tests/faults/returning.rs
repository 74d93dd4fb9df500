//! What moves while a run goes on: messages that die again, another consumer that takes some, newcomers under a purge, and a
//! pace at which a transaction would outlast its time.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::StreamExt;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, BasicRejectOptions};
use lapin::types::FieldTable;

use crate::cluster::cluster;
use crate::load;
use crate::on_rabbitmq::{arrived, fill};
use crate::rabbit::{Broker, KINDS, LONG, body, persistent, text};
use crate::sandbox::Sandbox;

/// A consumer that takes from a queue, and acknowledges or refuses; what it got, by body.
fn consume(b: &Broker, queue: &str, refuses: bool) -> Arc<Mutex<BTreeMap<String, u64>>> {
    let got: Arc<Mutex<BTreeMap<String, u64>>> = Arc::default();
    let channel = b.runtime.block_on(b.connection.create_channel()).unwrap();
    let (queue, seen) = (queue.to_owned(), Arc::clone(&got));
    b.runtime.spawn(async move {
        channel.basic_qos(50, BasicQosOptions::default()).await.unwrap();
        let (tag, o) = ("consumer".into(), BasicConsumeOptions::default());
        let mut consumer = channel.basic_consume(queue.as_str().into(), tag, o, FieldTable::default()).await.unwrap();
        while let Some(Ok(d)) = consumer.next().await {
            *seen.lock().unwrap().entry(body(&d)).or_default() += 1;
            if refuses {
                d.reject(BasicRejectOptions { requeue: false }).await.unwrap();
            } else {
                d.ack(BasicAckOptions::default()).await.unwrap();
                // It is to take about half, not all.
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    });
    got
}

#[test]
fn what_dies_again_during_the_run_is_not_replayed_by_it_again() {
    let Some(b) = Broker::open("43") else { return };
    for kind in KINDS {
        for half_is_taken in [false, true] {
            let dead = b.queue(&format!("dead.{kind}.{half_is_taken}"), kind, &[]);
            let more = [("x-dead-letter-exchange", text("")), ("x-dead-letter-routing-key", text(&dead))];
            let origin = b.queue(&format!("origin.{kind}.{half_is_taken}"), kind, &more);
            let bodies: Vec<String> = (0..3000).map(|n| n.to_string()).collect();
            fill(&b, &dead, &bodies);
            let refused = consume(&b, &origin, true);
            let taken = half_is_taken.then(|| consume(&b, &dead, false));
            let s = Sandbox::new();
            let (source, place) = (b.address(&dead), b.address(&origin));
            let ran = s.run(&["replay", &source, "--to", &place, "-y", "-o", "json"]);
            assert!(ran.code == 0 || half_is_taken && ran.code == 3, "{kind}: {}", ran.stderr);
            let report = ran.json();
            b.settled(&origin, 0);
            let began = Instant::now();
            while report["replayed"] != refused.lock().unwrap().len() && began.elapsed() < LONG {
                std::thread::sleep(Duration::from_millis(50));
            }
            std::thread::sleep(Duration::from_millis(300));
            let counts = refused.lock().unwrap().clone();
            let twice: Vec<_> = counts.iter().filter(|(_, n)| **n > 1).collect();
            assert!(twice.is_empty(), "{kind}, half taken {half_is_taken}: replayed twice: {twice:?} {report}");
            assert_eq!(report["replayed"], counts.len(), "{kind}: {report}");
            if !half_is_taken {
                b.settled(&dead, 3000);
                let back = arrived(&b, &dead);
                assert_eq!(load::count(back.into_iter().map(|a| a.body)), load::count(bodies));
            } else {
                let taken = taken.unwrap().lock().unwrap().len();
                assert!(taken > 0, "{kind}: nobody else took any");
            }
        }
    }
}

#[test]
fn a_purge_removes_no_newcomer_that_it_has_not_saved() {
    let Some(b) = Broker::open("43") else { return };
    for kind in KINDS {
        let dead = b.queue(kind, kind, &[]);
        let bodies = load::bodies(0, 4000);
        fill(&b, &dead, &bodies);
        let stop = Arc::new(AtomicBool::new(false));
        let channel = b.runtime.block_on(b.connection.create_channel()).unwrap();
        let (queue, stopped) = (dead.clone(), Arc::clone(&stop));
        let newcomers = b.runtime.spawn(async move {
            let mut many = 0_u64;
            while !stopped.load(Ordering::Relaxed) {
                let (body, o) = (format!(r#"{{"newcomer":{many}}}"#), BasicPublishOptions::default());
                channel
                    .basic_publish("".into(), queue.as_str().into(), o, body.as_bytes(), persistent())
                    .await
                    .unwrap();
                many += 1;
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            many
        });
        let s = Sandbox::new();
        let ran = s.run(&["purge", &b.address(&dead), "--all", "--backup", "file:saved.ndjson", "-y"]);
        stop.store(true, Ordering::Relaxed);
        let many = b.runtime.block_on(newcomers).unwrap();
        assert_eq!(ran.code, 0, "{kind}: {}", ran.stderr);
        let saved = crate::killed_archive::arrived(&s, "saved.ndjson");
        b.settled(&dead, u32::try_from(4000 + many).unwrap() - u32::try_from(saved.len()).unwrap());
        let left = arrived(&b, &dead);
        assert!(many > 20 && !left.is_empty(), "{kind}: {many} came meanwhile");
        let new = (0..many).map(|n| format!(r#"{{"newcomer":{n}}}"#));
        let all = load::count(bodies.into_iter().chain(new));
        assert_eq!(load::count(saved.into_iter().chain(left).map(|a| a.body)), all, "{kind}");
    }
}

#[test]
fn a_low_rate_does_not_outlast_the_time_of_a_transaction() {
    let Some(cluster) = cluster() else { return };
    let (topic, origin) = (cluster.topic(1, &[]), cluster.topic(1, &[]));
    let bodies: Vec<String> = (0..150).map(|n| format!("{n}")).collect();
    crate::killed_kafka::fill_one(&cluster, &topic, &origin, &bodies);
    let s = Sandbox::new();
    let state = format!("state-topic={}", cluster.name());
    let (address, timeout) = (cluster.address(&topic), "transaction.timeout.ms=6000");
    let within = ["--timeout", "6s"];
    let args = ["replay", &address, "-y", "-o", "json", "--rate", "15/s", "-X", &state, "-X", timeout];
    let ran = s.run(&[&args[..], &within].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(ran.json()["replayed"], 150);
    let there: Vec<String> = cluster.read(&origin).iter().map(|r| r.text()).collect();
    assert_eq!(there, bodies);
}
