//! Where lines are written to: a file that is never left with half a batch, or a stream.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::address::{canonical, folder, is_zst, not_a_side_file};
use super::blocks::{Blocks, Broken, LONGEST};
use super::compact::decoded;
use super::error;
use super::lock::{Lock, private};
use super::removed::{recover, sync_directory};
use crate::broker::{Error, Kind, Result};
use crate::message::archive;

/// A place for whole lines.
pub(super) trait Store: Send {
    /// Appends all of it, or nothing.
    fn append(&mut self, lines: &[u8]) -> Result<()>;
    /// Makes durable what was appended.
    fn sync(&mut self) -> Result<()>;
    /// Whether what was synced stays. A pipe's reader may never have read it.
    fn keeps(&self) -> bool;
}

/// A regular file under its lock.
pub(super) struct FileStore {
    path: PathBuf,
    file: Option<File>,
    zst: bool,
    /// The last line that is there lacks its line break.
    open_line: bool,
    broken: bool,
    _lock: Lock,
}

impl FileStore {
    /// Locks, looks at what is there, creates nothing.
    pub(super) fn open(path: PathBuf) -> Result<FileStore> {
        not_a_side_file(&path)?;
        let lock = Lock::acquire(&path)?;
        recover(&path)?;
        let mut store =
            FileStore { zst: is_zst(&path), path, file: None, open_line: false, broken: false, _lock: lock };
        if store.path.exists() {
            let failed = |e| error::io("write", &store.path, e);
            let file = OpenOptions::new().read(true).append(true).open(&store.path).map_err(failed)?;
            let length = file.metadata().map_err(failed)?.len();
            store.open_line = if store.zst {
                last_line_of_zst(&file, &store.path, length)?
            } else {
                last_line(&file, &store.path, length)?
            };
            store.file = Some(file);
        }
        Ok(store)
    }

    fn file(&mut self) -> Result<&mut File> {
        let FileStore { file, path, .. } = self;
        if let Some(file) = file {
            return Ok(file);
        }
        let created = private(OpenOptions::new().read(true).append(true).create_new(true))
            .open(&*path)
            .and_then(|file| sync_directory(path).map(|()| file))
            .map_err(|e| error::io("create", path, e))?;
        Ok(file.insert(created))
    }
}

impl Store for FileStore {
    fn append(&mut self, lines: &[u8]) -> Result<()> {
        if self.broken {
            return Err(failed_earlier(Kind::Io, &self.path));
        }
        let prefix: &[u8] = if self.open_line && !lines.is_empty() { b"\n" } else { b"" };
        let packed;
        let parts = if self.zst && !lines.is_empty() {
            packed = pack(&[prefix, lines].concat()).map_err(|e| error::io("compress for", &self.path, e))?;
            [packed.as_slice(), b""]
        } else {
            [prefix, lines]
        };
        let mut left_over = false;
        let file = self.file()?;
        let before = file.metadata().map(|about| about.len());
        let written = before.and_then(|before| {
            parts.iter().try_for_each(|part| file.write_all(part)).inspect_err(|_| {
                // Half a line would make an archive that cannot be read.
                left_over = file.set_len(before).is_err();
            })
        });
        if let Err(e) = written {
            self.broken = left_over;
            return Err(error::io("write", &self.path, e));
        }
        self.open_line &= lines.is_empty();
        Ok(())
    }

    fn sync(&mut self) -> Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        file.sync_data().map_err(|e| {
            // After a failed sync the kernel may forget what it could not write: asking again proves nothing.
            self.broken = true;
            let text =
                format!("cannot make {} durable: whether the last lines are in it is not known", self.path.display());
            Error::new(Kind::Indeterminate, text).because(e)
        })
    }

    fn keeps(&self) -> bool {
        true
    }
}

fn pack(lines: &[u8]) -> io::Result<Vec<u8>> {
    let mut packer = zstd::bulk::Compressor::new(zstd::DEFAULT_COMPRESSION_LEVEL)?;
    packer.include_checksum(true)?;
    packer.compress(lines)
}

/// Whether the last line lacks its line break though it is whole. A torn one is refused, and so is a file that is no
/// archive at all.
fn last_line(mut file: &File, path: &Path, length: u64) -> Result<bool> {
    const STEP: u64 = 1 << 16;
    let failed = |e| error::io("read", path, e);
    let mut tail: Vec<u8> = Vec::new();
    let mut start = length;
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
    whole(&tail).map_err(|(torn, why)| {
        let error = refuse(path, torn, &why);
        if !torn {
            return error;
        }
        error.hint(format!("an earlier writer did not finish it: `truncate -s {start} {}` cuts it off", path.display()))
    })
}

