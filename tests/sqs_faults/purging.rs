//! Exactly what was archived is removed.

use crate::bench::{Bench, DEAD, count};
use crate::fake_aws::Fault;
use crate::fake_aws::fault::PURGE_IN_PROGRESS;

#[test]
fn what_is_removed_is_in_the_backup() {
    let b = Bench::new(25);
    let dead = format!("sqs://{DEAD}");
    let ran = b.run(&["purge", &dead, "--filter", ".body.n < 10", "--backup", "file:b.ndjson", "--yes", "-o", "json"]);
    assert_eq!((ran.code, count(&ran.json(), "purged")), (0, 10), "{}", ran.stderr);
    assert_eq!((b.fake.messages(DEAD).len(), b.fake.visible(DEAD)), (15, 15));
    assert!(b.fake.calls("PurgeQueue").is_empty());
    assert_eq!(b.sandbox.read("b.ndjson").lines().count(), 10);
}

#[test]
fn deletes_that_fail_are_told() {
    let b = Bench::new(12);
    b.fake.lasting("DeleteMessageBatch", Fault::Entries(vec![0], "ReceiptHandleIsInvalid", true));
    let ran = b.run(&["purge", &format!("sqs://{DEAD}"), "--all", "--yes", "-o", "json"]);
    let report = ran.json();
    assert_eq!((ran.code, count(&report, "not_removed")), (3, b.fake.messages(DEAD).len()), "{report:#}");
    assert_eq!(b.fake.visible(DEAD), b.fake.messages(DEAD).len());
}

#[test]
fn the_whole_queue_at_once_only_without_a_backup() {
    let b = Bench::new(12);
    let dead = format!("sqs://{DEAD}");
    let ran = b.run(&["purge", &dead, "--all", "--no-backup", "--dry-run"]);
    let said = format!("{}{}", ran.stdout(), ran.stderr);
    assert!(said.contains("60") && said.contains("in flight"), "the plan says what it does: {said}");
    let ran = b.run(&["purge", &dead, "--all", "--no-backup", "--yes"]);
    assert_eq!((ran.code, b.fake.calls("PurgeQueue").len(), b.fake.messages(DEAD).len()), (0, 1, 0), "{}", ran.stderr);
    assert!(b.fake.calls("ReceiveMessage").is_empty());
    b.fake.fill(DEAD, 3, None);
    let ran = b.run(&["purge", &dead, "--all", "--no-backup", "--yes"]);
    assert_eq!((ran.code, b.fake.messages(DEAD).len()), (6, 3), "{}", ran.stderr);
    assert!(ran.stderr.contains("60 seconds"), "{}", ran.stderr);
}

#[test]
fn a_purge_by_somebody_else_is_told() {
    let b = Bench::new(3);
    b.fake.lasting("PurgeQueue", Fault::Refused(PURGE_IN_PROGRESS));
    let ran = b.run(&["purge", &format!("sqs://{DEAD}"), "--all", "--no-backup", "--yes"]);
    assert_eq!(ran.code, 6, "{}", ran.stderr);
    assert!(ran.stderr.contains("60 seconds"), "{}", ran.stderr);
}
