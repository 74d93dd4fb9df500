//! One writer at a time. The lock is a file beside the archive, because compaction puts another file in the archive's place.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::address::beside;
use super::error;
use crate::broker::{Error, Kind, Result};

/// Held until dropped, by this process or its death.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
    path: PathBuf,
}

/// A reader that asks whether someone writes holds the lock for an instant; that must not turn a writer away.
const ATTEMPTS: u32 = 5;

impl Lock {
    /// Takes the lock of `archive`.
    ///
    /// # Errors
    /// `Held`, naming the process that has it.
    pub(super) fn acquire(archive: &Path) -> Result<Lock> {
        let path = beside(archive, ".lock");
        let mut attempt = 0;
        loop {
            let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
            if opened.is_err() && is_held(archive) {
                return Err(held(archive, &std::fs::read_to_string(&path).unwrap_or_default()));
            }
            let file = opened.map_err(|e| {
                error::io("lock the archive with", &path, e)
                    .hint("changing an archive needs write permission in its directory")
            })?;
            match file.try_lock() {
                // The holder before us may have removed the file between our open and our lock.
                Ok(()) if !same(&file, &path) => continue,
                Ok(()) => {
                    let mut lock = Lock { file, path };
                    lock.sign().map_err(|e| error::io("write", &lock.path, e))?;
                    return Ok(lock);
                }
                Err(TryLockError::WouldBlock) if attempt < ATTEMPTS => {
                    attempt += 1;
                    std::thread::sleep(Duration::from_millis(20));
                }
                Err(TryLockError::WouldBlock) => {
                    let mut pid = String::new();
                    let _ = (&file).read_to_string(&mut pid);
                    return Err(held(archive, &pid));
                }
                Err(TryLockError::Error(e)) => return Err(error::io("lock", &path, e)),
            }
        }
    }

    /// Writes down who holds it.
    fn sign(&mut self) -> std::io::Result<()> {
        self.file.set_len(0)?;
        self.file.rewind()?;
        write!(self.file, "{}", std::process::id())
    }
}

/// Refuses a second one.
pub(super) fn held(archive: &Path, pid: &str) -> Error {
    let who = match pid.parse::<u32>() {
        Ok(pid) if pid == std::process::id() => "this very run".to_owned(),
        Ok(pid) => format!("process {pid}"),
        Err(_) => "another process".to_owned(),
    };
    Error::new(Kind::Held, format!("{} is being changed by {who}", archive.display()))
        .during("locking the archive")
        .hint("wait until it is done; reading needs no lock")
}

impl Drop for Lock {
    fn drop(&mut self) {
        // While it is still locked: whoever opened it meanwhile sees that it is gone and begins anew.
        let _ = fs::remove_file(&self.path);
        let _ = self.file.unlock();
    }
}

/// Whether someone may be writing to `archive` now.
pub(super) fn is_held(archive: &Path) -> bool {
    File::open(beside(archive, ".lock")).is_ok_and(|f| matches!(f.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// Bodies may be private.
pub(super) fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

/// Tells a file from the one that took its place.
pub(super) fn stamp(file: &File) -> std::io::Result<u64> {
    let about = file.metadata()?;
    #[cfg(unix)]
    return Ok(std::os::unix::fs::MetadataExt::ino(&about));
    #[cfg(not(unix))]
    return Ok(about.len());
}

/// Whether `path` still names `file`.
pub(super) fn same(file: &File, path: &Path) -> bool {
    match (stamp(file), File::open(path).and_then(|f| stamp(&f))) {
        (Ok(a), Ok(b)) => a == b,
        _ => false,
    }
}
