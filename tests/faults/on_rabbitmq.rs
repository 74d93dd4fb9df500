//! Messages in queues of RabbitMQ, and what of them is found again.

use std::collections::BTreeMap;

use lapin::options::BasicPublishOptions;
use lapin::types::AMQPValue;

use crate::load::{self, Arrived};
use crate::rabbit::{Broker, body, persistent, table, text};
use crate::sandbox::Sandbox;

/// Puts these into a queue, with a header.
pub fn fill(b: &Broker, queue: &str, bodies: &[String]) {
    let properties = persistent().with_headers(table(&[("kind", text("order"))]));
    b.runtime.block_on(async {
        for some in bodies.chunks(2000) {
            let sends = some.iter().map(|body| {
                let o = BasicPublishOptions::default();
                b.channel.basic_publish("".into(), queue.into(), o, body.as_bytes(), properties.clone())
            });
            for sent in futures::future::join_all(sends).await {
                assert!(sent.unwrap().await.unwrap().is_ack());
            }
        }
    });
}

/// Takes out what has arrived.
pub fn arrived(b: &Broker, queue: &str) -> Vec<Arrived> {
    let mark = |d: &lapin::message::Delivery| match d.properties.headers().as_ref()?.inner().get("dlq-replay")? {
        AMQPValue::LongString(s) => load::mark_id(&s.to_string()),
        _ => None,
    };
    b.drain(queue).iter().map(|d| Arrived { body: body(d), mark: mark(d) }).collect()
}

/// The body behind each id.
pub fn bodies_of(s: &Sandbox, address: &str) -> BTreeMap<String, String> {
    let ran = s.run(&["filter", address, "true", "--print", ".id, .body", "-o", "jsonl", "-q"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let lines: Vec<&str> = ran.stdout().lines().collect();
    let id = |line: &str| serde_json::from_str::<String>(line).unwrap();
    lines.chunks(2).map(|two| (id(two[0]), two[1].to_owned())).collect()
}
