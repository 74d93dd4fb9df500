use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use proptest::prelude::*;

use super::super::{DeadLetter, Fields, Identity, Origin, Payload, Value};
use super::*;
use crate::broker::Kind;

fn bytes() -> impl Strategy<Value = Bytes> {
    prop_oneof![
        Just(Bytes::new()),
        any::<Vec<u8>>().prop_map(Bytes::from),
        any::<String>().prop_map(Bytes::from),
        "[\\x00-\\x1f\"\\\\\u{7f}-\u{a0}\u{2028}😀é]{0,12}".prop_map(Bytes::from),
        Just(Bytes::from_static(b"{\"a\":[1,\"\\u0000\\n\",null]}")),
    ]
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i8>().prop_map(Value::I8),
        any::<u8>().prop_map(Value::U8),
        any::<i16>().prop_map(Value::I16),
        any::<u16>().prop_map(Value::U16),
        any::<i32>().prop_map(Value::I32),
        any::<u32>().prop_map(Value::U32),
        prop_oneof![any::<i64>(), Just(i64::MIN), Just(i64::MAX), Just(1 << 53), Just((1 << 53) + 1)]
            .prop_map(Value::I64),
        any::<u64>().prop_map(Value::U64),
        any::<u32>().prop_map(|bits| Value::F32(f32::from_bits(bits))),
        prop_oneof![any::<u32>().prop_map(|b| b | 0x7f80_0000)].prop_map(|bits| Value::F32(f32::from_bits(bits))),
        any::<u64>().prop_map(|bits| Value::F64(f64::from_bits(bits))),
        prop_oneof![Just(-0.0), Just(f64::INFINITY), Just(f64::NEG_INFINITY), Just(f64::NAN), Just(5e-324), Just(0.1)]
            .prop_map(Value::F64),
        any::<u64>().prop_map(|bits| Value::F64(f64::from_bits(bits | 0x7ff0_0000_0000_0000))),
        (any::<u8>(), any::<u32>()).prop_map(|(scale, value)| Value::Decimal { scale, value }),
        any::<String>().prop_map(Value::Number),
        bytes().prop_map(Value::Text),
        any::<String>().prop_map(Value::ShortText),
        bytes().prop_map(Value::Bytes),
        any::<u64>().prop_map(Value::Time),
    ]
}

fn fields_of(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Fields> {
    // Few names, so that they repeat.
    let name = prop_oneof![Just(String::new()), Just("a".to_owned()), Just("b".to_owned()), any::<String>()];
    prop::collection::vec((name, value), 0..5).prop_map(|f| f.into_iter().collect())
}

fn value() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(5, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
            fields_of(inner.clone()).prop_map(Value::Table),
            (any::<String>(), inner).prop_map(|(label, v)| Value::Labelled(label, Box::new(v))),
        ]
    })
}

fn origin() -> impl Strategy<Value = Origin> {
    let text = || prop::option::of(any::<String>().prop_map(Arc::from));
    (text(), text(), text(), any::<Option<i64>>(), any::<Option<i64>>(), text()).prop_map(
        |(queue, exchange, routing_key, partition, offset, group)| Origin {
            queue,
            exchange,
            routing_key,
            partition,
            offset,
            group,
        },
    )
}

fn message() -> impl Strategy<Value = DeadLetter> {
    let time = (Timestamp::MIN.as_second()..=Timestamp::MAX.as_second(), 0..1_000_000_000_i32)
        .prop_map(|(s, n)| Timestamp::new(s, n).unwrap_or(Timestamp::MAX));
    let payload = prop_oneof![Just(Payload::Absent), bytes().prop_map(Payload::Bytes)];
    (
        (any::<String>(), any::<String>(), fields_of(value()), prop::option::of(time), prop::option::of(bytes())),
        (payload, fields_of(value()), fields_of(value()), prop::option::of(origin()), any::<Option<u64>>()),
    )
        .prop_map(|((id, queue, position, time, key), (payload, headers, properties, origin, deliveries))| {
            DeadLetter {
                id: id.into(),
                identity: Identity::Like(0),
                queue: queue.into(),
                position,
                time,
                key,
                payload,
                headers,
                properties,
                origin,
                deliveries,
            }
        })
}

proptest! {
    #[test]
    fn any_message_comes_back_as_it_was(mut m in message()) {
        let id = fresh_line_id();
        let mut line = Vec::new();
        write(&id, &m, &mut line).unwrap();
        prop_assert_eq!(line.pop(), Some(b'\n'));
        prop_assert!(!line.iter().any(|b| *b < 0x20 || *b == 0x7f), "a control byte in {}", line.escape_ascii());
        let json: serde_json::Value = serde_json::from_slice(&line).unwrap();
        let back = parse(&line).unwrap();
        // Someone passed the line through another tool.
        prop_assert_eq!(&parse(&serde_json::to_vec_pretty(&json).unwrap()).unwrap(), &back);
        prop_assert_eq!(&back.line, &id);
        m.identity = back.message.identity;
        prop_assert!(matches!(m.identity, Identity::Exact(_)));
        prop_assert_eq!(back.message, m);
    }

    #[test]
    fn strings_are_read_as_a_json_library_reads_them(inner in "([a-z\"é😀]|\\\\[\"\\\\/bfnrtu]|\\\\u[0-9a-fA-F]{4}|\\\\ud83d\\\\ude00){0,8}") {
        let json = format!("\"{inner}\"");
        let mut c = cursor::Cursor::new(&json);
        let mut scratch = String::new();
        let ours = c.string(&mut scratch).map(str::to_owned).and_then(|s| c.end().map(|()| s)).ok();
        prop_assert_eq!(ours, serde_json::from_str::<String>(&json).ok());
    }

    #[test]
    fn no_line_makes_the_parser_panic(garbage in any::<Vec<u8>>(), m in message(), at in any::<prop::sample::Index>()) {
        let _ = parse(&garbage);
        let mut line = Vec::new();
        write("x", &m, &mut line).unwrap();
        let at = at.index(line.len() - 1);
        prop_assert!(parse(&line[..at]).is_err(), "a torn line was taken for a whole one");
        line.splice(at..at, garbage);
        let _ = parse(&line);
    }
}

