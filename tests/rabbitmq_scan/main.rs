//! Reading RabbitMQ queues on real servers: nothing is lost, the order is kept, and what cannot be safe is refused or saved.
#![allow(missing_docs, clippy::print_stderr, clippy::unwrap_used)]

mod carried;
mod counted;
#[path = "../support/servers.rs"]
mod servers;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use dlq::broker::capability::Peek;
use dlq::broker::{Act, Address, Closed, Context, Error, Kind, Scan, ScanRequest, Settlement, Source};
use futures::StreamExt;
use futures::future::join_all;
use lapin::options::*;
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use servers::{Server, server};
use tokio_util::sync::CancellationToken;

/// A queue of its own, on a connection of its own.
struct Queue {
    server: Server,
    name: String,
    channel: Channel,
    connection: Connection,
}

fn table(entries: &[(&str, AMQPValue)]) -> FieldTable {
    let mut t = FieldTable::default();
    for (k, v) in entries {
        t.insert((*k).into(), v.clone());
    }
    t
}

fn text(s: &str) -> AMQPValue {
    AMQPValue::LongString(s.into())
}

impl Queue {
    async fn new(version: &str, name: &str, kind: &str, more: &[(&str, AMQPValue)]) -> Option<Queue> {
        let server = server(version)?;
        let connection = Connection::connect(&server.url, ConnectionProperties::default()).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
        let name = format!("sc.{name}.{version}.{kind}.{}", std::process::id());
        let q = Queue { server, name, channel, connection };
        q.declare(&q.name, kind, more).await;
        Some(q)
    }

    async fn declare(&self, name: &str, kind: &str, more: &[(&str, AMQPValue)]) {
        let mut arguments = table(more);
        arguments.insert("x-queue-type".into(), text(kind));
        let options = QueueDeclareOptions { durable: true, ..Default::default() };
        self.channel.queue_declare(name.into(), options, arguments).await.unwrap();
    }

    async fn publish(&self, bodies: impl IntoIterator<Item = String>) {
        let bodies: Vec<String> = bodies.into_iter().collect();
        for chunk in bodies.chunks(1000) {
            let sent = join_all(chunk.iter().map(|b| async {
                let p = BasicProperties::default().with_delivery_mode(2);
                let o = BasicPublishOptions::default();
                self.channel.basic_publish("".into(), self.name.as_str().into(), o, b.as_bytes(), p).await
            }))
            .await;
            for confirm in sent {
                assert!(confirm.unwrap().await.unwrap().is_ack());
            }
        }
    }

    async fn fill(&self, n: usize) -> Vec<String> {
        let bodies: Vec<String> = (0..n).map(|i| i.to_string()).collect();
        self.publish(bodies.clone()).await;
        bodies
    }

    async fn ready(&self) -> u64 {
        let o = QueueDeclareOptions { passive: true, ..Default::default() };
        let q = self.channel.queue_declare(self.name.as_str().into(), o, FieldTable::default()).await.unwrap();
        u64::from(q.message_count())
    }

    async fn open_with(&self, ctx: &Context, management: bool) -> Result<Box<dyn Source>, Error> {
        let api = if management { self.server.management.clone() } else { "none".into() };
        let a = Address::parse(&format!("{}/{}", self.server.url, self.name), &[("management".into(), api)]).unwrap();
        (a.backend.source)(&a, ctx).await
    }

    async fn open(&self) -> Box<dyn Source> {
        self.open_with(&context(&[]).0, true).await.unwrap()
    }

    async fn gone(self) {
        self.channel.queue_delete(self.name.as_str().into(), QueueDeleteOptions::default()).await.unwrap();
        self.connection.close(200, "".into()).await.unwrap();
    }
}

fn context(accepted: &[&str]) -> (Context, Arc<Mutex<Vec<String>>>) {
    let notices = Arc::new(Mutex::new(Vec::new()));
    let to = notices.clone();
    let ctx = Context {
        notice: Arc::new(move |s| to.lock().unwrap().push(s)),
        accepted: accepted.iter().map(|s| (*s).to_owned()).collect::<BTreeSet<_>>(),
        stop: CancellationToken::new(),
        timeout: Duration::from_secs(20),
        skip_bad_lines: false,
        exclusive: false,
        shared: Default::default(),
    };
    (ctx, notices)
}

