//! Queues of a test's own, driven from a plain thread.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use aws_sdk_sqs::Client;
use aws_sdk_sqs::primitives::Blob;
use aws_sdk_sqs::types::{
    Message, MessageAttributeValue, MessageSystemAttributeName, QueueAttributeName, SendMessageBatchRequestEntry,
};
use tokio::runtime::Runtime;

use crate::{servers, sqs_client};

static NUMBER: AtomicU32 = AtomicU32::new(0);

pub struct Queues {
    pub endpoint: String,
    pub runtime: Runtime,
    pub client: Client,
    prefix: String,
    made: RefCell<Vec<String>>,
}

pub type Attributes = HashMap<String, MessageAttributeValue>;

pub fn attribute(kind: &str, text: &str) -> MessageAttributeValue {
    MessageAttributeValue::builder().data_type(kind).string_value(text).build().unwrap()
}

pub fn binary(kind: &str, bytes: &[u8]) -> MessageAttributeValue {
    MessageAttributeValue::builder().data_type(kind).binary_value(Blob::new(bytes)).build().unwrap()
}

/// One message to send.
#[derive(Clone, Default)]
pub struct Letter {
    pub body: String,
    pub attributes: Attributes,
    pub group: Option<String>,
}

impl Letter {
    pub fn new(body: impl Into<String>) -> Letter {
        Letter { body: body.into(), ..Letter::default() }
    }

    pub fn with(mut self, name: &str, value: MessageAttributeValue) -> Letter {
        self.attributes.insert(name.to_owned(), value);
        self
    }

    pub fn of(mut self, group: impl Into<String>) -> Letter {
        self.group = Some(group.into());
        self
    }
}

impl Queues {
    /// None, in sight, where no server is running.
    pub fn open() -> Option<Queues> {
        let endpoint = servers::elasticmq()?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let prefix = format!("e2e-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let client = runtime.block_on(async { sqs_client::client(&endpoint) });
        Some(Queues { endpoint, runtime, client, prefix, made: RefCell::default() })
    }

    pub fn name(&self, what: &str) -> String {
        format!("{}-{what}", self.prefix)
    }

    pub fn queue(&self, what: &str, attributes: &[(QueueAttributeName, &str)]) -> String {
        let name = self.name(what);
        let mut create = self.client.create_queue().queue_name(&name);
        if name.ends_with(".fifo") {
            create = create.attributes(QueueAttributeName::FifoQueue, "true");
        }
        for (k, v) in attributes {
            create = create.attributes(k.clone(), *v);
        }
        self.runtime.block_on(create.send()).unwrap();
        self.made.borrow_mut().push(name.clone());
        name
    }

    /// A queue whose messages go to `dead` once they were received `most` times.
    pub fn source(&self, what: &str, dead: &str, most: u32) -> String {
        let policy = format!("{{\"deadLetterTargetArn\":\"{}\",\"maxReceiveCount\":\"{most}\"}}", self.arn(dead));
        self.queue(what, &[(QueueAttributeName::RedrivePolicy, &policy)])
    }

    pub fn arn(&self, name: &str) -> String {
        format!("arn:aws:sqs:us-east-1:000000000000:{name}")
    }

    pub fn url(&self, name: &str) -> String {
        format!("{}/000000000000/{name}", self.endpoint)
    }

    /// What is typed for it.
    pub fn address(&self, name: &str) -> String {
        format!("{}?sign=no", self.url(name))
    }

    pub fn send(&self, name: &str, letters: &[Letter]) {
        for (round, ten) in letters.chunks(10).enumerate() {
            let mut call = self.client.send_message_batch().queue_url(self.url(name));
            for (at, l) in ten.iter().enumerate() {
                let unique = format!("{}-{round}-{at}-{}", self.prefix, NUMBER.fetch_add(1, Ordering::Relaxed));
                let entry = SendMessageBatchRequestEntry::builder()
                    .id(at.to_string())
                    .message_body(&l.body)
                    .set_message_attributes(Some(l.attributes.clone()))
                    .set_message_deduplication_id(l.group.as_ref().map(|_| unique))
                    .set_message_group_id(l.group.clone());
                call = call.entries(entry.build().unwrap());
            }
            let answer = self.runtime.block_on(call.send()).unwrap();
            assert!(answer.failed().is_empty(), "{:?}", answer.failed());
        }
    }

    pub fn receive(&self, name: &str, hidden: i32) -> Vec<Message> {
        let call = self
            .client
            .receive_message()
            .queue_url(self.url(name))
            .max_number_of_messages(10)
            .visibility_timeout(hidden)
            .message_attribute_names("All")
            .message_system_attribute_names(MessageSystemAttributeName::All);
        self.runtime.block_on(call.send()).unwrap().messages.unwrap_or_default()
    }

    /// Takes out everything.
    pub fn drain(&self, name: &str) -> Vec<Message> {
        let mut all = vec![];
        loop {
            let some = self.receive(name, 60);
            if some.is_empty() {
                return all;
            }
            for m in &some {
                let call = self.client.delete_message().queue_url(self.url(name));
                self.runtime.block_on(call.receipt_handle(m.receipt_handle().unwrap()).send()).unwrap();
            }
            all.extend(some);
        }
    }

    /// Visible and in flight.
    pub fn counts(&self, name: &str) -> (u64, u64) {
        let call = self.client.get_queue_attributes().queue_url(self.url(name));
        let answer = self.runtime.block_on(call.attribute_names(QueueAttributeName::All).send()).unwrap();
        let all = answer.attributes.unwrap();
        let of = |name: QueueAttributeName| all[&name].parse().unwrap();
        (
            of(QueueAttributeName::ApproximateNumberOfMessages),
            of(QueueAttributeName::ApproximateNumberOfMessagesNotVisible),
        )
    }

    /// Receives, as a consumer that fails does, until all are in the dead-letter queue.
    pub fn let_die(&self, source: &str, dead: &str, many: u64) {
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(60) {
            self.receive(source, 0);
            if self.counts(dead).0 == many {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(self.counts(dead).0, many, "they did not die: {:?} are left", self.counts(source));
    }
}

impl Drop for Queues {
    fn drop(&mut self) {
        for name in self.made.take() {
            _ = self.runtime.block_on(self.client.delete_queue().queue_url(self.url(&name)).send());
        }
    }
}