/// The same, for which all of it has to be uncompressed.
fn last_line_of_zst(file: &File, path: &Path, length: u64) -> Result<bool> {
    let mend = |(torn, why): (bool, String)| {
        let shown = path.display();
        refuse(path, torn, &why)
            .hint(format!("`dlq copy --skip-bad-lines file:{shown} file:NEW.zst` saves what is whole"))
    };
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

/// Whether a line break has to be added; or whether the line is torn, and what is wrong with it.
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

fn failed_earlier(kind: Kind, path: &Path) -> Error {
    Error::new(kind, format!("{} failed earlier and is no longer written", path.display()))
}

/// A device, a named pipe, standard output: nothing to lock, to truncate or to look at.
pub(super) struct StreamStore {
    path: PathBuf,
    out: Box<dyn Write + Send>,
    /// A file behind standard output, which can be made durable.
    file: Option<File>,
    /// Half a batch was written, and why no more: what came behind it could not be read.
    broken: Option<Kind>,
}

impl StreamStore {
    pub(super) fn new(path: PathBuf, out: impl Write + Send + 'static) -> StreamStore {
        StreamStore { path, out: Box::new(out), file: None, broken: None }
    }

    pub(super) fn stdout() -> StreamStore {
        let path = PathBuf::from("standard output");
        match unbuffered() {
            Some((out, file)) => StreamStore { file, ..StreamStore::new(path, out) },
            None => StreamStore::new(path, io::stdout()),
        }
    }

    /// Says how much was written before it failed.
    fn write(&mut self, mut lines: &[u8]) -> std::result::Result<(), (usize, io::Error)> {
        let all = lines.len();
        while !lines.is_empty() {
            match self.out.write(lines) {
                Ok(0) => return Err((all - lines.len(), io::ErrorKind::WriteZero.into())),
                Ok(n) => lines = &lines[n..],
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err((all - lines.len(), e)),
            }
        }
        self.out.flush().map_err(|e| (all, e))
    }
}

/// Standard output without the buffer, out of which what failed would come later; and the file it was redirected into.
#[cfg(unix)]
fn unbuffered() -> Option<(File, Option<File>)> {
    use std::os::fd::AsFd as _;
    let out = File::from(io::stdout().as_fd().try_clone_to_owned().ok()?);
    let file = out.metadata().is_ok_and(|about| about.is_file());
    let file = if file { out.try_clone().ok() } else { None };
    Some((out, file))
}

#[cfg(not(unix))]
fn unbuffered() -> Option<(File, Option<File>)> {
    None
}

impl Store for StreamStore {
    fn append(&mut self, lines: &[u8]) -> Result<()> {
        if let Some(kind) = self.broken {
            return Err(failed_earlier(kind, &self.path));
        }
        self.write(lines).map_err(|(written, e)| {
            let e = error::io("write", &self.path, e);
            self.broken = (written > 0).then_some(e.kind());
            e
        })
    }

    fn sync(&mut self) -> Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        file.sync_data().map_err(|e| Error::new(Kind::Indeterminate, "cannot make standard output durable").because(e))
    }

    fn keeps(&self) -> bool {
        self.file.is_some()
    }
}

/// The store of a path that is there or can be.
pub(super) fn open(path: &Path) -> Result<Box<dyn Store>> {
    match fs::metadata(path) {
        Ok(about) if about.is_dir() => {
            let text = format!("{} is a directory, and an archive is a file", path.display());
            Err(Error::new(Kind::Usage, text).hint(format!("name a file in it: file:{}/dead.ndjson", path.display())))
        }
        Ok(about) if !about.is_file() => {
            let file = OpenOptions::new().write(true).open(path).map_err(|e| error::io("write", path, e))?;
            Ok(Box::new(StreamStore::new(path.to_owned(), file)))
        }
        Ok(_) => Ok(Box::new(FileStore::open(canonical(path))?)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            let parent = folder(path);
            if !parent.is_dir() {
                let text = format!("there is no directory {} to write an archive to", parent.display());
                return Err(
                    Error::new(Kind::NotFound, text).hint("create it first: nothing but the archive itself is created")
                );
            }
            Ok(Box::new(FileStore::open(canonical(path))?))
        }
        Err(e) => Err(error::io("open", path, e)),
    }
}
