//! The journal: what runs were begun, how they ended, and which sends are not finished, so that a run that was killed can be
//! taken up again and a run that went wrong can be looked at later.
//!
//! One SQLite file in the state directory. A send is written before it is made, again when its confirmation is in, and goes
//! when the message is removed; whatever is still written after a crash is what is not known.

mod claims;
mod ledger;
mod lock;
mod record;
mod rows;
mod store;
mod writer;

pub use claims::{Claim, Claims};
pub use ledger::{Entry, Ledger, Row};
pub use lock::Locks;
pub use record::{Begun, Record, Standing, Unfinished};
pub use store::Journal;
pub use writer::{RunJournal, Trouble, Troubled};
