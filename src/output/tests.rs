use bytes::Bytes;
use jiff::Timestamp;
use serde_json::json;

use super::*;
use crate::message::{DeadLetter, Payload};

fn letters(n: usize) -> Vec<DeadLetter> {
    (0..n)
        .map(|i| {
            let mut m = DeadLetter::new("q".into(), Payload::Bytes(Bytes::from(format!("body {i}\x1b"))));
            m.id = format!("id-{i}").into();
            m
        })
        .collect()
}

fn written(format: Format, look: Look, n: usize) -> (String, Vec<String>) {
    let mut out = Vec::new();
    let mut w = Writer::new(format, look, Timestamp::UNIX_EPOCH);
    for m in letters(n) {
        w.message(&m, &mut out).unwrap();
    }
    let notes = w.finish(&mut out);
    (String::from_utf8(out).unwrap(), notes)
}

#[test]
fn auto_is_for_people_on_a_terminal_and_for_programs_in_a_pipe() {
    assert_eq!(Format::Auto.resolve(true, false), Format::Table);
    assert_eq!(Format::Auto.resolve(false, false), Format::Jsonl);
    assert_eq!(Format::Auto.resolve(false, true), Format::Table);
    assert_eq!(Format::Raw.resolve(true, true), Format::Raw);
}

#[test]
fn a_table_has_one_head_and_a_line_a_message() {
    let (text, notes) = written(Format::Table, Look::PLAIN, 3);
    assert_eq!(
        text,
        "ID    AGE  CAUSE  REASON  ORIGIN  SIZE  BODY\n\
         id-0    -  -      -       -        7 B  body 0\\x1b\n\
         id-1    -  -      -       -        7 B  body 1\\x1b\n\
         id-2    -  -      -       -        7 B  body 2\\x1b\n"
    );
    assert!(notes.is_empty());
    let (text, _) = written(Format::Table, Look { tty: true, width: 40, ..Look::PLAIN }, 250);
    assert_eq!(text.lines().count(), 251);
    assert_eq!(text.matches("ID").count(), 1);
    assert_eq!(written(Format::Table, Look::PLAIN, 0), (String::new(), vec![]));
}

#[test]
fn rows_do_not_wait_for_ever() {
    let mut out = Vec::new();
    let mut w = Writer::new(Format::Table, Look::PLAIN, Timestamp::UNIX_EPOCH);
    w.message(&letters(1)[0], &mut out).unwrap();
    assert!(out.is_empty());
    w.settle(&mut out);
    assert!(String::from_utf8_lossy(&out).contains("id-0"));
    assert_eq!(w.written(), 1);
    assert!(w.finish(&mut out).is_empty());
}

#[test]
fn a_json_array_is_whole_whatever_its_length() {
    for n in 0..3 {
        let mut out = Vec::new();
        let mut w = Writer::new(Format::Json, Look::PLAIN, Timestamp::UNIX_EPOCH);
        for i in 0..n {
            w.element(format!("{{\"i\":{i}}}").as_bytes(), &mut out);
        }
        assert!(w.finish(&mut out).is_empty());
        let expected: Vec<_> = (0..n).map(|i| json!({ "i": i })).collect();
        let pretty = serde_json::to_string_pretty(&expected).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), format!("{pretty}\n"));
    }
}

#[test]
fn raw_records_end_with_the_delimiter() {
    let mut out = Vec::new();
    let mut w = Writer::new(Format::Raw, Look::PLAIN, Timestamp::UNIX_EPOCH).delimiter(*b"\0");
    for m in letters(2) {
        w.message(&m, &mut out).unwrap();
    }
    assert!(w.finish(&mut out).is_empty());
    assert_eq!(out, b"body 0\x1b\0body 1\x1b\0");
}

#[test]
fn one_message_is_a_page_or_an_object() {
    let mut out = Vec::new();
    let mut w = Writer::new(Format::Table, Look::PLAIN, Timestamp::UNIX_EPOCH).single();
    for m in letters(2) {
        w.message(&m, &mut out).unwrap();
    }
    assert!(w.finish(&mut out).is_empty());
    let text = String::from_utf8(out).unwrap();
    assert_eq!(text.matches("body: text, 7 B\n  body ").count(), 2);
    assert!(!text.contains('\x1b'));
}

#[test]
fn a_report_is_text_or_json() {
    let mut summary = Summary::new("done");
    summary.row("replayed", "41");
    let value = json!({"replayed": 41, "remaining": null});
    let text = |format| String::from_utf8(report(&summary, &value, format, &Look::PLAIN)).unwrap();
    assert_eq!(text(Format::Table), "done\n  replayed  41\n");
    assert_eq!(text(Format::Raw), text(Format::Table));
    assert_eq!(text(Format::Json), "{\n  \"replayed\": 41,\n  \"remaining\": null\n}\n");
    assert_eq!(text(Format::Jsonl), "{\"replayed\":41,\"remaining\":null}\n");
}
