//! Each way of not getting in has a text of its own.

use crate::bench::{Bench, DEAD};
use crate::fake_aws::Fault;
use crate::fake_aws::fault::{DENIED, EXPIRED_TOKEN};

const ENTRY: [&str; 3] = ["GetQueueUrl", "GetQueueAttributes", "ReceiveMessage"];

#[test]
fn a_queue_that_is_not_there_gets_close_names() {
    let b = Bench::new(1);
    let ran = b.run(&["inspect", "sqs://orders-dql"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("orders-dql") && ran.stderr.contains(DEAD), "{}", ran.stderr);
}

#[test]
fn a_destination_that_is_not_there_is_told_before_anything_is_touched() {
    let b = Bench::new(5);
    let ran = b.run(&["replay", &format!("sqs://{DEAD}"), "--to", "sqs://order", "--yes"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("did you mean") || ran.stderr.contains("orders"), "{}", ran.stderr);
    assert!(b.fake.calls("ReceiveMessage").is_empty());
}

#[test]
fn denied_says_who_and_what() {
    let b = Bench::new(5);
    ENTRY.iter().for_each(|operation| b.fake.lasting(operation, Fault::Refused(DENIED)));
    let ran = b.run(&["inspect", &format!("sqs://{DEAD}")]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("sqs:Get") && ran.stderr.contains("user/oncall"), "{}", ran.stderr);
}

#[test]
fn an_expired_token_says_so() {
    let b = Bench::new(5);
    ENTRY.iter().for_each(|operation| b.fake.lasting(operation, Fault::Refused(EXPIRED_TOKEN)));
    let ran = b.run(&["inspect", &format!("sqs://{DEAD}")]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("expired"), "{}", ran.stderr);
}

#[test]
fn no_region_and_no_credentials_are_told_apart() {
    let mut b = Bench::new(5);
    let all = b.sandbox.environment.clone();
    b.sandbox.environment.retain(|(k, _)| k != "AWS_REGION");
    let ran = b.run(&["inspect", &format!("sqs://{DEAD}")]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("region"), "{}", ran.stderr);
    b.sandbox.environment = all.into_iter().filter(|(k, _)| !k.contains("KEY")).collect();
    let ran = b.run(&["inspect", &format!("sqs://{DEAD}")]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("credentials"), "{}", ran.stderr);
}

#[test]
fn nobody_there_is_unreachable_and_not_for_ever() {
    let mut b = Bench::new(1);
    for (name, value) in &mut b.sandbox.environment {
        if name == "AWS_ENDPOINT_URL" {
            *value = "http://127.0.0.1:9".into();
        }
    }
    let ran = b.run(&["inspect", &format!("sqs://{DEAD}"), "--timeout", "2s"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("unreachable"), "{}", ran.stderr);
}
