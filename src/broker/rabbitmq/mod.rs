//! RabbitMQ: classic and quorum queues, and streams for reading.

pub mod address;
pub mod codec;
pub mod connect;
pub mod credentials;
mod culprit;
pub mod error;
pub mod fit;
mod letter;
pub mod management;
mod pump;
pub mod queue_info;
mod returns;
pub mod sink;
pub mod strip;
mod tls;
pub mod topology;
mod wire;

use super::registry::Backend;
use super::{Error, Kind};

/// The line of the registry.
pub static BACKEND: Backend = Backend {
    name: "RabbitMQ",
    prefixes: &["amqp://", "amqps://"],
    form: address::FORM,
    has_query: true,
    creates: false,
    strip: strip::strip,
    understand: address::understand,
    source: |_, _| Box::pin(async { Err(Error::new(Kind::Unsupported, "RabbitMQ queues cannot be read from yet")) }),
    sink: |address, ctx| Box::pin(sink::open(address, ctx)),
    describe: Vec::new,
};
