use std::time::Duration;

use super::*;
use crate::message::{Fields, Payload};

fn taker(tombstones: bool) -> Taker {
    Taker { tombstones, properties: Some(&["content_type", "priority", "timestamp"]) }
}

fn map(source: &str) -> Changes {
    let program = Program::compile(source, &[], Duration::from_secs(5)).unwrap();
    Changes { by: Some(By::Map(Arc::new(program))), taker: taker(true), ..Changes::default() }
}

/// One with everything that JSON cannot say.
fn message(body: &'static [u8]) -> DeadLetter {
    let mut m = DeadLetter::new("amqp://h/q".into(), Payload::Bytes(bytes::Bytes::from_static(body)));
    m.id = "7".into();
    m.key = Some(bytes::Bytes::from_static(b"k"));
    let nested: Fields =
        [("n".to_owned(), Value::I16(3)), ("list".to_owned(), Value::Array(vec![Value::U8(1), Value::I8(2)]))]
            .into_iter()
            .collect();
    for (name, value) in [
        ("twice", Value::Bytes(bytes::Bytes::from_static(b"1"))),
        ("twice", Value::Bytes(bytes::Bytes::from_static(b"2"))),
        ("void", Value::Null),
        ("binary", Value::Bytes(bytes::Bytes::from_static(&[0xff, 0]))),
        ("short", Value::ShortText("s".into())),
        ("retries", Value::I32(5)),
        ("price", Value::Decimal { scale: 2, value: 1050 }),
        ("amount", Value::Number("1.50".into())),
        ("mail", Value::Labelled("email".into(), Box::new(Value::text("a@b")))),
        ("at", Value::Time(1_700_000_000)),
        ("table", Value::Table(nested)),
    ] {
        m.headers.push(name, value);
    }
    m.properties.push("content_type", Value::ShortText("application/json".into()));
    m.properties.push("priority", Value::U8(4));
    m.properties.push("exchange", Value::ShortText("x".into()));
    m
}

fn changed(source: &str, body: &'static [u8]) -> DeadLetter {
    let (changes, mut m) = (map(source), message(body));
    let patch = changes.patch(&m, None).unwrap();
    assert!(changes.apply(patch, &mut m), "{source} changes nothing");
    m
}

fn refusal(changes: &Changes, body: &'static [u8]) -> String {
    changes.patch(&message(body), None).unwrap_err().to_string()
}

#[test]
fn what_is_not_touched_stays_byte_for_byte() {
    let odd: &[u8] = b"{ \"a\" : 1.10, \"a\":2.50,\n \"big\":12345678901234567890.10 }\n";
    for same in [".", ".headers.void = null", ".body |= .", "del(.headers.absent)", ".headers |= with_entries(.)"] {
        let (changes, m) = (map(same), message(odd));
        let patch = changes.patch(&m, None).unwrap();
        assert!(patch.is_empty(), "{same}: {patch:?}");
    }
    let m = changed(".headers.new = \"n\"", odd);
    let mut wanted = message(odd);
    wanted.headers.push("new", Value::text("n"));
    assert_eq!(m, wanted);
    let m = changed(".body.c = 1", odd);
    let wanted = DeadLetter { payload: m.payload.clone(), ..message(odd) };
    assert_eq!(m, wanted, "headers and properties are as they were");
    assert_eq!(m.payload.as_bytes(), br#"{"a":2.50,"big":12345678901234567890.10,"c":1}"#);
}

#[test]
fn a_changed_value_keeps_the_type_it_had() {
    let m = changed(
        r#".headers |= (.retries = 0 | .price = 9.5 | .amount = 2.50 | .mail = "c@d" | .short = "t" | .at = "2026-11-23T05:48:11Z"
            | .binary = {"base64": "AQI="} | .table.n = 4 | .table.list[1] = 7 | .big = 3000000000 | .f = 0.5 | .yes = true)"#,
        b"{}",
    );
    let header = |name: &str| m.headers.last(name).unwrap().clone();
    assert_eq!(header("retries"), Value::I32(0));
    assert_eq!(header("price"), Value::Decimal { scale: 1, value: 95 });
    assert_eq!(header("amount"), Value::Number("2.50".into()));
    assert_eq!(header("mail"), Value::Labelled("email".into(), Box::new(Value::text("c@d"))));
    assert_eq!(header("short"), Value::ShortText("t".into()));
    assert_eq!(header("at"), Value::Time(1_795_412_891));
    assert_eq!(header("binary"), Value::Bytes(bytes::Bytes::from_static(&[1, 2])));
    let Value::Table(table) = header("table") else { panic!("a table") };
    assert_eq!(table.last("n"), Some(&Value::I16(4)));
    assert_eq!(table.last("list"), Some(&Value::Array(vec![Value::U8(1), Value::I8(7)])));
    assert_eq!(
        (header("big"), header("f"), header("yes")),
        (Value::I64(3_000_000_000), Value::F64(0.5), Value::Bool(true))
    );
    let many: Vec<_> = m.headers.iter().filter(|(n, _)| *n == "twice").collect();
    assert_eq!(many.len(), 2, "a repeated header that is not touched keeps its repeats");
    let m = changed(".headers.twice = \"3\" | .properties.priority = 9 | del(.headers.void)", b"{}");
    let many: Vec<_> = m.headers.iter().filter(|(n, _)| *n == "twice").map(|(_, v)| v.clone()).collect();
    assert_eq!(many, [Value::Bytes(bytes::Bytes::from_static(b"3"))]);
    assert_eq!(m.properties.last("priority"), Some(&Value::U8(9)));
    assert!(m.headers.last("void").is_none());
}

