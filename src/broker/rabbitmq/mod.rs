//! RabbitMQ: classic and quorum queues, and streams for reading.

use super::registry::Backend;
use super::{Error, Kind};

/// The line of the registry.
pub static BACKEND: Backend = Backend {
    name: "RabbitMQ",
    prefixes: &["amqp://", "amqps://"],
    form: "amqp://[USER[:PASS]@]HOST[:PORT]/[VHOST/]QUEUE",
    has_query: true,
    understand: |base, _| Ok((base.to_owned(), base.to_owned())),
    source: |_, _| Box::pin(async { Err(Error::new(Kind::Other, "")) }),
    sink: |_, _| Box::pin(async { Err(Error::new(Kind::Other, "")) }),
    describe: Vec::new,
};
