//! FIFO: order within a group, and deduplication that must not swallow a replay.

use crate::bench::{Bench, count};
use crate::fake_aws::{Fault, Message, arn};

const SOURCE: &str = "orders.fifo";
const DEAD: &str = "orders-dlq.fifo";
const SEND: &str = "SendMessageBatch";

fn bench(groups: usize, each: usize) -> Bench {
    let mut b = Bench::between(SOURCE, DEAD, 0);
    for n in 0..each {
        for g in 0..groups {
            let (group, id) = (format!("g{g}"), format!("{g}-{n}"));
            b.fake.put(DEAD, Message::new(&id).group(&group).dedup(&format!("d{id}")).died_in(&arn(SOURCE)));
        }
    }
    b.remember(DEAD);
    b
}

fn replay(b: &Bench, more: &[&str]) -> (crate::sandbox::Ran, serde_json::Value) {
    let dead = format!("sqs://{DEAD}");
    let ran = b.run(&[&["replay", dead.as_str(), "--yes", "-o", "json"], more].concat());
    let report = ran.json();
    (ran, report)
}

/// Bodies of one group at the destination, in order.
fn arrived(b: &Bench, group: &str) -> Vec<String> {
    let all = b.fake.messages(SOURCE);
    all.into_iter().filter(|m| m.group.as_deref() == Some(group)).map(|m| m.body).collect()
}

#[test]
fn order_within_each_group_is_kept() {
    let b = bench(7, 25);
    let (ran, report) = replay(&b, &[]);
    b.holds_between(SOURCE, DEAD, &ran, &report);
    assert_eq!((ran.code, count(&report, "replayed")), (0, 175), "{}\n{report:#}", ran.stderr);
    for g in 0..7 {
        assert_eq!(arrived(&b, &format!("g{g}")), (0..25).map(|n| format!("{g}-{n}")).collect::<Vec<_>>());
    }
}

#[test]
fn a_deduplication_id_seen_lately_does_not_swallow_the_message() {
    let b = bench(1, 3);
    let now = b.fake.world().now();
    for m in b.fake.messages(DEAD) {
        // As it was first sent, and as the redrive named it.
        let mut world = b.fake.world();
        let source = world.queues.get_mut(SOURCE).unwrap();
        source.seen.insert(m.dedup.unwrap(), (now, "old".into()));
        source.seen.insert(m.id, (now, "old".into()));
    }
    b.fake.world().queues.get_mut(SOURCE).unwrap().content_dedup = true;
    let (ran, report) = replay(&b, &[]);
    b.holds_between(SOURCE, DEAD, &ran, &report);
    assert_eq!(arrived(&b, "g0"), ["0-0", "0-1", "0-2"], "{}", ran.stderr);
}

#[test]
fn a_failure_holds_those_behind_it_in_its_group() {
    let b = bench(3, 12);
    b.fake.next(SEND, [Fault::Entries((0..10).collect(), "InvalidMessageContents", true)]);
    let (ran, report) = replay(&b, &["--concurrency", "40"]);
    b.holds_between(SOURCE, DEAD, &ran, &report);
    assert_eq!(ran.code, 3, "{report:#}");
    for g in 0..3 {
        // Nothing overtakes: what arrived is a head of the group, or nothing of it.
        let arrived = arrived(&b, &format!("g{g}"));
        assert_eq!(arrived, (0..arrived.len()).map(|n| format!("{g}-{n}")).collect::<Vec<_>>());
    }
}

#[test]
fn a_lost_answer_breaks_no_order() {
    for fault in [Fault::ResetAfter, Fault::ResetBefore] {
        let b = bench(2, 15);
        b.fake.next(SEND, [fault]);
        let (ran, report) = replay(&b, &[]);
        b.holds_between(SOURCE, DEAD, &ran, &report);
        for g in 0..2 {
            let arrived = arrived(&b, &format!("g{g}"));
            let mut sorted = arrived.clone();
            sorted.sort_by_key(|id| id.rsplit('-').next().unwrap().parse::<u32>().unwrap());
            assert_eq!(arrived, sorted, "{report:#}");
        }
    }
}

#[test]
fn groups_that_another_consumer_holds_are_said() {
    let b = bench(2, 3);
    let later = b.fake.world().now() + 60_000;
    for m in &mut b.fake.world().queues.get_mut(DEAD).unwrap().messages {
        if m.body == "0-0" {
            (m.visible, m.handles, m.received) = (later, 1, 1);
        }
    }
    let ran = b.run(&["filter", &format!("sqs://{DEAD}"), "true", "-o", "jsonl"]);
    assert_eq!(ran.lines(), 3, "{}", ran.stderr);
    assert!(ran.stderr.contains("in flight") || ran.stderr.contains("held"), "{}", ran.stderr);
}

#[test]
fn a_standard_destination_takes_no_deduplication_id() {
    let b = bench(2, 3);
    b.fake.queue("standard");
    let ran = b.run(&["replay", &format!("sqs://{DEAD}"), "--to", "sqs://standard", "--yes", "-o", "json"]);
    assert_eq!((ran.code, b.fake.messages("standard").len()), (0, 6), "{}", ran.stderr);
    assert!(b.fake.messages("standard").iter().all(|m| m.group.is_some()), "the group is kept");
}
