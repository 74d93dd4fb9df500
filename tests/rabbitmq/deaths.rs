//! Messages that died of every reason there is, looked at and put back to work.

use std::collections::BTreeMap;

use lapin::message::Delivery;
use lapin::types::{AMQPValue, DecimalValue, FieldArray, FieldTable};
use lapin::{BasicProperties, ExchangeKind};

use crate::broker::{BOTH, Broker, KINDS, body, table, text};
use crate::sandbox::Sandbox;

/// Every field type of a header, and every property; `n` makes it this message and no other.
fn everything(n: i32) -> BasicProperties {
    let array: FieldArray = vec![AMQPValue::ShortInt(-3), AMQPValue::Boolean(true), text("in an array")].into();
    let headers = table(&[
        ("bool", AMQPValue::Boolean(false)),
        ("i8", AMQPValue::ShortShortInt(-8)),
        ("u8", AMQPValue::ShortShortUInt(200)),
        ("i16", AMQPValue::ShortInt(-1600)),
        ("u16", AMQPValue::ShortUInt(60000)),
        ("i32", AMQPValue::LongInt(n)),
        ("u32", AMQPValue::LongUInt(4_000_000_000)),
        ("i64", AMQPValue::LongLongInt(i64::MIN)),
        ("f32", AMQPValue::Float(1.5)),
        ("f64", AMQPValue::Double(0.1)),
        ("decimal", AMQPValue::DecimalValue(DecimalValue { scale: 2, value: 1999 })),
        ("text", text("ünï\ncode")),
        ("bytes", AMQPValue::ByteArray(vec![0u8, 255, 10].into())),
        ("latin", AMQPValue::LongString(vec![0xe9u8, 0x20].into())),
        ("time", AMQPValue::Timestamp(1_700_000_000)),
        ("table", AMQPValue::FieldTable(table(&[("deep", AMQPValue::FieldTable(table(&[("er", AMQPValue::Void)])))]))),
        ("array", AMQPValue::FieldArray(array)),
        ("void", AMQPValue::Void),
    ]);
    BasicProperties::default()
        .with_headers(headers)
        .with_content_type("application/json".into())
        .with_content_encoding("identity".into())
        .with_delivery_mode(2)
        .with_priority(3)
        .with_correlation_id("c-1".into())
        .with_reply_to("answers".into())
        .with_message_id(format!("m-{n}").into())
        .with_timestamp(1_700_000_001)
        .with_type("OrderPlaced".into())
        .with_user_id("guest".into())
        .with_app_id("shop".into())
}

/// What reached a consumer again: its headers without the mark, which must be there.
fn unmarked(d: &Delivery) -> BTreeMap<String, AMQPValue> {
    let mut headers: BTreeMap<_, _> =
        d.properties.headers().clone().unwrap().inner().iter().map(|(k, v)| (k.to_string(), v.clone())).collect();
    let mark = headers.remove("dlq-replay").expect("the mark");
    assert!(mark.as_long_string().is_some_and(|m| m.to_string().ends_with("count=1")), "{mark:?}");
    headers
}

fn inner(t: &FieldTable) -> BTreeMap<String, AMQPValue> {
    t.inner().iter().map(|(k, v)| (k.to_string(), v.clone())).collect()
}

