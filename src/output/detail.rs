//! One message in full, for people.

use std::fmt::Write;

use jiff::Timestamp;
use serde::de::IgnoredAny;
use unicode_width::UnicodeWidthStr;

use super::{Look, human, json};
use crate::death;
use crate::message::{ClaimCheck, DeadLetter, Fields, Mark, Origin, Payload, Value, unwrap};
use crate::ui::colour::Style;
use crate::ui::visible::{self, Breaks};

/// Bytes of a body that is not text that are shown.
const DUMP: usize = 512;

/// The page of a message. Control bytes are visible here wherever it goes.
pub fn render(m: &DeadLetter, now: Timestamp, look: &Look) -> String {
    let mut page = Page { out: String::new(), look, utf8: look.data_utf8() };
    let when = |t: Timestamp| format!("{t} ({} ago)", human::age(t, now));
    let mut rows: Vec<(String, String)> = vec![("id".into(), m.id.to_string()), ("queue".into(), m.queue.to_string())];
    rows.extend(m.position.iter().map(|(name, v)| (name.to_owned(), typed(v).1)));
    rows.extend(m.time.map(|t| ("time".into(), when(t))));
    rows.push(("size".into(), human::bytes(m.size() as u64)));
    rows.extend(m.key.as_ref().map(|k| ("key".into(), text_or_hex(k))));
    rows.extend(m.deliveries.map(|n| ("deliveries".into(), human::count(n))));
    rows.push(("replays".into(), Mark::replays(&m.headers).to_string()));
    page.rows("", &rows);
    if let Some(d) = death::of(m) {
        let mut rows = vec![("cause".to_owned(), d.cause), ("family".into(), d.family.into())];
        let texts = [("reason", d.reason), ("class", d.class), ("message", d.message)];
        rows.extend(texts.into_iter().filter_map(|(name, text)| Some((name.into(), text?))));
        rows.extend(d.origin.as_ref().map(|o| ("origin".into(), origin(o))));
        rows.extend(d.attempts.map(|n| ("attempts".into(), human::count(n))));
        rows.extend(d.first.map(|t| ("first".into(), when(t))));
        rows.extend(d.last.map(|t| ("last".into(), when(t))));
        page.head("death");
        page.rows("  ", &rows);
    } else if let Some(o) = &m.origin {
        page.rows("", &[("origin".into(), origin(o))]);
    }
    page.fields("headers", &m.headers);
    page.fields("properties", &m.properties);
    page.body("body", &m.payload);
    if let Some(check) = ClaimCheck::of(m) {
        let mut rows = vec![("bucket".to_owned(), check.bucket), ("key".into(), check.key)];
        rows.extend(check.size.map(|n| ("size".into(), human::bytes(n))));
        page.head("the body is kept in S3");
        page.rows("  ", &rows);
    }
    if let Some(inner) = unwrap::inner(m) {
        let mut rows = vec![("topic".to_owned(), inner.topic), ("id".into(), inner.id)];
        rows.extend(inner.subject.map(|s| ("subject".into(), s)));
        rows.extend(inner.time.map(|t| ("time".into(), when(t))));
        page.head(&format!("unwrapped: {}", inner.envelope));
        page.rows("  ", &rows);
        page.fields("unwrapped headers", &inner.headers);
        page.body("unwrapped body", &Payload::Bytes(inner.payload));
    }
    page.out
}

struct Page<'a> {
    out: String,
    look: &'a Look,
    utf8: bool,
}

