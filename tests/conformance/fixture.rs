//! What a backend brings to the suite.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use dlq::broker::{Address, Context, Outgoing, ScanRequest, Sink, Source};
use dlq::message::{DeadLetter, Fields, Payload, Value};
use tokio_util::sync::CancellationToken;

/// Makes queues of one backend.
pub trait Fixture: Send + Sync {
    /// The address of a new, empty queue that goes away with the fixture.
    fn empty_queue(&self) -> String;
    /// The address of a queue that is not there, on a server that is.
    fn absent_queue(&self) -> String;
    /// Whether the broker can carry this value in a header.
    fn carries(&self, value: &Value) -> bool;
    /// Whether a sink opened on a place that is not there makes it.
    fn sink_creates(&self) -> bool;
    /// Whether the broker can carry this payload.
    fn carries_payload(&self, payload: &[u8]) -> bool {
        let _ = payload;
        true
    }
    /// Whether messages that name no group or key are all of one lane, so that their order can be compared.
    fn one_lane(&self) -> bool {
        true
    }
}

pub fn context() -> Context {
    Context {
        notice: Arc::new(|_| {}),
        accepted: BTreeSet::new(),
        stop: CancellationToken::new(),
        timeout: Duration::from_secs(20),
        skip_bad_lines: false,
        exclusive: false,
        shared: Default::default(),
    }
}

pub fn address(typed: &str) -> Address {
    Address::parse(typed, &[]).expect("the fixture's own address")
}

pub async fn source(typed: &str) -> Arc<dyn Source> {
    let address = address(typed);
    let context = Context { exclusive: true, ..context() };
    Arc::from((address.backend.source)(&address, &context).await.expect("open the source"))
}

pub async fn sink(typed: &str) -> Box<dyn Sink> {
    let address = address(typed);
    (address.backend.sink)(&address, &context()).await.expect("open the sink")
}

pub fn look() -> ScanRequest {
    ScanRequest { takes: false, at_most: None, again: false }
}

pub fn take() -> ScanRequest {
    ScanRequest { takes: true, ..look() }
}

/// A message as a producer would send it.
pub fn message(body: impl Into<bytes::Bytes>) -> DeadLetter {
    static MADE: AtomicU64 = AtomicU64::new(0);
    let mut m = DeadLetter::new("test".into(), Payload::Bytes(body.into()));
    m.id = format!("m{}", MADE.fetch_add(1, Ordering::Relaxed)).into();
    m
}

pub fn numbered(n: usize) -> Vec<DeadLetter> {
    (0..n)
        .map(|i| {
            let mut m = message(format!("{{\"n\":{i}}}"));
            m.headers = [("n".to_owned(), Value::I64(i as i64))].into_iter().collect::<Fields>();
            m
        })
        .collect()
}

/// Publishes and insists that every message is confirmed.
pub async fn publish(typed: &str, messages: &[DeadLetter]) {
    static RUN: AtomicU64 = AtomicU64::new(0);
    let mut sink = sink(typed).await;
    sink.begin(&format!("conformance-{}", RUN.fetch_add(1, Ordering::Relaxed)));
    sink.check(None).await.expect("the queue is there");
    let fit = sink.fit();
    let mut confirms = vec![];
    for (at, chunk) in messages.chunks(200).enumerate() {
        let batch = chunk
            .iter()
            .enumerate()
            .map(|(i, m)| {
                let mut out = Outgoing::verbatim((at * 200 + i) as u64, Box::new(m.clone()));
                fit(&mut out).expect("fits");
                out
            })
            .collect();
        confirms.push(sink.publish(batch).await);
    }
    for confirm in confirms {
        for result in confirm.await {
            result.expect("confirmed");
        }
    }
    sink.close().await.expect("close the sink");
}

/// Everything a look sees, given back.
pub async fn contents(typed: &str) -> Vec<DeadLetter> {
    let source = source(typed).await;
    read(&*source, look()).await
}

/// Everything one scan sees, given back.
pub async fn read(source: &dyn Source, request: ScanRequest) -> Vec<DeadLetter> {
    let mut scan = source.scan(request).await.expect("scan");
    let mut seen = vec![];
    while let Some(batch) = scan.next().await.expect("next") {
        assert!(!batch.deliveries.is_empty(), "a batch is never empty");
        seen.extend(batch.deliveries.into_iter().map(|d| *d.message));
    }
    let closed = scan.close().await.expect("close");
    assert_eq!(closed.cut, None, "everything was to be seen; {} were", seen.len());
    seen
}

pub fn bodies(messages: &[DeadLetter]) -> Vec<String> {
    messages.iter().map(|m| String::from_utf8_lossy(m.payload.as_bytes()).into_owned()).collect()
}
