//! The ElasticMQ everything is moved within: queues made, filled, counted and removed.

use std::path::Path;
use std::process::{Command, Stdio};

use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_sqs::types::{MessageAttributeValue, QueueAttributeName, SendMessageBatchRequestEntry};
use futures::{StreamExt, TryStreamExt, stream};
use tokio::runtime::Runtime;

use super::{Result, messages, say};

/// What the environment of every contender has; ElasticMQ checks none of it.
pub const ENVIRONMENT: [(&str, &str); 5] = [
    ("AWS_REGION", "us-east-1"),
    ("AWS_DEFAULT_REGION", "us-east-1"),
    ("AWS_ACCESS_KEY_ID", "bench"),
    ("AWS_SECRET_ACCESS_KEY", "bench"),
    ("AWS_EC2_METADATA_DISABLED", "true"),
];
/// Batches sent together when a queue is filled.
const AT_ONCE: usize = 16;
/// Entries of a batch.
const BATCH: u64 = 10;

/// A connected server.
pub struct ElasticMq {
    /// `http://127.0.0.1:9324`.
    pub url: String,
    pub runtime: Runtime,
    client: Client,
}

impl ElasticMq {
    /// The server the environment names, or the one that tests/brokers/elasticmq.sh starts.
    pub fn open() -> Result<ElasticMq> {
        let url = match std::env::var("DLQ_TEST_ELASTICMQ_URL") {
            Ok(url) => url.trim_end_matches('/').to_owned(),
            Err(_) => started()?,
        };
        let runtime = Runtime::new()?;
        let config = aws_sdk_sqs::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("bench", "bench", None, None, "bench"))
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .endpoint_url(&url)
            .build();
        Ok(ElasticMq { url, runtime, client: Client::from_conf(config) })
    }

    /// A standard queue with the first `many` messages; its URL.
    pub fn queue(&self, name: &str, many: u64) -> Result<String> {
        self.runtime.block_on(async {
            let made = self.client.create_queue().queue_name(name);
            let made = made.attributes(QueueAttributeName::VisibilityTimeout, "60").send().await?;
            let url = made.queue_url().ok_or("a queue without a URL")?.to_owned();
            let batches = (0..many).step_by(BATCH as usize).map(|start| {
                let url = url.clone();
                async move {
                    let entries = (start..many.min(start + BATCH)).map(entry).collect::<Result<Vec<_>>>()?;
                    let wanted = entries.len();
                    let sent =
                        self.client.send_message_batch().queue_url(url).set_entries(Some(entries)).send().await?;
                    if sent.successful().len() < wanted {
                        return Err("a message was refused".into());
                    }
                    Ok::<_, Box<dyn std::error::Error>>(())
                }
            });
            stream::iter(batches).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
            Ok(url)
        })
    }

    /// Messages there, held ones included.
    pub fn count(&self, queue: &str) -> Result<u64> {
        self.runtime.block_on(async {
            let all = [
                QueueAttributeName::ApproximateNumberOfMessages,
                QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
            ];
            let asked = self.client.get_queue_attributes().queue_url(queue).set_attribute_names(Some(all.to_vec()));
            let told = asked.send().await?;
            let counts = told.attributes().into_iter().flat_map(|a| a.values());
            Ok(counts.map(|n| n.parse::<u64>()).sum::<std::result::Result<u64, _>>()?)
        })
    }

    pub fn delete(&self, queue: &str) -> Result {
        self.runtime.block_on(self.client.delete_queue().queue_url(queue).send())?;
        Ok(())
    }
}

fn entry(n: u64) -> Result<SendMessageBatchRequestEntry> {
    let kind = MessageAttributeValue::builder().data_type("String").string_value("OrderPlaced").build()?;
    let entry = SendMessageBatchRequestEntry::builder().id(n.to_string()).message_body(messages::short_body(n));
    Ok(entry.message_attributes("event-type", kind).build()?)
}

fn started() -> Result<String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/brokers/elasticmq.sh");
    say("DLQ_TEST_ELASTICMQ_URL is not set: tests/brokers/elasticmq.sh start and stop the server of the tests");
    let run = |command: &str| -> Result<String> {
        let said = Command::new(&script).arg(command).stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
        let told = String::from_utf8(said.stdout)?;
        if said.status.success() { Ok(told) } else { Err(format!("elasticmq.sh {command} failed").into()) }
    };
    run("start")?;
    let told = run("env")?;
    let url = told.trim().strip_prefix("export DLQ_TEST_ELASTICMQ_URL=").ok_or("elasticmq.sh env gave no address")?;
    Ok(url.to_owned())
}
