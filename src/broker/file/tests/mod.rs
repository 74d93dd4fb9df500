//! What an archive promises, one file a promise.

mod crash;
mod read;
mod remove;
mod torn;
mod write;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tempfile::TempDir;

use crate::broker::{
    Act, Address, Closed, Context, Delivery, Error, Outgoing, Receipt, Result, Scan, ScanRequest, Settlement, Sink,
    Source,
};
use crate::message::{DeadLetter, Payload, archive};

fn context() -> Context {
    Context {
        notice: Arc::new(|_| {}),
        accepted: Default::default(),
        stop: Default::default(),
        timeout: Duration::from_secs(5),
        skip_bad_lines: false,
        exclusive: false,
        shared: Default::default(),
    }
}

/// A directory of its own and an archive in it.
struct Place {
    directory: TempDir,
    name: &'static str,
}

impl Place {
    fn new(name: &'static str) -> Self {
        Place { directory: tempfile::tempdir().unwrap(), name }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join(self.name)
    }

    fn address(&self) -> Address {
        address(&self.path())
    }

    async fn source(&self) -> Box<dyn Source> {
        self.try_source(&context()).await.unwrap()
    }

    async fn try_source(&self, context: &Context) -> Result<Box<dyn Source>> {
        let address = self.address();
        (address.backend.source)(&address, context).await
    }

    async fn sink(&self) -> Box<dyn Sink> {
        self.try_sink().await.unwrap()
    }

    async fn try_sink(&self) -> Result<Box<dyn Sink>> {
        let address = self.address();
        (address.backend.sink)(&address, &context()).await
    }

    /// Appends through a sink.
    async fn fill(&self, payloads: impl IntoIterator<Item = String>) {
        let mut sink = self.sink().await;
        let results = sink.publish(outgoing(payloads)).await.await;
        assert!(results.iter().all(Result::is_ok), "{results:?}");
        sink.close().await.unwrap();
    }

    /// What a reader finds.
    async fn payloads(&self) -> Vec<String> {
        payloads(&*self.source().await).await.unwrap().0
    }

    /// Other files beside the archive.
    fn litter(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.directory.path())
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.retain(|n| n != self.name);
        names.sort();
        names
    }
}

fn address(path: &Path) -> Address {
    Address::parse(&format!("file:{}", path.display()), &[]).unwrap()
}

fn numbers(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|n| n.to_string()).collect()
}

fn letter(payload: &str) -> DeadLetter {
    let mut m = DeadLetter::new("amqp://h/q".into(), Payload::Bytes(Bytes::from(payload.to_owned())));
    m.id = format!("id-{payload}").into();
    m
}

fn line(id: &str, payload: &str) -> Vec<u8> {
    let mut out = Vec::new();
    archive::write(id, &letter(payload), &mut out).unwrap();
    out
}

fn outgoing(payloads: impl IntoIterator<Item = String>) -> Vec<Outgoing> {
    let one = |p: String| Outgoing::verbatim(0, Box::new(letter(&p)));
    payloads.into_iter().map(one).collect()
}

fn look() -> ScanRequest {
    ScanRequest { takes: false, at_most: None, again: false }
}

fn take() -> ScanRequest {
    ScanRequest { takes: true, at_most: None, again: false }
}

fn payload(d: &Delivery) -> String {
    String::from_utf8(d.message.payload.as_bytes().to_vec()).unwrap()
}

async fn drain(scan: &mut dyn Scan) -> Result<Vec<Delivery>> {
    let mut all = Vec::new();
    while let Some(batch) = scan.next().await? {
        assert!(!batch.deliveries.is_empty());
        all.extend(batch.deliveries);
    }
    Ok(all)
}

async fn payloads(source: &dyn Source) -> Result<(Vec<String>, Closed)> {
    let mut scan = source.scan(look()).await?;
    let all = drain(&mut *scan).await?;
    Ok((all.iter().map(payload).collect(), scan.close().await?))
}

/// Settles what `done` picks, in one call.
async fn settle(scan: &dyn Scan, all: &[Delivery], done: impl Fn(&Delivery) -> bool) {
    let settlement = |d: &Delivery| Settlement { token: d.token, act: if done(d) { Act::Done } else { Act::Keep } };
    let results = scan.settler().settle(all.iter().map(settlement).collect()).await;
    assert_eq!(results.len(), all.len());
    assert!(results.iter().all(Result::is_ok), "{results:?}");
}

fn says(e: &Error) -> String {
    format!("{:?}: {e} | {}", e.kind(), e.get_hint().unwrap_or("-"))
}

/// A store that notes what is asked of it and fails on demand.
#[derive(Clone, Default)]
struct Faulty {
    log: Arc<Mutex<Vec<&'static str>>>,
    fail_append: bool,
    fail_sync: bool,
    slow: bool,
}
