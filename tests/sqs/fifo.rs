//! FIFO queues: order within a group, groups side by side, and what a look cannot see.

use std::collections::HashMap;

use aws_sdk_sqs::types::{Message, MessageSystemAttributeName, QueueAttributeName};

use crate::queues::{Letter, Queues};
use crate::sandbox::Sandbox;

fn group(m: &Message) -> &str {
    &m.attributes().unwrap()[&MessageSystemAttributeName::MessageGroupId]
}

/// The bodies of each group, in the order of receiving.
fn by_group(messages: &[Message]) -> HashMap<String, Vec<String>> {
    let mut groups: HashMap<String, Vec<String>> = HashMap::new();
    for m in messages {
        groups.entry(group(m).to_owned()).or_default().push(m.body().unwrap().to_owned());
    }
    groups
}

fn letters(groups: usize, each: usize) -> Vec<Letter> {
    let of = |n: usize| (0..groups).map(move |g| Letter::new(format!("{{\"g\":{g},\"n\":{n}}}")).of(format!("g{g}")));
    (0..each).flat_map(of).collect()
}

#[test]
fn order_is_kept_in_every_group_and_all_groups_go_on() {
    let Some(q) = Queues::open() else { return };
    let s = Sandbox::new();
    let (dead, target) = (q.queue("dead.fifo", &[]), q.queue("orders.fifo", &[]));
    q.send(&dead, &letters(7, 25));
    let ran = s.run(&["replay", &q.address(&dead), "--to", &q.address(&target), "--yes", "-o", "json"]);
    let report = ran.json();
    assert_eq!((ran.code, &report["replayed"]), (0, &175.into()), "{} {report}", ran.stderr);
    assert_eq!(q.counts(&dead), (0, 0));
    let groups = by_group(&q.drain(&target));
    assert_eq!(groups.len(), 7);
    for (name, bodies) in groups {
        let wanted: Vec<String> = (0..25).map(|n| format!("{{\"g\":{},\"n\":{n}}}", &name[1..])).collect();
        assert_eq!(bodies, wanted, "{name}");
    }
}

#[test]
fn a_look_at_one_long_group_says_what_it_could_not_see() {
    let Some(q) = Queues::open() else { return };
    let s = Sandbox::new();
    let dead = q.queue("dead.fifo", &[]);
    q.send(&dead, &letters(1, 30));
    let ran = s.run(&["filter", &q.address(&dead), "true", "--print", ".body.n"]);
    assert_eq!((ran.code, ran.stdout()), (3, "0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n"), "{}", ran.stderr);
    assert!(ran.stderr.contains("saw 10 of about 30") && ran.stderr.contains("group"), "{}", ran.stderr);
    assert_eq!(q.counts(&dead), (30, 0));
    let order: Vec<_> = by_group(&q.drain(&dead)).remove("g0").unwrap();
    assert_eq!(order.len(), 30);
    assert!(order.iter().enumerate().all(|(n, body)| body.contains(&format!("\"n\":{n}}}"))), "{order:?}");
}

#[test]
fn what_is_copied_twice_in_two_runs_is_stored_twice() {
    let Some(q) = Queues::open() else { return };
    let s = Sandbox::new();
    let (dead, target) =
        (q.queue("dead.fifo", &[]), q.queue("copy.fifo", &[(QueueAttributeName::ContentBasedDeduplication, "true")]));
    // Equal bodies, which content-based deduplication would take for one.
    q.send(&dead, &(0..6).map(|g| Letter::new("same").of(format!("g{g}"))).collect::<Vec<_>>());
    for _ in 0..2 {
        let ran = s.run(&["copy", &q.address(&dead), &q.address(&target), "--yes", "-o", "json"]);
        assert_eq!((ran.code, &ran.json()["copied"]), (0, &6.into()), "{}", ran.stderr);
    }
    assert_eq!(q.counts(&target).0, 12);
}

#[test]
fn messages_without_a_group_get_one() {
    let Some(q) = Queues::open() else { return };
    let s = Sandbox::new();
    let (dead, target) = (q.queue("dead", &[]), q.queue("orders.fifo", &[]));
    q.send(&dead, &(0..4).map(|n| Letter::new(format!("{n}"))).collect::<Vec<_>>());
    let ran = s.run(&["copy", &q.address(&dead), &q.address(&target), "--yes", "-o", "json"]);
    let report = ran.json();
    assert_eq!((ran.code, &report["copied"]), (0, &4.into()), "{}", ran.stderr);
    assert!(report["left_out"].to_string().contains("group"), "{report}");
    assert_eq!(by_group(&q.drain(&target)).len(), 4);
    let ran = s.run(&["move", &q.address(&dead), &q.address(&target), "--to-X", "group=all", "--yes"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(by_group(&q.drain(&target))["all"].len(), 4);
}