fn request(takes: bool, at_most: Option<u64>) -> ScanRequest {
    ScanRequest { takes, at_most, again: false }
}

fn body(m: &dlq::message::DeadLetter) -> String {
    String::from_utf8(m.payload.as_bytes().to_vec()).unwrap()
}

/// Reads to the end, settles as told, closes.
async fn read(mut scan: Box<dyn Scan>, mut act: impl FnMut(&str) -> Act) -> (Vec<String>, Result<(), Error>, Closed) {
    let settler = scan.settler();
    let mut seen = Vec::new();
    let end = loop {
        match scan.next().await {
            Ok(Some(batch)) => {
                assert!(!batch.deliveries.is_empty() && batch.deliveries.len() <= 500);
                let mut settlements = Vec::new();
                for d in batch.deliveries {
                    let b = body(&d.message);
                    settlements.push(Settlement { token: d.token, act: act(&b) });
                    seen.push(b);
                }
                for fate in settler.settle(settlements).await {
                    fate.unwrap();
                }
            }
            Ok(None) => break Ok(()),
            Err(e) => break Err(e),
        }
    };
    (seen, end, scan.close().await.unwrap())
}

async fn look(source: &dyn Source, at_most: Option<u64>) -> (Vec<String>, Closed) {
    let scan = source.scan(request(false, at_most)).await.unwrap();
    let (seen, end, closed) = read(scan, |_| Act::Keep).await;
    end.unwrap();
    (seen, closed)
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_looks_at_a_quorum_queue_lose_nothing_and_keep_the_order() {
    let Some(q) = Queue::new("43", "fifty", "quorum", &[]).await else { return };
    let all = q.fill(60).await;
    let source = q.open().await;
    for n in 0..50 {
        let part = [None, Some(7), Some(20)][n % 3];
        let (seen, closed) = look(&*source, part).await;
        assert_eq!(seen, all[..part.map_or(60, |p| p as usize)], "look {n}");
        assert_eq!(closed, Closed { unseen: closed.unseen, ..Closed::default() }, "look {n}");
        assert_eq!(q.ready().await, 60, "look {n}");
    }
    q.gone().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn looks_and_takes_in_any_order_lose_nothing() {
    for version in ["43", "40", "310"] {
        for kind in ["classic", "quorum"] {
            let Some(q) = Queue::new(version, "mix", kind, &[]).await else { continue };
            let all = q.fill(1300).await;
            let source = opened_knowing_the_limit(&q).await;
            let case = format!("{version} {kind}");
            // A look at a part keeps the order by taking more than it shows, which is not done where that counts.
            let counts = matches!(source.capabilities().peek, Peek::CountsDelivery { .. });
            let parts: &[_] = if counts { &[None, None] } else { &[Some(20), None, Some(20), Some(700), None] };
            for part in parts.iter().copied() {
                let (seen, closed) = look(&*source, part).await;
                assert_eq!(seen, all[..part.map_or(1300, |p| p as usize)], "{case}");
                assert_eq!(closed.cut, None, "{case}");
                let notices = closed.notices.iter().filter(|n| !counts || !n.contains("this look counted"));
                assert_eq!(notices.count(), 0, "{case}: {closed:?}");
                assert_eq!(q.ready().await, 1300, "{case}");
            }
            let third = |b: &str| if b.parse::<u32>().unwrap() % 3 == 0 { Act::Done } else { Act::Keep };
            let (seen, end, _) = read(source.scan(request(true, None)).await.unwrap(), third).await;
            end.unwrap();
            assert_eq!(seen, all, "{case}");
            let left: Vec<String> = all.iter().filter(|b| third(b) == Act::Keep).cloned().collect();
            assert_eq!(look(&*source, None).await.0, left, "{case}");
            let (seen, end, _) = read(source.scan(request(true, Some(100))).await.unwrap(), |_| Act::Done).await;
            end.unwrap();
            assert_eq!(seen, left[..100], "{case}");
            assert_eq!(look(&*source, None).await.0, left[100..], "{case}");
            q.gone().await;
        }
    }
}

/// The API knows the limits of a new queue only after some seconds.
async fn opened_knowing_the_limit(q: &Queue) -> Box<dyn Source> {
    let began = Instant::now();
    loop {
        let (ctx, notices) = context(&[]);
        let source = q.open_with(&ctx, true).await.unwrap();
        let assumed = notices.lock().unwrap().iter().any(|n| n.contains("is not known"));
        if !assumed && source.capabilities().peek != (Peek::CountsDelivery { limit: None }) {
            return source;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "the management API does not learn the limit");
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_that_keeps_everything_ends() {
    let Some(q) = Queue::new("43", "keep", "quorum", &[]).await else { return };
    let all = q.fill(25_000).await;
    let source = q.open().await;
    let (seen, end, closed) = read(source.scan(request(true, None)).await.unwrap(), |_| Act::Keep).await;
    end.unwrap();
    assert_eq!(seen, all);
    assert_eq!(closed.cut, None);
    assert_eq!(look(&*source, None).await.0, all);
    q.gone().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn seventy_thousand_are_looked_at_in_order() {
    for kind in ["classic", "quorum"] {
        let Some(q) = Queue::new("43", "many", kind, &[]).await else { return };
        let all = q.fill(70_000).await;
        let source = q.open().await;
        let mut in_order = true;
        for at_most in [None, Some(20), None] {
            let (seen, closed) = look(&*source, at_most).await;
            let many = at_most.map_or(70_000, |n| n as usize);
            if in_order {
                let first = seen.iter().zip(&all).position(|(seen, all)| seen != all);
                assert_eq!((seen.len(), first), (many, None), "{kind}: {closed:?}");
            } else {
                assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), many, "{kind}: {closed:?}");
            }
            // On a busy machine it takes longer than is spent on it, and then that is told.
            in_order &= !closed.notices.iter().any(|n| n.contains("now stands"));
            assert_eq!(closed.cut, None, "{kind}");
            assert_eq!(q.ready().await, 70_000, "{kind}");
        }
        q.gone().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_consumer_holds_is_not_seen_and_said() {
    for kind in ["classic", "quorum"] {
        let Some(q) = Queue::new("43", "other", kind, &[]).await else { return };
        let all = q.fill(100).await;
        let other = q.connection.create_channel().await.unwrap();
        other.basic_qos(50, BasicQosOptions::default()).await.unwrap();
        let mut consumer = other
            .basic_consume(q.name.as_str().into(), "".into(), BasicConsumeOptions::default(), FieldTable::default())
            .await
            .unwrap();
        for _ in 0..50 {
            consumer.next().await.unwrap().unwrap();
        }
        let source = q.open().await;
        assert_eq!(look(&*source, None).await.0, all[50..], "{kind}");
        let began = Instant::now();
        loop {
            let (seen, closed) = look(&*source, None).await;
            assert_eq!(seen, all[50..], "{kind}");
            if closed.unseen == Some(50) {
                break;
            }
            assert!(began.elapsed() < Duration::from_secs(60), "{kind}: {closed:?}");
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        other.basic_nack(50, BasicNackOptions { multiple: true, requeue: true }).await.unwrap();
        other.close(200, "".into()).await.unwrap();
        let began = Instant::now();
        while q.ready().await < 100 {
            assert!(began.elapsed() < Duration::from_secs(60));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        q.gone().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_that_is_dropped_gives_back_all_the_same() {
    let Some(q) = Queue::new("43", "drop", "quorum", &[("x-delivery-limit", AMQPValue::LongInt(0))]).await else {
        return;
    };
    let all = q.fill(40).await;
    let source = q.open().await;
    let mut scan = source.scan(request(false, None)).await.unwrap();
    scan.next().await.unwrap().unwrap();
    drop(scan);
    let began = Instant::now();
    while q.ready().await < 40 {
        assert!(began.elapsed() < Duration::from_secs(60), "they did not come back");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(look(&*source, None).await.0, all);
    q.gone().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_connection_is_an_unknown_outcome() {
    let Some(q) = Queue::new("43", "broken", "classic", &[]).await else { return };
    q.fill(10).await;
    let source = q.open().await;
    let mut scan = source.scan(request(true, None)).await.unwrap();
    let batch = scan.next().await.unwrap().unwrap();
    let settler = scan.settler();
    // The queue disappears: the acknowledgement cannot be confirmed by it any more.
    q.channel.queue_delete(q.name.as_str().into(), QueueDeleteOptions::default()).await.unwrap();
    let done: Vec<_> = batch.deliveries.iter().map(|d| Settlement { token: d.token, act: Act::Done }).collect();
    for fate in settler.settle(done).await {
        assert_eq!(fate.unwrap_err().kind(), Kind::Unreachable);
    }
    assert!(scan.close().await.is_err());
    q.connection.close(200, "".into()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_active_consumer_that_is_another_is_named() {
    for kind in ["classic", "quorum"] {
        let more = [("x-single-active-consumer", AMQPValue::Boolean(true))];
        let Some(q) = Queue::new("43", "single", kind, &more).await else { return };
        q.fill(10).await;
        let other = q.connection.create_channel().await.unwrap();
        other.basic_qos(1, BasicQosOptions::default()).await.unwrap();
        let mut consumer = other
            .basic_consume(q.name.as_str().into(), "".into(), BasicConsumeOptions::default(), FieldTable::default())
            .await
            .unwrap();
        consumer.next().await.unwrap().unwrap();
        let source = q.open().await;
        let (seen, end, _) = read(source.scan(request(false, None)).await.unwrap(), |_| Act::Keep).await;
        assert_eq!(seen, Vec::<String>::new());
        assert_eq!(end.unwrap_err().kind(), Kind::Held, "{kind}");
        q.gone().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_that_excludes_others_is_named() {
    let Some(q) = Queue::new("43", "exclusive", "classic", &[]).await else { return };
    q.fill(3).await;
    let other = q.connection.create_channel().await.unwrap();
    other.basic_qos(1, BasicQosOptions::default()).await.unwrap();
    let options = BasicConsumeOptions { exclusive: true, ..Default::default() };
    let consumer =
        other.basic_consume(q.name.as_str().into(), "".into(), options, FieldTable::default()).await.unwrap();
    let source = q.open().await;
    let mut scan = source.scan(request(false, None)).await.unwrap();
    assert_eq!(scan.next().await.unwrap_err().kind(), Kind::Held);
    drop((scan, consumer));
    q.gone().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_ends_before_the_acknowledgement_timeout() {
    {
        let kind = "quorum";
        let more = [("x-consumer-timeout", AMQPValue::LongInt(3000))];
        let Some(q) = Queue::new("43", "timeout", kind, &more).await else { return };
        let all = q.fill(6000).await;
        let source = q.open().await;
        assert_eq!(
            source.capabilities().lease,
            dlq::broker::capability::Lease::Session { longest: Some(Duration::from_secs(3)) }
        );
        let mut scan = source.scan(request(false, None)).await.unwrap();
        let mut seen: Vec<String> = Vec::new();
        while let Some(batch) = scan.next().await.unwrap() {
            if seen.is_empty() {
                tokio::time::sleep(Duration::from_millis(2800)).await;
            }
            seen.extend(batch.deliveries.iter().map(|d| body(&d.message)));
        }
        let closed = scan.close().await.unwrap();
        assert!(seen.len() < 6000 && seen == all[..seen.len()], "{kind}: {}", seen.len());
        assert!(closed.cut.is_some_and(|c| c.contains("3 s")), "{kind}");
        // A look has no more time than that, which a busy machine may need.
        let o = BasicConsumeOptions { no_ack: true, ..Default::default() };
        let mut rest = q.channel.basic_consume(q.name.as_str().into(), "".into(), o, Default::default()).await.unwrap();
        let mut there = Vec::new();
        while there.len() < all.len() {
            let next = tokio::time::timeout(Duration::from_secs(60), rest.next()).await.expect("all are back");
            there.push(String::from_utf8(next.unwrap().unwrap().data).unwrap());
        }
        assert_eq!(there, all, "{kind}");
        q.gone().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_scan_gives_back_in_order() {
    let Some(q) = Queue::new("43", "stop", "quorum", &[]).await else { return };
    let all = q.fill(6000).await;
    let (ctx, _) = context(&[]);
    let source = q.open_with(&ctx, true).await.unwrap();
    let mut scan = source.scan(request(true, None)).await.unwrap();
    let settler = scan.settler();
    let batch = scan.next().await.unwrap().unwrap();
    ctx.stop.cancel();
    let n = batch.deliveries.len();
    let done: Vec<_> = batch.deliveries.iter().map(|d| Settlement { token: d.token, act: Act::Done }).collect();
    for fate in settler.settle(done).await {
        fate.unwrap();
    }
    while scan.next().await.unwrap().is_some() {}
    assert_eq!(scan.close().await.unwrap().cut.as_deref(), Some("it was stopped"));
    // What is settled after the close is refused, not lost in silence.
    let late = vec![Settlement { token: batch.deliveries[0].token, act: Act::Done }];
    assert!(settler.settle(late).await[0].is_err());
    assert_eq!(look(&*q.open().await, None).await.0, all[n..]);
    q.gone().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_read_to_the_end_it_had() {
    for version in ["43", "40", "310"] {
        let Some(q) = Queue::new(version, "stream", "stream", &[]).await else { continue };
        let source = q.open().await;
        assert_eq!(look(&*source, None).await.0, Vec::<String>::new(), "{version}");
        let all = q.fill(3000).await;
        let mut scan = source.scan(request(false, None)).await.unwrap();
        q.publish(["late".to_owned()]).await;
        let mut seen = Vec::new();
        while let Some(batch) = scan.next().await.unwrap() {
            for d in batch.deliveries {
                assert_eq!(d.message.position.int("offset"), Some(seen.len() as i64));
                assert_eq!(d.message.id, seen.len().to_string());
                seen.push(body(&d.message));
            }
        }
        scan.close().await.unwrap();
        assert_eq!(seen, all, "{version}");
        assert_eq!(look(&*source, Some(20)).await.0, all[..20]);
        // It is counted a moment after it is confirmed.
        let began = Instant::now();
        while source.depth().await.unwrap().ready != Some(3001) {
            assert!(began.elapsed() < Duration::from_secs(60), "{version}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(source.scan(request(true, None)).await.err().unwrap().kind(), Kind::Unsupported);
        assert_eq!(source.purge_all().await.unwrap(), None);
        q.gone().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_is_not_there_is_not_made() {
    let Some(q) = Queue::new("43", "absent", "classic", &[]).await else { return };
    for management in [true, false] {
        let api = if management { q.server.management.clone() } else { "none".into() };
        let a = Address::parse(&format!("{}/{}x", q.server.url, q.name), &[("management".into(), api)]).unwrap();
        for _ in 0..2 {
            let e = (a.backend.source)(&a, &context(&[]).0).await.err().unwrap();
            assert_eq!(e.kind(), Kind::NotFound);
            let hint = e.get_hint().unwrap();
            assert_eq!(hint.contains(&format!("{:?}", q.name)), management, "{hint}");
            assert!(hint.contains("read as"), "{hint}");
        }
    }
    q.gone().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn depth_and_purge_count_what_is_ready() {
    for version in ["43", "40", "310"] {
        for kind in ["classic", "quorum"] {
            let Some(q) = Queue::new(version, "depth", kind, &[]).await else { continue };
            q.fill(12).await;
            for management in [true, false] {
                let source = q.open_with(&context(&["delivery-limit"]).0, management).await.unwrap();
                assert_eq!(source.capabilities().kind, kind, "{version} management {management}");
                assert_eq!(source.depth().await.unwrap().ready, Some(12));
            }
            let source = q.open().await;
            assert_eq!(source.purge_all().await.unwrap(), Some(12));
            assert_eq!(q.ready().await, 0);
            q.gone().await;
        }
    }
}
