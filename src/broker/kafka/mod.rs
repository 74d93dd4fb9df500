//! Apache Kafka: a topic as a dead-letter queue.
//!
//! Reading takes part in no consumer group: partitions are read by position, so that looking leaves no trace.

pub mod address;
mod capabilities;
mod config;
mod connect;
mod depth;
mod error;
mod facts;
mod fence;
mod fit;
mod gather;
mod held;
mod letter;
mod mover;
mod offsets;
mod originals;
mod produce;
mod reader;
mod resolved;
mod scan;
mod sink;
mod source;
mod strip;
mod sys;
mod take;
mod trim;

use super::registry::Backend;

/// The line of the registry.
pub static BACKEND: Backend = Backend {
    name: "Kafka",
    prefixes: &["kafka://"],
    form: address::FORM,
    has_query: true,
    creates: false,
    strip: strip::strip,
    understand: address::understand,
    source: |address, context| Box::pin(source::open(address, context)),
    sink: |address, context| Box::pin(sink::open(address, context)),
    describe: || vec![capabilities::TOPIC],
};
