//! Counts the lines of an archive without parsing them.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use super::blocks::{Blocks, Broken};
use super::compact::decoded;
use super::error;
use super::lock::is_held;
use super::removed::Removed;
use crate::broker::{Error, Kind, Result};
use crate::message::archive::Parser;

/// How many lines of the first `length` bytes are not removed. A last line without a line break counts if it is whole.
pub(super) fn count(file: &File, archive: &Path, length: u64, removed: &Removed) -> Result<u64> {
    let mut blocks = Blocks::new(decoded(file.take(length), archive)?);
    let mut parser = Parser::default();
    let mut count = 0;
    loop {
        let block = match blocks.next() {
            Ok(Some(block)) => block,
            Ok(None) => return Ok(count),
            // Someone may be in the middle of writing the last frame; else it is damaged, and what it held is not known.
            Err(Broken::Io(_, e)) if e.kind() == std::io::ErrorKind::UnexpectedEof && is_held(archive) => {
                return Ok(count);
            }
            Err(Broken::Io(number, e)) => {
                return Err(
                    Error::new(Kind::Io, format!("{}, line {number}: cannot read on", archive.display())).because(e)
                );
            }
            Err(Broken::TooLong(_)) => continue,
        };
        for line in block.lines().filter(|l| !l.is_blank()) {
            let mut identity = || parser.parse(line.text()).ok().map(|l| l.message.identity);
            let torn = line.open && identity().is_none();
            count += u64::from(!torn && !removed.holds(line.at, identity));
        }
    }
}

/// The archive and what is removed from it, as of one moment.
pub(super) fn open_with_removed(archive: &Path) -> Result<(File, u64, Removed)> {
    loop {
        let failed = |e| error::io("open", archive, e);
        let file = File::open(archive).map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        let removed = Removed::load(archive, super::lock::stamp(&file).map_err(failed)?)?;
        // A compaction in between would have taken the side log away that belongs to the file just opened.
        if super::lock::same(&file, archive) {
            return Ok((file, length, removed));
        }
    }
}
