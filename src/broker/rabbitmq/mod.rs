//! RabbitMQ: classic and quorum queues, and streams for reading.

pub mod address;
mod capabilities;
pub mod codec;
pub mod connect;
pub mod credentials;
mod culprit;
mod depth;
pub mod error;
mod facts;
mod finish;
pub mod fit;
mod hazard;
mod held;
mod ledger;
mod letter;
pub mod lookup;
pub mod management;
mod order;
mod policies;
mod pump;
pub mod queue_info;
mod reader;
mod rescue;
mod returns;
mod scan;
mod settle;
pub mod sink;
mod source;
mod stream;
pub mod strip;
mod tls;
pub mod topology;
mod window;
mod wire;

use super::registry::Backend;

/// The line of the registry.
pub static BACKEND: Backend = Backend {
    name: "RabbitMQ",
    prefixes: &["amqp://", "amqps://"],
    form: address::FORM,
    has_query: true,
    creates: false,
    strip: strip::strip,
    understand: address::understand,
    source: |address, ctx| Box::pin(source::open(address, ctx)),
    sink: |address, ctx| Box::pin(sink::open(address, ctx)),
    describe: capabilities::describe,
};

/// `1 look`, `3 looks`.
fn number(n: u64, one: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") }
}
