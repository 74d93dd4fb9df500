//! Reads an archive: a thread cuts it into blocks, blocks are parsed on all cores, and come out in order.

use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use xxhash_rust::xxh3::xxh3_128;

use super::blocks::{Block, Blocks, Broken, LONGEST, RawLine};
use super::compact::{self, Gone};
use super::error;
use super::lock::Lock;
use super::removed::{Removed, token};
use super::settle::FileSettler;
use crate::broker::{Batch, Bound, Closed, Delivery, Error, Kind, Result, Scan, ScanRequest, Settler, Token};
use crate::message::Identity;
use crate::message::archive::Parser;

/// Blocks that may be read ahead of the consumer.
const AHEAD: usize = 4;

/// What parsing a line needs to know.
pub(super) struct Reading {
    /// The archive, for people.
    pub(super) shown: String,
    pub(super) skip_bad_lines: bool,
    /// Someone may be in the middle of writing the last line.
    pub(super) growing: bool,
    pub(super) removed: Removed,
    /// Of the file, and none where it is a pipe.
    pub(super) stamp: u64,
}

/// What there was in one block.
#[derive(Default)]
struct Parsed {
    deliveries: Vec<Delivery>,
    bad: u64,
    /// Lines passed over since the side log names them.
    removed: u64,
    /// The last line is not written to its end.
    unfinished: bool,
    error: Option<Error>,
}

enum Slot {
    Parsing(JoinHandle<Parsed>),
    Parsed(Parsed),
}

/// A scan under way.
pub(super) struct FileScan {
    slots: Option<mpsc::Receiver<Slot>>,
    pending: Option<Slot>,
    failed: Option<Error>,
    reading: Arc<Reading>,
    settler: Arc<FileSettler>,
    bound: Bound,
    left: u64,
    sum: Parsed,
    ended: bool,
    /// The archive to compact at the end, and the lock that allows it.
    taking: Option<(PathBuf, Arc<Lock>)>,
}

impl FileScan {
    /// `input` ends where the scan is to end.
    pub(super) fn start(
        input: impl Read + Send + 'static,
        reading: Reading,
        request: &ScanRequest,
        settler: FileSettler,
        taking: Option<(PathBuf, Arc<Lock>)>,
    ) -> Result<FileScan> {
        let (send, slots) = mpsc::channel(AHEAD);
        let reading = Arc::new(reading);
        let (shared, runtime) = (Arc::clone(&reading), Handle::current());
        // Not a task of the runtime: a read of standard input may never return, and must not hold up the exit.
        std::thread::Builder::new()
            .name("archive reader".into())
            .spawn(move || read(input, &shared, &runtime, &send))
            .map_err(|e| Error::new(Kind::Other, "cannot start a thread to read the archive").because(e))?;
        Ok(FileScan {
            slots: Some(slots),
            pending: None,
            failed: None,
            reading,
            settler: Arc::new(settler),
            bound: Bound { at: Timestamp::now(), messages: None },
            left: request.at_most.unwrap_or(u64::MAX),
            sum: Parsed::default(),
            ended: false,
            taking,
        })
    }

    fn take(&mut self, parsed: Parsed) -> Option<Batch> {
        self.sum.bad += parsed.bad;
        self.sum.removed += parsed.removed;
        self.sum.unfinished |= parsed.unfinished;
        self.failed = parsed.error;
        let mut deliveries = parsed.deliveries;
        deliveries.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
        self.left -= deliveries.len() as u64;
        (!deliveries.is_empty()).then_some(Batch { lane: 0, deliveries })
    }

    fn notices(&self) -> Vec<String> {
        let mut notices = Vec::new();
        let Reading { shown, removed, .. } = &*self.reading;
        if self.sum.unfinished {
            notices.push(format!("the last line of {shown} was still being written and was not read"));
        }
        if self.ended && self.sum.removed < removed.len() {
            let stale = removed.len() - self.sum.removed;
            notices.push(format!(
                "{stale} removals noted beside {shown} match no line of it: it was changed by hand since"
            ));
        }
        notices
    }
}

#[async_trait]
impl Scan for FileScan {
    async fn next(&mut self) -> Result<Option<Batch>> {
        loop {
            if self.left == 0 {
                self.slots = None;
                return Ok(None);
            }
            if let Some(e) = self.failed.take() {
                self.slots = None;
                return Err(e);
            }
            if self.pending.is_none() {
                let Some(slots) = &mut self.slots else { return Ok(None) };
                self.pending = slots.recv().await;
            }
            let parsed = match &mut self.pending {
                None => {
                    self.slots = None;
                    self.ended = true;
                    return Ok(None);
                }
                Some(Slot::Parsed(parsed)) => std::mem::take(parsed),
                Some(Slot::Parsing(task)) => {
                    task.await.unwrap_or_else(|e| Parsed { error: Some(error::died(e)), ..Parsed::default() })
                }
            };
            self.pending = None;
            if let Some(batch) = self.take(parsed) {
                return Ok(Some(batch));
            }
        }
    }

