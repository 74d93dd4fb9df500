//! One file a verb.

use crate::exit::Exit;

/// Runs the command line of this process.
pub fn main() -> Exit {
    Exit::Done
}
