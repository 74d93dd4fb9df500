//! Amazon SQS: standard and FIFO queues.

pub mod address;
pub mod batch;
mod can;
mod capabilities;
pub mod codec;
pub mod connect;
mod depth;
pub mod fit;
pub mod gauge;
mod held;
mod list;
pub mod lookup;
mod md5;
mod progress;
pub mod queue;
mod receiver;
mod scan;
pub mod sender;
mod server_side;
mod settle;
pub mod sink;
mod source;
pub mod strip;

use super::registry::Backend;

/// The line of the registry.
pub static BACKEND: Backend = Backend {
    name: "SQS",
    prefixes: &["sqs://", "arn:", "https://", "http://"],
    form: address::FORM,
    has_query: true,
    environment: super::aws::ENVIRONMENT,
    can_create: None,
    strip: strip::strip,
    understand: address::understand,
    check_options: address::check_options,
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
