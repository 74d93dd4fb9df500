//! The archive line: exact. One JSON object a line, from which the very same message can be made again.
//!
//! A field is `[name, type, value]`, so that order, repeats and types survive; an element of an array is `[type, value]`. Text that
//! is UTF-8 is a JSON string and anything else is `{"base64":"…"}`. Integers beyond 2^53 and all floats are written as
//! strings, because other JSON tools round them.

mod cursor;
mod read;
mod tag;
#[cfg(test)]
mod tests;
mod write;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use super::DeadLetter;
use crate::broker::Result;

pub use read::Parser;
pub use write::{check, write};

/// The version of the line format this program writes, and the only one it reads.
pub const VERSION: u64 = 1;

/// What every line begins with that this program writes.
pub const BEGINNING: &[u8] = b"{\"v\":1,\"line\":";

/// How deep tables, arrays and labels may nest. RabbitMQ's own tools stop far below; a hostile line must not exhaust the stack.
pub const MAX_DEPTH: usize = 256;

/// One line of an archive.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Unique in the world, so that archives can be concatenated.
    pub line: String,
    /// The message.
    pub message: DeadLetter,
}

/// Parses one line, without its line break. For many lines keep a [`Parser`].
///
/// # Errors
/// `Corrupt`, saying what is wrong; for a view line the hint names `-o archive`.
pub fn parse(line: &[u8]) -> Result<Line> {
    Parser::default().parse(line)
}

/// A fresh line id: 128 bits, random for each process and counted on from there.
pub fn fresh_line_id() -> String {
    static START: OnceLock<u128> = OnceLock::new();
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let start = *START.get_or_init(rand::random::<u128>);
    let mut rest = start.wrapping_add(u128::from(NEXT.fetch_add(1, Ordering::Relaxed)));
    let mut text = [0_u8; 26];
    for place in text.iter_mut().rev() {
        *place = b"0123456789abcdefghjkmnpqrstvwxyz"[(rest & 31) as usize];
        rest >>= 5;
    }
    text.iter().map(|b| char::from(*b)).collect()
}
