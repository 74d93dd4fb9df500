//! Where messages go: their own source, the one there is, or a refusal that lists them.

use crate::bench::{Bench, DEAD, SOURCE, count};
use crate::fake_aws::{Message, arn};

#[test]
fn each_goes_to_its_own_source() {
    let mut b = Bench::new(0);
    b.fake.queue("other");
    b.fake.redrive("other", DEAD, 3);
    b.fake.put(DEAD, Message::new("a").died_in(&arn(SOURCE)));
    b.fake.put(DEAD, Message::new("b").died_in(&arn("other")));
    b.remember(DEAD);
    let (ran, report) = b.replay(&[]);
    assert_eq!((ran.code, count(&report, "replayed")), (0, 2), "{}", ran.stderr);
    assert_eq!((b.fake.bodies(SOURCE), b.fake.bodies("other")), (vec!["a".into()], vec!["b".into()]));
}

#[test]
fn without_an_attribute_the_one_source_of_the_topology_is_taken() {
    let b = Bench::new(0);
    b.fake.put(DEAD, Message::new("by hand"));
    let (ran, _) = b.replay(&[]);
    assert_eq!((ran.code, b.fake.bodies(SOURCE)), (0, vec!["by hand".into()]), "{}", ran.stderr);
}

#[test]
fn several_sources_over_several_pages_are_all_listed() {
    let b = Bench::new(0);
    for name in ["payments", "refunds"] {
        b.fake.queue(name);
        b.fake.redrive(name, DEAD, 3);
    }
    b.fake.world().page = 1;
    b.fake.put(DEAD, Message::new("by hand"));
    let ran = b.run(&["replay", &format!("sqs://{DEAD}"), "--yes"]);
    assert_ne!(ran.code, 0, "{}", ran.stderr);
    for name in [SOURCE, "payments", "refunds"] {
        assert!(ran.stderr.contains(name), "{name}: {}", ran.stderr);
    }
    assert_eq!(b.fake.visible(DEAD), 1);
    assert!(b.fake.calls("ListDeadLetterSourceQueues").len() >= 3);
}

#[test]
fn a_source_that_is_gone_leaves_the_message() {
    let mut b = Bench::new(3);
    b.fake.put(DEAD, Message::new("orphan").died_in(&arn("gone")));
    b.remember(DEAD);
    let (ran, report) = b.replay(&[]);
    b.holds(&ran, &report);
    assert_eq!((ran.code, count(&report, "failed"), b.fake.bodies(DEAD)), (3, 1, vec!["orphan".into()]), "{report:#}");
}

#[test]
fn an_incident_in_three_commands() {
    let mut b = Bench::new(0);
    b.dead((0..40).map(|n| Message::new(&format!(r#"{{"n":{n},"ok":{}}}"#, n % 4 == 0))));
    let dead = format!("sqs://{DEAD}");
    // Once, and then the file as often as one likes.
    let ran = b.run(&["copy", &dead, "file:incident.ndjson"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let ran = b.run(&["filter", "file:incident.ndjson", ".body.ok", "--print", ".id", "-o", "raw"]);
    assert_eq!(ran.lines(), 10, "{}", ran.stderr);
    b.sandbox.write("ids", ran.stdout());
    let (ran, report) = b.replay(&["--ids-from", "ids"]);
    assert_eq!((ran.code, count(&report, "replayed"), b.fake.messages(SOURCE).len()), (0, 10, 10), "{}", ran.stderr);
    assert_eq!((b.fake.messages(DEAD).len(), b.fake.visible(DEAD)), (30, 30));
    assert!(b.fake.messages(SOURCE).iter().all(|m| m.body.contains("true")));
}

#[test]
fn the_plan_names_account_region_and_principal() {
    let b = Bench::new(3);
    let ran = b.run(&["replay", &format!("sqs://{DEAD}"), "--dry-run"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    for says in [crate::fake_aws::ACCOUNT, crate::fake_aws::REGION, "user/oncall"] {
        assert!(ran.stderr.contains(says) || ran.stdout().contains(says), "{says}: {} {}", ran.stdout(), ran.stderr);
    }
    assert_eq!(b.fake.visible(DEAD), 3);
}

#[test]
fn leases_outlive_a_slow_rate() {
    let b = Bench::new(20);
    b.fake.world().queues.get_mut(DEAD).unwrap().visibility = 5000;
    let (ran, report) = b.replay(&["--rate", "2/s"]);
    b.holds(&ran, &report);
    assert_eq!((ran.code, count(&report, "replayed"), b.fake.messages(SOURCE).len()), (0, 20, 20), "{}", ran.stderr);
}
