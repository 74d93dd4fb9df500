//! Sends that fail for some, for all, or nobody knows.

use serde_json::Value;

use crate::bench::{Bench, DEAD, SOURCE, count, errors};
use crate::fake_aws::Fault;
use crate::fake_aws::fault::{DENIED, INTERNAL, NO_SUCH_QUEUE, Refusal, THROTTLED, UNAVAILABLE};

const SEND: &str = "SendMessageBatch";

#[test]
fn without_faults_all_go_once_and_marked() {
    let b = Bench::new(25);
    let (ran, report) = b.replay(&[]);
    b.holds(&ran, &report);
    assert_eq!((ran.code, count(&report, "replayed")), (0, 25), "{}", ran.stderr);
    assert!(b.fake.messages(DEAD).is_empty());
    let there = b.fake.messages(SOURCE);
    assert!(there.iter().all(|m| m.text("kind") == Some("order") && m.text("dlq-replay").unwrap().contains("count=1")));
    assert!(b.fake.calls(SEND).len() <= 5, "25 messages go in batches");
}

#[test]
fn entries_that_fail_by_our_fault_stay_and_are_named() {
    let b = Bench::new(25);
    b.fake.lasting(SEND, Fault::Entries(vec![0, 2], "InvalidMessageContents", true));
    let (ran, report) = b.replay(&[]);
    b.holds(&ran, &report);
    assert_eq!(ran.code, 3);
    let failed = count(&report, "failed");
    assert!(failed >= 6, "two of each batch: {report:#}");
    assert_eq!(b.fake.messages(DEAD).len(), failed);
    assert!(errors(&report).contains("InvalidMessageContents"), "{report:#}");
    let named: Vec<_> = report["errors"].as_array().unwrap().iter().map(|e| e["id"].as_str().unwrap()).collect();
    for m in b.fake.messages(DEAD) {
        assert!(named.contains(&m.id.as_str()), "{} is not named", m.id);
    }
}

#[test]
fn the_answer_may_list_its_entries_in_any_order() {
    let b = Bench::new(10);
    b.fake.lasting(SEND, Fault::Reversed);
    let (ran, report) = b.replay(&[]);
    b.holds(&ran, &report);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
}

#[test]
fn entries_that_fail_by_the_services_fault_are_tried_again_or_stay() {
    let b = Bench::new(25);
    b.fake.next(SEND, [Fault::Entries(vec![1, 3, 4], "InternalError", false)]);
    let (ran, report) = b.replay(&[]);
    b.holds(&ran, &report);
    b.fake.heal();
    // What stayed goes with the next.
    let (ran, _) = b.replay(&[]);
    assert_eq!((ran.code, b.fake.messages(DEAD).len()), (0, 0), "{}", ran.stderr);
}

#[test]
fn an_entry_the_answer_does_not_know_is_indeterminate() {
    let b = Bench::new(10);
    b.fake.lasting(SEND, Fault::Silent(vec![1]));
    let (ran, report) = b.replay(&[]);
    b.holds(&ran, &report);
    assert_eq!(ran.code, 3);
    assert!(count(&report, "indeterminate") >= 1, "{report:#}");
}

#[test]
fn every_entry_failing_is_exit_1_and_nothing_is_deleted() {
    let b = Bench::new(12);
    b.fake.lasting(SEND, Fault::Entries((0..10).collect(), "InternalError", false));
    let (ran, report) = b.replay(&[]);
    b.holds(&ran, &report);
    assert_eq!((ran.code, b.fake.messages(DEAD).len()), (1, 12), "{}", ran.stderr);
    assert!(b.fake.calls("DeleteMessageBatch").is_empty());
}

/// A fault of the first call only: what was not carried out may be tried again.
fn once(fault: Fault) -> (Bench, Value) {
    let b = Bench::new(25);
    b.fake.next(SEND, [fault]);
    let (ran, report) = b.replay(&[]);
    b.holds(&ran, &report);
    assert!(b.fake.unmet().is_empty());
    (b, report)
}

