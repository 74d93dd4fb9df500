//! The command against a real Kafka.
#![allow(missing_docs, clippy::unwrap_used)]

mod cluster;
mod killing;
mod looking;
mod network;
mod purging;
mod replaying;
#[path = "../support/sandbox.rs"]
mod sandbox;
#[path = "../support/servers.rs"]
mod servers;
mod share_groups;
