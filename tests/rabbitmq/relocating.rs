//! Copy, move and purge: verbatim, in order, no more than was asked.

use crate::broker::{BOTH, Broker, KINDS, persistent, table, text};
use crate::sandbox::Sandbox;

#[test]
fn to_an_archive_and_back() {
    for version in BOTH {
        for kind in KINDS {
            let Some(b) = Broker::open(version) else { return };
            let s = Sandbox::new();
            let (from, to) = (b.queue("from", kind, &[]), b.queue("to", kind, &[]));
            let headers =
                table(&[("x-mine", text("1")), ("bytes", lapin::types::AMQPValue::ByteArray(vec![0, 254].into()))]);
            for i in 0..5u8 {
                let p = persistent().with_headers(headers.clone()).with_message_id(format!("m{i}").into());
                b.publish("", &from, p, &[i, 255, b'\n']);
            }
            let ran = s.run(&["copy", &b.address(&from), "file:all.ndjson", "-o", "json"]);
            assert_eq!((ran.code, ran.json()["copied"].as_u64()), (0, Some(5)), "{}", ran.stderr);
            b.settled(&from, 5);
            let ran = s.run(&["copy", "file:all.ndjson", &b.address(&to), "-y", "-o", "json"]);
            assert_eq!((ran.code, ran.json()["copied"].as_u64()), (0, Some(5)), "{}", ran.stderr);
            let (was, is) = (b.drain(&from), b.drain(&to));
            assert_eq!(is.len(), 5);
            for (was, is) in was.iter().zip(&is) {
                assert_eq!(was.data, is.data);
                let own = |h: &lapin::types::FieldTable| {
                    let of =
                        |(k, v): (&lapin::types::ShortString, &lapin::types::AMQPValue)| (k.to_string(), v.clone());
                    let mut h: std::collections::BTreeMap<_, _> = h.inner().iter().map(of).collect();
                    // The server's count of looks, on quorum queues.
                    h.retain(|k, _| k != "x-acquired-count" && k != "x-delivery-count");
                    h
                };
                assert_eq!(
                    own(was.properties.headers().as_ref().unwrap()),
                    own(is.properties.headers().as_ref().unwrap())
                );
                assert_eq!(was.properties.message_id(), is.properties.message_id());
            }
        }
    }
}

#[test]
fn a_move_keeps_the_order_and_leaves_what_was_not_selected() {
    for version in BOTH {
        for kind in KINDS {
            let Some(b) = Broker::open(version) else { return };
            let s = Sandbox::new();
            let (from, to) = (b.queue("from", kind, &[]), b.queue("to", kind, &[]));
            let all = b.fill(&from, 1500);
            let (low, high) = all.split_at(1000);
            let ran = s.run(&["move", &b.address(&from), &b.address(&to), "-f", ".body < 1000", "-y", "-o", "json"]);
            assert_eq!((ran.code, ran.json()["moved"].as_u64()), (0, Some(1000)), "{}", ran.stderr);
            assert_eq!(ran.json()["remaining"], 500, "{}", ran.stdout());
            assert_eq!(b.bodies(&to), low);
            assert_eq!(b.bodies(&from), high);
        }
    }
}

