//! What the engine writes down of the sends under way.

use futures::future::BoxFuture;

use crate::broker::Result;
use crate::message::{Id, Identity};

/// A message on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its number within the run, which its mark carries.
    pub sequence: u64,
    /// What finds it again in the queue it came from.
    pub identity: Identity,
    /// Its id there, for people.
    pub id: Id,
    /// The destination has confirmed it.
    pub confirmed: bool,
}

/// The sends of one batch, in the place of what was written of it before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// Number of the batch, unique within the run.
    pub batch: u64,
    /// What is not finished of it; none: all of it is.
    pub rows: Vec<Row>,
    /// Messages of an earlier attempt this makes an end of, by their number.
    pub replaces: Vec<u64>,
    /// So many more have arrived at their destination.
    pub arrived: u64,
}

/// Where sends are written. Entries take effect in the order of the calls.
pub trait Ledger: Send + Sync {
    /// Resolves when the entries will survive a loss of power. Makes progress unpolled.
    fn write(&self, entries: Vec<Entry>) -> BoxFuture<'static, Result<()>>;
    /// Writes without anyone waiting for it: should it be lost, no more is done than is done twice or looked at again.
    fn note(&self, entries: Vec<Entry>);
}
