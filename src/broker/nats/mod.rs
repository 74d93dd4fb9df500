//! NATS JetStream: streams, and the messages that a consumer gave up on.

pub mod address;
mod advisories;
pub mod api;
mod can;
mod capabilities;
pub mod codec;
pub mod connect;
mod depth;
pub mod error;
pub mod fit;
mod gauge;
mod list;
mod newest;
mod pump;
mod reader;
mod scan;
mod settle;
mod sink;
mod source;
mod stream;
pub mod strip;
mod walk;

pub use advisories::{GivenUp, read as given_up};

use super::registry::Backend;

/// The line of the registry.
pub static BACKEND: Backend = Backend {
    name: "NATS",
    prefixes: &["nats://", "tls://"],
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

/// `1 message`, `3 messages`.
fn number(n: u64, one: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") }
}
