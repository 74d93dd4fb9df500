//! Publishing to real RabbitMQ servers: nothing changed on the way, every failure the message's own, connections refused
//! with the reason.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

#[path = "support/servers.rs"]
mod servers;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dlq::broker::rabbitmq::connect::{Link, connect};
use dlq::broker::rabbitmq::management::Management;
use dlq::broker::rabbitmq::{codec, sink, topology};
use dlq::broker::{Address, Context, Error, Kind, Outgoing, Result, Sink};
use dlq::message::{DeadLetter, Fields, Payload, Target, Value};
use lapin::options::{
    BasicGetOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, ExchangeKind};
use servers::var;
use tokio_util::sync::CancellationToken;

const BOTH: [&str; 2] = ["DLQ_TEST_RABBITMQ_43", "DLQ_TEST_RABBITMQ_310"];

fn context() -> (Context, Arc<Mutex<Vec<String>>>) {
    let notices = Arc::new(Mutex::new(vec![]));
    let told = notices.clone();
    let notice = Arc::new(move |n| told.lock().unwrap().push(n));
    let (accepted, stop) = (BTreeSet::new(), CancellationToken::new());
    let timeout = Duration::from_secs(10);
    (
        Context {
            notice,
            accepted,
            stop,
            timeout,
            skip_bad_lines: false,
            exclusive: false,
            shared: Default::default(),
        },
        notices,
    )
}

fn address(typed: &str, options: &[(&str, &str)]) -> Address {
    let flags: Vec<_> = options.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    Address::parse(typed, &flags).unwrap()
}

async fn refused(typed: &str, options: &[(&str, &str)]) -> Error {
    match connect(&address(typed, options), &context().0, "testing").await {
        Ok(_) => panic!("{typed} let us in"),
        Err(e) => e,
    }
}

/// A server with queues of this test's own, which are gone afterwards.
struct Server {
    url: String,
    management: String,
    link: Link,
    channel: Channel,
    queues: Vec<String>,
}

static NUMBER: AtomicU32 = AtomicU32::new(0);