#[test]
fn json_stays_json_text_stays_text_and_bytes_are_bytes() {
    let body = |source: &str, before: &'static [u8]| changed(source, before).payload;
    let bytes = |b: &'static [u8]| Payload::Bytes(bytes::Bytes::from_static(b));
    assert_eq!(body(".body = \"x\"", b"{}"), bytes(b"\"x\""));
    assert_eq!(body(".body = \"x\"", b"plain"), bytes(b"x"));
    assert_eq!(body(".body = {a: 1}", b"plain"), bytes(b"{\"a\":1}"));
    assert_eq!(body(".body = {base64: \"/w==\"}", b"plain"), bytes(b"\xff"));
    assert_eq!(body(".body = {base64: \"AA==\"}", b"\xff"), bytes(b"\0"));
    assert_eq!(body(".body.base64 = \"AA==\"", b"{\"base64\":\"/w==\"}"), bytes(b"{\"base64\":\"AA==\"}"));
    assert_eq!(body(".body = null", b"{}"), Payload::Absent);
    assert_eq!(changed(".key = \"other\"", b"{}").key.as_deref(), Some(&b"other"[..]));
    assert_eq!(changed("del(.key)", b"{}").key, None);
}

#[test]
fn what_may_not_be_touched_is_refused_with_its_name() {
    for (source, part) in [
        (".id = \"8\"", "id cannot be changed"),
        (".time = \"2026-11-23T05:48:11Z\"", "time cannot be changed"),
        ("del(.queue)", "queue is missing"),
        (".replays = 1", "replays cannot be changed"),
        (".death = {}", "death cannot be changed"),
        (".body", "keeps the rest of the message"),
        ("{body}", "id is missing"),
        ("del(.body)", "body is missing"),
        (".total = 5", "no field \"total\"; a part of the body is .body.total"),
        (".headers = 5", "headers must stay an object"),
        (".headers[\"dlq-replay\"] = \"x\"", "the mark of the replay"),
        (".properties.exchange = \"y\"", "the property exchange cannot be set there, only content_type"),
        (".key = 5", "key must be text"),
        (".headers.at = \"soon\"", "at: it was a time"),
        ("empty", "it gives nothing"),
        (".,.", "more than one"),
        (".body.a.b", "--map failed on it"),
    ] {
        let told = refusal(&map(source), b"{\"a\":1}");
        assert!(told.contains(part), "{source}: {told}");
    }
    let changes = Changes { taker: taker(false), ..map(".body = null") };
    assert!(refusal(&changes, b"{}").contains("cannot be null"));
    assert!(map(".properties = {}").patch(&message(b"{}"), None).is_ok(), "what is not sent anyway may go");
    assert!(map(".headers = {}").patch(&message(b"{}"), None).is_ok());
}

#[test]
fn assignments_to_what_may_not_be_touched_are_known_from_the_text() {
    let assigned = |source: &str| {
        let Some(By::Map(program)) = map(source).by else { panic!("a program") };
        program.assigned().to_vec()
    };
    assert_eq!(assigned(".id = 1"), ["id"]);
    assert_eq!(
        assigned(".body.x |= 1 | .queue += \"x\" | del(.time, .headers.a)"),
        ["body", "queue", "time", "headers"]
    );
    assert_eq!(assigned(".body | .id = 1"), [""; 0], "that is a part of the body");
    assert_eq!(assigned("(.size, .key) = 1"), ["size", "key"]);
}

#[test]
fn headers_are_set_and_dropped_by_name() {
    let mut m = message(b"{}");
    let set = [("retries", "0"), ("retries2", "0"), ("short", "x"), ("twice", "3"), ("void", "v"), ("amount", "many")];
    let changes = Changes {
        set: set.map(|(n, v)| (n.to_owned(), v.to_owned())).to_vec(),
        drop: vec!["binary".to_owned(), "absent".to_owned()],
        ..Changes::default()
    };
    assert!(changes.apply(Patch::default(), &mut m));
    assert_eq!(m.headers.last("retries"), Some(&Value::I32(0)));
    assert_eq!(m.headers.last("retries2"), Some(&Value::text("0")));
    assert_eq!(m.headers.last("short"), Some(&Value::ShortText("x".into())));
    assert_eq!(m.headers.iter().filter(|(n, _)| *n == "twice").count(), 1);
    assert_eq!(m.headers.last("amount"), Some(&Value::text("many")));
    assert!(m.headers.last("binary").is_none());
    assert!(!changes.apply(Patch::default(), &mut m), "a second time it changes nothing");
    assert!(header_names(["a", MARK_HEADER]).is_err() && header_names([""]).is_err());
}

#[test]
fn of_equal_messages_each_takes_one_edit() {
    let edits: Edits = [("a".to_owned(), Patch::default()), ("a".to_owned(), Patch::default())].into_iter().collect();
    assert!(edits.take("a").is_ok() && edits.take("a").is_ok());
    assert!(edits.take("a").is_err() && edits.take("b").is_err());
}

#[test]
fn a_difference_is_shown_as_a_diff() {
    let changes = map(".body.total = 42 | .headers.retries = 0");
    let diff = changes.difference(&message(b"{\"total\":41,\"x\":1}"), None).unwrap();
    assert!(diff.contains("-    \"total\": 41,\n+    \"total\": 42,"), "{diff}");
    assert!(diff.contains("-    \"retries\": 5,\n+    \"retries\": 0,"), "{diff}");
    assert!(!diff.contains("content_type"), "{diff}");
    assert_eq!(map(".").difference(&message(b"{}"), None), None);
}
