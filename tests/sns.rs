//! SNS that delivers to SQS, as moto plays them: what is published arrives at the subscribed queues.
#![allow(missing_docs, clippy::unwrap_used)]

#[path = "support/sandbox.rs"]
mod sandbox;
#[path = "support/servers.rs"]
mod servers;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};

use aws_sdk_sqs::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_sqs::types::{Message, MessageAttributeValue, QueueAttributeName};
use sandbox::{Ran, Sandbox};
use tokio::runtime::Runtime;

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// A server with queues and topics of a test's own.
struct World {
    sandbox: Sandbox,
    runtime: Runtime,
    sqs: aws_sdk_sqs::Client,
    sns: aws_sdk_sns::Client,
    prefix: String,
}

impl World {
    /// None, in sight, where there is no server.
    fn open() -> Option<World> {
        let endpoint = servers::moto()?;
        let credentials = Credentials::new("none", "none", None, None, "tests");
        let http = aws_smithy_http_client::Builder::new().build_http();
        let sqs = aws_sdk_sqs::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(credentials.clone())
            .http_client(http.clone())
            .endpoint_url(&endpoint)
            .build();
        let sns = aws_sdk_sns::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(credentials)
            .http_client(http)
            .endpoint_url(&endpoint)
            .build();
        let mut sandbox = Sandbox::new();
        sandbox.environment = [
            ("AWS_ENDPOINT_URL", endpoint.as_str()),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "none"),
            ("AWS_SECRET_ACCESS_KEY", "none"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
        ]
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .into();
        Some(World {
            sandbox,
            runtime: Runtime::new().unwrap(),
            sqs: aws_sdk_sqs::Client::from_conf(sqs),
            sns: aws_sdk_sns::Client::from_conf(sns),
            prefix: format!("sns-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed)),
        })
    }

    fn queue(&self, what: &str) -> String {
        let fifo = what.ends_with(".fifo");
        let call = self.sqs.create_queue().queue_name(format!("{}-{what}", self.prefix));
        let call = if fifo { call.attributes(QueueAttributeName::FifoQueue, "true") } else { call };
        self.runtime.block_on(call.send()).unwrap().queue_url().unwrap().to_owned()
    }

    /// The ARN of a new topic, to which these queues are subscribed, raw or not.
    fn topic(&self, what: &str, queues: &[(&str, bool)]) -> String {
        let call = self.sns.create_topic().name(format!("{}-{what}", self.prefix));
        let call = if what.ends_with(".fifo") { call.attributes("FifoTopic", "true") } else { call };
        let topic = self.runtime.block_on(call.send()).unwrap().topic_arn().unwrap().to_owned();
        for (queue, raw) in queues {
            let asked = self.sqs.get_queue_attributes().queue_url(*queue).attribute_names(QueueAttributeName::QueueArn);
            let told = self.runtime.block_on(asked.send()).unwrap();
            let arn = &told.attributes().unwrap()[&QueueAttributeName::QueueArn];
            let call = self.sns.subscribe().topic_arn(&topic).protocol("sqs").endpoint(arn);
            self.runtime.block_on(call.attributes("RawMessageDelivery", raw.to_string()).send()).unwrap();
        }
        topic
    }

    /// No bytes among the attributes: moto cannot deliver those raw.
    fn send(&self, queue: &str, body: &str) {
        let attribute = |kind: &str| MessageAttributeValue::builder().data_type(kind);
        let call = self.sqs.send_message().queue_url(queue).message_body(body);
        let call = call.message_attributes("n", attribute("Number").string_value("1.50").build().unwrap());
        self.runtime.block_on(call.send()).unwrap();
    }

    /// Takes everything out.
    fn drain(&self, queue: &str) -> Vec<Message> {
        let mut all = vec![];
        loop {
            let call =
                self.sqs.receive_message().queue_url(queue).max_number_of_messages(10).message_attribute_names("All");
            let got = self.runtime.block_on(call.send()).unwrap().messages.unwrap_or_default();
            if got.is_empty() {
                return all;
            }
            for m in &got {
                let call = self.sqs.delete_message().queue_url(queue).receipt_handle(m.receipt_handle().unwrap());
                self.runtime.block_on(call.send()).unwrap();
            }
            all.extend(got);
        }
    }

    fn replay(&self, from: &str, topic: &str, more: &[&str]) -> Ran {
        let to = format!("sns:{topic}");
        self.sandbox.run(&[&["replay", from, "--to", to.as_str(), "--yes", "-o", "json"], more].concat())
    }
}

fn number(attributes: &HashMap<String, MessageAttributeValue>) -> (&str, Option<&str>) {
    (attributes["n"].data_type(), attributes["n"].string_value())
}

#[test]
fn what_is_published_arrives_raw_and_in_an_envelope() {
    let Some(w) = World::open() else { return };
    let (dead, raw, wrapped) = (w.queue("dlq"), w.queue("raw"), w.queue("wrapped"));
    let topic = w.topic("orders", &[(&raw, true), (&wrapped, false)]);
    (0..25).for_each(|n| w.send(&dead, &format!("{{\"n\":{n}}}")));
    let ran = w.replay(&dead, &topic, &[]);
    assert_eq!((ran.code, ran.json()["replayed"].as_u64()), (0, Some(25)), "{}", ran.stderr);
    assert!(w.drain(&dead).is_empty());
    let raw = w.drain(&raw);
    assert_eq!(raw.len(), 25);
    for m in raw {
        let attributes = m.message_attributes().unwrap();
        assert_eq!(number(attributes), ("Number", Some("1.50")));
        assert!(attributes["dlq-replay"].string_value().unwrap().contains("count=1"));
    }
    // The envelope is seen through, and what is inside goes round once more.
    let see = w.sandbox.run(&["filter", &wrapped, ".unwrapped.headers.n == 1.5", "--print", ".unwrapped.body.n"]);
    let mut seen: Vec<u32> = see.stdout().lines().map(|l| l.parse().unwrap()).collect();
    seen.sort_unstable();
    assert_eq!(seen, (0..25).collect::<Vec<_>>(), "{}", see.stderr);
    let (again, next) = (w.queue("again"), w.queue("next"));
    let second = w.topic("second", &[(&again, true)]);
    let ran = w.replay(&wrapped, &second, &["--unwrap", "sns"]);
    assert_eq!((ran.code, ran.json()["replayed"].as_u64()), (0, Some(25)), "{}", ran.stderr);
    let ran = w.sandbox.run(&["move", &again, &next, "--yes"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let next = w.drain(&next);
    assert_eq!(next.len(), 25);
    for m in next {
        assert!(m.body().unwrap().starts_with("{\"n\":"), "{:?}", m.body());
        let attributes = m.message_attributes().unwrap();
        assert_eq!(number(attributes), ("Number", Some("1.50")));
        assert!(attributes["dlq-replay"].string_value().unwrap().contains("count=2"), "replayed a second time");
    }
}

#[test]
fn a_fifo_topic_keeps_the_order_of_its_groups() {
    let Some(w) = World::open() else { return };
    let live = w.queue("live.fifo");
    let topic = w.topic("orders.fifo", &[(&live, true)]);
    // Read from an archive: moto gives the same group to several receives at once.
    let line = |n: usize| {
        let group = format!(r#"["message_group_id","text","g{}"]"#, n % 2);
        format!(
            r#"{{"v":1,"line":"{n}","id":"{n}","queue":"q","payload":"{n}","headers":[],"properties":[{group}]}}{}"#,
            "\n"
        )
    };
    w.sandbox.write("dead.ndjson", &(0..60).map(line).collect::<String>());
    let ran = w.replay("file:dead.ndjson", &topic, &[]);
    assert_eq!((ran.code, ran.json()["replayed"].as_u64()), (0, Some(60)), "{}", ran.stderr);
    let arrived: Vec<u32> = w.drain(&live).iter().map(|m| m.body().unwrap().parse().unwrap()).collect();
    assert_eq!(arrived.len(), 60);
    for g in 0..2 {
        let group: Vec<u32> = arrived.iter().copied().filter(|n| n % 2 == g).collect();
        assert!(group.is_sorted(), "{group:?}");
    }
}

#[test]
fn a_topic_without_subscriptions_is_refused() {
    let Some(w) = World::open() else { return };
    let dead = w.queue("dlq");
    w.send(&dead, "x");
    let ran = w.replay(&dead, &w.topic("deaf", &[]), &[]);
    assert_eq!(ran.code, 6, "{}", ran.stderr);
    assert_eq!(w.drain(&dead).len(), 1);
}
