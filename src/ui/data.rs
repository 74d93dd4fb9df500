//! Standard output.

use std::io;
use std::time::{Duration, Instant};

use super::{Ui, lock};
use crate::broker::{Error, Kind, Result};

/// Bytes gathered before they are written.
const BLOCK: usize = 64 * 1024;
/// The longest a reader of a pipe waits for bytes that are there, while more keep coming.
const WAIT: Duration = Duration::from_millis(100);

/// The writer of data. What it is given must already be fit for a terminal, which formats see to.
pub struct Data {
    ui: Ui,
    gathered: Vec<u8>,
    written: Instant,
}

impl Data {
    pub(super) fn new(ui: Ui) -> Data {
        Data { ui, gathered: Vec::new(), written: Instant::now() }
    }

    /// Takes bytes; on a terminal they are shown at once.
    ///
    /// # Errors
    /// `ClosedPipe` when the reader has gone, which is no failure; `Io` otherwise.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.gathered.extend_from_slice(bytes);
        let due = self.gathered.len() >= BLOCK || self.written.elapsed() >= WAIT;
        if due || self.ui.terminal().stdout_tty { self.flush() } else { Ok(()) }
    }

    /// Writes what is gathered.
    ///
    /// # Errors
    /// As [`Data::write`].
    pub fn flush(&mut self) -> Result<()> {
        if self.gathered.is_empty() {
            return Ok(());
        }
        let print = || {
            let mut out = lock(&self.ui.0.out);
            out.write_all(&self.gathered).and_then(|()| out.flush())
        };
        // A bar is on standard error; it is in the way only where both are the same screen.
        let result = if self.ui.terminal().stdout_tty { self.ui.above_bar(print) } else { print() };
        self.gathered.clear();
        self.written = Instant::now();
        result.map_err(failed)
    }

    /// Writes the rest. Data that was not finished is not known to have arrived.
    ///
    /// # Errors
    /// As [`Data::write`].
    pub fn finish(mut self) -> Result<()> {
        self.flush()
    }
}

impl Drop for Data {
    /// On the way out of a failure: what was found so far is still shown, and the failure is what counts.
    fn drop(&mut self) {
        _ = self.flush();
    }
}

fn failed(e: io::Error) -> Error {
    match e.kind() {
        io::ErrorKind::BrokenPipe => Error::new(Kind::ClosedPipe, "standard output was closed by its reader"),
        _ => Error::new(Kind::Io, "standard output cannot be written").because(e),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_left_is_not_a_failure_and_a_full_disk_is() {
        assert_eq!(failed(io::ErrorKind::BrokenPipe.into()).kind(), Kind::ClosedPipe);
        assert_eq!(failed(io::ErrorKind::StorageFull.into()).kind(), Kind::Io);
    }
}
