//! Where bytes go to and answers come from: the process's own streams, or memory.

use std::io::{self, BufRead, Write};
use std::sync::{Arc, Mutex};

use super::lock;

/// Where answers come from.
pub(super) enum Input {
    /// The terminal in front of the user, which need not be standard input.
    Terminal,
    /// Given.
    Given(Box<dyn BufRead + Send>),
}

/// What was printed, when it was printed to memory.
#[derive(Clone, Default)]
pub struct Captured {
    out: Shared,
    err: Shared,
}

impl Captured {
    /// Standard output so far.
    pub fn stdout(&self) -> Vec<u8> {
        lock(&self.out.0).clone()
    }

    /// Standard error so far.
    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&lock(&self.err.0)).into_owned()
    }

    pub(super) fn streams(&self) -> (Box<dyn Write + Send>, Box<dyn Write + Send>) {
        (Box::new(self.out.clone()), Box::new(self.err.clone()))
    }
}

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        lock(&self.0).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
