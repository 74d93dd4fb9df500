//! The archive: a file of messages as a queue. The reference backend.

use super::registry::Backend;
use super::{Error, Kind};

/// The line of the registry.
pub static BACKEND: Backend = Backend {
    name: "archive",
    prefixes: &["file:"],
    form: "file:PATH",
    has_query: false,
    creates: true,
    understand: |base, _| Ok((base.to_owned(), base.to_owned())),
    source: |_, _| Box::pin(async { Err(Error::new(Kind::Other, "")) }),
    sink: |_, _| Box::pin(async { Err(Error::new(Kind::Other, "")) }),
    describe: Vec::new,
};
