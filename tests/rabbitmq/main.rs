//! What an on-call engineer does, with the real binary on real RabbitMQ servers.
#![allow(missing_docs, clippy::unwrap_used)]

mod alarms;
mod bad_input;
mod broker;
mod deaths;
mod destinations;
mod network;
mod relocating;
#[path = "../support/sandbox.rs"]
mod sandbox;
mod secrets;
#[path = "../support/servers.rs"]
mod servers;
mod stopping;
