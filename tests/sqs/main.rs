//! What an on-call engineer does, with the real binary on a real ElasticMQ.
#![allow(missing_docs, clippy::unwrap_used)]

mod altering;
mod bad_input;
mod deaths;
mod fifo;
mod incident;
mod planning;
mod queues;
#[path = "../support/sandbox.rs"]
mod sandbox;
#[path = "../support/servers.rs"]
mod servers;
#[path = "../support/sqs_client.rs"]
mod sqs_client;
mod verbs;
