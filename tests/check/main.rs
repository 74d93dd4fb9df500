//! `depth`, `check`, `can-i` and names, over many queues of several real brokers and of brokers that fail.

mod bounded;
mod brokers;
mod failing;
#[path = "../support/fake_aws/mod.rs"]
mod fake_aws;
mod looking;
mod names;
#[path = "../support/sandbox.rs"]
mod sandbox;
#[path = "../support/servers.rs"]
mod servers;
#[path = "../support/sqs_client.rs"]
mod sqs_client;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lapin::options::{BasicPublishOptions, QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Connection, ConnectionProperties};

/// Part of a name that nobody else has.
pub fn unique() -> String {
    format!("{:x}", SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_nanos())
}

/// Classic queues on a RabbitMQ, which go with this.
pub struct Queues {
    /// Where they are.
    pub server: servers::Server,
    /// Their names.
    pub names: Vec<String>,
}

impl Queues {
    /// The n-th has n messages.
    pub fn new(many: usize) -> Option<Queues> {
        let server = servers::server("43")?;
        let run = unique();
        let names: Vec<String> = (0..many).map(|n| format!("check.{run}.{n}")).collect();
        blocking(async {
            let connection = connect(&server.url).await;
            let channel = connection.create_channel().await.expect("a channel");
            for (n, name) in names.iter().enumerate() {
                let options = QueueDeclareOptions { durable: true, ..Default::default() };
                channel.queue_declare(name.as_str().into(), options, FieldTable::default()).await.expect("a queue");
                for _ in 0..n {
                    let options = BasicPublishOptions::default();
                    let sent = channel.basic_publish(
                        "".into(),
                        name.as_str().into(),
                        options,
                        b"{}",
                        BasicProperties::default(),
                    );
                    sent.await.expect("published").await.expect("sent");
                }
            }
            connection.close(200, "done".into()).await.expect("closed");
        });
        Some(Queues { server, names })
    }

    /// Of the n-th, with the password.
    pub fn address(&self, n: usize) -> String {
        format!("{}/{}?management={}", self.server.url, self.names[n], self.server.management)
    }
}

impl Drop for Queues {
    fn drop(&mut self) {
        blocking(async {
            let connection = connect(&self.server.url).await;
            let channel = connection.create_channel().await.expect("a channel");
            for name in &self.names {
                _ = channel.queue_delete(name.as_str().into(), QueueDeleteOptions::default()).await;
            }
        });
    }
}

async fn connect(url: &str) -> Connection {
    Connection::connect(url, ConnectionProperties::default()).await.expect("connect to RabbitMQ")
}

/// Runs what is asynchronous.
pub fn blocking<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime").block_on(work)
}

/// Something that listens and never says a word.
pub fn silent() -> (std::net::TcpListener, u16) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    (listener, port)
}

/// Those that `can-i` can be asked of.
pub const VERBS: [&str; 12] =
    ["inspect", "filter", "sample", "stats", "replay", "redrive", "copy", "move", "purge", "depth", "check", "watch"];

/// What is far less than `--timeout` for each of several queues would come to.
pub const SOON: Duration = Duration::from_secs(30);
