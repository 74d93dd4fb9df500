//! Apache Kafka: a topic as a dead-letter queue.
//!
//! Reading takes part in no consumer group: partitions are read by position, so that looking leaves no trace.

pub mod address;
mod batches;
mod can;
mod capabilities;
mod clues;
mod config;
mod connect;
mod depth;
mod error;
mod facts;
mod fence;
mod fit;
mod gather;
mod gauge;
mod groups;
mod held;
mod kept;
mod leftover;
mod letter;
mod list;
mod login;
mod look_back;
mod met;
mod mover;
mod oauth;
mod offsets;
mod ordered;
mod originals;
mod produce;
mod pump;
mod reader;
mod resolved;
mod scan;
mod sink;
mod source;
mod spent;
mod spill;
mod strip;
mod sys;
mod take;
mod together;
mod told;
mod trim;
mod unseen;

use super::registry::Backend;

/// The line of the registry.
pub static BACKEND: Backend = Backend {
    name: "Kafka",
    prefixes: &["kafka://"],
    form: address::FORM,
    has_query: true,
    environment: &[],
    can_create: None,
    strip: strip::strip,
    understand: address::understand,
    check_options: config::check_options,
    source: |address, context| Box::pin(source::open(address, context)),
    sink: |address, context| Box::pin(sink::open(address, context)),
    list: Some(&list::LISTER),
    // Its client makes one question of many.
    at_once: 64,
    describe: || vec![capabilities::TOPIC],
};
