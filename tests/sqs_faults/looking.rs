//! What looking costs, and that it is given back.

use std::time::Duration;

use crate::bench::{Bench, DEAD, SOURCE};
use crate::fake_aws::fault::DENIED;
use crate::fake_aws::{Fault, Message};

const RELEASE: &str = "ChangeMessageVisibilityBatch";

#[test]
fn a_look_gives_everything_back_and_says_what_it_cost() {
    let b = Bench::new(25);
    let ran = b.run(&["filter", &format!("sqs://{DEAD}"), "true", "-o", "jsonl"]);
    assert_eq!((ran.code, ran.lines()), (0, 25), "{}", ran.stderr);
    assert_eq!(b.fake.visible(DEAD), 25);
    assert!(b.fake.messages(DEAD).iter().all(|m| m.received == 1), "each is received once");
    assert_eq!(b.fake.world().queues[DEAD].released, 25);
    assert!(ran.stderr.contains("receive count"), "{}", ran.stderr);
    assert!(b.fake.calls("SendMessageBatch").is_empty() && b.fake.calls("DeleteMessageBatch").is_empty());
}

#[test]
fn what_could_not_be_given_back_is_said() {
    for fault in
        [Fault::Entries((0..10).collect(), "InternalError", false), Fault::Refused(DENIED), Fault::Silent(vec![0])]
    {
        let b = Bench::new(12);
        b.fake.lasting(RELEASE, fault.clone());
        let ran = b.run(&["filter", &format!("sqs://{DEAD}"), "true", "-o", "jsonl"]);
        assert_eq!(ran.lines(), 12, "{}", ran.stderr);
        assert_eq!(ran.code, 3, "{fault:?}: {}", ran.stderr);
        assert!(ran.stderr.contains("given back") || ran.stderr.contains("give back"), "{}", ran.stderr);
        b.fake.later(Duration::from_secs(43_200));
        assert_eq!(b.fake.visible(DEAD), 12);
    }
}

#[test]
fn a_queue_that_a_look_would_redrive_is_not_looked_at() {
    let b = Bench::new(5);
    b.fake.queue("graveyard");
    b.fake.redrive(DEAD, "graveyard", 1);
    let dead = format!("sqs://{DEAD}");
    let ran = b.run(&["inspect", &dead]);
    assert_eq!(ran.code, 6, "{}", ran.stderr);
    assert!(ran.stderr.contains("--accept own-redrive") && ran.stderr.contains("graveyard"), "{}", ran.stderr);
    assert!(b.fake.calls("ReceiveMessage").is_empty());
    let ran = b.run(&["inspect", &dead, "--accept", "own-redrive", "-o", "jsonl"]);
    assert_eq!((ran.code, ran.lines()), (0, 5), "{}", ran.stderr);
}

#[test]
fn depth_costs_nothing_and_is_called_approximate() {
    let b = Bench::new(25);
    let ran = b.run(&["depth", &format!("sqs://{DEAD}"), "-o", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let depth = ran.json();
    let depth = depth.get("queues").map_or(&depth, |q| &q[0]);
    let depth = if depth.is_array() { &depth[0] } else { depth };
    assert_eq!(
        (&depth["ready"], &depth["in_flight"], &depth["delayed"]),
        (&25.into(), &0.into(), &0.into()),
        "{depth}"
    );
    assert_eq!((&depth["accuracy"], &depth["oldest"]), (&"approximate".into(), &serde_json::Value::Null));
    assert!(b.fake.calls("ReceiveMessage").is_empty());
}

#[test]
fn messages_about_to_expire_are_warned_of() {
    let b = Bench::new(0);
    let mut m = Message::new("old");
    let world_now = b.fake.world().now();
    m.sent = world_now - 4 * 24 * 3_600_000 + 3_600_000;
    b.fake.put(DEAD, m);
    let ran = b.run(&["inspect", &format!("sqs://{DEAD}"), "-o", "jsonl"]);
    assert_eq!(ran.lines(), 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("expire"), "{}", ran.stderr);
    let ran = b.run(&["depth", &format!("sqs://{DEAD}"), "--age"]);
    assert!(ran.stderr.contains("expire"), "{}", ran.stderr);
    assert_eq!(b.fake.visible(DEAD), 1);
}

#[test]
fn a_sample_receives_each_message_once() {
    let b = Bench::new(95);
    let ran = b.run(&["sample", &format!("sqs://{DEAD}"), "-n", "5", "--seed", "1", "-o", "jsonl"]);
    assert_eq!((ran.code, ran.lines()), (0, 5), "{}", ran.stderr);
    assert!(b.fake.messages(DEAD).iter().all(|m| m.received == 1));
    assert_eq!(b.fake.visible(DEAD), 95);
    assert!(b.fake.messages(SOURCE).is_empty());
}

#[test]
fn a_claim_check_is_shown_as_one() {
    let b = Bench::new(0);
    let old = r#"["com.amazon.sqs.javamessaging.MessageS3Pointer",{"s3BucketName":"b","s3Key":"k"}]"#;
    b.fake.put(DEAD, Message::new(old).with("SQSLargePayloadSize", "Number", "300000"));
    let ran = b.run(&["inspect", &format!("sqs://{DEAD}")]);
    assert!(format!("{}{}", ran.stdout(), ran.stderr).contains("S3"), "{} {}", ran.stdout(), ran.stderr);
}
