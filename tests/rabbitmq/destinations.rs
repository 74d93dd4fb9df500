//! Where a replay sends, and what becomes of messages that cannot go there.

use lapin::ExchangeKind;
use lapin::types::AMQPValue;

use crate::broker::{BOTH, Broker, KINDS, persistent, text};
use crate::planning::User;
use crate::sandbox::{Ran, Sandbox};

fn number(ran: &Ran, field: &str) -> Option<u64> {
    ran.json()[field].as_u64()
}

/// A dead-letter queue of so many numbered messages, which were refused in `work`, where an exchange had brought them.
struct Dead {
    b: Broker,
    s: Sandbox,
    exchange: String,
    work: String,
    dead: String,
}

fn dead(version: &str, kind: &str, keys: &[&str]) -> Option<Dead> {
    let b = Broker::open(version)?;
    let dead = b.queue("dead", kind, &[]);
    let dlx = [("x-dead-letter-exchange", text("")), ("x-dead-letter-routing-key", text(&dead))];
    let work = b.queue("work", kind, &dlx);
    let exchange = b.exchange("jobs", ExchangeKind::Direct);
    for (i, key) in keys.iter().enumerate() {
        b.bind(&work, &exchange, key);
        b.publish(&exchange, key, persistent(), i.to_string().as_bytes());
    }
    b.reject(&work, keys.len());
    b.settled(&dead, keys.len() as u32);
    Some(Dead { b, s: Sandbox::new(), exchange, work, dead })
}

#[test]
fn one_queue_or_one_exchange() {
    for version in BOTH {
        for kind in KINDS {
            let Some(Dead { b, s, dead, .. }) = dead(version, kind, &["a"; 7]) else { return };
            let (other, bound) = (b.queue("other", kind, &[]), b.queue("bound", kind, &[]));
            let fanned = b.exchange("fanned", ExchangeKind::Topic);
            b.bind(&bound, &fanned, "to.*");
            let ran = s.run(&["replay", &b.address(&dead), "-n", "3", "--to", &b.address(&other), "-y", "-o", "json"]);
            assert_eq!((ran.code, number(&ran, "replayed")), (0, Some(3)), "{}", ran.stderr);
            assert_eq!(number(&ran, "remaining"), Some(4));
            assert_eq!(b.bodies(&other), ["0", "1", "2"]);
            let place = format!("{}/%2F/", b.server.url);
            let (x, key) = (format!("exchange={fanned}"), "routing-key=to.here");
            let to = ["--to", &place, "--to-X", &x, "--to-X", key];
            let ran = s.run(&[&["replay", &b.address(&dead), "-y", "-o", "json"], &to[..]].concat());
            assert_eq!((ran.code, number(&ran, "replayed")), (0, Some(4)), "{}", ran.stderr);
            let got = b.drain(&bound);
            assert_eq!(got.iter().map(|d| d.routing_key.as_str()).collect::<Vec<_>>(), ["to.here"; 4]);
            assert_eq!(got.iter().map(crate::broker::body).collect::<Vec<_>>(), ["3", "4", "5", "6"]);
            assert_eq!(b.ready(&dead), 0);
        }
    }
}

