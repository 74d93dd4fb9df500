//! Depth, purge, server-side moves, and what a look may do harm to.

use crate::queues::{Letter, Queues, attribute};
use crate::sandbox::Sandbox;

fn numbered(n: usize) -> Vec<Letter> {
    (0..n).map(|i| Letter::new(format!("{{\"n\":{i}}}"))).collect()
}

#[test]
fn depth_counts_in_one_call_and_age_costs_a_receive() {
    let Some(q) = Queues::open() else { return };
    let s = Sandbox::new();
    let queue = q.queue("dead", &[]);
    q.send(&queue, &numbered(7));
    let held = q.receive(&queue, 30).len() as u64;
    let ran = s.run(&["depth", &q.address(&queue), "-o", "json"]);
    let depth = &ran.json()[0];
    assert_eq!(
        (&depth["ready"], &depth["in_flight"], &depth["delayed"]),
        (&(7 - held).into(), &held.into(), &0.into())
    );
    assert_eq!((&depth["kind"], &depth["oldest"]), (&"standard".into(), &serde_json::Value::Null));

    let queue = q.queue("old", &[]);
    q.send(&queue, &numbered(3));
    let ran = s.run(&["depth", &q.address(&queue), "--age", "-o", "json"]);
    assert!(ran.json()[0]["oldest_age_seconds"].as_u64().is_some_and(|age| age < 60), "{}", ran.stdout());
    assert_eq!(q.counts(&queue), (3, 0), "they were given back");
}

