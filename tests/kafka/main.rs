//! The command against a real Kafka.
#![allow(missing_docs, clippy::unwrap_used)]

mod absent;
mod acls;
mod altering;
mod cluster;
mod copying;
mod elsewhere;
mod groups;
mod killing;
mod leftovers;
mod logins;
mod looking;
mod network;
mod node;
mod oauth;
mod permissions;
mod planning;
#[path = "../support/plans.rs"]
mod plans;
mod purging;
mod replaying;
#[path = "../support/sandbox.rs"]
mod sandbox;
mod second_cluster;
#[path = "../support/servers.rs"]
mod servers;
mod share_groups;
mod sleeping;
mod timestamps;
mod together;
