//! Apache Kafka, a real one.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use dlq::message::Value;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;

use super::fixture::Fixture;
use super::servers;

pub struct Cluster {
    url: String,
    run: String,
    made: AtomicU32,
}

/// A fixture of topics with one partition, so that there is one order; none where no cluster is running, unless required.
pub fn topic() -> Option<Cluster> {
    let url = servers::kafka()?;
    let run = format!("{:x}", std::time::SystemTime::UNIX_EPOCH.elapsed().expect("after 1970").as_nanos());
    Some(Cluster { url, run, made: AtomicU32::new(0) })
}

impl Cluster {
    fn name(&self, n: u32) -> String {
        format!("conformance.{}.{n}", self.run)
    }

    /// Runs on a thread of its own, so that a fixture can be made and dropped inside a test's runtime.
    fn with_admin<T: Send>(&self, work: impl AsyncFnOnce(AdminClient<DefaultClientContext>) -> T + Send) -> T {
        let servers = self.url.trim_start_matches("kafka://");
        std::thread::scope(|scope| {
            let run = || {
                let admin = ClientConfig::new().set("bootstrap.servers", servers).create().expect("connect to Kafka");
                futures::executor::block_on(work(admin))
            };
            scope.spawn(run).join().expect("the fixture's thread")
        })
    }
}

impl Fixture for Cluster {
    fn empty_queue(&self) -> String {
        let name = self.name(self.made.fetch_add(1, Ordering::Relaxed));
        self.with_admin(async |admin| {
            let topic = NewTopic::new(&name, 1, TopicReplication::Fixed(1)).set("max.message.bytes", "16777216");
            let made = admin.create_topics([&topic], &AdminOptions::new()).await.expect("create");
            made[0].as_ref().expect("created");
            let (patience, began) = (Duration::from_secs(60), Instant::now());
            while admin.inner().fetch_watermarks(&name, 0, patience).is_err() {
                assert!(began.elapsed() < patience, "the new topic turns up");
            }
        });
        format!("{}/{name}", self.url)
    }

    fn absent_queue(&self) -> String {
        format!("{}/conformance.absent.{}", self.url, self.run)
    }

    fn carries(&self, value: &Value) -> bool {
        matches!(value, Value::Bytes(_) | Value::Null)
    }

    fn sink_creates(&self) -> bool {
        false
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let made = self.made.load(Ordering::Relaxed);
        if made == 0 || std::thread::panicking() {
            return;
        }
        let names: Vec<String> = (0..made).map(|n| self.name(n)).collect();
        self.with_admin(async |admin| {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            admin.delete_topics(&names, &AdminOptions::new()).await.expect("delete");
        });
    }
}
