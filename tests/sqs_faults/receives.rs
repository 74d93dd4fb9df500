//! Receives that hang, lie, come twice or come empty.

use std::time::{Duration, Instant};

use crate::bench::{Bench, DEAD, SOURCE, count};
use crate::fake_aws::Fault;
use crate::fake_aws::fault::{DENIED, INTERNAL, THROTTLED};

const RECEIVE: &str = "ReceiveMessage";

#[test]
fn a_message_twice_in_one_receive_goes_once_and_is_deleted_by_its_newest_handle() {
    let b = Bench::new(20);
    b.fake.lasting(RECEIVE, Fault::Twice);
    let (ran, report) = b.replay(&[]);
    b.holds(&ran, &report);
    assert_eq!((ran.code, count(&report, "replayed")), (0, 20), "{}\n{report:#}", ran.stderr);
    assert_eq!((b.fake.messages(SOURCE).len(), b.fake.messages(DEAD).len()), (20, 0));
}

#[test]
fn empty_polls_are_not_the_end() {
    let b = Bench::new(15);
    b.fake.next(RECEIVE, [Fault::Empty, Fault::Empty, Fault::None, Fault::Empty]);
    let (ran, report) = b.replay(&[]);
    b.holds(&ran, &report);
    assert_eq!((ran.code, count(&report, "replayed")), (0, 15), "{}", ran.stderr);
}

#[test]
fn a_queue_that_only_seems_to_have_messages_comes_to_an_end() {
    let b = Bench::new(15);
    b.fake.lasting(RECEIVE, Fault::Empty);
    let began = Instant::now();
    let ran = b.run(&["inspect", &format!("sqs://{DEAD}"), "-o", "jsonl"]);
    assert!(began.elapsed() < Duration::from_secs(20));
    assert_eq!(ran.lines(), 0);
    // It saw none of about fifteen, and says so.
    assert!(ran.stderr.contains("15"), "{}", ran.stderr);
}

#[test]
fn a_receive_that_hangs_is_asked_again() {
    let b = Bench::new(5);
    b.fake.next(RECEIVE, [Fault::Hangs]);
    let began = Instant::now();
    let (ran, report) = b.replay(&["--timeout", "1s"]);
    b.holds(&ran, &report);
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
    assert_eq!((ran.code, count(&report, "replayed")), (0, 5), "{}", ran.stderr);
}

#[test]
fn receives_that_always_hang_are_an_error_and_not_for_ever() {
    let b = Bench::new(5);
    b.fake.lasting(RECEIVE, Fault::Hangs);
    let began = Instant::now();
    let (ran, report) = b.replay(&["--timeout", "1s"]);
    b.holds(&ran, &report);
    assert!(began.elapsed() < Duration::from_secs(90), "{:?}", began.elapsed());
    assert_eq!(ran.code, 1, "{}", ran.stderr);
}

#[test]
fn what_was_leased_and_not_seen_comes_back_by_itself() {
    let b = Bench::new(12);
    b.fake.next(RECEIVE, [Fault::ResetAfter]);
    let (ran, report) = b.replay(&[]);
    b.holds_later(&ran, &report);
}

#[test]
fn throttled_and_broken_receives_are_asked_again() {
    for fault in [Fault::Refused(THROTTLED), Fault::Refused(INTERNAL), Fault::ResetBefore] {
        let b = Bench::new(12);
        b.fake.next(RECEIVE, [fault.clone()]);
        let (ran, report) = b.replay(&[]);
        b.holds(&ran, &report);
        assert_eq!((ran.code, count(&report, "replayed")), (0, 12), "{fault:?}: {}", ran.stderr);
    }
}

#[test]
fn a_receive_that_is_denied_ends_it() {
    let b = Bench::new(12);
    b.fake.lasting(RECEIVE, Fault::Refused(DENIED));
    let ran = b.run(&["replay", &format!("sqs://{DEAD}"), "--yes"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("sqs:ReceiveMessage") || ran.stderr.contains("not authorized"), "{}", ran.stderr);
    assert_eq!(b.fake.visible(DEAD), 12);
}

#[test]
fn a_body_that_does_not_match_its_digest_is_not_sent_on() {
    let b = Bench::new(12);
    b.fake.next(RECEIVE, [Fault::WrongDigests]);
    let (ran, report) = b.replay(&[]);
    b.holds_later(&ran, &report);
    assert!(b.fake.unmet().is_empty());
    let said = format!("{report}{}", ran.stderr).to_lowercase();
    assert_eq!(ran.code, 3, "{said}");
    assert!(said.contains("checksum"), "{said}");
}