struct Deaths {
    exchange: String,
    dead: String,
    sources: Vec<(&'static str, String)>,
    bodies: Vec<(i32, Vec<u8>)>,
}

/// Lets a message die of each reason. The first of them by refusal, in order.
fn let_die(b: &Broker, kind: &str) -> Deaths {
    let exchange = b.exchange("orders", ExchangeKind::Topic);
    let dead = b.queue("dead", kind, &[]);
    let dlx = |more: &[(&'static str, AMQPValue)]| {
        let mut all = vec![("x-dead-letter-exchange", text("")), ("x-dead-letter-routing-key", text(&dead))];
        all.extend_from_slice(more);
        all
    };
    let mut sources = vec![
        ("rejected", b.queue("rejected", kind, &dlx(&[]))),
        ("expired", b.queue("expired", kind, &dlx(&[("x-message-ttl", AMQPValue::LongInt(1))]))),
        ("maxlen", b.queue("maxlen", kind, &dlx(&[("x-max-length", AMQPValue::LongInt(1))]))),
    ];
    if kind == "quorum" {
        let limited = dlx(&[("x-delivery-limit", AMQPValue::LongInt(1))]);
        sources.push(("delivery_limit", b.queue("delivery_limit", kind, &limited)));
    }
    for (reason, queue) in &sources {
        b.bind(queue, &exchange, &format!("order.{reason}.eu"));
    }
    let mut bodies = vec![];
    let mut send = |n: i32, reason: &str, data: &[u8]| {
        b.publish(&exchange, &format!("order.{reason}.eu"), everything(n), data);
        bodies.push((n, data.to_vec()));
    };
    send(0, "rejected", br#"{"total": 1.0000000000000000000001, "n": 0}"#);
    send(1, "rejected", &[0, 159, 146, 150]);
    b.reject(&sources[0].1, 2);
    b.settled(&dead, 2);
    send(2, "expired", b"");
    b.settled(&dead, 3);
    send(3, "maxlen", b"first\n");
    b.publish(&exchange, "order.maxlen.eu", everything(99), b"pushes it out");
    b.settled(&dead, 4);
    if kind == "quorum" {
        send(4, "delivery_limit", b"poison");
        for _ in 0..2 {
            let got = b.get(&sources[3].1, false).unwrap();
            b.runtime.block_on(got.reject(lapin::options::BasicRejectOptions { requeue: true })).unwrap();
        }
        b.settled(&dead, 5);
    }
    Deaths { exchange, dead, sources, bodies }
}

#[test]
fn each_goes_back_where_it_came_from_as_it_was() {
    for version in BOTH {
        for kind in KINDS {
            let Some(b) = Broker::open(version) else { return };
            let s = Sandbox::new();
            let d = let_die(&b, kind);
            let (dead, n) = (b.address(&d.dead), d.bodies.len());

            let ran = s.run(&["inspect", &dead, "-o", "json"]);
            assert_eq!(ran.code, 0, "{}", ran.stderr);
            let views = ran.json();
            let views = views.as_array().unwrap();
            assert_eq!(views.len(), n);
            for (view, (id, data)) in views.iter().zip(&d.bodies) {
                let queue = view["death"]["origin"]["queue"].as_str().unwrap();
                let (reason, _) = d.sources.iter().find(|(_, q)| q == queue).unwrap();
                assert_eq!(view["death"]["reason"], *reason);
                assert_eq!(view["death"]["origin"]["exchange"], d.exchange.as_str());
                assert_eq!(view["death"]["origin"]["routing_key"], format!("order.{reason}.eu"));
                assert_eq!(view["headers"]["i32"], *id);
                assert!(view["size"].as_u64().unwrap() >= data.len() as u64);
            }

            let ran = s.run(&["depth", &dead, "-o", "json"]);
            assert_eq!((ran.code, ran.json()[0]["ready"].as_u64()), (0, Some(n as u64)), "{}", ran.stdout());
            let ran = s.run(&["filter", &dead, ".death.reason == \"rejected\"", "--print", ".headers.i32"]);
            assert_eq!((ran.stdout(), ran.code), ("0\n1\n", 0), "{}", ran.stderr);
            let ran = s.run(&["sample", &dead, "-n", "2", "-o", "jsonl"]);
            assert_eq!((ran.lines(), ran.code), (2, 0), "{}", ran.stderr);
            let ran = s.run(&["replay", &dead, "--dry-run", "-o", "json"]);
            assert_eq!((ran.code, ran.json()["selected"].as_u64()), (0, Some(n as u64)), "{}", ran.stderr);
            b.settled(&d.dead, n as u32);
            let ran = s.run(&["filter", &dead, "true", "--print", ".headers.i32"]);
            let order: Vec<String> = d.bodies.iter().map(|(id, _)| id.to_string()).collect();
            assert_eq!(ran.stdout().lines().collect::<Vec<_>>(), order, "looks keep the order");

            // What it died of would kill it again at once; these stay to be seen.
            b.bodies(&d.sources[2].1);
            let audit = b.queue("audit", "classic", &[]);
            b.bind(&audit, &d.exchange, "order.#");
            let ran = s.run(&["replay", &dead, "--yes", "-o", "json"]);
            assert_eq!((ran.code, ran.json()["replayed"].as_u64()), (0, Some(n as u64)), "{}", ran.stderr);
            assert_eq!(ran.json()["failed"], 0);
            let back = b.drain(&audit);
            assert_eq!(back.len(), n);
            for (got, (id, data)) in back.iter().zip(&d.bodies) {
                let first = everything(*id);
                assert_eq!(got.data, *data);
                assert_eq!(unmarked(got), inner(first.headers().as_ref().unwrap()), "message {id}");
                // A sender's name would be refused from another's connection.
                let without = |p: &BasicProperties| {
                    let p = p.clone().with_headers(FieldTable::default());
                    format!("{p:?}").replace("user_id: Some(ShortString(\"guest\"))", "user_id: None")
                };
                assert_eq!(without(&got.properties), without(&first), "message {id}");
                assert_eq!(got.exchange.as_str(), d.exchange);
            }
            let homes = b.drain(&d.sources[0].1);
            assert_eq!(
                homes.iter().map(|m| m.data.clone()).collect::<Vec<_>>(),
                [&d.bodies[0].1[..], &d.bodies[1].1[..]]
            );
        }
    }
}

/// Expiration of its own, CC, and a nested death: what the broker added comes off, what the sender gave stays.
#[test]
fn bookkeeping_comes_off() {
    for version in BOTH {
        let Some(b) = Broker::open(version) else { return };
        let s = Sandbox::new();
        let dead = b.queue("dead", "classic", &[]);
        let exchange = b.exchange("orders", ExchangeKind::Direct);
        let dlx = [("x-dead-letter-exchange", text("")), ("x-dead-letter-routing-key", text(&dead))];
        let (work, copies) = (b.queue("work", "classic", &dlx), b.queue("copies", "classic", &[]));
        b.bind(&work, &exchange, "main");
        b.bind(&copies, &exchange, "copied");
        let cc: lapin::types::FieldArray = vec![text("copied")].into();
        let headers = table(&[("CC", AMQPValue::FieldArray(cc)), ("mine", text("x"))]);
        let p = BasicProperties::default().with_delivery_mode(2).with_headers(headers).with_expiration("30".into());
        b.publish(&exchange, "main", p, b"late");
        b.settled(&dead, 1);
        b.settled(&copies, 0);
        let ran = s.run(&["inspect", &b.address(&dead), "-o", "json"]);
        assert_eq!(ran.json()[0]["death"]["reason"], "expired", "{}", ran.stdout());
        let ran = s.run(&["replay", &b.address(&dead), "--yes"]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let got = b.drain(&work);
        assert_eq!(got.iter().map(body).collect::<Vec<_>>(), ["late"]);
        let names: Vec<_> = unmarked(&got[0]).into_keys().collect();
        assert_eq!(names, ["mine"]);
        assert_eq!(got[0].properties.expiration(), &None, "it would expire again");
        assert_eq!(b.ready(&copies), 0, "its copies had a life of their own");
    }
}
