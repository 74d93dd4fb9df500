//! What is typed wrong, or is not there: the message and the exit code.

use lapin::options::QueueDeclareOptions;

use crate::broker::Broker;
use crate::sandbox::{Ran, Sandbox};
use crate::servers::var;

#[track_caller]
fn fails(ran: &Ran, code: i32, parts: &[&str]) {
    assert_eq!(ran.code, code, "{}", ran.stderr);
    assert!(ran.stdout.is_empty(), "{}", ran.stdout());
    for part in parts {
        assert!(ran.stderr.contains(part), "{part:?} is not in: {}", ran.stderr);
    }
}

#[test]
fn queues_that_cannot_be_opened() {
    let Some(b) = Broker::open("43") else { return };
    let s = Sandbox::new();
    let q = b.queue("orders.dlq", "classic", &[]);
    let look = |address: &str| s.run(&["inspect", address]);

    let near = q.replace("orders", "order");
    let did_you_mean = format!("did you mean {q:?}");
    fails(&look(&b.address(&near)), 1, &["not found: ", &did_you_mean, "read as vhost \"/\""]);
    fails(&look(&b.bare(&near)), 1, &["not found: ", "read as vhost \"/\""]);
    let vhost = format!("{}/nowhere/q?management={}", b.server.url, b.server.management);
    fails(&look(&vhost), 1, &["not found: ", "nowhere"]);
    let login = b.address(&q).replace("guest:guest", "guest:wr0ng");
    let ran = look(&login);
    fails(&ran, 1, &["denied: ", "refused the login of user guest"]);
    assert!(!ran.stderr.contains("wr0ng"), "{}", ran.stderr);
    fails(&look("amqp://127.0.0.1:1/q"), 1, &["unreachable: ", "127.0.0.1:1"]);
    fails(&look("amqp://no-such-host.invalid/q"), 1, &["no-such-host.invalid"]);
    let ran = s.run(&["inspect", &b.address(&q), "-X", "prefetsch=5"]);
    fails(&ran, 2, &["usage error: ", "prefetsch", "prefetch"]);
    fails(&s.run(&["inspect", &b.address(&q), "-X", "prefetch=many"]), 2, &["prefetch"]);

    let own = b.name("exclusive");
    let options = QueueDeclareOptions { exclusive: true, ..Default::default() };
    b.runtime.block_on(b.channel.queue_declare(own.as_str().into(), options, Default::default())).unwrap();
    fails(&look(&b.address(&own)), 6, &["in use: ", "exclusive"]);
}

#[test]
fn certificates_are_checked() {
    let Some(b) = Broker::open("43") else { return };
    let (Some(url), Some(ca)) = (var("DLQ_TEST_RABBITMQ_43_TLS_URL"), var("DLQ_TEST_RABBITMQ_43_CA")) else { return };
    let s = Sandbox::new();
    let q = b.queue("q", "quorum", &[]);
    b.fill(&q, 3);
    let address = format!("{}/{q}?management=none", url.replace("amqps://", "amqps://guest:guest@"));
    fails(&s.run(&["inspect", &address]), 1, &["not trusted: ", "cacertfile"]);
    let ran = s.run(&["inspect", &address, "-X", &format!("cacertfile={ca}"), "-o", "raw"]);
    assert_eq!((ran.stdout(), ran.code), ("0\n1\n2\n", 0), "{}", ran.stderr);
    let ran = s.run(&["inspect", &address, "-X", "verify=verify_none", "-o", "raw"]);
    assert_eq!((ran.stdout(), ran.code), ("0\n1\n2\n", 0), "{}", ran.stderr);
    fails(&s.run(&["inspect", &address, "-X", "cacertfile=absent.pem"]), 2, &["absent.pem"]);
    let plain = b.server.url.replace("amqp://", "amqps://");
    fails(&s.run(&["inspect", &format!("{plain}/{q}")]), 1, &["amqp://"]);
    let unsafe_to_plain = address.replace("amqps://", "amqp://");
    let ran = s.run(&["inspect", &unsafe_to_plain, "--timeout", "3s"]);
    fails(&ran, 1, &["amqps://"]);
}
