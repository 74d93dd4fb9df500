//! The limits of a queue: bytes, attributes, characters.

use crate::bench::{Bench, DEAD, SOURCE, count, unmarked, with_attributes};
use crate::fake_aws::{Message, arn};

#[test]
fn ten_attributes_leave_no_room_for_the_mark_and_all_ten_stay() {
    let mut b = Bench::new(0);
    b.dead([with_attributes(10), with_attributes(9)]);
    let before = b.fake.messages(DEAD);
    let (ran, report) = b.replay(&[]);
    b.holds(&ran, &report);
    assert_eq!((ran.code, count(&report, "replayed"), count(&report, "unmarked")), (0, 2, 1), "{report:#}");
    let there = b.fake.messages(SOURCE);
    for m in before {
        assert!(there.iter().any(|t| unmarked(t) == m.attributes), "{:?}", m.attributes);
    }
    assert_eq!(there.iter().filter(|m| m.text("dlq-replay").is_some()).count(), 1);
}

#[test]
fn batches_are_packed_by_bytes() {
    for (most, size, n) in [(1 << 20, 300_000, 12), (262_144, 100_000, 9), (262_144, 262_000, 4)] {
        let mut b = Bench::new(0);
        b.fake.world().queues.get_mut(SOURCE).unwrap().most = most;
        b.dead((0..n).map(|i| Message::new(&format!("{i} {}", "x".repeat(size)))));
        let (ran, report) = b.replay(&[]);
        b.holds(&ran, &report);
        assert_eq!((ran.code, count(&report, "replayed")), (0, n), "{most}: {}", ran.stderr);
    }
}

#[test]
fn what_is_too_large_for_the_destination_stays_and_the_rest_goes() {
    let mut b = Bench::new(0);
    b.fake.world().queues.get_mut(SOURCE).unwrap().most = 1024;
    b.dead((0..10).map(|i| Message::new(&"x".repeat(if i == 4 { 2000 } else { 10 + i }))));
    let (ran, report) = b.replay(&[]);
    b.holds(&ran, &report);
    assert_eq!((ran.code, count(&report, "replayed"), count(&report, "failed")), (3, 9, 1), "{report:#}");
    let ran = b.run(&["copy", &format!("sqs://{DEAD}"), &format!("sqs://{SOURCE}"), "--yes"]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("1024") || ran.stderr.contains("1,024"), "{}", ran.stderr);
}

#[test]
fn a_message_that_fits_only_without_the_mark_goes_without() {
    let mut b = Bench::new(0);
    b.fake.world().queues.get_mut(SOURCE).unwrap().most = 1024;
    b.dead([Message::new(&"x".repeat(1020))]);
    let (ran, report) = b.replay(&[]);
    b.holds(&ran, &report);
    assert_eq!((ran.code, count(&report, "unmarked")), (0, 1), "{report:#}");
}

#[test]
fn every_attribute_type_group_and_trace_survive() {
    let mut b = Bench::new(0);
    let mut m = with_attributes(5).group("tenant-7");
    m.trace = Some("Root=1-5759e988-bd862e3fe1be46a994272793".into());
    b.dead([m.clone()]);
    let (ran, report) = b.replay(&[]);
    b.holds(&ran, &report);
    let there = &b.fake.messages(SOURCE)[0];
    assert_eq!((unmarked(there), &there.group, &there.trace), (m.attributes, &m.group, &m.trace), "{}", ran.stderr);
}

#[test]
fn what_sqs_would_not_take_is_told_before_it_is_sent() {
    let b = Bench::new(0);
    b.sandbox.write(
        "in.ndjson",
        concat!(r#"{"v":1,"line":"1","id":"1","queue":"q","payload":"a\u0001b","headers":[]}"#, "\n"),
    );
    let ran = b.run(&["copy", "file:in.ndjson", &format!("sqs://{SOURCE}"), "--yes", "-o", "json"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(b.fake.messages(SOURCE).is_empty());
}

#[test]
fn a_queue_with_its_hands_full_is_not_called_empty() {
    let b = Bench::new(30);
    b.fake.world().queues.get_mut(DEAD).unwrap().in_flight_most = 10;
    let ran = b.run(&["filter", &format!("sqs://{DEAD}"), "true", "-o", "jsonl"]);
    assert!(ran.lines() >= 10 && ran.lines() < 30, "{}", ran.lines());
    assert!(ran.stderr.contains("30"), "it says what it did not see: {}", ran.stderr);
    assert_eq!(b.fake.visible(DEAD), 30);
}

#[test]
fn a_claim_check_is_replayed_unchanged() {
    let mut b = Bench::new(0);
    let pointer = r#"["software.amazon.payloadoffloading.PayloadS3Pointer",{"s3BucketName":"b","s3Key":"k"}]"#;
    b.dead([Message::new(pointer).with("ExtendedPayloadSize", "Number", "300000")]);
    let (ran, report) = b.replay(&[]);
    b.holds(&ran, &report);
    let there = &b.fake.messages(SOURCE)[0];
    assert_eq!((there.body.as_str(), there.text("ExtendedPayloadSize")), (pointer, Some("300000")));
    b.fake.put(DEAD, Message::new(pointer).with("ExtendedPayloadSize", "Number", "300000").died_in(&arn(SOURCE)));
    let ran = b.run(&["purge", &format!("sqs://{DEAD}"), "--all", "--yes"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("S3"), "it says that the objects stay: {}", ran.stderr);
}
