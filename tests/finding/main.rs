//! Finding dead-letter queues, and watching them, with the real binary on real servers.
#![allow(missing_docs, clippy::unwrap_used)]

#[path = "../kafka/cluster.rs"]
#[allow(dead_code, reason = "a part of it is used here")]
mod cluster;
#[path = "../support/fake_aws/mod.rs"]
mod fake_aws;
mod management;
mod on_kafka;
mod on_rabbitmq;
mod on_sqs;
mod proxy;
mod readme;
#[path = "../support/sandbox.rs"]
mod sandbox;
#[path = "../support/servers.rs"]
mod servers;
#[path = "../support/sqs_client.rs"]
mod sqs_client;
mod watching;

use sandbox::Ran;
use serde_json::Value;

/// The rows of `-o jsonl`.
fn rows(ran: &Ran) -> Vec<Value> {
    ran.stdout().lines().map(|l| serde_json::from_str(l).unwrap()).collect()
}

/// The row of the queue whose address ends like this.
fn row<'a>(rows: &'a [Value], end: &str) -> &'a Value {
    let found = rows.iter().find(|r| r["queue"].as_str().unwrap().ends_with(end));
    found.unwrap_or_else(|| panic!("no {end} in {rows:#?}"))
}
