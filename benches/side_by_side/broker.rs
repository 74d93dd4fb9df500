//! The RabbitMQ everything is moved within: queues made, filled, counted and removed.

use std::collections::HashMap;
use std::path::Path;
use std::process::{Command, Stdio};

use futures::future::{join_all, try_join_all};
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::{AMQPValue, FieldTable, LongString};
use lapin::{Channel, Connection};
use tokio::runtime::Runtime;

use super::{Result, messages, say};

/// Messages issued together when a queue is filled.
const CHUNK: u64 = 500;

/// A connected server.
pub struct Broker {
    /// `amqp://guest:guest@127.0.0.1:5672`.
    pub url: String,
    /// `http://127.0.0.1:15672`.
    pub management: String,
    runtime: Runtime,
    connection: Connection,
    channel: Channel,
}

impl Broker {
    /// The server the environment names, or the one that tests/brokers/up starts.
    pub fn open() -> Result<Broker> {
        let (url, management) = match (variable("URL"), variable("MANAGEMENT")) {
            (Some(url), Some(management)) => (url, management),
            _ => started()?,
        };
        let runtime = Runtime::new()?;
        let (connection, channel) = runtime.block_on(async {
            let connection = Connection::connect(&format!("{url}/%2f"), Default::default()).await?;
            let channel = connection.create_channel().await?;
            channel.confirm_select(ConfirmSelectOptions::default()).await?;
            Ok::<_, lapin::Error>((connection, channel))
        })?;
        Ok(Broker { url, management, runtime, connection, channel })
    }

    /// A durable queue.
    pub fn declare(&self, queue: &str, kind: &str) -> Result {
        let mut arguments = FieldTable::default();
        arguments.insert("x-queue-type".into(), AMQPValue::LongString(LongString::from(kind)));
        let options = QueueDeclareOptions { durable: true, ..Default::default() };
        self.runtime.block_on(self.channel.queue_declare(queue.into(), options, arguments))?;
        Ok(())
    }

    /// Puts the first `many` messages there, confirmed.
    pub fn fill(&self, queue: &str, many: u64) -> Result {
        self.runtime.block_on(async {
            let mut sent = vec![];
            for start in (0..many).step_by(CHUNK as usize) {
                let chunk = (start..many.min(start + CHUNK)).map(|n| async move {
                    let options = BasicPublishOptions { mandatory: true, ..Default::default() };
                    let (body, properties) = (messages::body(n), messages::properties(n));
                    self.channel.basic_publish("".into(), queue.into(), options, body.as_bytes(), properties).await
                });
                sent.extend(try_join_all(chunk).await?);
            }
            for confirmed in join_all(sent).await {
                if confirmed?.is_nack() {
                    return Err(format!("{queue} refused a message").into());
                }
            }
            let there = self.counted(queue).await?;
            if there == many { Ok(()) } else { Err(format!("{queue} has {there} of {many} messages").into()) }
        })
    }

    /// Messages ready there, from the queue itself: the management API's numbers are seconds old.
    pub fn count(&self, queue: &str) -> Result<u64> {
        self.runtime.block_on(self.counted(queue))
    }

    async fn counted(&self, queue: &str) -> Result<u64> {
        let options = QueueDeclareOptions { passive: true, ..Default::default() };
        let declared = self.channel.queue_declare(queue.into(), options, FieldTable::default()).await?;
        Ok(declared.message_count().into())
    }

    /// Removes the queue and tells how many messages went with it, which nobody holds any more.
    pub fn delete(&self, queue: &str) -> Result<u64> {
        let deleting = self.channel.queue_delete(queue.into(), QueueDeleteOptions::default());
        Ok(self.runtime.block_on(deleting)?.into())
    }

    pub fn close(self) -> Result {
        Ok(self.runtime.block_on(self.connection.close(200, "done".into()))?)
    }
}

fn variable(name: &str) -> Option<String> {
    let value = std::env::var(format!("DLQ_TEST_RABBITMQ_43_{name}")).ok()?;
    Some(value.trim_end_matches('/').to_owned())
}

/// Addresses printed by the script that starts the servers of the tests; it leaves alone what runs already.
fn started() -> Result<(String, String)> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/brokers/up");
    say("DLQ_TEST_RABBITMQ_43_URL is not set: tests/brokers/up starts servers, tests/brokers/down stops them");
    let said = Command::new(script).stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
    if !said.status.success() {
        return Err("tests/brokers/up failed".into());
    }
    let said = String::from_utf8(said.stdout)?;
    let lines = said.lines().filter_map(|l| l.strip_prefix("export ")?.split_once('='));
    let variables: HashMap<&str, &str> = lines.collect();
    let named = |name: &str| {
        let name = format!("DLQ_TEST_RABBITMQ_43_{name}");
        variables.get(name.as_str()).map(|v| (*v).to_owned()).ok_or(format!("tests/brokers/up gave no {name}"))
    };
    Ok((named("URL")?, named("MANAGEMENT")?))
}
