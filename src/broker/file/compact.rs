//! Carries removals out: the lines that stay are written to a new file, byte for byte, which then takes the old one's place.
//! A crash between any two steps leaves an archive that reads the same.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead as _, BufReader, BufWriter, Read, Write};
use std::path::Path;

use super::address::{beside, is_zst};
use super::blocks::{Blocks, Broken};
use super::error;
use super::lock::{private, stamp};
use super::removed::{Removed, SideLog, recover, remove, sync_directory};
use crate::broker::{Error, Kind, Result};
use crate::message::archive::Parser;

/// Which lines go.
pub(super) enum Gone {
    /// Those the side log names.
    Logged,
    /// All there are.
    All,
}

/// What a compaction did.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Compacted {
    /// Lines that went.
    pub(super) gone: u64,
}

/// All steps. Nothing happens where nothing is to be removed. Only under the lock.
pub(super) fn run(archive: &Path, log: &mut SideLog, gone: Gone) -> Result<Compacted> {
    let removed = recover(archive)?;
    if matches!(gone, Gone::Logged) && removed.is_empty() {
        remove(&beside(archive, ".removed"))?;
        return Ok(Compacted { gone: 0 });
    }
    let new = rewrite(archive, &removed, &gone)?;
    log.announce(new.stamp)?;
    swap(archive, &new)?;
    clean(archive)?;
    Ok(Compacted { gone: new.gone })
}

/// A new file, written and synced, not yet in place.
pub(super) struct Rewritten {
    pub(super) stamp: u64,
    /// Of the old file, as it was read.
    length: u64,
    gone: u64,
}

/// First step.
pub(super) fn rewrite(archive: &Path, removed: &Removed, gone: &Gone) -> Result<Rewritten> {
    let failed = |e| error::io("read", archive, e);
    let old = File::open(archive).map_err(failed)?;
    let about = old.metadata().map_err(failed)?;
    let path = beside(archive, ".compact");
    let written = |e| error::io("write", &path, e);
    let new = private(OpenOptions::new().write(true).create_new(true)).open(&path).map_err(written)?;
    let result = (|| {
        new.set_permissions(about.permissions()).map_err(written)?;
        let (kept, count) = if is_zst(archive) {
            let mut out = zstd::Encoder::new(BufWriter::new(&new), zstd::DEFAULT_COMPRESSION_LEVEL).map_err(written)?;
            out.include_checksum(true).map_err(written)?;
            let counts = sift(&old, archive, about.len(), removed, gone, &mut out)?;
            out.finish().and_then(|mut out| out.flush()).map_err(written)?;
            counts
        } else {
            let mut out = BufWriter::with_capacity(1 << 18, &new);
            let counts = sift(&old, archive, about.len(), removed, gone, &mut out)?;
            out.flush().map_err(written)?;
            counts
        };
        if kept == 0 {
            new.set_len(0).map_err(written)?;
        }
        new.sync_all().map_err(written)?;
        Ok(Rewritten { stamp: stamp(&new).map_err(written)?, length: about.len(), gone: count })
    })();
    if result.is_err() {
        remove(&path)?;
    }
    result
}

/// Writes what stays and counts bytes kept and lines gone.
fn sift(
    old: &File,
    archive: &Path,
    length: u64,
    removed: &Removed,
    gone: &Gone,
    out: &mut dyn Write,
) -> Result<(u64, u64)> {
    let mut blocks = Blocks::new(decoded(old.take(length), archive)?);
    let mut parser = Parser::default();
    let (mut kept, mut count) = (0, 0);
    while let Some(block) = blocks.next().map_err(|e| unreadable(archive, e))? {
        for line in block.lines() {
            let held = removed.holds(line.at, || parser.parse(line.text()).ok().map(|l| l.message.identity));
            match gone {
                Gone::Logged if held => count += 1,
                Gone::Logged => {
                    kept += line.whole.len() as u64;
                    out.write_all(line.whole).map_err(|e| error::io("write", &beside(archive, ".compact"), e))?;
                }
                Gone::All => count += u64::from(!held && !line.is_blank()),
            }
        }
    }
    Ok((kept, count))
}

/// Last but one: the new file takes the place of the old one.
pub(super) fn swap(archive: &Path, new: &Rewritten) -> Result<()> {
    let failed = |e| error::io("replace", archive, e);
    // Someone who takes no lock may have appended meanwhile; the side log goes on doing its work then.
    if fs::metadata(archive).map_err(failed)?.len() != new.length {
        remove(&beside(archive, ".compact"))?;
        return Err(Error::new(Kind::Held, format!("something that takes no lock appends to {}", archive.display())));
    }
    fs::rename(beside(archive, ".compact"), archive).map_err(failed)?;
    sync_directory(archive).map_err(failed)
}

/// Last: the side log has done its work.
pub(super) fn clean(archive: &Path) -> Result<()> {
    remove(&beside(archive, ".removed"))?;
    sync_directory(archive).map_err(|e| error::io("tidy up beside", archive, e))
}

/// Uncompressed where the archive's name says that it is compressed.
pub(super) fn decoded<'a>(input: impl Read + Send + 'a, archive: &Path) -> Result<Box<dyn Read + Send + 'a>> {
    if !is_zst(archive) {
        return Ok(Box::new(input));
    }
    let failed = |e| error::io("uncompress", archive, e);
    let mut input = BufReader::with_capacity(zstd::Decoder::<&[u8]>::recommended_output_size(), input);
    // An empty file is an empty archive, though not a frame.
    if input.fill_buf().map_err(failed)?.is_empty() {
        return Ok(Box::new(input));
    }
    Ok(Box::new(zstd::Decoder::with_buffer(input).map_err(failed)?))
}

fn unreadable(archive: &Path, broken: Broken) -> Error {
    match broken {
        Broken::TooLong(n) => Error::new(Kind::Corrupt, format!("{}, line {n}: too long", archive.display())),
        Broken::Io(_, e) => error::io("read", archive, e),
    }
}
