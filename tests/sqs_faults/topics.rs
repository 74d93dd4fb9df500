//! SNS as a place to send to: every entry of a batch has a fate of its own.

use serde_json::Value;

use crate::bench::{Bench, DEAD, count, errors, unmarked, with_attributes};
use crate::fake_aws::fault::{DENIED, INTERNAL, THROTTLED};
use crate::fake_aws::sns::{Published, envelope};
use crate::fake_aws::{Fault, Message, arn};
use crate::sandbox::Ran;

const PUBLISH: &str = "PublishBatch";

/// A topic with a subscription, and so many dead messages; the topic's address.
fn bench(name: &str, n: usize) -> (Bench, String) {
    let b = Bench::new(n);
    let topic = b.fake.world().topic(name);
    b.fake.world().topics.get_mut(name).unwrap().subscriptions.push(("sqs".into(), arn("orders")));
    (b, format!("sns:{topic}"))
}

fn replay(b: &Bench, to: &str, more: &[&str]) -> (Ran, Value) {
    let dead = format!("sqs://{DEAD}");
    let ran = b.run(&[&["replay", dead.as_str(), "--to", to, "--yes", "-o", "json"], more].concat());
    let report = ran.json();
    (ran, report)
}

fn published(b: &Bench, topic: &str) -> Vec<Published> {
    b.fake.world().topics[topic].published.clone()
}

fn bodies(b: &Bench, topic: &str) -> Vec<String> {
    published(b, topic).into_iter().map(|p| p.message.body).collect()
}

/// Each message was published or is still there, and can be received again.
fn nothing_lost(b: &Bench, topic: &str, n: usize, report: &Value) {
    let (here, there) = (b.fake.bodies(DEAD), bodies(b, topic));
    for i in 0..n {
        let body = format!("{{\"n\":{i}}}");
        assert!(here.contains(&body) || there.contains(&body), "{body} is lost: {report:#}");
    }
    assert_eq!(b.fake.visible(DEAD), here.len(), "{report:#}");
}

#[test]
fn all_are_published_with_their_attributes() {
    let (b, to) = bench("orders", 0);
    let m = with_attributes(5).group("tenant-7");
    b.fake.put(DEAD, m.clone());
    b.fake.fill(DEAD, 25, None);
    let (ran, report) = replay(&b, &to, &[]);
    assert_eq!((ran.code, count(&report, "replayed")), (0, 26), "{}", ran.stderr);
    assert!(b.fake.messages(DEAD).is_empty());
    let there = published(&b, "orders").into_iter().find(|p| p.message.body == m.body).unwrap().message;
    assert_eq!((unmarked(&there), &there.group), (m.attributes, &m.group));
    assert!(there.text("dlq-replay").is_some());
    assert!(ran.stderr.contains(&arn("orders")), "the plan says who receives it: {}", ran.stderr);
}

#[test]
fn entries_that_fail_stay_and_are_named() {
    for (code, ours) in [("InvalidParameter", true), ("InternalError", false)] {
        let (b, to) = bench("orders", 25);
        b.fake.lasting(PUBLISH, Fault::Entries(vec![0, 2], code, ours));
        let (ran, report) = replay(&b, &to, &[]);
        nothing_lost(&b, "orders", 25, &report);
        assert_eq!((ran.code, count(&report, "failed")), (3, b.fake.messages(DEAD).len()), "{report:#}");
        assert!(errors(&report).contains(code), "{report:#}");
    }
}

#[test]
fn what_the_answer_does_not_speak_of_is_indeterminate() {
    let (b, to) = bench("orders", 10);
    b.fake.lasting(PUBLISH, Fault::Silent(vec![1]));
    let (ran, report) = replay(&b, &to, &[]);
    nothing_lost(&b, "orders", 10, &report);
    assert_eq!(ran.code, 3);
    assert_eq!(count(&report, "indeterminate"), b.fake.messages(DEAD).len(), "{report:#}");
}

#[test]
fn a_lost_answer_is_unknown_and_not_sent_twice_unasked() {
    for fault in [Fault::ResetAfter, Fault::RefusedAfter(INTERNAL)] {
        let (b, to) = bench("orders", 10);
        b.fake.next(PUBLISH, [fault]);
        let (ran, report) = replay(&b, &to, &[]);
        nothing_lost(&b, "orders", 10, &report);
        assert_eq!(ran.code, 3, "{report:#}");
        let unknown = count(&report, "indeterminate");
        assert!(unknown >= 1 && b.fake.messages(DEAD).len() == unknown, "{report:#}");
        assert_eq!(bodies(&b, "orders").len(), 10, "each once");
        assert_eq!(report["possible_duplicates"].as_array().unwrap().len(), unknown);
    }
}

