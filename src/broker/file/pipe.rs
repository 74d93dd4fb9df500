//! Standard input, or anything else that can be read once: a named pipe, `<(…)`.

use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom, Write as _};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use super::removed::Removed;
use super::scan::{FileScan, Reading};
use super::settle::FileSettler;
use super::source::no_home;
use super::{capabilities, error};
use crate::broker::capability::Capabilities;
use crate::broker::{Address, Context, Depth, Error, Kind, Result, Scan, ScanRequest, Sink, Source};
use crate::message::{DeadLetter, Target};

type Stream = Box<dyn Read + Send>;

enum State {
    Fresh(Stream),
    Kept(Arc<Mutex<File>>),
    Spent,
}

/// Lines from a stream.
pub(super) struct PipeSource {
    address: Address,
    context: Context,
    state: Mutex<State>,
}

impl PipeSource {
    pub(super) fn stdin(address: &Address, context: &Context) -> Self {
        PipeSource::new(address, context, io::stdin())
    }

    pub(super) fn new(address: &Address, context: &Context, stream: impl Read + Send + 'static) -> Self {
        let state = Mutex::new(State::Fresh(Box::new(stream)));
        PipeSource { address: address.clone(), context: context.clone(), state }
    }

    fn shown(&self) -> &str {
        if self.address.shown == "-" { "standard input" } else { &self.address.shown }
    }

    async fn input(&self, again: bool) -> Result<Stream> {
        let state = std::mem::replace(&mut *self.state.lock().unwrap_or_else(PoisonError::into_inner), State::Spent);
        let kept = match state {
            State::Fresh(stream) if !again => return Ok(stream),
            State::Fresh(stream) => Arc::new(Mutex::new(self.spool(stream).await?)),
            State::Kept(file) => file,
            State::Spent => {
                return Err(Error::new(Kind::Unsupported, format!("{} can be read only once", self.shown()))
                    .hint("copy it to a file first, and use that"));
            }
        };
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = State::Kept(Arc::clone(&kept));
        Ok(Box::new(Replay { file: kept, at: 0 }))
    }

    /// Into a file without a name, since bodies may be private and more than memory holds.
    async fn spool(&self, mut stream: Stream) -> Result<File> {
        let (send, receive) = tokio::sync::oneshot::channel();
        let failed = |e: io::Error| Error::new(Kind::Io, "cannot keep standard input in a temporary file").because(e);
        std::thread::Builder::new()
            .name("archive spool".into())
            .spawn(move || {
                let copied = tempfile::tempfile().and_then(|mut file| {
                    io::copy(&mut stream, &mut file)?;
                    file.flush()?;
                    Ok(file)
                });
                // Nobody waits any more: the run was stopped.
                let _ = send.send(copied);
            })
            .map_err(failed)?;
        tokio::select! {
            copied = receive => copied.map_err(error::died)?.map_err(failed),
            () = self.context.stop.cancelled() => Err(Error::new(Kind::Other, "stopped while standard input was read")),
        }
    }
}

/// Reads a shared file with a place of its own.
struct Replay {
    file: Arc<Mutex<File>>,
    at: u64,
}

impl Read for Replay {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(self.at))?;
        let read = file.read(buf)?;
        self.at += read as u64;
        Ok(read)
    }
}

#[async_trait]
impl Source for PipeSource {
    fn address(&self) -> &Address {
        &self.address
    }

    fn capabilities(&self) -> &Capabilities {
        &capabilities::PIPE
    }

    fn principal(&self) -> Option<String> {
        None
    }

    async fn depth(&self) -> Result<Depth> {
        Err(Error::new(Kind::Unsupported, format!("the depth of {} is known only by reading it", self.shown()))
            .hint("copy it to a file first, and ask for the depth of that"))
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

    fn strip(&self, _: &mut DeadLetter) -> Vec<String> {
        Vec::new()
    }

    async fn scan(&self, request: ScanRequest) -> Result<Box<dyn Scan>> {
        if request.takes {
            return Err(Error::new(Kind::Unsupported, format!("nothing can be removed from {}", self.shown()))
                .hint("copy from it instead of moving or purging"));
        }
        let input = self.input(request.again).await?;
        let reading = Reading {
            shown: self.shown().to_owned(),
            skip_bad_lines: self.context.skip_bad_lines,
            growing: false,
            removed: Removed::default(),
            stamp: 0,
        };
        Ok(Box::new(FileScan::start(input, reading, &request, FileSettler::new(None), None)?))
    }

    async fn purge_all(&self) -> Result<Option<u64>> {
        Ok(None)
    }
}
