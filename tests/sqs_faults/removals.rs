//! Deletes that fail for some, for all, or nobody knows.

use crate::bench::{Bench, DEAD, SOURCE, count};
use crate::fake_aws::Fault;
use crate::fake_aws::fault::{DENIED, INTERNAL, THROTTLED};

const DELETE: &str = "DeleteMessageBatch";

#[test]
fn an_expired_handle_leaves_the_message_and_names_it() {
    let b = Bench::new(15);
    b.fake.lasting(DELETE, Fault::Entries(vec![0], "ReceiptHandleIsInvalid", true));
    let (ran, report) = b.replay(&[]);
    b.holds(&ran, &report);
    assert_eq!(ran.code, 3);
    let stayed = b.fake.messages(DEAD).len();
    assert_eq!(count(&report, "not_removed"), stayed, "{report:#}");
    assert_eq!(b.fake.messages(SOURCE).len(), 15, "sent once each");
}

#[test]
fn entries_that_fail_by_the_services_fault_are_tried_again_or_named() {
    let b = Bench::new(15);
    b.fake.next(DELETE, [Fault::Entries(vec![0, 1, 2], "InternalError", false)]);
    let (ran, report) = b.replay(&[]);
    b.holds(&ran, &report);
    assert_eq!(b.fake.messages(SOURCE).len(), 15);
}

#[test]
fn refused_deletes_leave_everything_named_in_both_places() {
    for refusal in [DENIED, INTERNAL, THROTTLED] {
        let b = Bench::new(7);
        b.fake.lasting(DELETE, Fault::Refused(refusal));
        let (ran, report) = b.replay(&[]);
        b.holds(&ran, &report);
        assert_eq!((ran.code, count(&report, "not_removed")), (3, 7), "{}: {report:#}", refusal.code);
        assert_eq!(b.fake.messages(SOURCE).len(), 7);
        assert_eq!(report["possible_duplicates"].as_array().unwrap().len(), 7);
    }
}

#[test]
fn a_delete_whose_answer_was_lost_is_asked_again_or_named() {
    for fault in [Fault::ResetAfter, Fault::RefusedAfter(INTERNAL), Fault::ResetBefore, Fault::Refused(THROTTLED)] {
        let b = Bench::new(7);
        b.fake.next(DELETE, [fault.clone()]);
        let (ran, report) = b.replay(&[]);
        b.holds(&ran, &report);
        assert!(b.fake.unmet().is_empty());
        assert_eq!(b.fake.messages(SOURCE).len(), 7, "{fault:?}");
    }
}

#[test]
fn an_entry_the_answer_does_not_know_is_not_called_removed() {
    let b = Bench::new(5);
    b.fake.lasting(DELETE, Fault::Silent(vec![0]));
    let (ran, report) = b.replay(&[]);
    b.holds(&ran, &report);
    assert_eq!((ran.code, count(&report, "not_removed")), (3, 1), "{report:#}");
}

#[test]
fn a_delete_that_hangs_is_given_up_and_named() {
    let b = Bench::new(5);
    b.fake.lasting(DELETE, Fault::Hangs);
    let (ran, report) = b.replay(&["--timeout", "1s"]);
    b.holds(&ran, &report);
    assert_eq!((ran.code, count(&report, "not_removed")), (3, 5), "{report:#}");
}
