//! RabbitMQ: classic and quorum queues, and streams for reading.

pub mod address;
mod can;
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
pub mod gauge;
mod hazard;
mod held;
mod ledger;
mod letter;
mod list;
pub mod lookup;
pub mod management;
mod order;
mod paths;
mod policies;
mod pump;
pub mod queue_info;
mod reader;
mod rescue;
mod returns;
mod room;
mod scan;
mod settle;
pub mod sink;
mod source;
mod stream;
pub mod strip;
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
    environment: &[],
    can_create: None,
    strip: strip::strip,
    understand: address::understand,
    check_options: |address| address.only_options(address::OPTIONS),
    source: |address, ctx| Box::pin(source::open(address, ctx)),
    sink: |address, ctx| Box::pin(sink::open(address, ctx)),
    list: Some(&list::LISTER),
    at_once: 16,
    describe: capabilities::describe,
};

/// `1 look`, `3 looks`.
fn number(n: u64, one: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") }
}
