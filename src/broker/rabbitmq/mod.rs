//! RabbitMQ: classic and quorum queues, and streams for reading.

pub mod address;
pub mod codec;
pub mod connect;
pub mod credentials;
pub mod error;
pub mod management;
pub mod queue_info;
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
    understand: address::understand,
    source: |_, _| Box::pin(async { Err(Error::new(Kind::Unsupported, "RabbitMQ queues cannot be read from yet")) }),
    sink: |_, _| Box::pin(async { Err(Error::new(Kind::Unsupported, "RabbitMQ queues cannot be sent to yet")) }),
    describe: Vec::new,
};
