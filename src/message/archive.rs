//! The archive line: exact.

use bytes::Bytes;

use super::DeadLetter;
use crate::broker::Result;

/// One line of an archive.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Unique in the world, so that archives can be concatenated.
    pub line: String,
    /// The message.
    pub message: DeadLetter,
}

/// Parses one line, without its line break.
///
/// # Errors
/// `Corrupt`, saying what is wrong; for a view line the hint names `-o archive`.
pub fn parse(line: &Bytes) -> Result<Line> {
    let _ = line;
    Err(crate::broker::Error::new(crate::broker::Kind::Corrupt, "not an archive line"))
}

/// Appends one line and its line break.
pub fn write(line: &str, m: &DeadLetter, out: &mut Vec<u8>) {
    let _ = (line, m, out);
}

/// A fresh line id.
pub fn fresh_line_id() -> String {
    String::new()
}
