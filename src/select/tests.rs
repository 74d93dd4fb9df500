//! Tests of selections.

use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::broker::{Delivery, Token};
use crate::message::Payload;

pub(super) fn batch(bodies: &[&str]) -> Batch {
    let delivery = |(i, body): (usize, &&str)| {
        let mut m = DeadLetter::new("file:q".into(), Payload::Bytes(Bytes::from(body.to_string())));
        m.id = i.to_string().into();
        m.time = Timestamp::from_second(1000 * i as i64).ok();
        Delivery { token: Token(i as u64), message: Box::new(m) }
    };
    Batch { lane: 7, deliveries: bodies.iter().enumerate().map(delivery).collect() }
}

fn program(source: &str) -> Option<Program> {
    Some(Program::compile(source, &[], Duration::from_millis(200)).unwrap())
}

fn ids(selection: &Selection, bodies: &[&str]) -> Vec<String> {
    selection.judge(batch(bodies)).selected().map(|m| m.id.to_string()).collect()
}

#[test]
fn an_empty_selection_selects_everything() {
    assert_eq!(ids(&Selection::default(), &["a", "b"]), ["0", "1"]);
}

#[test]
fn all_parts_must_agree() {
    let s = Selection {
        ids: Some(["1", "2", "3"].into_iter().collect()),
        since: Timestamp::from_second(1000).ok(),
        until: Timestamp::from_second(3000).ok(),
        program: program(".body != 2"),
        ..Selection::default()
    };
    assert_eq!(ids(&s, &["0", "1", "2", "3", "4"]), ["1"]);
}

#[test]
fn since_is_inclusive_until_is_not_and_no_time_is_no() {
    let s = Selection { since: Timestamp::from_second(1000).ok(), ..Selection::default() };
    assert_eq!(ids(&s, &["", "", ""]), ["1", "2"]);
    let s = Selection { until: Timestamp::from_second(1000).ok(), ..Selection::default() };
    assert_eq!(ids(&s, &["", "", ""]), ["0"]);
    let mut b = batch(&["x"]);
    b.deliveries[0].message.time = None;
    assert_eq!(s.judge(b).verdicts, [Verdict::No]);
}

#[test]
fn a_death_is_found_by_the_start_of_its_cause_or_reason_and_its_last_time_counts() {
    let death = Death {
        cause: "3f2a9c11".into(),
        reason: Some("delivery_limit".into()),
        last: Timestamp::from_second(5000).ok(),
        ..Death::default()
    };
    let with = |cause: &str| Selection { cause: Some(cause.into()), ..Selection::default() };
    for yes in ["3f2a9c11", "3f2", "delivery", "delivery_limit"] {
        assert!(with(yes).has_cause(Some(&death)), "{yes}");
    }
    for no in ["9c11", "limit", "3f2a9c110", "rejected"] {
        assert!(!with(no).has_cause(Some(&death)), "{no}");
    }
    assert!(!with("3f").has_cause(None));
    let m = &batch(&["x"]).deliveries[0].message;
    let s = Selection { since: Timestamp::from_second(4000).ok(), ..Selection::default() };
    assert!(s.is_in_time(m, Some(&death)) && !s.is_in_time(m, None));
}

#[test]
fn an_error_on_a_message_does_not_select_it_and_does_not_end_the_batch() {
    let s = Selection { program: program(".body.a > 1"), ..Selection::default() };
    let judged = s.judge(batch(&["[1]", "{\"a\":2}", "{\"a\":0}"]));
    assert!(matches!(&judged.verdicts[0], Verdict::Failed(e) if e.contains("cannot index [1] with \"a\"")));
    assert_eq!(judged.verdicts[1..], [Verdict::Yes, Verdict::No]);
    assert!(judged.fatal.is_none());
}

#[test]
fn several_outputs_and_time_outs_end_it_and_name_the_message() {
    let s = Selection { program: program(".body[]"), ..Selection::default() };
    let judged = s.judge(batch(&["[1]", "[1,2]", "[1]"]));
    let e = judged.fatal.unwrap();
    assert_eq!((judged.verdicts.len(), e.kind()), (1, Kind::Usage));
    assert!(e.to_string().contains("message 1"));
    let s = Selection { program: program("last(repeat(1))"), ..Selection::default() };
    let e = s.judge(batch(&["1"])).fatal.unwrap();
    assert_eq!(
        (e.kind(), e.to_string().as_str()),
        (Kind::FilterTimeout, "the filter ran longer than 200ms on message 0")
    );
}

#[test]
fn ids_are_tested_before_the_program_runs() {
    let s = Selection {
        ids: Some(["1"].into_iter().collect()),
        program: program("if .id == \"0\" then last(repeat(1)) else true end"),
        ..Selection::default()
    };
    assert_eq!(ids(&s, &["a", "b"]), ["1"]);
}
