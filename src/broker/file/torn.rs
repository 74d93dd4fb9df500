//! How an archive ends, and what is done with a piece that a writer left there which was stopped in the middle.
//!
//! What it had not finished it had not confirmed either, so the message is still where it came from. The piece is put
//! aside all the same: first it is in `PATH.torn`, then the archive is cut behind its last whole line. A crash in between
//! puts it there once more.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use super::address::{beside, is_zst};
use super::blocks::{Blocks, Broken, LONGEST};
use super::compact::decoded;
use super::lock::private;
use super::removed::sync_directory;
use super::{error, frames};
use crate::broker::{Error, Kind, Result};
use crate::message::archive;
use crate::output::human;

/// The end of an archive.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Tail {
    /// Bytes of the file up to the end of its last whole line, or frame.
    pub(super) keep: u64,
    /// Bytes behind them, of a line or a frame that was not finished.
    pub(super) torn: u64,
    /// The last whole line lacks its line break.
    pub(super) open_line: bool,
}

impl Tail {
    /// Looks at the first `length` bytes of a file; a compressed one is read to its end.
    ///
    /// # Errors
    /// `Corrupt` where the last line is no archive line, and not the beginning of one that this program writes: whoever
    /// wrote it may need it where it is.
    pub(super) fn of(file: &File, path: &Path, length: u64) -> Result<Tail> {
        if !is_zst(path) {
            return of_lines(file, path, length);
        }
        let mut tail = of_frames(file, path, length)?;
        tail.open_line = last_line_of_zst(file, path, tail.keep)?;
        Ok(tail)
    }

    /// The same, but of a compressed one only whether its last frame was cut short.
    pub(super) fn at_a_glance(file: &File, path: &Path) -> Result<Tail> {
        let length = file.metadata().map_err(|e| error::io("read", path, e))?.len();
        if is_zst(path) { of_frames(file, path, length) } else { of_lines(file, path, length) }
    }

    pub(super) fn is_torn(&self) -> bool {
        self.torn > 0
    }

    /// What was done with the torn piece.
    pub(super) fn told(&self, path: &Path) -> String {
        format!("{}: it is put aside in {}", self.found(path, "was"), beside(path, ".torn").display())
    }

    /// What is going to be done with it.
    pub(super) fn foretold(&self, path: &Path) -> String {
        let aside = beside(path, ".torn");
        let found = self.found(path, "is");
        format!("{found}: it will be put aside in {} before anything is written behind it", aside.display())
    }

    fn found(&self, path: &Path, tense: &str) -> String {
        let what = if is_zst(path) { "frame" } else { "line" };
        let bytes = human::counted(self.torn, "byte");
        format!("the last {what} of {} {tense} torn ({bytes}, by a writer that was stopped)", path.display())
    }

    /// Adds the torn piece to `PATH.torn`, and when it is safe there cuts it off; to be synced. Only under the lock.
    ///
    /// # Errors
    /// `Held` where someone who takes no lock has written since; else what the file system says, and the piece is where it
    /// was.
    pub(super) fn put_aside(&self, file: &File, archive: &Path) -> Result<()> {
        let length = file.metadata().map_err(|e| error::io("read", archive, e))?.len();
        if length != self.keep + self.torn {
            let text = format!("something that takes no lock writes to {}", archive.display());
            return Err(Error::new(Kind::Held, text));
        }
        self.save(file, archive)?;
        file.set_len(self.keep).map_err(|e| error::io("cut", archive, e))
    }

    /// First step.
    pub(super) fn save(&self, file: &File, archive: &Path) -> Result<()> {
        let path = beside(archive, ".torn");
        let failed = |e| error::io("write", &path, e);
        let mut aside = private(OpenOptions::new().read(true).append(true).create(true)).open(&path).map_err(failed)?;
        let before = aside.metadata().map_err(failed)?.len();
        let saved = self.pour(file, &mut aside, before, is_zst(archive)).and_then(|()| aside.sync_all());
        if let Err(e) = saved {
            // Nobody misses it: the archive still has all of it.
            let _ = if before == 0 { fs::remove_file(&path) } else { aside.set_len(before) };
            return Err(failed(e));
        }
        sync_directory(&path).map_err(failed)
    }

