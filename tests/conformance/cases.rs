//! The cases.

use dlq::broker::capability::{Order, Removal};
use dlq::broker::{Act, Delivery, Kind, ScanRequest, Settlement, Source, Token};
use dlq::message::{DeadLetter, Fields, Payload, Value};

use super::fixture::*;

fn ordered(f: &dyn Fixture, source: &dyn Source) -> bool {
    f.one_lane() && source.capabilities().order != Order::None
}

/// By their bodies, where the queue has no order to compare by.
fn in_order(f: &dyn Fixture, source: &dyn Source, mut messages: Vec<DeadLetter>) -> Vec<DeadLetter> {
    if !ordered(f, source) {
        messages.sort_by(|a, b| (a.payload.as_bytes(), &a.id).cmp(&(b.payload.as_bytes(), &b.id)));
    }
    messages
}

fn removes(source: &dyn Source) -> bool {
    source.capabilities().removal != Removal::None
}

fn sorted(mut v: Vec<String>) -> Vec<String> {
    v.sort();
    v
}

async fn deliveries(scan: &mut Box<dyn dlq::broker::Scan>) -> Vec<Delivery> {
    let mut all = vec![];
    while let Some(batch) = scan.next().await.expect("next") {
        all.extend(batch.deliveries);
    }
    all
}

fn done(d: &Delivery) -> Settlement {
    Settlement { token: d.token, act: Act::Done }
}

fn keep(d: &Delivery) -> Settlement {
    Settlement { token: d.token, act: Act::Keep }
}

async fn settle(scan: &dyn dlq::broker::Scan, settlements: Vec<Settlement>) {
    let n = settlements.len();
    let results = scan.settler().settle(settlements).await;
    assert_eq!(results.len(), n, "one result a settlement");
    for r in results {
        r.expect("settled");
    }
}

/// Headers of every type this broker carries, nested too.
fn rich(f: &dyn Fixture) -> DeadLetter {
    let simple = vec![
        ("null", Value::Null),
        ("yes", Value::Bool(true)),
        ("i8", Value::I8(-8)),
        ("u8", Value::U8(200)),
        ("i16", Value::I16(-1600)),
        ("u16", Value::U16(60_000)),
        ("i32", Value::I32(i32::MIN)),
        ("u32", Value::U32(u32::MAX)),
        ("i64", Value::I64(i64::MIN)),
        ("u64", Value::U64(u64::MAX)),
        ("f32", Value::F32(1.5)),
        ("f64", Value::F64(-0.1)),
        ("decimal", Value::Decimal { scale: 2, value: 12_345 }),
        ("number", Value::Number("12345678901234567890.5".into())),
        ("text", Value::text("héllo")),
        ("odd text", Value::Text(bytes::Bytes::from_static(b"\xff\x00x"))),
        ("short", Value::ShortText("s".into())),
        ("bytes", Value::Bytes(bytes::Bytes::from_static(b"\x00\x01\xfe"))),
        ("time", Value::Time(1_700_000_000)),
    ];
    let mut headers: Vec<(String, Value)> =
        simple.into_iter().filter(|(_, v)| f.carries(v)).map(|(n, v)| (n.to_owned(), v)).collect();
    let table: Fields = headers.iter().cloned().collect();
    let array = Value::Array(headers.iter().map(|(_, v)| v.clone()).collect());
    for (name, nested) in [("array", array), ("table", Value::Table(table))] {
        if f.carries(&nested) {
            headers.push((name.into(), nested));
        }
    }
    let mut m = message("{\"rich\":true}");
    m.headers = headers.into_iter().collect();
    m
}