impl Page<'_> {
    fn show(&self, text: &str) -> String {
        visible::escape(text, Breaks::Show, self.utf8).into_owned()
    }

    fn head(&mut self, text: &str) {
        _ = writeln!(self.out, "{}", Style::Head.paint(text, self.look.colour));
    }

    fn rows(&mut self, indent: &str, rows: &[(String, String)]) {
        let names: Vec<String> = rows.iter().map(|(name, _)| self.show(name)).collect();
        let widest = names.iter().map(|n| n.width()).max().unwrap_or(0);
        for (name, (_, value)) in names.iter().zip(rows) {
            let (blank, value) = (" ".repeat(widest - name.width()), self.show(value));
            let name = Style::Name.paint(name, self.look.colour);
            _ = writeln!(self.out, "{indent}{name}{blank}  {value}");
        }
    }

    fn fields(&mut self, head: &str, fields: &Fields) {
        if fields.is_empty() {
            return;
        }
        self.head(head);
        self.nested(fields.iter(), 1);
    }

    fn nested<'v>(&mut self, fields: impl Iterator<Item = (&'v str, &'v Value)>, level: usize) {
        let rows: Vec<_> = fields.map(|(name, v)| (self.show(name), typed(v), v)).collect();
        let names = rows.iter().map(|(name, ..)| name.width()).max().unwrap_or(0);
        let types = rows.iter().map(|(_, (kind, _), _)| kind.width()).max().unwrap_or(0);
        for (name, (kind, value), v) in &rows {
            let (gap, kind_gap) = (" ".repeat(names - name.width()), " ".repeat(types - kind.width()));
            let (name, kind) =
                (Style::Name.paint(name, self.look.colour), Style::Dim.paint(&self.show(kind), self.look.colour));
            let line = format!("{}{name}{gap}  {kind}{kind_gap}  {}", "  ".repeat(level), self.show(value));
            _ = writeln!(self.out, "{}", line.trim_end());
            // Deeper than anybody reads, and nobody's stack must suffer for it.
            if level > 32 {
                continue;
            }
            match v {
                Value::Table(t) => self.nested(t.iter(), level + 1),
                Value::Array(vs) => {
                    let names: Vec<String> = (0..vs.len()).map(|i| format!("[{i}]")).collect();
                    self.nested(names.iter().map(String::as_str).zip(vs), level + 1);
                }
                _ => {}
            }
        }
    }

    fn body(&mut self, head: &str, payload: &Payload) {
        let bytes = match payload {
            Payload::Absent => return self.head(&format!("{head}: none")),
            Payload::Bytes(b) if b.is_empty() => return self.head(&format!("{head}: empty")),
            Payload::Bytes(b) => b,
        };
        let size = human::bytes(bytes.len() as u64);
        if serde_json::from_slice::<IgnoredAny>(bytes).is_ok() {
            self.head(&format!("{head}: JSON, {size}"));
            let look = Look { tty: true, utf8: self.utf8, ..*self.look };
            let mut out = b"  ".to_vec();
            json::pretty_at(bytes, 1, &look, &mut out);
            _ = writeln!(self.out, "{}", String::from_utf8_lossy(&out));
        } else if let Ok(text) = std::str::from_utf8(bytes)
            && !text.contains('\0')
        {
            self.head(&format!("{head}: text, {size}"));
            for line in visible::escape(text, Breaks::Keep, self.utf8).lines() {
                _ = writeln!(self.out, "  {line}");
            }
        } else {
            self.head(&format!("{head}: binary, {size}"));
            dump(&bytes[..bytes.len().min(DUMP)], &mut self.out);
            if bytes.len() > DUMP {
                let more = human::counted((bytes.len() - DUMP) as u64, "byte");
                _ = writeln!(self.out, "  and {more} more; -o raw gives them all");
            }
        }
    }
}

fn origin(o: &Origin) -> String {
    let mut text = o.to_string();
    if let Some(offset) = o.offset {
        _ = write!(text, ", offset {offset}");
    }
    if let Some(group) = &o.group {
        _ = write!(text, ", group {group}");
    }
    text
}

fn dump(bytes: &[u8], out: &mut String) {
    for (at, line) in bytes.chunks(16).enumerate() {
        let mut hex = String::new();
        for (i, b) in line.iter().enumerate() {
            _ = write!(hex, "{}{b:02x} ", if i == 8 { " " } else { "" });
        }
        let text: String = line.iter().map(|b| if (0x20..0x7f).contains(b) { char::from(*b) } else { '.' }).collect();
        _ = writeln!(out, "  {:08x}  {hex:<49} {text}", at * 16);
    }
}

fn text_or_hex(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().fold("0x".to_owned(), |mut hex, b| {
            _ = write!(hex, "{b:02x}");
            hex
        }),
    }
}

