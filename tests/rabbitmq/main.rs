//! What an on-call engineer does, with the real binary on real RabbitMQ servers.
#![allow(missing_docs, clippy::unwrap_used)]

mod alarms;
mod altering;
mod bad_input;
#[allow(dead_code, reason = "other test programs share it")]
mod broker;
mod canary;
mod channels;
mod consumer;
mod deaths;
mod destinations;
mod network;
mod planning;
#[path = "../support/plans.rs"]
mod plans;
mod relocating;
mod runs;
#[path = "../support/sandbox.rs"]
mod sandbox;
mod secrets;
#[path = "../support/servers.rs"]
mod servers;
mod stopping;