    fn settler(&self) -> Arc<dyn Settler> {
        Arc::<FileSettler>::clone(&self.settler)
    }

    fn bound(&self) -> &Bound {
        &self.bound
    }

    async fn close(mut self: Box<Self>) -> Result<Closed> {
        self.slots = None;
        let mut notices = self.notices();
        let log = self.settler.end();
        if let (Some((archive, lock)), Some(mut log)) = (self.taking.take(), log) {
            let shown = self.reading.shown.clone();
            let compacted = error::blocking(move || {
                let compacted = compact::run(&archive, &mut log, Gone::Logged);
                drop(lock);
                compacted
            });
            // What was settled is removed whether or not this works: every reader honours the side log.
            if let Err(e) = compacted.await {
                notices.push(format!(
                    "removed lines are noted in {shown}.removed and still in {shown}, which could not be rewritten: {e}"
                ));
            }
        }
        Ok(Closed { cut: None, bad_lines: self.sum.bad, unseen: None, notices })
    }
}

fn read(input: impl Read, reading: &Arc<Reading>, runtime: &Handle, send: &mpsc::Sender<Slot>) {
    let mut blocks = Blocks::new(input);
    loop {
        let slot = match blocks.next() {
            Ok(None) => return,
            Ok(Some(block)) => {
                let reading = Arc::clone(reading);
                Slot::Parsing(runtime.spawn_blocking(move || parse(&block, &reading)))
            }
            Err(broken) => Slot::Parsed(reading.broken(broken)),
        };
        // No one listens any more: the scan is closed.
        if send.blocking_send(slot).is_err() {
            return;
        }
    }
}

fn parse(block: &Block, reading: &Reading) -> Parsed {
    let mut parsed = Parsed::default();
    let mut parser = Parser::default();
    for line in block.lines().filter(|l| !l.is_blank()) {
        let result = parser.parse(line.text()).and_then(|l| Ok((token(line.at, l.message.identity)?, l.message)));
        match result {
            Ok((_, m)) if reading.removed.holds(line.at, || Some(m.identity)) => parsed.removed += 1,
            Ok((token, mut message)) => {
                message.identity = reading.identity(line.at, message.identity);
                parsed.deliveries.push(Delivery { token: Token(token), message: Box::new(message) });
            }
            Err(_) if line.open && reading.growing => parsed.unfinished = true,
            Err(_) if reading.skip_bad_lines => parsed.bad += 1,
            Err(e) => {
                parsed.error = Some(reading.bad_line(&line, &e));
                break;
            }
        }
    }
    parsed
}

impl Reading {
    /// Its place and its file tell a line from its twins. When the file is rewritten the places are others, and nothing is
    /// concluded from what was known of them.
    fn identity(&self, at: u64, line: Identity) -> Identity {
        let (Identity::Exact(line) | Identity::Like(line)) = line;
        let mut all = [0; 32];
        all[..16].copy_from_slice(&line.to_le_bytes());
        all[16..24].copy_from_slice(&at.to_le_bytes());
        all[24..].copy_from_slice(&self.stamp.to_le_bytes());
        Identity::Exact(xxh3_128(&all))
    }

    fn bad_line(&self, line: &RawLine<'_>, e: &Error) -> Error {
        let torn = if line.open { "the last line is torn: " } else { "" };
        let error = Error::new(e.kind(), format!("{}, line {}: {torn}{e}", self.shown, line.number))
            .during("reading the archive");
        match e.get_hint() {
            Some(hint) => error.hint(hint),
            None if line.whole.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) => {
                error.hint("this is zstd data: give the file a name that ends in .zst")
            }
            None => error.hint("--skip-bad-lines reads the others and counts such lines"),
        }
    }

    fn broken(&self, broken: Broken) -> Parsed {
        let (number, what) = match broken {
            Broken::TooLong(number) => (number, format!("longer than {} MiB", LONGEST >> 20)),
            Broken::Io(number, e) if e.kind() == std::io::ErrorKind::UnexpectedEof => {
                if self.growing {
                    return Parsed { unfinished: true, ..Parsed::default() };
                }
                (number, "the compressed data ends too early".to_owned())
            }
            Broken::Io(number, e) => {
                let error = Error::new(Kind::Io, format!("{}, line {number}: cannot read on", self.shown)).because(e);
                return Parsed { error: Some(error.during("reading the archive")), ..Parsed::default() };
            }
        };
        if self.skip_bad_lines {
            return Parsed { bad: 1, ..Parsed::default() };
        }
        let error =
            Error::new(Kind::Corrupt, format!("{}, line {number}: {what}", self.shown)).during("reading the archive");
        Parsed {
            error: Some(error.hint("--skip-bad-lines reads the others and counts such lines")),
            ..Parsed::default()
        }
    }
}
