//! The archive: a file of messages as a queue. The reference backend.
//!
//! Four files belong to `PATH`, each there only while it is needed: `PATH` itself, `PATH.lock` while someone may change
//! it, `PATH.removed` between a removal and the compaction that carries it out, `PATH.compact` while that is written. And
//! one is left to the user: `PATH.torn`, what a writer that was stopped had written of its last line.

mod address;
mod blocks;
mod can;
mod capabilities;
mod compact;
mod count;
mod error;
mod frames;
mod list;
mod lock;
mod pipe;
mod removed;
mod scan;
mod settle;
mod sink;
mod source;
mod store;
#[cfg(test)]
mod tests;
mod torn;
mod writer;

use super::registry::Backend;

/// The line of the registry.
pub static BACKEND: Backend = Backend {
    name: "archive",
    prefixes: &["file:"],
    form: "file:PATH",
    has_query: false,
    environment: &[],
    can_create: Some(|address, load| Box::pin(can::write(address, load))),
    strip: source::strip,
    understand: address::understand,
    check_options: |address| address.only_options(&[]),
    source: |address, context| Box::pin(source::open(address, context)),
    sink: |address, context| Box::pin(sink::open(address, context)),
    list: Some(&list::LISTER),
    at_once: 16,
    describe: || vec![capabilities::FILE, capabilities::PIPE],
};