#[test]
fn a_purge_can_be_undone() {
    for kind in KINDS {
        let Some(b) = Broker::open("43") else { return };
        let s = Sandbox::new();
        let q = b.queue("q", kind, &[]);
        let all = b.fill(&q, 20);
        let ran =
            s.run(&["purge", &b.address(&q), "-f", ".body % 2 == 0", "--backup", "file:b.ndjson", "-y", "-o", "json"]);
        assert_eq!((ran.code, ran.json()["purged"].as_u64()), (0, Some(10)), "{}", ran.stderr);
        assert_eq!(ran.json()["remaining"], 10);
        let ran = s.run(&["filter", "file:b.ndjson", "true", "--print", ".body"]);
        let even: Vec<_> = all.iter().step_by(2).cloned().collect();
        assert_eq!(ran.stdout().lines().collect::<Vec<_>>(), even);
        let ran = s.run(&["copy", "file:b.ndjson", &b.address(&q), "-y"]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let odd: Vec<_> = all.iter().skip(1).step_by(2).cloned().collect();
        assert_eq!(b.bodies(&q), [odd, even].concat());
    }
}

#[test]
fn a_purge_of_everything_is_the_brokers_own() {
    for version in BOTH {
        for kind in KINDS {
            let Some(b) = Broker::open(version) else { return };
            let s = Sandbox::new();
            let q = b.queue("q", kind, &[]);
            b.fill(&q, 50);
            let ran = s.run(&["purge", &b.address(&q), "--all", "--no-backup", "--dry-run"]);
            assert_eq!((ran.code, b.ready(&q)), (0, 50), "{}", ran.stderr);
            let ran = s.run(&["purge", &b.address(&q), "--all", "--no-backup", "-o", "json"]);
            assert_eq!((ran.code, b.ready(&q)), (6, 50), "no terminal and no --yes: {}", ran.stderr);
            let ran = s.run(&["purge", &b.address(&q), "--all", "--no-backup", "-y", "-o", "json"]);
            assert_eq!((ran.code, ran.json()["purged"].as_u64()), (0, Some(50)), "{}", ran.stderr);
            assert_eq!(b.ready(&q), 0);
            assert_eq!(std::fs::read_dir(s.path(".")).unwrap().count(), 1, "no archive");
        }
    }
}

#[test]
fn what_a_consumer_holds_is_not_seen_and_said() {
    let Some(b) = Broker::open("43") else { return };
    for kind in KINDS {
        let s = Sandbox::new();
        let q = b.queue(kind, kind, &[]);
        b.fill(&q, 10);
        let consumer = b.runtime.block_on(async {
            let channel = b.connection.create_channel().await.unwrap();
            channel.basic_qos(4, Default::default()).await.unwrap();
            let (tag, o) = ("holder".into(), Default::default());
            let consumer = channel.basic_consume(q.as_str().into(), tag, o, Default::default()).await.unwrap();
            (channel, consumer)
        });
        b.settled(&q, 6);
        // The API's counts are some seconds old.
        let depth = || s.run(&["depth", &b.address(&q), "-o", "json"]).json()[0].clone();
        let began = std::time::Instant::now();
        while depth()["in_flight"] != 4 && began.elapsed().as_secs() < 60 {
            std::thread::sleep(std::time::Duration::from_millis(300));
        }
        assert_eq!((&depth()["ready"], &depth()["in_flight"]), (&6.into(), &4.into()), "{kind}");
        let ran = s.run(&["inspect", &b.address(&q)]);
        assert_eq!((ran.code, ran.lines()), (0, 6), "{}", ran.stderr);
        assert!(ran.stderr.contains("4 messages held by consumers, not seen"), "{kind}: {}", ran.stderr);
        b.runtime.block_on(consumer.0.close(200, "done".into())).unwrap();
        b.settled(&q, 10);
    }
}

#[test]
fn a_stream_is_read_and_copied_and_not_taken_from() {
    let Some(b) = Broker::open("43") else { return };
    let s = Sandbox::new();
    let (log, q) = (b.queue("log", "stream", &[]), b.queue("q", "quorum", &[]));
    let all = b.fill(&log, 30);
    let ran = s.run(&["inspect", &b.address(&log), "-n", "100", "-o", "raw"]);
    assert_eq!(
        (ran.stdout().lines().collect::<Vec<_>>(), ran.code),
        (all.iter().map(String::as_str).collect(), 0),
        "{}",
        ran.stderr
    );
    for verb in ["move", "purge", "replay"] {
        let (from, to) = (b.address(&log), b.address(&q));
        let more = match verb {
            "move" => vec![to.as_str()],
            "purge" => vec!["--all", "--no-backup"],
            _ => vec!["--to", &to],
        };
        let ran = s.run(&[&[verb, &from, "-y"], &more[..]].concat());
        assert_eq!(ran.code, 4, "{verb}: {}", ran.stderr);
        assert!(ran.stderr.contains("cannot"), "{}", ran.stderr);
    }
    let ran = s.run(&["copy", &b.address(&log), &b.address(&q), "-y", "-o", "json"]);
    assert_eq!((ran.code, ran.json()["copied"].as_u64()), (0, Some(30)), "{}", ran.stderr);
    assert_eq!(b.bodies(&q), all);
    b.settled(&log, 30);
}

#[test]
fn a_queue_is_not_its_own_destination_under_another_name_of_its_host() {
    let Some(b) = Broker::open("43") else { return };
    let s = Sandbox::new();
    let q = b.queue("same", "classic", &[]);
    b.fill(&q, 3);
    let other = b.address(&q).replace("127.0.0.1", "localhost");
    assert_ne!(other, b.address(&q), "the server is named by its address");
    for verb in ["copy", "move"] {
        let ran = s.run(&[verb, &b.address(&q), &other, "-y"]);
        assert_eq!(ran.code, 2, "{}", ran.stderr);
        assert!(ran.stderr.contains("both the queue and the destination"), "{}", ran.stderr);
    }
    b.settled(&q, 3);
}