fn refused(line: &str) -> String {
    let e = parse(line.as_bytes()).unwrap_err();
    assert_eq!(e.kind(), Kind::Corrupt);
    format!("{e} | {}", e.get_hint().unwrap_or("-"))
}

#[test]
fn says_what_is_wrong_with_a_line() {
    let whole = r#"{"v":1,"line":"l","id":"i","queue":"q","payload":"p"}"#;
    assert_eq!(parse(whole.as_bytes()).unwrap().message.payload, Payload::Bytes(Bytes::from_static(b"p")));
    for (line, says) in [
        (r#"{"id":"1","body":{"total":1}}"#, "it has no \"v\" | archives are written with `-o archive`"),
        (r#"{"v":2,"line":["new"]}"#, "archive line of version 2, but this dlq knows version 1 | a newer dlq wrote it"),
        ("hello", "'h' where '{' should be at column 1"),
        (&whole[..30], "the line ends inside a string at column 31"),
        (&whole.replace("\"id\"", "\"ID\""), "unknown field \"ID\" at column 19"),
        (&whole.replace("\"id\":\"i\",", ""), "field \"id\" is missing"),
        (&whole.replace("\"p\"", "\"p\",\"line\":\"k\""), "field \"line\" is there twice"),
        (&whole.replace("\"p\"", "{\"base64\":\"*\"}"), "bad base64"),
        (&whole.replace("\"p\"", "\"p\",\"headers\":[[\"a\",\"i8\",128]]"), "\"128\" is not an integer of its type"),
        (&whole.replace("\"p\"", "\"p\",\"headers\":[[\"a\",\"i9\",1]]"), "unknown type \"i9\""),
        (&whole.replace("\"p\"", "\"p\",\"headers\":[[\"a\",\"f64\",\"nan:0\"]]"), "\"nan:0\" is not a float"),
        (&whole.replace("\"p\"", "\"p\",\"time\":\"yesterday\""), "\"time\" is not an RFC 3339 time"),
        (&whole.replace("\"p\"", "\"p\",\"origin\":{\"host\":\"h\"}"), "unknown field \"host\" in \"origin\""),
        (&format!("{whole} x"), "something follows the closing brace"),
    ] {
        let text = refused(line);
        assert!(text.contains(says), "{line}\n  gave  {text}\n  not   {says}");
    }
}

#[test]
fn keeps_absent_and_empty_apart() {
    let mut line = Vec::new();
    let mut m = DeadLetter::new("q".into(), Payload::Absent);
    write("l", &m, &mut line).unwrap();
    assert_eq!(line, b"{\"v\":1,\"line\":\"l\",\"id\":\"\",\"queue\":\"q\",\"payload\":null}\n");
    m.payload = Payload::Bytes(Bytes::new());
    m.key = Some(Bytes::new());
    line.clear();
    write("l", &m, &mut line).unwrap();
    assert_eq!(line, b"{\"v\":1,\"line\":\"l\",\"id\":\"\",\"queue\":\"q\",\"key\":\"\",\"payload\":\"\"}\n");
}

#[test]
fn nesting_has_the_same_limit_both_ways() {
    let deep = |levels: usize| {
        let mut m = DeadLetter::new("q".into(), Payload::Absent);
        let nested = (1..levels).fold(Value::Null, |v, i| match i % 3 {
            0 => Value::Array(vec![v]),
            1 => Value::Table([("t".to_owned(), v)].into_iter().collect()),
            _ => Value::Labelled("l".into(), Box::new(v)),
        });
        m.headers.push("deep", nested);
        m
    };
    let mut line = Vec::new();
    write("l", &deep(MAX_DEPTH), &mut line).unwrap();
    line.pop();
    assert_eq!(parse(&line).unwrap().message.headers, deep(MAX_DEPTH).headers);
    let mut none = Vec::new();
    assert_eq!(write("l", &deep(MAX_DEPTH + 1), &mut none).unwrap_err().kind(), Kind::Rejected);
    assert!(none.is_empty());
    let hostile =
        String::from_utf8(line).unwrap().replace("null]", &format!("{}null]", "[[\"array\",".repeat(100_000)));
    assert!(refused(&hostile).contains("not an archive line"));
}

#[test]
fn fresh_line_ids_differ() {
    let ids: std::collections::HashSet<String> = (0..1000).map(|_| fresh_line_id()).collect();
    assert_eq!(ids.len(), 1000);
    assert!(ids.iter().all(|id| id.len() == 26));
}
