//! Amazon SNS: topics, standard and FIFO, as places to send to.

pub mod address;
mod capabilities;
mod connect;
mod fit;
mod sender;
mod sink;
mod topic;

use super::registry::Backend;
use super::{Error, Kind};

/// The line of the registry.
pub static BACKEND: Backend = Backend {
    name: "SNS",
    prefixes: &["sns:"],
    form: address::FORM,
    has_query: true,
    environment: super::aws::ENVIRONMENT,
    can_create: None,
    strip: |_| Vec::new(),
    understand: address::understand,
    check_options: address::check_options,
    source: |address, _| {
        let text = format!("{address} is a topic, which keeps no messages: it is a place to send to");
        Box::pin(async move {
            Err(Error::new(Kind::Unsupported, text).hint("read one of the queues that are subscribed to it"))
        })
    },
    sink: |address, ctx| Box::pin(sink::open(address, ctx)),
    // Nothing is read from a topic.
    list: None,
    at_once: 16,
    describe: Vec::new,
};
