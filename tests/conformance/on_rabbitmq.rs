//! RabbitMQ, a real one.

use std::sync::atomic::{AtomicU32, Ordering};

use dlq::message::Value;
use lapin::options::{QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::{AMQPValue, FieldTable};

use super::fixture::Fixture;
use super::servers;

pub struct Server {
    url: String,
    /// How quorum queues of versions that count every return say what their limit is.
    management: String,
    kind: &'static str,
    run: String,
    made: AtomicU32,
}

/// A fixture for one kind of queue of one version; none where that server is not running, unless it is required.
pub fn queue(version: &str, kind: &'static str) -> Option<Server> {
    let servers::Server { url, management } = servers::server(version)?;
    let run = format!("{:x}", std::time::SystemTime::UNIX_EPOCH.elapsed().expect("after 1970").as_nanos());
    Some(Server { url, management, kind, run, made: AtomicU32::new(0) })
}

impl Server {
    fn name(&self, n: u32) -> String {
        format!("conformance.{}.{}.{n}", self.kind, self.run)
    }

    /// Runs on a thread of its own, so that a fixture can be made and dropped inside a test's runtime.
    fn with_channel<T: Send>(&self, work: impl AsyncFnOnce(lapin::Channel) -> T + Send) -> T {
        let url = format!("{}/%2f", self.url);
        std::thread::scope(|scope| {
            let run = || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
                runtime.block_on(async {
                    let connection =
                        lapin::Connection::connect(&url, Default::default()).await.expect("connect to RabbitMQ");
                    let channel = connection.create_channel().await.expect("channel");
                    let done = work(channel.clone()).await;
                    channel.close(200, "done".into()).await.expect("close the channel");
                    connection.close(200, "done".into()).await.expect("close");
                    done
                })
            };
            scope.spawn(run).join().expect("the fixture's thread")
        })
    }
}

impl Fixture for Server {
    fn empty_queue(&self) -> String {
        let name = self.name(self.made.fetch_add(1, Ordering::Relaxed));
        let mut arguments = FieldTable::default();
        arguments.insert("x-queue-type".into(), AMQPValue::LongString(self.kind.into()));
        self.with_channel(async |channel| {
            let options = QueueDeclareOptions { durable: true, ..Default::default() };
            channel.queue_declare(name.as_str().into(), options, arguments).await.expect("declare");
        });
        format!("{}/{name}?management={}", self.url, self.management)
    }

    fn absent_queue(&self) -> String {
        format!("{}/conformance.absent.{}", self.url, self.run)
    }

    fn carries(&self, value: &Value) -> bool {
        if self.kind == "stream" {
            // A stream keeps AMQP 1.0 messages: arrays and tables are dropped on the way in, byte arrays become strings, and a
            // decimal ends the connection with INTERNAL_ERROR (4.3.6).
            let dropped = matches!(value, Value::Array(_) | Value::Table(_) | Value::Bytes(_) | Value::Decimal { .. });
            if dropped {
                return false;
            }
        }
        match value {
            Value::U64(_) | Value::Number(_) | Value::Labelled(..) => false,
            // The broker turns short strings inside tables into long ones on no version; it refuses none either, but an
            // AMQP 0-9-1 table of RabbitMQ has no such type.
            Value::ShortText(_) => false,

            Value::Array(vs) => vs.iter().all(|v| self.carries(v)),
            Value::Table(t) => t.iter().all(|(_, v)| self.carries(v)),
            _ => true,
        }
    }

    fn sink_creates(&self) -> bool {
        false
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let made = self.made.load(Ordering::Relaxed);
        if made == 0 || std::thread::panicking() {
            return;
        }
        let names: Vec<String> = (0..made).map(|n| self.name(n)).collect();
        self.with_channel(async |channel| {
            for name in names {
                channel.queue_delete(name.into(), QueueDeleteOptions::default()).await.expect("delete");
            }
        });
    }
}