#[test]
fn a_purge_removes_what_its_archive_holds() {
    let Some(q) = Queues::open() else { return };
    let s = Sandbox::new();
    let queue = q.queue("dead", &[]);
    q.send(&queue, &numbered(40));
    let pointer = r#"["software.amazon.payloadoffloading.PayloadS3Pointer",{"s3BucketName":"bucket","s3Key":"k/1"}]"#;
    q.send(&queue, &[Letter::new(pointer).with("ExtendedPayloadSize", attribute("Number", "300000"))]);
    let ran = s.run(&["filter", &q.address(&queue), ".claim_check", "--print", ".claim_check"]);
    assert_eq!(ran.stdout().trim(), r#"{"bucket":"bucket","key":"k/1","size":300000}"#, "{}", ran.stderr);

    let select = ".claim_check or .body.n? >= 30";
    let ran = s.run(&[
        "purge",
        &q.address(&queue),
        "--filter",
        select,
        "--backup",
        "file:gone.ndjson",
        "--yes",
        "-o",
        "json",
    ]);
    assert_eq!((ran.code, &ran.json()["purged"]), (0, &11.into()), "{}", ran.stderr);
    assert!(ran.stderr.contains("S3"), "{}", ran.stderr);
    assert_eq!(q.counts(&queue), (30, 0));
    assert_eq!(s.run(&["depth", "file:gone.ndjson", "-o", "json"]).json()[0]["ready"], 11);

    let ran = s.run(&["move", "file:gone.ndjson", &q.address(&queue), "--yes", "-o", "json"]);
    assert_eq!((ran.code, &ran.json()["moved"]), (0, &11.into()), "{}", ran.stderr);
    let ran = s.run(&["purge", &q.address(&queue), "--all", "--no-backup", "--dry-run"]);
    assert!(ran.stderr.contains("60 seconds") && ran.stderr.contains("in flight"), "{}", ran.stderr);
    assert_eq!(q.counts(&queue), (41, 0));
    let ran = s.run(&["purge", &q.address(&queue), "--all", "--no-backup", "--yes", "-o", "json"]);
    assert_eq!((ran.code, &ran.json()["purged"]), (0, &41.into()), "{}", ran.stderr);
    assert_eq!(q.counts(&queue), (0, 0));
}

#[test]
fn the_broker_moves_everything_by_itself() {
    let Some(q) = Queues::open() else { return };
    let s = Sandbox::new();
    let dead = q.queue("dead", &[]);
    let source = q.source("orders", &dead, 1);
    q.send(&source, &numbered(25));
    q.let_die(&source, &dead, 25);
    let ran = s.run(&["replay", &q.address(&dead), "--server-side", "--dry-run", "-o", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("no mark is left"), "{}", ran.stderr);
    assert_eq!(q.counts(&dead), (25, 0));
    let ran = s.run(&["replay", &q.address(&dead), "--server-side", "--yes", "-o", "json"]);
    let report = ran.json();
    assert_eq!(
        (ran.code, &report["replayed"], &report["unmarked"]),
        (0, &25.into(), &25.into()),
        "{} {report}",
        ran.stderr
    );
    assert_eq!((q.counts(&dead), q.drain(&source).len()), ((0, 0), 25));

    for more in [&["--filter", ".body.n > 1"][..], &["-n", "3"], &["--cause", "x"]] {
        let ran = s.run(&[&["replay", &q.address(&dead), "--server-side", "--yes"], more].concat());
        assert_eq!(ran.code, 2, "{}", ran.stderr);
    }
    let ran = s.run(&["replay", &q.address(&dead), "--server-side", "--rate", "600/s", "--yes"]);
    assert!(ran.code == 4 && ran.stderr.contains("500"), "{}", ran.stderr);
    let fifo = q.queue("other.fifo", &[]);
    let ran = s.run(&["replay", &q.address(&dead), "--to", &q.address(&fifo), "--server-side", "--yes"]);
    assert!(ran.code == 4 && ran.stderr.contains("fifo"), "{}", ran.stderr);
    let ran = s.run(&["replay", &q.address(&source), "--to", &q.address(&dead), "--server-side", "--yes"]);
    assert!(ran.code == 4 && ran.stderr.contains("dead-letter queue"), "{}", ran.stderr);
    let ran = s.run(&["replay", "file:orders.ndjson", "--server-side", "--yes"]);
    assert_eq!(ran.code, 4, "{}", ran.stderr);
}

#[test]
fn a_look_that_could_move_messages_on_is_refused() {
    let Some(q) = Queues::open() else { return };
    let s = Sandbox::new();
    let last = q.queue("last", &[]);
    let dead = q.source("dead", &last, 5);
    q.send(&dead, &numbered(3));
    for verb in
        [&["inspect"][..], &["filter", "true"], &["depth", "--age"], &["replay", "--yes", "--to", "file:x.ndjson"]]
    {
        let mut args = vec![verb[0], q.address(&dead).leak() as &str];
        args.extend(&verb[1..]);
        let ran = s.run(&args);
        assert_eq!(ran.code, 6, "{verb:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(&last) && ran.stderr.contains("--accept own-redrive"), "{}", ran.stderr);
    }
    assert_eq!(s.run(&["depth", &q.address(&dead)]).code, 0, "counting is no look");
    let ran = s.run(&["inspect", &q.address(&dead), "--accept", "own-redrive", "-o", "jsonl"]);
    assert_eq!((ran.code, ran.lines()), (0, 3), "{}", ran.stderr);
}

#[test]
fn leases_are_renewed_for_as_long_as_a_rate_makes_it_take() {
    let Some(q) = Queues::open() else { return };
    let s = Sandbox::new();
    let (dead, target) = (q.queue("dead", &[]), q.queue("orders", &[]));
    q.send(&dead, &numbered(40));
    let (from, to) = (format!("{}&visibility=5", q.address(&dead)), q.address(&target));
    let ran = s.run(&["replay", &from, "--to", &to, "--rate", "4/s", "--yes", "-o", "json"]);
    let report = ran.json();
    assert_eq!(
        (ran.code, &report["replayed"], &report["skipped"]),
        (0, &40.into(), &0.into()),
        "{} {report}",
        ran.stderr
    );
    assert_eq!((q.counts(&dead), q.drain(&target).len()), ((0, 0), 40));
}

#[test]
fn the_queue_itself_is_no_destination_however_it_is_named() {
    let Some(q) = Queues::open() else { return };
    let s = Sandbox::new();
    let dead = q.queue("dead", &[]);
    q.send(&dead, &numbered(2));
    let named = format!("sqs://{dead}?endpoint={}&sign=no", q.endpoint);
    let arn = format!("{}?endpoint={}&sign=no", q.arn(&dead), q.endpoint);
    for to in [&named, &arn] {
        let ran = s.run(&["copy", &q.address(&dead), to, "--yes"]);
        assert_eq!(ran.code, 2, "{}", ran.stderr);
        let ran = s.run(&["inspect", to, "-o", "jsonl"]);
        assert_eq!((ran.code, ran.lines()), (0, 2), "{}", ran.stderr);
    }
    assert_eq!(q.counts(&dead), (2, 0));
}
