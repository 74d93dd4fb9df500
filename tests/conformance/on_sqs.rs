//! SQS, as ElasticMQ has it.

use std::sync::atomic::{AtomicU32, Ordering};

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName;
use dlq::message::Value;

use super::fixture::Fixture;
use super::{servers, sqs_client};

pub struct Queues {
    endpoint: String,
    suffix: &'static str,
    run: String,
    made: AtomicU32,
}

/// A fixture for one kind of queue; none where no server is running, unless it is required.
pub fn queues(suffix: &'static str) -> Option<Queues> {
    let endpoint = servers::elasticmq()?;
    let run = format!("{:x}", std::time::SystemTime::UNIX_EPOCH.elapsed().expect("after 1970").as_nanos());
    Some(Queues { endpoint, suffix, run, made: AtomicU32::new(0) })
}

impl Queues {
    fn name(&self, n: u32) -> String {
        format!("conformance-{}-{n}{}", self.run, self.suffix)
    }

    fn url(&self, name: &str) -> String {
        format!("{}/000000000000/{name}", self.endpoint)
    }

    /// Runs on a thread of its own, so that a fixture can be made and dropped inside a test's runtime.
    fn with_client<T: Send>(&self, work: impl AsyncFnOnce(Client) -> T + Send) -> T {
        std::thread::scope(|scope| {
            let run = || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
                runtime.block_on(work(sqs_client::client(&self.endpoint)))
            };
            scope.spawn(run).join().expect("the fixture's thread")
        })
    }
}

impl Fixture for Queues {
    fn empty_queue(&self) -> String {
        let name = self.name(self.made.fetch_add(1, Ordering::Relaxed));
        self.with_client(async |client| {
            let mut create = client.create_queue().queue_name(&name);
            if !self.suffix.is_empty() {
                create = create.attributes(QueueAttributeName::FifoQueue, "true");
            }
            create.send().await.expect("create");
        });
        format!("{}?sign=no", self.url(&name))
    }

    fn absent_queue(&self) -> String {
        format!("{}?sign=no", self.url(&format!("absent-{}{}", self.run, self.suffix)))
    }

    fn carries(&self, value: &Value) -> bool {
        match value {
            Value::Text(b) => std::str::from_utf8(b).is_ok(),
            Value::Number(_) | Value::Bytes(_) => true,
            _ => false,
        }
    }

    fn sink_creates(&self) -> bool {
        false
    }

    fn carries_payload(&self, payload: &[u8]) -> bool {
        let xml =
            |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
        let text = std::str::from_utf8(payload).is_ok_and(|t| t.chars().all(xml));
        text && (1..1 << 20).contains(&payload.len())
    }

    /// Each is a group of its own.
    fn one_lane(&self) -> bool {
        false
    }
}

impl Drop for Queues {
    fn drop(&mut self) {
        let made = self.made.load(Ordering::Relaxed);
        if made == 0 || std::thread::panicking() {
            return;
        }
        let urls: Vec<String> = (0..made).map(|n| self.url(&self.name(n))).collect();
        self.with_client(async |client| {
            for url in urls {
                client.delete_queue().queue_url(url).send().await.expect("delete");
            }
        });
    }
}
