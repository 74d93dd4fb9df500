//! Where lines are written to: a file that is never left with half a batch, or a stream.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::address::{canonical, folder, is_zst, not_a_side_file};
use super::lock::{Lock, private};
use super::removed::{recover, sync_directory};
use super::torn::Tail;
use super::{error, frames};
use crate::broker::{Error, Kind, Result};

/// Who is told what becomes of an archive.
pub(super) type Notice = Arc<dyn Fn(String) + Send + Sync>;

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
    tail: Tail,
    notice: Notice,
    broken: bool,
    _lock: Lock,
}

impl FileStore {
    /// Locks, looks at what is there, creates nothing.
    pub(super) fn open(path: PathBuf, notice: Notice) -> Result<FileStore> {
        not_a_side_file(&path)?;
        let lock = Lock::acquire(&path)?;
        recover(&path)?;
        let zst = is_zst(&path);
        let (mut file, mut tail) = (None, Tail::default());
        if path.exists() {
            let failed = |e| error::io("write", &path, e);
            let there = OpenOptions::new().read(true).append(true).open(&path).map_err(failed)?;
            let length = there.metadata().map_err(failed)?.len();
            tail = Tail::of(&there, &path, length)?;
            file = Some(there);
        }
        Ok(FileStore { path, file, zst, tail, notice, broken: false, _lock: lock })
    }

    /// Makes room behind the last whole line.
    fn mend(&mut self) -> Result<()> {
        if let (Some(file), true) = (&self.file, self.tail.is_torn()) {
            self.tail.put_aside(file, &self.path)?;
            (self.notice)(self.tail.told(&self.path));
            self.tail.torn = 0;
            if let Err(e) = file.sync_all() {
                // As below: whether it is cut for good cannot be learned by asking again.
                self.broken = true;
                return Err(error::io("make durable that a torn piece was cut off from", &self.path, e));
            }
        }
        Ok(())
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
        if !lines.is_empty() {
            self.mend()?;
        }
        let prefix: &[u8] = if self.tail.open_line && !lines.is_empty() { b"\n" } else { b"" };
        let packed;
        let parts = if self.zst && !lines.is_empty() {
            packed = frames::pack(prefix, lines).map_err(|e| error::io("compress for", &self.path, e))?;
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
        self.tail.open_line &= lines.is_empty();
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
pub(super) fn open(path: &Path, notice: Notice) -> Result<Box<dyn Store>> {
    match fs::metadata(path) {
        Ok(about) if about.is_dir() => {
            let text = format!("{} is a directory, and an archive is a file", path.display());
            Err(Error::new(Kind::Usage, text).hint(format!("name a file in it: file:{}/dead.ndjson", path.display())))
        }
        Ok(about) if !about.is_file() => {
            let file = OpenOptions::new().write(true).open(path).map_err(|e| error::io("write", path, e))?;
            Ok(Box::new(StreamStore::new(path.to_owned(), file)))
        }
        Ok(_) => Ok(Box::new(FileStore::open(canonical(path), notice)?)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            let parent = folder(path);
            if !parent.is_dir() {
                let text = format!("there is no directory {} to write an archive to", parent.display());
                return Err(
                    Error::new(Kind::NotFound, text).hint("create it first: nothing but the archive itself is created")
                );
            }
            Ok(Box::new(FileStore::open(canonical(path), notice)?))
        }
        Err(e) => Err(error::io("open", path, e)),
    }
}