fn fresh(what: &str) -> String {
    format!("rk.{}.{}.{what}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed))
}

impl Server {
    async fn open(prefix: &str) -> Option<Server> {
        let url = var(&format!("{prefix}_URL"))?;
        let management = var(&format!("{prefix}_MANAGEMENT"))?;
        let link = connect(&address(&format!("{url}/any"), &[]), &context().0, "testing").await.unwrap();
        let channel = link.channel().await.unwrap();
        Some(Server { url, management, link, channel, queues: vec![] })
    }

    async fn queue(&mut self, kind: &str, more: &[(&str, AMQPValue)]) -> String {
        let name = fresh(kind);
        let mut arguments = FieldTable::default();
        arguments.insert("x-queue-type".into(), AMQPValue::LongString(kind.into()));
        for (k, v) in more {
            arguments.insert((*k).into(), v.clone());
        }
        let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        self.channel.queue_declare(name.as_str().into(), options, arguments).await.unwrap();
        self.queues.push(name.clone());
        name
    }

    fn address(&self, queue: &str, more: &[(&str, &str)]) -> Address {
        let management = [("management", self.management.as_str())];
        address(&format!("{}/{queue}", self.url), &[&management, more].concat())
    }

    async fn sink(&self, queue: &str, more: &[(&str, &str)]) -> Box<dyn Sink> {
        sink::open(&self.address(queue, more), &context().0).await.unwrap()
    }

    async fn get(&self, queue: &str) -> Option<DeadLetter> {
        let got = self.channel.basic_get(queue.into(), BasicGetOptions { no_ack: true }).await.unwrap()?;
        Some(codec::from_delivery(&"q".into(), got.delivery.into()))
    }

    async fn close(self) {
        for queue in &self.queues {
            self.channel.queue_delete(queue.as_str().into(), QueueDeleteOptions::default()).await.unwrap();
        }
        self.link.close().await.unwrap();
    }
}

fn outgoing(body: impl Into<bytes::Bytes>) -> Outgoing {
    let message = DeadLetter::new("test".into(), Payload::Bytes(body.into()));
    Outgoing::verbatim(0, Box::new(message))
}

fn to(target: Target, mut o: Outgoing) -> Outgoing {
    o.target = Some(Arc::new(target));
    o
}

fn kinds(results: &[Result<dlq::broker::Receipt>]) -> Vec<Option<Kind>> {
    results.iter().map(|r| r.as_ref().err().map(Error::kind)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_type_and_property_arrives_as_it_was() {
    for prefix in BOTH {
        let Some(mut server) = Server::open(prefix).await else { return };
        for kind in ["classic", "quorum"] {
            let queue = server.queue(kind, &[]).await;
            let mut o = outgoing(vec![0u8, 255, 10, 13]);
            let mut inner = Fields::default();
            inner.push("deep", Value::Array(vec![Value::I8(-1), Value::Table(Fields::default()), Value::Null]));
            let headers = [
                ("a-null", Value::Null),
                ("b-true", Value::Bool(true)),
                ("c-i8", Value::I8(i8::MIN)),
                ("d-u8", Value::U8(255)),
                ("e-i16", Value::I16(i16::MIN)),
                ("f-u16", Value::U16(u16::MAX)),
                ("g-i32", Value::I32(i32::MIN)),
                ("h-u32", Value::U32(u32::MAX)),
                ("i-i64", Value::I64(i64::MIN)),
                ("j-f32", Value::F32(1.5e-40)),
                ("k-f64", Value::F64(-0.1)),
                ("l-decimal", Value::Decimal { scale: 3, value: 123_456 }),
                ("m-text", Value::text("zähl ✓")),
                ("n-text-not-utf8", Value::Text(vec![0xFF, 0, 0xFE].into())),
                ("o-bytes", Value::Bytes(vec![0, 1, 255].into())),
                ("p-time", Value::Time(1_700_000_000)),
                ("q-array", Value::Array(vec![Value::text("x"), Value::U16(7), Value::Array(vec![])])),
                ("r-table", Value::Table(inner)),
                ("s-empty", Value::text("")),
            ];
            for (name, value) in headers {
                o.message.headers.push(name, value);
            }
            let short = |s: &str| Value::ShortText(s.to_owned());
            let properties = [
                ("content_type", short("application/json")),
                ("content_encoding", short("gzip")),
                ("correlation_id", short("")),
                ("reply_to", short("r")),
                ("expiration", short("3600000")),
                ("message_id", short("ä")),
                ("type", short("t")),
                ("user_id", short("guest")),
                ("app_id", short("app")),
                ("cluster_id", short("c")),
                ("delivery_mode", Value::U8(1)),
                ("priority", Value::U8(9)),
                ("timestamp", Value::Time(1)),
            ];
            for (name, value) in properties {
                o.message.properties.push(name, value);
            }
            let sent = o.message.clone();
            let mut sink = server.sink(&queue, &[]).await;
            assert_eq!(sink.fit()(&mut o).unwrap(), Vec::<String>::new());
            assert_eq!(kinds(&sink.publish(vec![o]).await.await), [None]);
            sink.close().await.unwrap();
            let mut got = server.get(&queue).await.expect("the message");
            // Servers before 4.0 tell the count of a first delivery from a quorum queue too.
            got.headers.remove_if(|name, _| name == "x-delivery-count");
            assert_eq!(got.payload, sent.payload, "{prefix} {kind}");
            assert_eq!(got.headers, sent.headers, "{prefix} {kind}");
            for (name, value) in sent.properties.iter() {
                assert_eq!(got.properties.last(name), Some(value), "{prefix} {kind} {name}");
            }
            assert_eq!(got.properties.text("routing_key"), Some(queue.as_str()));
        }
        server.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn exactly_the_unroutable_fail_however_many_are_in_flight() {
    for prefix in BOTH {
        let Some(mut server) = Server::open(prefix).await else { return };
        for kind in ["classic", "quorum"] {
            let queue = server.queue(kind, &[]).await;
            let mut sink = server.sink(&queue, &[]).await;
            let missing = Target { queue: Some(fresh("missing").into()), ..Target::default() };
            let mut confirms = Vec::new();
            for batch in 0..8 {
                let messages = (0..500).map(|i| {
                    let o = outgoing(format!("{batch}-{i}"));
                    if (batch * 500 + i) % 2 == 0 { o } else { to(missing.clone(), o) }
                });
                confirms.push(sink.publish(messages.collect()).await);
            }
            for (batch, confirm) in confirms.into_iter().enumerate() {
                for (i, kind) in kinds(&confirm.await).into_iter().enumerate() {
                    let expected = if i % 2 == 0 { None } else { Some(Kind::Unroutable) };
                    assert_eq!(kind, expected, "{prefix}: batch {batch}, message {i}");
                }
            }
            sink.close().await.unwrap();
            for n in 0..3 {
                let got = server.get(&queue).await.expect("a message");
                assert_eq!(got.payload.as_bytes(), format!("0-{}", n * 2).as_bytes(), "in order");
            }
        }
        server.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn equal_messages_to_a_missing_queue_all_fail() {
    for prefix in BOTH {
        let Some(mut server) = Server::open(prefix).await else { return };
        let queue = server.queue("quorum", &[]).await;
        let missing = Target { queue: Some(fresh("missing").into()), ..Target::default() };
        let mut sink = server.sink(&queue, &[]).await;
        let mut confirms = Vec::new();
        for _ in 0..4 {
            let mixed =
                (0..400).map(|i| if i % 2 == 0 { outgoing("same") } else { to(missing.clone(), outgoing("same")) });
            confirms.push(sink.publish(mixed.collect()).await);
        }
        for confirm in confirms {
            for (i, kind) in kinds(&confirm.await).into_iter().enumerate() {
                assert_eq!(kind, if i % 2 == 0 { None } else { Some(Kind::Unroutable) }, "{prefix} {i}");
            }
        }
        sink.close().await.unwrap();
        server.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_refuses_and_the_rest_is_there() {
    for prefix in BOTH {
        let Some(mut server) = Server::open(prefix).await else { return };
        let limits =
            [("x-max-length", AMQPValue::LongInt(3)), ("x-overflow", AMQPValue::LongString("reject-publish".into()))];
        let queue = server.queue("classic", &limits).await;
        let mut sink = server.sink(&queue, &[]).await;
        let results = sink.publish((0..20).map(|i| outgoing(format!("{i}"))).collect()).await.await;
        sink.close().await.unwrap();
        let kinds = kinds(&results);
        assert_eq!(kinds[19], Some(Kind::Rejected), "{prefix}: {kinds:?}");
        let there = kinds.iter().filter(|k| k.is_none()).count();
        for _ in 0..there {
            assert!(server.get(&queue).await.is_some(), "{prefix}");
        }
        assert!(server.get(&queue).await.is_none(), "{prefix}: more there than were confirmed");
        server.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_closes_the_channel_fails_alone_where_it_can_be_told() {
    for prefix in BOTH {
        let Some(mut server) = Server::open(prefix).await else { return };
        let queue = server.queue("classic", &[]).await;
        let mut sink = server.sink(&queue, &[]).await;
        let internal = fresh("internal");
        let options = ExchangeDeclareOptions { internal: true, ..ExchangeDeclareOptions::default() };
        server
            .channel
            .exchange_declare(internal.as_str().into(), ExchangeKind::Fanout, options, FieldTable::default())
            .await
            .unwrap();
        let exchange =
            |name: &str| Target { exchange: Some(name.into()), routing_key: Some("k".into()), ..Target::default() };
        // Not fitted, so that the server is the one that objects.
        let mut forged = outgoing("forged");
        forged.message.properties.push("user_id", Value::ShortText("somebody".into()));
        let mut late = outgoing("late");
        late.message.properties.push("expiration", Value::ShortText("soon".into()));
        let messages = vec![
            to(exchange(&fresh("no-exchange")), outgoing("a")),
            outgoing("1"),
            forged,
            outgoing("2"),
            to(exchange(&internal), outgoing("b")),
            outgoing("3"),
            late,
            outgoing("4"),
            to(exchange(&internal), outgoing("c")),
        ];
        let kinds = kinds(&sink.publish(messages).await.await);
        let bad: Vec<_> = [0, 2, 4, 6, 8].map(|i| kinds[i]).to_vec();
        let expected = [Kind::NotFound, Kind::Rejected, Kind::Denied, Kind::Rejected, Kind::Denied].map(Some);
        assert_eq!(bad, expected, "{prefix}: {kinds:?}");
        // Those right before a culprit were taken, but may have lost their answer; none is ever reported as failed.
        for i in [1, 3, 5, 7] {
            assert!(matches!(kinds[i], None | Some(Kind::Indeterminate)), "{prefix}: {kinds:?}");
        }
        assert_eq!(kinds[7], None, "{prefix}: the channel was not closed behind it: {kinds:?}");
        sink.close().await.unwrap();
        for n in 1..=4 {
            let got = server.get(&queue).await.expect("every good message, once, in order");
            assert_eq!(got.payload.as_bytes(), format!("{n}").as_bytes(), "{prefix}");
        }
        assert!(server.get(&queue).await.is_none());
        server.channel.exchange_delete(internal.as_str().into(), Default::default()).await.unwrap();
        server.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_over_the_servers_limit_fails_alone_and_the_limit_is_learned() {
    // 16 MiB since 4.0; before, it takes 128 MiB to try.
    let Some(mut server) = Server::open(BOTH[0]).await else { return };
    let queue = server.queue("classic", &[]).await;
    let mut sink = server.sink(&queue, &[]).await;
    let big = bytes::Bytes::from(vec![7u8; (16 << 20) + 1]);
    let results = sink.publish(vec![outgoing(big.clone()), outgoing("small")]).await.await;
    assert_eq!(kinds(&results), [Some(Kind::TooLarge), None]);
    let mut again = outgoing(big);
    assert_eq!(sink.fit()(&mut again).unwrap_err().kind(), Kind::TooLarge, "known before it is sent");
    sink.close().await.unwrap();
    assert_eq!(server.get(&queue).await.expect("the small one").payload.as_bytes(), b"small");
    server.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_is_not_there_is_named_with_what_is_near() {
    for prefix in BOTH {
        let Some(mut server) = Server::open(prefix).await else { return };
        let queue = server.queue("quorum", &[]).await;
        let sink = server.sink(&format!("{queue}x"), &[]).await;
        let e = sink.check(None).await.unwrap_err();
        assert_eq!(e.kind(), Kind::NotFound);
        assert!(e.get_hint().is_some_and(|h| h.contains(&queue)), "{e:?}");
        let there = Target { queue: Some(queue.as_str().into()), ..Target::default() };
        sink.check(Some(&there)).await.unwrap();
        let exchange = Target { exchange: Some("amq.topik".into()), ..Target::default() };
        let e = sink.check(Some(&exchange)).await.unwrap_err();
        assert!(e.get_hint().is_some_and(|h| h.contains("amq.topic")), "{e:?}");
        sink.close().await.unwrap();
        server.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exchange_takes_the_key_given_or_each_messages_own() {
    for prefix in BOTH {
        let Some(mut server) = Server::open(prefix).await else { return };
        let queue = server.queue("classic", &[]).await;
        let key = fresh("key");
        let bind = QueueBindOptions::default();
        let direct = "amq.direct";
        server
            .channel
            .queue_bind(queue.as_str().into(), direct.into(), key.as_str().into(), bind, FieldTable::default())
            .await
            .unwrap();
        let mut sink = server.sink("", &[("exchange", direct), ("routing-key", &key)]).await;
        assert_eq!(sink.capabilities().kind, "exchange");
        sink.check(None).await.unwrap();
        assert_eq!(kinds(&sink.publish(vec![outgoing("given")]).await.await), [None]);
        sink.close().await.unwrap();
        let mut sink = server.sink("", &[("exchange", direct)]).await;
        let mut own = outgoing("own");
        own.message.properties.push("routing_key", Value::ShortText(key));
        assert_eq!(sink.fit()(&mut own).unwrap(), Vec::<String>::new());
        assert_eq!(kinds(&sink.publish(vec![own, outgoing("none")]).await.await), [None, Some(Kind::Unroutable)]);
        sink.close().await.unwrap();
        for body in ["given", "own"] {
            assert_eq!(server.get(&queue).await.unwrap().payload.as_bytes(), body.as_bytes());
        }
        server.close().await;
    }
}

/// Passes everything on to the server until it is told to cut.
async fn proxy(url: &str) -> (String, CancellationToken) {
    let (login, place) = url.strip_prefix("amqp://").unwrap().rsplit_once('@').unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (place, cut) = (place.to_owned(), CancellationToken::new());
    let until = cut.clone();
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            let mut far = tokio::net::TcpStream::connect(&place).await.unwrap();
            let until = until.clone();
            tokio::spawn(async move {
                tokio::select! {
                    _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                    () = until.cancelled() => {}
                }
            });
        }
    });
    (format!("amqp://{login}@127.0.0.1:{port}"), cut)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_connection_leaves_nothing_unsaid() {
    for prefix in BOTH {
        let Some(mut server) = Server::open(prefix).await else { return };
        let queue = server.queue("quorum", &[]).await;
        let (url, cut) = proxy(&server.url).await;
        let mut sink = sink::open(&address(&format!("{url}/{queue}"), &[]), &context().0).await.unwrap();
        assert_eq!(kinds(&sink.publish(vec![outgoing("first")]).await.await), [None]);
        let mut confirms = Vec::new();
        for _ in 0..4 {
            confirms.push(sink.publish((0..1000).map(|_| outgoing(vec![b'x'; 2000])).collect()).await);
        }
        cut.cancel();
        let mut confirmed = 1;
        for confirm in confirms {
            let results = tokio::time::timeout(Duration::from_secs(20), confirm).await.expect("an answer");
            assert_eq!(results.len(), 1000);
            for kind in kinds(&results) {
                match kind {
                    None => confirmed += 1,
                    Some(Kind::Indeterminate | Kind::Unreachable) => {}
                    other => panic!("{other:?}"),
                }
            }
        }
        assert_eq!(kinds(&sink.publish(vec![outgoing("late")]).await.await), [Some(Kind::Unreachable)]);
        tokio::time::timeout(Duration::from_secs(20), sink.close()).await.expect("an end").unwrap();
        let mut there = 0;
        while server.get(&queue).await.is_some() {
            there += 1;
        }
        assert!(confirmed <= there, "{confirmed} were confirmed, {there} are there");
        server.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn topology_tells_where_dead_letters_come_from_and_who_receives() {
    for prefix in BOTH {
        let Some(mut server) = Server::open(prefix).await else { return };
        let dead = server.queue("quorum", &[]).await;
        let text = |s: &str| AMQPValue::LongString(s.into());
        let by_name = [("x-dead-letter-exchange", text("")), ("x-dead-letter-routing-key", text(&dead))];
        let first = server.queue("classic", &by_name).await;
        let key = fresh("key");
        let bind = QueueBindOptions::default();
        server
            .channel
            .queue_bind(dead.as_str().into(), "amq.direct".into(), key.as_str().into(), bind, FieldTable::default())
            .await
            .unwrap();
        let by_exchange = [("x-dead-letter-exchange", text("amq.direct")), ("x-dead-letter-routing-key", text(&key))];
        let second = server.queue("quorum", &by_exchange).await;
        let other = [("x-dead-letter-exchange", text("amq.direct")), ("x-dead-letter-routing-key", text("elsewhere"))];
        server.queue("quorum", &other).await;
        let (ctx, notices) = context();
        let api = Management::open(&server.address(&dead, &[]), &ctx, &server.link).await.expect("the API");
        let origins = topology::origins(&api, &dead).await.unwrap();
        let names: BTreeSet<_> = origins.iter().filter_map(|o| o.queue.as_deref()).collect();
        assert_eq!(names, BTreeSet::from([first.as_str(), second.as_str()]), "{prefix}");
        let target =
            Target { exchange: Some("amq.direct".into()), routing_key: Some(key.as_str().into()), ..Target::default() };
        let receivers = topology::receivers(&api, &target).await.unwrap();
        assert_eq!(receivers.len(), 1, "{receivers:?}");
        assert!(receivers[0].starts_with(&format!("queue {dead}")), "{receivers:?}");
        assert_eq!(api.queue(&dead).await.unwrap().unwrap().kind, "quorum");
        assert_eq!(api.queue("no such queue/at all").await.unwrap(), None);
        assert!(notices.lock().unwrap().is_empty());
        server.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_management_api_there_is_a_notice_and_no_failure() {
    let Some(server) = Server::open(BOTH[0]).await else { return };
    let typed = format!("{}/q", server.url);
    let (ctx, notices) = context();
    let closed = [("management", "http://127.0.0.1:9")];
    assert!(Management::open(&address(&typed, &closed), &ctx, &server.link).await.is_none());
    assert_eq!(notices.lock().unwrap().len(), 1, "{:?}", notices.lock().unwrap());
    assert!(Management::open(&address(&typed, &[("management", "none")]), &ctx, &server.link).await.is_none());
    assert_eq!(notices.lock().unwrap().len(), 1, "none was asked for");
    if let Some(other) = var("DLQ_TEST_RABBITMQ_310_MANAGEMENT") {
        assert!(Management::open(&address(&typed, &[("management", &other)]), &ctx, &server.link).await.is_none());
        assert!(notices.lock().unwrap()[1].contains("another server"), "{:?}", notices.lock().unwrap());
    }
    server.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_says_who_it_is() {
    for (prefix, (major, minor)) in [(BOTH[0], (4, 3)), (BOTH[1], (3, 10))] {
        let Some(server) = Server::open(prefix).await else { return };
        let is = &server.link.server;
        assert_eq!((is.product.as_str(), is.version.0, is.version.1), ("RabbitMQ", major, minor));
        server.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_connection_says_why() {
    for prefix in BOTH {
        let (Some(url), Some(management)) = (var(&format!("{prefix}_URL")), var(&format!("{prefix}_MANAGEMENT")))
        else {
            return;
        };
        let place = url.rsplit_once('@').unwrap().1;
        let e = refused(&format!("amqp://guest:wrong@{place}/q"), &[]).await;
        assert_eq!(e.kind(), Kind::Denied, "{e:?}");
        assert!(!format!("{e:?}").contains("wrong"), "{e:?}");
        let e = refused(&format!("{url}/nope/q"), &[("management", &management)]).await;
        assert_eq!(e.kind(), Kind::NotFound, "{e:?}");
        assert!(e.get_hint().is_some_and(|h| h.contains("vhost \"nope\", queue \"q\"")), "{e:?}");
        let port = management.rsplit_once(':').unwrap().1;
        let e = refused(&format!("amqp://127.0.0.1:{port}/q"), &[]).await;
        assert!(e.to_string().contains("HTTP") || e.to_string().contains("hung up"), "{e:?}");
        assert_eq!(e.kind(), Kind::Unreachable, "{e:?}");
        let e = refused(&format!("amqps://{place}/q"), &[("verify", "verify_none")]).await;
        assert_eq!(e.kind(), Kind::Tls, "{e:?}");
        let e = refused(&format!("{url}/q"), &[("auth_mechanism", "external")]).await;
        assert_eq!(e.kind(), Kind::Denied, "{e:?}");
    }
    let e = refused("amqp://127.0.0.1:9/q", &[]).await;
    assert_eq!(e.kind(), Kind::Unreachable, "{e:?}");
    let e = refused("amqp://no-such-host.invalid/q", &[]).await;
    assert_eq!(e.kind(), Kind::Unreachable, "{e:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_says_nothing_is_given_up() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let e = refused(&format!("amqp://127.0.0.1:{port}/q"), &[("connection_timeout", "200")]).await;
    assert_eq!(e.kind(), Kind::Timeout, "{e:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_is_as_strict_as_it_is_told_to_be() {
    let (Some(url), Some(ca)) = (var("DLQ_TEST_RABBITMQ_43_TLS_URL"), var("DLQ_TEST_RABBITMQ_43_CA")) else { return };
    let (Some(cert), Some(key)) = (var("DLQ_TEST_RABBITMQ_CLIENT_CERT"), var("DLQ_TEST_RABBITMQ_CLIENT_KEY")) else {
        return;
    };
    let queue = format!("{url}/q");
    for options in [
        &[("cacertfile", ca.as_str())][..],
        &[("cacertfile", &ca), ("certfile", &cert), ("keyfile", &key)],
        &[("cacertfile", &ca), ("server_name_indication", "localhost")],
        &[("verify", "verify_none")],
    ] {
        let link = connect(&address(&queue, options), &context().0, "testing")
            .await
            .unwrap_or_else(|e| panic!("{options:?}: {e}"));
        assert_eq!(link.server.product, "RabbitMQ");
        link.close().await.unwrap();
    }
    let e = refused(&queue, &[("cacertfile", &cert)]).await;
    assert_eq!(e.kind(), Kind::Tls, "{e:?}");
    assert!(e.get_hint().is_some_and(|h| h.contains("cacertfile") && h.contains("verify")), "{e:?}");
    let e = refused(&queue, &[("cacertfile", &ca), ("server_name_indication", "elsewhere.example")]).await;
    assert_eq!(e.kind(), Kind::Tls, "{e:?}");
    assert!(e.get_hint().is_some_and(|h| h.contains("server_name_indication")), "{e:?}");
    let e = refused(&queue, &[("cacertfile", "/no/such/file")]).await;
    assert_eq!(e.kind(), Kind::Usage, "{e:?}");
    let e = refused(&queue.replace("amqps:", "amqp:"), &[]).await;
    assert_eq!(e.kind(), Kind::Unreachable, "{e:?}");
    assert!(e.get_hint().is_some_and(|h| h.contains("amqps")), "{e:?}");
}