    fn pour(&self, mut file: &File, aside: &mut File, before: u64, zst: bool) -> io::Result<()> {
        // Pieces of lines stand in lines of their own; frames are told apart by how they begin.
        if !zst && before > 0 {
            let mut last = [0];
            aside.seek(SeekFrom::End(-1))?;
            aside.read_exact(&mut last)?;
            if last != *b"\n" {
                aside.write_all(b"\n")?;
            }
        }
        file.seek(SeekFrom::Start(self.keep))?;
        if io::copy(&mut file.take(self.torn), aside)? < self.torn {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if zst { Ok(()) } else { aside.write_all(b"\n") }
    }
}

fn of_frames(file: &File, path: &Path, length: u64) -> Result<Tail> {
    let cut = frames::cut_short(file, length).map_err(|e| error::io("read", path, e))?;
    let keep = cut.unwrap_or(length);
    Ok(Tail { keep, torn: length - keep, open_line: false })
}

fn of_lines(file: &File, path: &Path, length: u64) -> Result<Tail> {
    let (start, last) = last_line(file, path, length)?;
    let (open, why) = match whole(&last) {
        Ok(open_line) => return Ok(Tail { keep: length, torn: 0, open_line }),
        Err(wrong) => wrong,
    };
    let before = last_line(file, path, start)?.1;
    // Of a text of someone else's only the last line may look like one of ours.
    if !open || whole(&before).is_err() {
        return Err(refuse(path, false, &why));
    }
    if last.starts_with(archive::BEGINNING) || archive::BEGINNING.starts_with(&last) {
        return Ok(Tail { keep: start, torn: length - start, open_line: false });
    }
    if before.trim_ascii().is_empty() {
        return Err(refuse(path, false, &why));
    }
    let hint = format!("an earlier writer did not finish it: `truncate -s {start} {}` cuts it off", path.display());
    Err(refuse(path, true, &why).hint(hint))
}

/// The last line of the first `end` bytes that is not blank, with what blank ones follow it, and where it begins.
fn last_line(mut file: &File, path: &Path, end: u64) -> Result<(u64, Vec<u8>)> {
    const STEP: u64 = 1 << 16;
    let failed = |e| error::io("read", path, e);
    let mut tail: Vec<u8> = Vec::new();
    let mut start = end;
    while start > 0 && tail.len() <= LONGEST {
        let from = start.saturating_sub(STEP);
        let mut part = vec![0; usize::try_from(start - from).unwrap_or(0)];
        file.seek(SeekFrom::Start(from)).and_then(|_| file.read_exact(&mut part)).map_err(failed)?;
        part.append(&mut tail);
        tail = part;
        start = from;
        let text = tail.trim_ascii_end().len();
        if let Some(end) = memchr::memrchr(b'\n', &tail[..text]) {
            start += end as u64 + 1;
            tail.drain(..=end);
            break;
        }
    }
    Ok((start, tail))
}

/// Whether the last line lacks its line break, for which all of the first `length` bytes have to be uncompressed.
fn last_line_of_zst(mut file: &File, path: &Path, length: u64) -> Result<bool> {
    let mend = |(torn, why): (bool, String)| {
        let shown = path.display();
        refuse(path, torn, &why)
            .hint(format!("`dlq copy --skip-bad-lines file:{shown} file:NEW.zst` saves what is whole"))
    };
    file.rewind().map_err(|e| error::io("read", path, e))?;
    let mut blocks = Blocks::new(decoded(file.take(length), path)?);
    let mut last = Vec::new();
    loop {
        match blocks.next() {
            Ok(None) => return whole(&last).map_err(mend),
            Ok(Some(block)) => {
                if let Some(line) = block.lines().filter(|l| !l.is_blank()).last() {
                    last = line.whole.to_vec();
                }
            }
            Err(Broken::TooLong(_)) => {}
            Err(Broken::Io(_, e)) => return Err(mend((true, e.to_string()))),
        }
    }
}

/// Whether a line break has to be added; or whether the line has none, and what is wrong with it.
fn whole(last: &[u8]) -> std::result::Result<bool, (bool, String)> {
    let open = !last.ends_with(b"\n") && !last.is_empty();
    let text = last.trim_ascii_end();
    if text.is_empty() {
        return Ok(open);
    }
    archive::parse(text).map(|_| open).map_err(|e| (open, e.to_string()))
}

fn refuse(path: &Path, torn: bool, why: &str) -> Error {
    let what = if torn { "is torn" } else { "is not one of an archive" };
    let text = format!("the last line of {} {what}, and nothing is appended behind it: {why}", path.display());
    Error::new(Kind::Corrupt, text).during("opening the archive")
}
