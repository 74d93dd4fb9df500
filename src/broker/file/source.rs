//! An archive to read from.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;

use super::address::{canonical, path_of};
use super::compact::{self, Gone};
use super::count::{count, open_with_removed};
use super::lock::{Lock, held, is_held, stamp};
use super::pipe::PipeSource;
use super::removed::SideLog;
use super::scan::{FileScan, Reading};
use super::settle::FileSettler;
use super::{can, capabilities, error};
use crate::broker::capability::{Accuracy, Capabilities};
use crate::broker::{
    Ability, Address, Context, Depth, Error, Finding, Kind, Result, Scan, ScanRequest, Sink, Source, registry,
};
use crate::message::{DeadLetter, Target};

/// Opens `file:PATH` or `-`.
pub(super) async fn open(address: &Address, context: &Context) -> Result<Box<dyn Source>> {
    address.only_options(&[])?;
    let Some(path) = path_of(address) else {
        return Ok(Box::new(PipeSource::stdin(address, context)));
    };
    let exclusive = context.exclusive;
    let (path, lock, pipe) = error::blocking(move || look(&path, exclusive)).await?;
    Ok(match pipe {
        Some(pipe) => Box::new(PipeSource::new(address, context, pipe)),
        None => Box::new(FileSource { address: address.clone(), path, context: context.clone(), lock }),
    })
}

/// Finds the file and takes its lock; what is not a regular file is opened here and now.
fn look(typed: &Path, exclusive: bool) -> Result<(PathBuf, Option<Arc<Lock>>, Option<File>)> {
    let about = match fs::metadata(typed) {
        Ok(about) => about,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Err(error::absent(typed)),
        Err(e) => return Err(error::io("open", typed, e)),
    };
    if about.is_dir() {
        let text = format!("{} is a directory, and an archive is a file", typed.display());
        let hint = format!("dlq list file:{} finds the archives in it", typed.display());
        return Err(Error::new(Kind::Usage, text).during("opening the archive").hint(hint));
    }
    let file = File::open(typed).map_err(|e| error::io("open", typed, e).during("opening the archive"))?;
    if !about.is_file() {
        return Ok((typed.to_owned(), None, Some(file)));
    }
    let path = canonical(typed);
    let lock = if exclusive { Some(Arc::new(Lock::acquire(&path)?)) } else { None };
    Ok((path, lock, None))
}

struct FileSource {
    address: Address,
    path: PathBuf,
    context: Context,
    lock: Option<Arc<Lock>>,
}

impl FileSource {
    /// The lock this source holds already, or else a new one. Two that write one side log would spoil it.
    fn lock(&self) -> Result<Arc<Lock>> {
        match &self.lock {
            Some(lock) if Arc::strong_count(lock) > 1 => Err(held(&self.path, &std::process::id().to_string())),
            Some(lock) => Ok(Arc::clone(lock)),
            None => Lock::acquire(&self.path).map(Arc::new),
        }
    }
}

#[async_trait]
impl Source for FileSource {
    fn address(&self) -> &Address {
        &self.address
    }

    fn capabilities(&self) -> &Capabilities {
        &capabilities::FILE
    }

    fn principal(&self) -> Option<String> {
        None
    }

    async fn depth(&self) -> Result<Depth> {
        let path = self.path.clone();
        let ready = error::blocking(move || {
            let (file, length, removed) = open_with_removed(&path)?;
            count(&file, &path, length, &removed)
        });
        Ok(Depth {
            kind: capabilities::FILE.kind,
            ready: Some(ready.await?),
            in_flight: None,
            delayed: None,
            unresolved: None,
            oldest: None,
            accuracy: Accuracy::Exact,
        })
    }

    async fn can(&self, ability: Ability) -> Vec<Finding> {
        let (path, ours) = (self.path.clone(), self.lock.is_some());
        let found = error::blocking(move || Ok(can::read(&path, ability, ours))).await;
        found.unwrap_or_default()
    }

    async fn origins(&self) -> Result<Vec<Target>> {
        Ok(Vec::new())
    }

    async fn receivers(&self, _: &Target) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    async fn home(&self) -> Result<Box<dyn Sink>> {
        Err(no_home())
    }

    fn strip(&self, m: &mut DeadLetter) -> Vec<String> {
        strip(m)
    }

    async fn scan(&self, request: ScanRequest) -> Result<Box<dyn Scan>> {
        let taking = if request.takes { Some(self.lock()?) } else { None };
        let (path, locked) = (self.path.clone(), taking.is_some() || self.lock.is_some());
        let (log, file, length, removed, growing) = error::blocking(move || {
            let log = if locked && request.takes { Some(SideLog::open(&path)?) } else { None };
            let growing = !locked && is_held(&path);
            let (file, length, removed) = open_with_removed(&path)?;
            Ok((log, file, length, removed, growing))
        })
        .await?;
        let reading = Reading {
            shown: self.path_shown(),
            skip_bad_lines: self.context.skip_bad_lines,
            growing,
            removed,
            stamp: stamp(&file).map_err(|e| error::io("read", &self.path, e))?,
        };
        let input = compact::decoded(file.take(length), &self.path)?;
        let taking = taking.map(|lock| (self.path.clone(), lock));
        Ok(Box::new(FileScan::start(input, reading, &request, FileSettler::new(log), taking)?))
    }

    async fn purge_all(&self) -> Result<Option<u64>> {
        let (path, lock) = (self.path.clone(), self.lock()?);
        let compacted = error::blocking(move || {
            let compacted = compact::run(&path, &mut SideLog::open(&path)?, Gone::All);
            drop(lock);
            compacted
        });
        Ok(Some(compacted.await?.gone))
    }
}

impl FileSource {
    fn path_shown(&self) -> String {
        path_of(&self.address).map_or_else(String::new, |p| p.display().to_string())
    }
}

/// Why a replay out of an archive needs `--to`.
pub(super) fn no_home() -> Error {
    Error::new(Kind::Unsupported, "an archive cannot say which broker its messages belong to")
        .hint("the origin of an archived message is on its broker: say where to send with --to")
}

/// An archive has no bookkeeping of its own; what the broker left on a message that was archived there still comes off.
pub(super) fn strip(m: &mut DeadLetter) -> Vec<String> {
    match registry::of_address(&m.queue) {
        Ok(backend) if backend.name != super::BACKEND.name => (backend.strip)(m),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod strip_tests {
    use super::*;
    use crate::message::Payload;

    #[test]
    fn an_archived_message_loses_what_its_own_broker_left_on_it() {
        let message = |queue: &str| {
            let mut m = DeadLetter::new(queue.into(), Payload::Absent);
            m.headers.push("x-death", "…");
            m
        };
        assert_eq!(strip(&mut message("amqp://host/orders.dlq")), ["x-death"]);
        assert_eq!(strip(&mut message("file:orders.ndjson")), [""; 0]);
        assert_eq!(strip(&mut message("somewhere else")), [""; 0], "a header of that name means nothing there");
    }
}
