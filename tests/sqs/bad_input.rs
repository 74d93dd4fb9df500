//! Errors: each with what was wrong and what to do.

use std::process::Output;

use crate::queues::Queues;
use crate::sandbox::Sandbox;

fn with(s: &Sandbox, env: &[(&str, &str)], args: &[&str]) -> (i32, String) {
    let mut command = s.command();
    command.args(args).envs(env.iter().copied()).env("AWS_EC2_METADATA_DISABLED", "true");
    let Output { status, stderr, .. } = command.output().unwrap();
    (status.code().unwrap(), String::from_utf8(stderr).unwrap())
}

const KEYS: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b")];

#[test]
fn no_region_and_no_credentials() {
    let s = Sandbox::new();
    let (code, text) = with(&s, &KEYS, &["inspect", "sqs://orders-dlq"]);
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("no region") && text.contains("-X region="), "{text}");
    // Nothing is called: without credentials there is nothing to sign with.
    let (code, text) = with(&s, &[], &["inspect", "sqs://eu-west-1/orders-dlq"]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("credentials") && text.contains("AWS_PROFILE"), "{text}");
    let (code, text) = with(&s, &[], &["inspect", "sqs://eu-west-1/orders-dlq", "-X", "profile=nobody"]);
    assert_ne!(code, 0, "{text}");
    assert!(text.contains("nobody") || text.contains("credentials"), "{text}");
}

#[test]
fn addresses_and_options_that_are_none() {
    let s = Sandbox::new();
    for (address, says) in [
        ("sqs://a/b/c", "sqs://[REGION/]NAME"),
        ("sqs://orders dlq", "name of an SQS queue"),
        ("arn:aws:s3:::bucket", "arn:aws:sqs:REGION"),
        ("arn:aws:sns:eu-west-1:123456789012:t", "write sns:arn"),
        ("https://example.com/", "URL of a queue"),
        ("sqs://q?visibilty=3", "did you mean \"visibility\"?"),
        ("sqs://q?visibility=0", "from 1 to 43200"),
        ("sqs://q?sign=maybe", "sign is yes or no"),
        ("sqs://q?sign=no&endpoint=localhost", "not a URL"),
    ] {
        let (code, text) = with(&s, &[], &["inspect", address]);
        assert_eq!(code, 2, "{address}: {text}");
        assert!(text.contains(says), "{address}: {text}");
    }
}

#[test]
fn nobody_there() {
    let s = Sandbox::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let address = format!("http://127.0.0.1:{port}/000000000000/orders?sign=no");
    let (code, text) = with(&s, &[], &["inspect", &address]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("unreachable") && text.contains(&format!("127.0.0.1:{port}")), "{text}");
}

#[test]
fn an_absent_queue_has_close_names() {
    let Some(q) = Queues::open() else { return };
    let s = Sandbox::new();
    let name = q.queue("orders-dlq", &[]);
    let typo = name.replace("orders-dlq", "order-dlq");
    let address = format!("sqs://{typo}?endpoint={}&sign=no", q.endpoint);
    for args in [&["inspect", &address][..], &["copy", "file:orders.ndjson", &address, "--yes"]] {
        let (code, text) = with(&s, &[], args);
        assert_eq!(code, 1, "{text}");
        assert!(text.contains("not found") && text.contains(&format!("did you mean {name:?}?")), "{text}");
    }
}