#[test]
fn throttling_is_waited_out() {
    let (b, report) = once(Fault::Refused(THROTTLED));
    assert_eq!(count(&report, "replayed"), 25, "{report:#}");
    assert!(b.fake.messages(DEAD).is_empty());
}

#[test]
fn errors_before_the_act_lose_nothing() {
    for fault in [Fault::Refused(INTERNAL), Fault::Refused(UNAVAILABLE), Fault::ResetBefore] {
        once(fault);
    }
}

#[test]
fn errors_after_the_act_are_called_unknown_or_their_copies_named() {
    for fault in [Fault::RefusedAfter(INTERNAL), Fault::RefusedAfter(UNAVAILABLE), Fault::ResetAfter] {
        let (b, report) = once(fault.clone());
        // Ten were stored, and no answer said so.
        let unknown = count(&report, "indeterminate");
        let named = report["possible_duplicates"].as_array().unwrap().len();
        assert!(unknown + named >= 1, "{fault:?}: {report:#}");
        assert!(b.fake.messages(DEAD).len() >= unknown);
    }
}

#[test]
fn a_send_without_an_answer_is_given_up_and_called_unknown() {
    let b = Bench::new(5);
    b.fake.lasting(SEND, Fault::HangsAfter);
    let (ran, report) = b.replay(&["--timeout", "1s"]);
    b.holds(&ran, &report);
    assert_eq!((ran.code, count(&report, "indeterminate"), b.fake.messages(DEAD).len()), (3, 5, 5), "{report:#}");
    assert_eq!(report["possible_duplicates"].as_array().unwrap().len(), 5);
}

#[test]
fn refusals_of_the_whole_batch_stay_and_are_named() {
    let refused: [(Refusal, &str); 4] = [
        (THROTTLED, "too often"),
        (DENIED, "not authorized"),
        (NO_SUCH_QUEUE, "there is no queue"),
        (INTERNAL, "internal error"),
    ];
    for (refusal, says) in refused {
        let b = Bench::new(12);
        b.fake.lasting(SEND, Fault::Refused(refusal));
        let (ran, report) = b.replay(&[]);
        b.holds(&ran, &report);
        assert!([1, 3].contains(&ran.code), "{}: {}", refusal.code, ran.code);
        assert_eq!(b.fake.messages(DEAD).len(), 12);
        assert!(errors(&report).contains(says), "{}: {report:#}", refusal.code);
    }
}

#[test]
fn digests_that_do_not_match_are_no_confirmation() {
    for fault in [Fault::WrongDigests, Fault::WrongAttributeDigests] {
        let b = Bench::new(5);
        b.fake.lasting(SEND, fault);
        let (ran, report) = b.replay(&[]);
        b.holds(&ran, &report);
        assert_eq!((ran.code, b.fake.messages(DEAD).len()), (3, 5), "{report:#}");
        assert!(errors(&report).contains("checksum"), "{report:#}");
    }
}

#[test]
fn a_batch_the_service_finds_too_long_loses_nothing() {
    let b = Bench::new(12);
    let too_long = Refusal {
        status: 400,
        code: "BatchRequestTooLong",
        query: Some("AWS.SimpleQueueService.BatchRequestTooLong"),
        message: "Batch requests cannot be longer than 262144 bytes. You have sent 300000 bytes.",
    };
    b.fake.lasting(SEND, Fault::Refused(too_long));
    let (ran, report) = b.replay(&[]);
    b.holds(&ran, &report);
    assert_eq!(b.fake.messages(DEAD).len(), 12);
}

#[test]
fn max_failures_stops_it() {
    let b = Bench::new(60);
    b.fake.lasting(SEND, Fault::Entries((0..10).collect(), "InternalError", false));
    let (ran, report) = b.replay(&["--max-failures", "3", "--concurrency", "10"]);
    b.holds(&ran, &report);
    assert_eq!(ran.code, 6);
}
