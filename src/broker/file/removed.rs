//! The side log: which lines of an archive are removed, until compaction carries it out.
//!
//! A record is 16 hex digits and a line break: where the line begins and some bits of its id's hash, in one number. The
//! place tells twins apart (someone concatenated an archive with itself, and only one of the two was settled); the bits
//! keep a record from hitting another line after the file was changed by hand. A record that begins with `z` says
//! which file was about to take the archive's place: once it has, the records before it are carried out.
//!
//! Records count up to the first that is not whole: what follows it was never confirmed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use super::address::{beside, folder};
use super::error;
use super::lock::{private, stamp};
use crate::broker::{Error, Kind, Result};
use crate::message::Identity;

const RECORD: usize = 17;
const CHECK_BITS: u32 = 22;
/// A stamp has one digit less than a record, for the `z`.
const STAMP_BITS: u64 = u64::MAX >> 4;

/// The number that stands for one line: its token while a scan is under way, its record once it is removed.
///
/// # Errors
/// `Unsupported` beyond 4 TiB.
pub(super) fn token(at: u64, identity: Identity) -> Result<u64> {
    let (Identity::Exact(hash) | Identity::Like(hash)) = identity;
    if at >= 1 << (64 - CHECK_BITS) {
        return Err(Error::new(Kind::Unsupported, "archives are read up to 4 TiB").hint("split it between lines"));
    }
    Ok(at << CHECK_BITS | (hash as u64 & ((1 << CHECK_BITS) - 1)))
}

/// The removed lines of an archive, in order.
#[derive(Debug, Default)]
pub(super) struct Removed {
    tokens: Vec<u64>,
    /// Length of the whole records.
    length: u64,
    /// What they say is carried out already.
    pub(super) spent: bool,
}

impl Removed {
    /// Loads what belongs to the archive whose file has this stamp.
    pub(super) fn load(archive: &Path, stamp: u64) -> Result<Removed> {
        let path = beside(archive, ".removed");
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Removed::default()),
            Err(e) => return Err(error::io("read", &path, e)),
        };
        let mut all = Removed::default();
        let mut input = BufReader::with_capacity(1 << 16, file);
        let mut record = [0; RECORD];
        loop {
            match input.read_exact(&mut record) {
                Ok(()) => {}
                Err(e) if e.kind() == ErrorKind::UnexpectedEof => break,
                Err(e) => return Err(error::io("read", &path, e)),
            }
            let Some((swap, number)) = parse(&record) else {
                if all.length == 0 && record[0] == b'{' {
                    return Err(foreign(archive, &path));
                }
                break;
            };
            if swap {
                all.spent = number == stamp & STAMP_BITS;
            } else {
                all.tokens.push(number);
            }
            all.length += RECORD as u64;
        }
        if all.spent {
            all.tokens.clear();
        }
        all.tokens.sort_unstable();
        all.tokens.dedup();
        Ok(all)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    pub(super) fn len(&self) -> u64 {
        self.tokens.len() as u64
    }

    /// Whether the line that begins at `at` is removed. `identity` is asked only where a record has that place.
    pub(super) fn holds(&self, at: u64, identity: impl FnOnce() -> Option<Identity>) -> bool {
        let first = self.tokens.partition_point(|t| t >> CHECK_BITS < at);
        let mut here = self.tokens[first..].iter().take_while(|t| **t >> CHECK_BITS == at).peekable();
        if here.peek().is_none() {
            return false;
        }
        let token = identity().and_then(|id| token(at, id).ok());
        here.any(|t| Some(*t) == token)
    }
}

/// Someone keeps an archive where the side log belongs; opening the log to write would destroy it.
fn foreign(archive: &Path, path: &Path) -> Error {
    let text = format!("{} is not the list of what was removed from {}", path.display(), archive.display());
    Error::new(Kind::Corrupt, text).hint("it looks like an archive: give it another name")
}

fn parse(record: &[u8; RECORD]) -> Option<(bool, u64)> {
    let (digits, end) = record.split_at(RECORD - 1);
    let (swap, digits) = match digits.strip_prefix(b"z") {
        Some(rest) => (true, rest),
        None => (false, digits),
    };
    let plain = end == b"\n" && digits.iter().all(|d| matches!(d, b'0'..=b'9' | b'a'..=b'f'));
    let number = u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    plain.then_some((swap, number))
}

/// The side log, open for more. Only under the lock.
#[derive(Debug)]
pub(super) struct SideLog {
    path: PathBuf,
    file: Option<File>,
    length: u64,
    broken: bool,
}

impl SideLog {
    /// Tidies up after a run that died, then opens; the file is created by the first record.
    pub(super) fn open(archive: &Path) -> Result<SideLog> {
        let removed = recover(archive)?;
        Ok(SideLog { path: beside(archive, ".removed"), file: None, length: removed.length, broken: false })
    }

    /// Appends and syncs. On an error none of these lines counts as removed, unless its kind is `Indeterminate`.
    pub(super) fn append(&mut self, tokens: &[u64]) -> Result<()> {
        let mut text = Vec::with_capacity(tokens.len() * RECORD);
        for token in tokens {
            writeln!(text, "{token:016x}").expect("a Vec takes every write");
        }
        self.write(&text)
    }

    /// Says that the file of this stamp is about to take the archive's place.
    pub(super) fn announce(&mut self, stamp: u64) -> Result<()> {
        self.write(format!("z{:015x}\n", stamp & STAMP_BITS).as_bytes())
    }

    fn write(&mut self, text: &[u8]) -> Result<()> {
        if self.broken {
            return Err(Error::new(
                Kind::Io,
                format!("{} failed earlier and is no longer written", self.path.display()),
            ));
        }
        let path = &self.path;
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(create(path, self.length).map_err(|e| error::io("open", path, e))?),
        };
        if let Err(e) = file.write_all(text) {
            self.broken = file.set_len(self.length).is_err();
            return Err(error::io("write", path, e));
        }
        if let Err(e) = file.sync_data() {
            self.broken = true;
            let text = format!("cannot make {} durable: whether the removals in it hold is not known", path.display());
            return Err(Error::new(Kind::Indeterminate, text).because(e));
        }
        self.length += text.len() as u64;
        Ok(())
    }
}

fn create(path: &Path, length: u64) -> io::Result<File> {
    let new = !path.exists();
    let file = private(OpenOptions::new().append(true).create(true)).open(path)?;
    // A record that was torn would make all that follow unreadable.
    file.set_len(length)?;
    if new {
        sync_directory(path)?;
    }
    Ok(file)
}

/// Finishes what a run that died left behind: a compaction that is carried out, or one that never was. Only under the
/// lock.
pub(super) fn recover(archive: &Path) -> Result<Removed> {
    let removed = match File::open(archive) {
        Ok(file) => Removed::load(archive, stamp(&file).map_err(|e| error::io("look at", archive, e))?)?,
        // Of an archive that is gone there is nothing left to remove, and a new one must not suffer for it.
        Err(e) if e.kind() == ErrorKind::NotFound => Removed { spent: true, ..Removed::default() },
        Err(e) => return Err(error::io("open", archive, e)),
    };
    remove(&beside(archive, ".compact"))?;
    if removed.spent {
        remove(&beside(archive, ".removed"))?;
        return Ok(Removed::default());
    }
    Ok(removed)
}

/// Removes a file that may not be there.
pub(super) fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(error::io("remove", path, e)),
        _ => Ok(()),
    }
}

/// Makes creation, renaming and removal of `path` durable.
pub(super) fn sync_directory(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    File::open(folder(path))?.sync_all()?;
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}
