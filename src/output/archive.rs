//! Exact archive lines.

use super::Look;
use crate::broker::Result;
use crate::message::{DeadLetter, archive};
use crate::ui::visible;

/// One line with a fresh id, and its line break. On a terminal some characters are `\uXXXX`, which is the same JSON.
///
/// # Errors
/// `Rejected` where the message nests deeper than an archive can hold.
pub fn write(m: &DeadLetter, look: &Look, out: &mut Vec<u8>) -> Result<()> {
    let line = archive::fresh_line_id();
    if !look.tty {
        return archive::write(&line, m, out);
    }
    let mut bytes = Vec::new();
    archive::write(&line, m, &mut bytes)?;
    out.extend_from_slice(&visible::json(&bytes, look.utf8));
    Ok(())
}
