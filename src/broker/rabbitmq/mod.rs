//! RabbitMQ: classic and quorum queues, and streams for reading.

pub mod address;
mod capabilities;
pub mod codec;
pub mod connect;
pub mod credentials;
mod depth;
pub mod error;
mod facts;
mod hazard;
mod held;
mod ledger;
pub mod management;
mod order;
pub mod queue_info;
mod reader;
mod rescue;
mod scan;
mod settle;
mod source;
mod stream;
pub mod strip;
mod tls;
pub mod topology;
mod window;
mod wire;

use super::registry::Backend;
use super::{Error, Kind};

/// The line of the registry.
pub static BACKEND: Backend = Backend {
    name: "RabbitMQ",
    prefixes: &["amqp://", "amqps://"],
    form: address::FORM,
    has_query: true,
    understand: address::understand,
    source: |address, ctx| Box::pin(source::open(address, ctx)),
    sink: |_, _| Box::pin(async { Err(Error::new(Kind::Unsupported, "RabbitMQ queues cannot be sent to yet")) }),
    describe: capabilities::describe,
};