#[test]
fn a_place_that_is_not_there_is_refused_before_anything() {
    let Some(b) = Broker::open("43") else { return };
    let s = Sandbox::new();
    let (dead, other) = (b.queue("dead", "quorum", &[]), b.queue("other", "classic", &[]));
    b.fill(&dead, 5);
    let near = format!("{other}s");
    for verb in ["replay", "move", "copy"] {
        let to = b.address(&near);
        let args = if verb == "replay" { vec!["--to", to.as_str()] } else { vec![to.as_str()] };
        let ran = s.run(&[&[verb, &b.address(&dead), "-y", "-o", "json"], &args[..]].concat());
        assert_eq!(ran.code, 1, "{verb}: {}", ran.stderr);
        assert!(
            ran.stderr.contains("not found: ") && ran.stderr.contains(&format!("did you mean {other:?}")),
            "{}",
            ran.stderr
        );
        assert!(ran.stdout.is_empty(), "{}", ran.stdout());
    }
    let place = format!("{}/%2F/?management={}", b.server.url, b.server.management);
    let ran = s.run(&["replay", &b.address(&dead), "-y", "--to", &place, "--to-X", "exchange=no-such-exchange"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("no-such-exchange"), "{}", ran.stderr);
    let ran = s.run(&["replay", &b.address(&dead), "-y", "--to", &b.address(&dead)]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    let got = b.drain(&dead);
    assert_eq!(got.len(), 5);
    let looked_at = got.iter().filter(|d| d.redelivered).count();
    assert_eq!(looked_at, 0);
}

#[test]
fn an_origin_that_is_gone_keeps_its_messages_and_is_named() {
    for version in BOTH {
        let Some(Dead { b, s, dead, exchange, .. }) = dead(version, "quorum", &["a"; 3]) else { return };
        b.delete_exchange(&exchange);
        let dry = s.run(&["replay", &b.address(&dead), "--dry-run"]);
        assert_eq!(dry.code, 0, "{}", dry.stderr);
        assert!(dry.stderr.contains(&exchange), "{}", dry.stderr);
        let ran = s.run(&["replay", &b.address(&dead), "-y", "-o", "json"]);
        assert_eq!(ran.code, 1, "{}", ran.stderr);
        assert_eq!((number(&ran, "replayed"), number(&ran, "failed")), (Some(0), Some(3)));
        let error = ran.json()["errors"][0]["error"].as_str().unwrap().to_owned();
        assert!(error.contains(&exchange), "{error}");
        assert_eq!(b.bodies(&dead), ["0", "1", "2"]);
    }
}

#[test]
fn the_unroutable_stay_and_the_others_go() {
    for version in BOTH {
        for kind in KINDS {
            let keys = ["good", "bad", "good", "bad", "good"];
            let Some(Dead { b, s, dead, exchange, work }) = dead(version, kind, &keys) else { return };
            let o = lapin::types::FieldTable::default();
            let unbind = b.channel.queue_unbind(work.as_str().into(), exchange.as_str().into(), "bad".into(), o);
            b.runtime.block_on(unbind).unwrap();
            let ran = s.run(&["replay", &b.address(&dead), "-y", "-o", "json"]);
            assert_eq!(ran.code, 3, "{}", ran.stderr);
            assert_eq!((number(&ran, "replayed"), number(&ran, "failed")), (Some(3), Some(2)), "{}", ran.stdout());
            assert_eq!(number(&ran, "remaining"), Some(2));
            assert_eq!(b.bodies(&work), ["0", "2", "4"]);
            assert_eq!(b.bodies(&dead), ["1", "3"]);
        }
    }
}

#[test]
fn a_full_destination_refuses_and_those_stay() {
    for version in BOTH {
        let Some(Dead { b, s, dead, .. }) = dead(version, "classic", &["a"; 10]) else { return };
        let full = [("x-max-length", AMQPValue::LongInt(4)), ("x-overflow", text("reject-publish"))];
        let full = b.queue("full", "classic", &full);
        let ran = s.run(&["replay", &b.address(&dead), "-y", "-o", "json", "--to", &b.address(&full)]);
        assert_eq!(ran.code, 3, "{}", ran.stderr);
        let (moved, failed) = (number(&ran, "replayed").unwrap(), number(&ran, "failed").unwrap());
        assert_eq!(moved + failed, 10);
        assert!(moved >= 4 && failed > 0, "{}", ran.stdout());
        let (there, here) = (b.bodies(&full), b.bodies(&dead));
        assert_eq!((there.len() as u64, here.len() as u64), (moved, failed));
        let mut all: Vec<_> = there.into_iter().chain(here).collect();
        all.sort();
        assert_eq!(all, (0..10).map(|n| n.to_string()).collect::<Vec<_>>());
    }
}

#[test]
fn a_body_too_large_stays_alone() {
    let Some(Dead { b, s, dead, .. }) = dead("43", "quorum", &["a"; 2]) else { return };
    let other = b.queue("other", "classic", &[]);
    b.publish("", &dead, persistent(), &[b'x'; 5000]);
    b.publish("", &dead, persistent(), b"last");
    let to = b.address(&other);
    let args = ["move", &b.address(&dead), &to, "--to-X", "max-message-size=4000", "-y", "-o", "json"];
    let ran = s.run(&args);
    assert_eq!((ran.code, number(&ran, "moved"), number(&ran, "failed")), (3, Some(3), Some(1)), "{}", ran.stderr);
    assert!(ran.stderr.contains("5000 bytes"), "{}", ran.stderr);
    assert_eq!(b.bodies(&other), ["0", "1", "last"]);
    assert_eq!(b.ready(&dead), 1);
}

#[test]
fn guards_and_bounds_are_kept() {
    let keys = ["bad", "bad", "bad", "good", "good", "good"];
    let Some(Dead { b, s, dead, exchange, work }) = dead("43", "quorum", &keys) else { return };
    let o = lapin::types::FieldTable::default();
    let unbind = b.channel.queue_unbind(work.as_str().into(), exchange.as_str().into(), "bad".into(), o);
    b.runtime.block_on(unbind).unwrap();
    let from = b.address(&dead);
    let one = ["--concurrency", "1"];
    let ran = s.run(&[&["replay", &from, "-y", "-o", "json", "--max-failures", "1"], &one[..]].concat());
    assert_eq!((ran.code, number(&ran, "failed")), (6, Some(2)), "{}{}", ran.stdout(), ran.stderr);
    assert_eq!(ran.json()["stopped_by"], "max-failures");
    let ran = s.run(&[&["replay", &from, "-y", "-o", "json", "--on-failure", "stop"], &one[..]].concat());
    assert_eq!((ran.code, number(&ran, "failed")), (1, Some(1)), "{}{}", ran.stdout(), ran.stderr);
    assert_eq!(number(&ran, "replayed"), Some(0));
    b.settled(&dead, 6);

    let ran = s.run(&["replay", &from, "-y", "-o", "json", "-f", ".body > 2", "--limit", "1"]);
    assert_eq!(
        (ran.code, number(&ran, "replayed"), number(&ran, "remaining")),
        (0, Some(1), Some(5)),
        "{}",
        ran.stderr
    );
    assert_eq!(b.ready(&work), 1);

    // Back and forth: the mark counts, and at three it is enough.
    for round in 1..=4 {
        b.reject(&work, 1);
        b.settled(&dead, 6);
        let ran = s.run(&["replay", &from, "-y", "-o", "json", "-f", ".replays > 0"]);
        let expected = if round < 3 { (Some(1), Some(0)) } else { (Some(0), Some(1)) };
        assert_eq!((number(&ran, "replayed"), number(&ran, "skipped")), expected, "{round}: {}", ran.stdout());
        if round >= 3 {
            break;
        }
    }
    let ran = s.run(&["replay", &from, "-y", "-o", "json", "-f", ".replays > 0", "--max-replays", "9"]);
    assert_eq!((ran.code, number(&ran, "replayed")), (0, Some(1)), "{}", ran.stderr);
}

#[test]
fn the_pace_is_kept() {
    let Some(Dead { b, s, dead, work, .. }) = dead("43", "quorum", &["a"; 12]) else { return };
    let began = std::time::Instant::now();
    let ran = s.run(&["replay", &b.address(&dead), "-y", "-o", "json", "--rate", "10/s"]);
    let took = began.elapsed().as_secs_f64();
    assert_eq!((ran.code, number(&ran, "replayed")), (0, Some(12)), "{}", ran.stderr);
    assert!((0.9..30.0).contains(&took), "{took}");
    assert_eq!(b.bodies(&work).len(), 12);
}

/// Where everybody may be let in but not to publish, each message is a failure of its own, and its fate is known.
#[test]
fn without_the_permission_to_publish_everything_stays() {
    let Some(Dead { b, s, dead, work, .. }) = dead("43", "quorum", &["a"; 40]) else { return };
    let Some(ctl) = crate::servers::var("DLQ_TEST_RABBITMQ_43_CTL") else { return };
    let user = b.name("reader");
    let run = |args: &[&str]| assert!(std::process::Command::new(&ctl).args(args).output().unwrap().status.success());
    run(&["add_user", &user, "s3cret"]);
    run(&["set_permissions", &user, "^$", "^$", ".*"]);
    let of = |address: &str| address.replace("guest:guest", &format!("{user}:s3cret"));
    let look = s.run(&["inspect", &of(&b.bare(&dead)), "-n", "50"]);
    let origins = s.run(&["replay", &of(&b.bare(&dead)), "-y", "-o", "json"]);
    let queue = s.run(&["replay", &of(&b.bare(&dead)), "--to", &of(&b.bare(&work)), "-y", "-o", "json"]);
    run(&["delete_user", &user]);
    assert_eq!((look.code, look.lines()), (0, 40), "{}", look.stderr);
    for ran in [origins, queue] {
        assert_eq!(ran.code, 1, "{}", ran.stderr);
        assert_eq!((number(&ran, "failed"), number(&ran, "indeterminate")), (Some(40), Some(0)), "{}", ran.stdout());
        assert!(ran.stderr.contains("write access to exchange"), "{}", ran.stderr);
        assert!(!ran.stderr.contains("s3cret"), "{}", ran.stderr);
    }
    b.settled(&dead, 40);
}

/// The API tells an administrator what he may do, so that the plan can.
#[test]
fn a_plan_tells_what_permission_is_missing() {
    let Some(Dead { b, s, dead, work, .. }) = dead("43", "classic", &["a"; 3]) else { return };
    let Some(user) = User::new(&b, "administrator") else { return };
    user.allow("read", "^other$");
    let (from, to) = (user.address(&dead), user.address(&work));
    let asked = s.run(&["replay", &from, "--to", &to]);
    user.allow("read", ".*");
    let allowed = s.run(&["replay", &from, "--to", &to]);
    let told = s.run(&["replay", &from, "--to", &to, "--dry-run", "-o", "json"]);
    let missing = format!("permission to read: user {} may read what matches \"^other$\"", user.name);
    assert!(
        asked.code != 0 && asked.stderr.contains("stopped by") && asked.stderr.contains(&missing),
        "{}",
        asked.stderr
    );
    assert!(allowed.code == 6 && !allowed.stderr.contains("stopped by"), "{}", allowed.stderr);
    let may = &told.json()["plan"]["may"];
    let read = may.as_array().unwrap().iter().find(|f| f["about"] == "permission to read").unwrap();
    assert_eq!(read["answer"], "yes", "{may}");
    b.settled(&dead, 3);
}