fn by_name(fields: &Fields) -> Vec<(String, Value)> {
    fn canonical(v: &Value) -> Value {
        match v {
            Value::Table(t) => Value::Table(by_name(t).into_iter().collect()),
            Value::Array(vs) => Value::Array(vs.iter().map(canonical).collect()),
            other => other.clone(),
        }
    }
    let mut all: Vec<_> = fields.iter().map(|(n, v)| (n.to_owned(), canonical(v))).collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

pub async fn sees_what_was_published_exactly_and_in_order(f: &dyn Fixture) {
    let queue = f.empty_queue();
    let mut sent = numbered(700);
    sent.push(rich(f));
    publish(&queue, &sent).await;
    let source = source(&queue).await;
    let seen = read(&*source, look()).await;
    if ordered(f, &*source) {
        assert_eq!(bodies(&seen), bodies(&sent));
    } else {
        assert_eq!(sorted(bodies(&seen)), sorted(bodies(&sent)));
    }
    let wanted = sent.last().expect("one");
    let last = seen.iter().find(|m| m.payload == wanted.payload).expect("it was seen");
    let got: Vec<_> = by_name(&last.headers).into_iter().filter(|(n, _)| !n.starts_with("x-")).collect();
    assert_eq!(got, by_name(&wanted.headers));
    let ids: std::collections::HashSet<_> = seen.iter().map(|m| m.id.clone()).collect();
    assert_eq!(ids.len(), seen.len(), "different messages have different ids");
}

pub async fn looking_changes_nothing(f: &dyn Fixture) {
    let queue = f.empty_queue();
    publish(&queue, &numbered(50)).await;
    let source = source(&queue).await;
    let before = source.depth().await.expect("depth");
    let first = in_order(f, &*source, read(&*source, look()).await);
    for _ in 0..5 {
        let again = in_order(f, &*source, read(&*source, look()).await);
        assert_eq!(bodies(&again), bodies(&first));
        assert_eq!(
            again.iter().map(|m| &m.id).collect::<Vec<_>>(),
            first.iter().map(|m| &m.id).collect::<Vec<_>>(),
            "a message keeps its id"
        );
    }
    assert_eq!(source.depth().await.expect("depth").ready, before.ready);
}

pub async fn an_empty_queue_ends_at_once(f: &dyn Fixture) {
    let queue = f.empty_queue();
    let started = std::time::Instant::now();
    assert_eq!(contents(&queue).await.len(), 0);
    assert!(started.elapsed().as_secs() < 9, "took {:?}", started.elapsed());
}

pub async fn depth_counts_what_is_there(f: &dyn Fixture) {
    let queue = f.empty_queue();
    publish(&queue, &numbered(37)).await;
    let source = source(&queue).await;
    let depth = source.depth().await.expect("depth");
    assert_eq!(depth.kind, source.capabilities().kind);
    if depth.accuracy == dlq::broker::Accuracy::Exact {
        assert_eq!(depth.ready.or(depth.unresolved), Some(37));
    }
}

pub async fn removes_what_is_done_and_gives_back_the_rest_in_order(f: &dyn Fixture) {
    let queue = f.empty_queue();
    publish(&queue, &numbered(1200)).await;
    let source = source(&queue).await;
    if !removes(&*source) {
        return;
    }
    let mut scan = source.scan(take()).await.expect("scan");
    let (mut n, mut kept) = (0, vec![]);
    while let Some(batch) = scan.next().await.expect("next") {
        let settlements = batch
            .deliveries
            .iter()
            .map(|d| {
                n += 1;
                if n % 3 > 0 {
                    return done(d);
                }
                kept.push((*d.message).clone());
                keep(d)
            })
            .collect();
        settle(&*scan, settlements).await;
    }
    scan.close().await.expect("close");
    assert_eq!(n, 1200);
    let left = read(&*source, look()).await;
    let wanted = bodies(&kept);
    if ordered(f, &*source) {
        let every_third = (0..1200).filter(|i| (i + 1) % 3 == 0).map(|i| format!("{{\"n\":{i}}}"));
        assert_eq!(wanted, every_third.collect::<Vec<_>>());
        assert_eq!(bodies(&left), wanted);
    } else {
        assert_eq!(sorted(bodies(&left)), sorted(wanted));
    }
}

pub async fn settling_out_of_order_removes_just_those(f: &dyn Fixture) {
    let queue = f.empty_queue();
    publish(&queue, &numbered(60)).await;
    let source = source(&queue).await;
    if !removes(&*source) {
        return;
    }
    let mut scan = source.scan(take()).await.expect("scan");
    let all = deliveries(&mut scan).await;
    settle(&*scan, all[40..50].iter().rev().map(done).collect()).await;
    settle(&*scan, all[3..5].iter().map(done).collect()).await;
    settle(&*scan, vec![done(&all[59]), keep(&all[58]), done(&all[0])]).await;
    scan.close().await.expect("close");
    let gone: Vec<usize> = (40..50).chain([3, 4, 59, 0]).collect();
    let stay = all.iter().enumerate().filter(|(i, _)| !gone.contains(i)).map(|(_, d)| (*d.message).clone());
    let wanted = bodies(&stay.collect::<Vec<_>>());
    assert_eq!(wanted.len(), 60 - gone.len());
    assert_eq!(sorted(bodies(&read(&*source, look()).await)), sorted(wanted));
}

pub async fn reads_no_more_than_asked_for(f: &dyn Fixture) {
    let queue = f.empty_queue();
    publish(&queue, &numbered(300)).await;
    let source = source(&queue).await;
    let seen = read(&*source, ScanRequest { at_most: Some(20), ..look() }).await;
    assert_eq!(seen.len(), 20);
    if ordered(f, &*source) {
        assert_eq!(bodies(&seen), bodies(&numbered(20)));
    }
    assert_eq!(read(&*source, look()).await.len(), 300);
}

pub async fn leaves_alone_what_came_after_the_start(f: &dyn Fixture) {
    let queue = f.empty_queue();
    publish(&queue, &numbered(30)).await;
    let source = source(&queue).await;
    let mut scan = source.scan(look()).await.expect("scan");
    // An archive lets nobody write while it is held for a change; there is nothing to leave alone then.
    if !f.sink_creates() {
        let late: Vec<_> = (0..30).map(|i| message(format!("late {i}"))).collect();
        publish(&queue, &late).await;
    }
    let seen: Vec<DeadLetter> = deliveries(&mut scan).await.into_iter().map(|d| *d.message).collect();
    scan.close().await.expect("close");
    assert_eq!(sorted(bodies(&seen)), sorted(bodies(&numbered(30))));
}

pub async fn equal_messages_are_removed_one_by_one(f: &dyn Fixture) {
    let queue = f.empty_queue();
    publish(&queue, &(0..100).map(|_| message("same")).collect::<Vec<_>>()).await;
    let source = source(&queue).await;
    if !removes(&*source) {
        return;
    }
    let mut scan = source.scan(take()).await.expect("scan");
    let all = deliveries(&mut scan).await;
    assert_eq!(all.len(), 100);
    settle(&*scan, all[..35].iter().map(done).collect()).await;
    scan.close().await.expect("close");
    assert_eq!(read(&*source, look()).await.len(), 65);
}

pub async fn an_absent_queue_is_not_found(f: &dyn Fixture) {
    let absent = address(&f.absent_queue());
    let error = (absent.backend.source)(&absent, &context()).await.err().expect("an absent queue does not open");
    assert_eq!(error.kind(), Kind::NotFound, "{error}");
    if !f.sink_creates() {
        let error = match (absent.backend.sink)(&absent, &context()).await {
            Err(e) => e,
            Ok(sink) => {
                let checked = sink.check(None).await;
                sink.close().await.expect("close");
                checked.expect_err("nothing is sent to a queue that is not there")
            }
        };
        assert_eq!(error.kind(), Kind::NotFound, "{error}");
        assert!((absent.backend.source)(&absent, &context()).await.is_err(), "naming it does not create it");
    }
}

pub async fn settling_twice_or_the_unknown_removes_nothing_else(f: &dyn Fixture) {
    let queue = f.empty_queue();
    publish(&queue, &numbered(3)).await;
    let source = source(&queue).await;
    if !removes(&*source) {
        return;
    }
    let mut scan = source.scan(take()).await.expect("scan");
    let all = deliveries(&mut scan).await;
    let results =
        scan.settler().settle(vec![Settlement { token: Token(u64::MAX), act: Act::Done }, done(&all[0])]).await;
    assert!(results[1].is_ok());
    _ = scan.settler().settle(vec![done(&all[0])]).await;
    scan.close().await.expect("close");
    assert_eq!(read(&*source, look()).await.len(), 2);
}

pub async fn empties_the_whole_queue_where_it_says_so(f: &dyn Fixture) {
    let queue = f.empty_queue();
    publish(&queue, &numbered(25)).await;
    let source = source(&queue).await;
    let purged = source.purge_all().await;
    if source.capabilities().whole_purge {
        assert_eq!(purged.expect("purged"), Some(25));
        assert_eq!(read(&*source, look()).await.len(), 0);
    } else {
        assert!(!matches!(purged, Ok(Some(_))));
        assert_eq!(read(&*source, look()).await.len(), 25);
    }
}

pub async fn refuses_to_take_where_nothing_can_be_removed(f: &dyn Fixture) {
    let queue = f.empty_queue();
    publish(&queue, &numbered(3)).await;
    let source = source(&queue).await;
    if removes(&*source) {
        return;
    }
    let error = source.scan(take()).await.err().expect("refused");
    assert_eq!(error.kind(), Kind::Unsupported);
}

pub async fn survives_queue_to_archive_to_queue(f: &dyn Fixture) {
    let queue = f.empty_queue();
    let mut sent = numbered(20);
    sent.push(rich(f));
    publish(&queue, &sent).await;
    let source = source(&queue).await;
    let first = in_order(f, &*source, read(&*source, look()).await);

    let dir = tempfile::tempdir().expect("a folder");
    let archive = format!("file:{}/a.ndjson.zst", dir.path().display());
    publish(&archive, &first).await;
    let archived = contents(&archive).await;
    assert_eq!(archived.len(), first.len());
    for (a, b) in archived.iter().zip(&first) {
        assert_eq!(*a, DeadLetter { identity: a.identity, ..b.clone() }, "the archive holds the message exactly");
    }

    let second = f.empty_queue();
    publish(&second, &archived).await;
    let arrived = in_order(f, &*source, contents(&second).await);
    assert_eq!(arrived.len(), first.len());
    for (a, b) in arrived.iter().zip(&first) {
        assert_eq!(a.payload, b.payload);
        let own =
            |m: &DeadLetter| by_name(&m.headers).into_iter().filter(|(n, _)| !n.starts_with("x-")).collect::<Vec<_>>();
        assert_eq!(own(a), own(b));
    }
}

pub async fn a_stopped_scan_gives_everything_back(f: &dyn Fixture) {
    let queue = f.empty_queue();
    publish(&queue, &numbered(900)).await;
    let source = source(&queue).await;
    let request = if removes(&*source) { take() } else { look() };
    let mut scan = source.scan(request).await.expect("scan");
    let first = scan.next().await.expect("next").expect("a batch");
    // Dropping a pending `next` loses nothing.
    for _ in 0..20 {
        let _ = tokio::time::timeout(std::time::Duration::from_micros(200), scan.next()).await;
    }
    drop(first);
    scan.close().await.expect("close");
    let left = read(&*source, look()).await;
    if ordered(f, &*source) {
        assert_eq!(bodies(&left), bodies(&numbered(900)));
    } else {
        assert_eq!(left.len(), 900);
    }
}

pub async fn large_and_odd_payloads_survive(f: &dyn Fixture) {
    let queue = f.empty_queue();
    let mut random = vec![0u8; 3 << 20];
    let mut x = 1u32;
    for b in &mut random {
        x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *b = (x >> 24) as u8;
    }
    let sent: Vec<DeadLetter> = [
        bytes::Bytes::new(),
        bytes::Bytes::from(random),
        bytes::Bytes::from_static(b"line\nbreak\r\n\"quoted\" \x00\x1b[31m"),
        bytes::Bytes::from_static(b"\xff\xfe\xfd"),
        bytes::Bytes::from("ünïcödé \u{2028} \u{1f600}"),
        bytes::Bytes::from_static(b"123456789012345678901234567890.000"),
    ]
    .into_iter()
    .filter(|payload| f.carries_payload(payload))
    .map(message)
    .collect();
    assert!(!sent.is_empty(), "every broker carries some of them");
    publish(&queue, &sent).await;
    let source = source(&queue).await;
    let (seen, sent) = (read(&*source, look()).await, in_order(f, &*source, sent));
    let seen = in_order(f, &*source, seen);
    let payloads = |ms: &[DeadLetter]| ms.iter().map(|m| m.payload.clone()).collect::<Vec<Payload>>();
    assert_eq!(payloads(&seen), payloads(&sent));
}