#[test]
fn throttling_is_waited_out_and_refusals_are_told() {
    let (b, to) = bench("orders", 10);
    b.fake.next(PUBLISH, [Fault::Refused(THROTTLED)]);
    let (ran, _) = replay(&b, &to, &[]);
    assert_eq!((ran.code, bodies(&b, "orders").len()), (0, 10), "{}", ran.stderr);

    let (b, to) = bench("orders", 10);
    b.fake.lasting(PUBLISH, Fault::Refused(DENIED));
    let (ran, report) = replay(&b, &to, &[]);
    nothing_lost(&b, "orders", 10, &report);
    assert_eq!((ran.code, count(&report, "failed")), (1, 10), "{report:#}");
    assert!(errors(&report).contains("sns:Publish"), "{report:#}");
}

#[test]
fn a_topic_nobody_listens_to_is_not_a_home() {
    let b = Bench::new(3);
    let topic = b.fake.world().topic("deaf");
    let dead = format!("sqs://{DEAD}");
    let ran = b.run(&["replay", &dead, "--to", &format!("sns:{topic}"), "--yes"]);
    assert_eq!(ran.code, 6, "{}", ran.stderr);
    assert_eq!((b.fake.visible(DEAD), bodies(&b, "deaf").len()), (3, 0));
}

#[test]
fn a_topic_that_is_not_there_gets_close_names() {
    let (b, to) = bench("orders", 3);
    let ran = b.run(&["replay", &format!("sqs://{DEAD}"), "--to", &to.replace(":orders", ":order"), "--yes"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("did you mean \"orders\""), "{}", ran.stderr);
    let ran = b.run(&["inspect", &to]);
    assert_eq!(ran.code, 4, "{}", ran.stderr);
}

#[test]
fn a_fifo_topic_gets_groups_in_order_and_fresh_deduplication_ids() {
    // Of a standard queue the order is not known to anyone.
    let (b, to) = bench("orders.fifo", 0);
    b.fake.queue("dead.fifo");
    let put = |n: usize, id: &str| {
        b.fake.put("dead.fifo", Message::new(&format!("{n}")).group(&format!("g{}", n % 3)).dedup(id));
    };
    (0..40).for_each(|n| put(n, &format!("d{n}")));
    let replay = || {
        let ran = b.run(&["replay", "sqs://dead.fifo", "--to", &to, "--yes", "-o", "json"]);
        let report = ran.json();
        (ran, report)
    };
    let (ran, report) = replay();
    assert_eq!((ran.code, count(&report, "replayed")), (0, 40), "{}", ran.stderr);
    let all = published(&b, "orders.fifo");
    assert_eq!(all.len(), 40);
    for g in 0..3 {
        let of = |p: &&Published| p.message.group.as_deref() == Some(&format!("g{g}"));
        let numbers: Vec<u32> = all.iter().filter(of).map(|p| p.message.body.parse().unwrap()).collect();
        assert!(numbers.is_sorted(), "{numbers:?}");
    }
    // The same again is sent again: it is another run.
    put(0, "again");
    let (ran, _) = replay();
    assert_eq!((ran.code, published(&b, "orders.fifo").len()), (0, 41), "{}", ran.stderr);
}

#[test]
fn batches_are_packed_by_bytes_and_what_is_too_large_stays() {
    let (b, to) = bench("orders", 0);
    b.fake.world().topics.get_mut("orders").unwrap().most = 262_144;
    for i in 0..7 {
        b.fake.put(DEAD, Message::new(&"x".repeat(100_000 + i)));
    }
    b.fake.put(DEAD, Message::new(&"y".repeat(300_000)));
    let (ran, report) = replay(&b, &to, &[]);
    assert_eq!((ran.code, count(&report, "replayed"), count(&report, "failed")), (3, 7, 1), "{report:#}");
}

#[test]
fn the_inner_message_of_an_envelope_is_published_as_it_first_was() {
    let (b, to) = bench("orders", 0);
    let body =
        envelope("orders", Some("about"), r#"{"order":7}"#, &[("n", "Number", "1.50"), ("raw", "Binary", "AP8=")]);
    b.fake.put(DEAD, Message::new(&body));
    let ran = b.run(&[
        "inspect",
        &format!("sqs://{DEAD}"),
        "-o",
        "jsonl",
        "--print",
        "[.unwrapped.subject, .unwrapped.body.order]",
    ]);
    assert_eq!(ran.stdout(), "[\"about\",7]\n", "{}", ran.stderr);
    let (ran, report) = replay(&b, &to, &["--unwrap", "sns"]);
    assert_eq!((ran.code, count(&report, "replayed")), (0, 1), "{}", ran.stderr);
    let p = &published(&b, "orders")[0].message;
    assert_eq!((p.body.as_str(), p.text("n")), (r#"{"order":7}"#, Some("1.50")));
    assert_eq!((p.attributes["raw"].kind.as_str(), &p.attributes["raw"].value[..]), ("Binary", &[0, 0xff][..]));
}