/// The type's name and the value; what nests is shown below by the caller.
fn typed(v: &Value) -> (String, String) {
    let (kind, value) = match v {
        Value::Null => ("null", String::new()),
        Value::Bool(b) => ("bool", b.to_string()),
        Value::I8(n) => ("i8", n.to_string()),
        Value::U8(n) => ("u8", n.to_string()),
        Value::I16(n) => ("i16", n.to_string()),
        Value::U16(n) => ("u16", n.to_string()),
        Value::I32(n) => ("i32", n.to_string()),
        Value::U32(n) => ("u32", n.to_string()),
        Value::I64(n) => ("i64", n.to_string()),
        Value::U64(n) => ("u64", n.to_string()),
        Value::F32(n) => ("f32", n.to_string()),
        Value::F64(n) => ("f64", n.to_string()),
        Value::Decimal { scale, value } => ("decimal", decimal(*scale, *value)),
        Value::Number(text) => ("number", text.clone()),
        Value::Text(b) => ("text", text_or_hex(b)),
        Value::ShortText(text) => ("short text", text.clone()),
        Value::Bytes(b) => ("bytes", text_or_hex(b)),
        Value::Time(s) => {
            let time = i64::try_from(*s).ok().and_then(|s| Timestamp::from_second(s).ok());
            ("time", time.map_or_else(|| format!("{s} s after 1970"), human::time))
        }
        Value::Array(vs) => ("array", format!("of {}", vs.len())),
        Value::Table(t) => ("table", format!("of {}", t.len())),
        Value::Labelled(label, v) => {
            let (kind, value) = typed(v);
            return (format!("{kind}.{label}"), value);
        }
    };
    (kind.to_owned(), value)
}

/// The digits with their point; a scale beyond any sense stays an exponent.
fn decimal(scale: u8, value: u32) -> String {
    match usize::from(scale) {
        0 => value.to_string(),
        s @ 1..=20 => {
            let digits = format!("{value:0>width$}", width = s + 1);
            let (whole, part) = digits.split_at(digits.len() - s);
            format!("{whole}.{part}")
        }
        s => format!("{value}e-{s}"),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn message(body: &'static [u8]) -> DeadLetter {
        let mut m = DeadLetter::new("amqp://localhost/orders.dlq".into(), Payload::Bytes(Bytes::from_static(body)));
        m.id = "9f".into();
        m.time = Some("2026-11-23T02:36:11.5Z".parse().unwrap());
        m.headers.push("tenant", "a\x1b[1m");
        m.headers.push("try", Value::I32(-3));
        m.headers
            .push("x", Value::Array(vec![Value::Table([("k".to_owned(), Value::Bool(true))].into_iter().collect())]));
        m.headers.push("price", Value::Decimal { scale: 2, value: 5 });
        m.properties.push("timestamp", Value::Time(u64::MAX));
        m
    }

    fn page(m: &DeadLetter) -> String {
        render(m, "2026-11-23T05:48:11.5Z".parse().unwrap(), &Look::PLAIN)
    }

    #[test]
    fn every_field_with_its_type() {
        assert_eq!(
            page(&message(b"{\"total\":42,\"note\":\"\x7f\"}")),
            "\
id       9f
queue    amqp://localhost/orders.dlq
time     2026-11-23T02:36:11.5Z (3h12m ago)
size     53 B
replays  0
headers
  tenant  text     a\\x1b[1m
  try     i32      -3
  x       array    of 1
    [0]  table  of 1
      k  bool  true
  price   decimal  0.05
properties
  timestamp  time  18446744073709551615 s after 1970
body: JSON, 23 B
  {
    \"total\": 42,
    \"note\": \"\\u007f\"
  }
"
        );
    }

    #[test]
    fn text_keeps_its_lines_and_binary_is_dumped() {
        assert!(page(&message(b"one\r\ntwo\x07")).ends_with("body: text, 9 B\n  one\n  two\\x07\n"));
        assert!(page(&message(b"\x00\xffABCDEFGH")).ends_with(
            "body: binary, 10 B\n  00000000  00 ff 41 42 43 44 45 46  47 48                    ..ABCDEFGH\n"
        ));
        let mut m = message(b"");
        assert!(page(&m).ends_with("body: empty\n"));
        m.payload = Payload::Absent;
        assert!(page(&m).ends_with("body: none\n"));
        m.payload = Payload::Bytes(vec![0xff; 1000].into());
        assert!(page(&m).ends_with("  and 488 bytes more; -o raw gives them all\n"));
    }

    #[test]
    fn nesting_without_end_is_no_harm() {
        let mut v = Value::Null;
        for _ in 0..2000 {
            v = Value::Array(vec![v]);
        }
        let mut m = message(b"x");
        m.headers.push("deep", v);
        assert!(page(&m).contains("deep"));
        // Dropping it recurses as well, within what a test thread has.
        drop(m);
    }

    #[test]
    fn decimals() {
        assert_eq!(
            [decimal(0, 7), decimal(2, 12_345), decimal(3, 5), decimal(200, 1)],
            ["7", "123.45", "0.005", "1e-200"]
        );
    }
}
