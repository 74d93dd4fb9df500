//! Values out as JSON: always valid, whatever is in them.

use std::io::Write as _;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jaq_json::{Num, Val};

use super::body::is_number;

/// Appends compact JSON. NaN and infinities become `null`, bytes that are not UTF-8 the replacement character, byte
/// strings `{"base64": …}`, keys that are not strings their JSON as a string.
pub fn write_json(v: &Val, out: &mut Vec<u8>) {
    Writer { out, indent: false, level: 0, end: usize::MAX, items: 0, go_on: || true }.value(v);
}

/// Appends JSON over several lines, indented by two.
pub fn write_pretty(v: &Val, out: &mut Vec<u8>) {
    Writer { out, indent: true, level: 0, end: usize::MAX, items: 0, go_on: || true }.value(v);
}

/// As [`write_json`], but stops early and gives `false` when it comes to more than `most` bytes or `go_on`, asked now and
/// then, says no. Values share their parts, so a small program can make one whose text is longer than any memory.
pub fn write_json_within(v: &Val, out: &mut Vec<u8>, most: usize, go_on: fn() -> bool) -> bool {
    let end = out.len().saturating_add(most);
    let mut w = Writer { out, indent: false, level: 0, end, items: 0, go_on };
    w.value(v);
    w.out.len() <= w.end
}

struct Writer<'a> {
    out: &'a mut Vec<u8>,
    indent: bool,
    level: usize,
    end: usize,
    items: u32,
    go_on: fn() -> bool,
}

impl Writer<'_> {
    fn value(&mut self, v: &Val) {
        if self.out.len() > self.end {
            return;
        }
        match v {
            Val::Null => self.out.extend_from_slice(b"null"),
            Val::Bool(true) => self.out.extend_from_slice(b"true"),
            Val::Bool(false) => self.out.extend_from_slice(b"false"),
            Val::Num(n) => self.number(n),
            Val::TStr(s) => self.string(s),
            Val::BStr(b) => {
                self.out.extend_from_slice(b"{\"base64\":\"");
                self.out.extend_from_slice(STANDARD.encode(&**b).as_bytes());
                self.out.extend_from_slice(b"\"}");
            }
            Val::Arr(a) => self.list(b'[', b']', a.iter(), Self::value),
            Val::Obj(o) => self.list(b'{', b'}', o.iter(), |w, (k, v)| {
                match k {
                    Val::TStr(k) => w.string(k),
                    k => {
                        let mut text = vec![];
                        Writer { out: &mut text, indent: false, level: 0, end: w.end, items: 0, go_on: w.go_on }
                            .value(k);
                        w.string(&text);
                    }
                }
                w.out.extend_from_slice(if w.indent { b": " } else { b":" });
                w.value(v);
            }),
        }
    }

    fn list<T>(&mut self, open: u8, close: u8, items: impl ExactSizeIterator<Item = T>, f: impl Fn(&mut Self, T)) {
        self.out.push(open);
        let empty = items.len() == 0;
        self.level += 1;
        for (i, item) in items.enumerate() {
            self.items = self.items.wrapping_add(1);
            if self.items.is_multiple_of(4096) && !(self.go_on)() {
                self.end = 0;
            }
            if self.out.len() > self.end {
                return;
            }
            if i > 0 {
                self.out.push(b',');
            }
            self.line();
            f(self, item);
        }
        self.level -= 1;
        if !empty {
            self.line();
        }
        self.out.push(close);
    }

    fn line(&mut self) {
        if self.indent {
            self.out.push(b'\n');
            self.out.resize(self.out.len() + 2 * self.level, b' ');
        }
    }

    fn number(&mut self, n: &Num) {
        let ok = match n {
            Num::Float(f) if !f.is_finite() => {
                self.out.extend_from_slice(b"null");
                Ok(())
            }
            // From a number in a string, which may be written as JSON does not: `+1.5`, `007.5`.
            Num::Dec(text) if !is_number(text.as_bytes()) => match text.parse::<f64>() {
                Ok(f) => return self.number(&Num::Float(f)),
                Err(_) => write!(self.out, "null"),
            },
            n => write!(self.out, "{n}"),
        };
        ok.expect("a vector takes all that is written to it");
    }

    fn string(&mut self, s: &[u8]) {
        self.out.push(b'"');
        if std::str::from_utf8(s).is_ok() {
            self.escaped(s);
        } else {
            for part in s.utf8_chunks() {
                self.escaped(part.valid().as_bytes());
                if !part.invalid().is_empty() {
                    self.out.extend_from_slice("\u{fffd}".as_bytes());
                }
            }
        }
        self.out.push(b'"');
    }

    fn escaped(&mut self, s: &[u8]) {
        let mut from = 0;
        for (i, b) in s.iter().enumerate() {
            let short = match b {
                b'"' => b'"',
                b'\\' => b'\\',
                b'\n' => b'n',
                b'\r' => b'r',
                b'\t' => b't',
                0x08 => b'b',
                0x0c => b'f',
                0..=0x1f => 0,
                _ => continue,
            };
            self.out.extend_from_slice(&s[from..i]);
            from = i + 1;
            if short == 0 {
                write!(self.out, "\\u{b:04x}").expect("a vector takes all that is written to it");
            } else {
                self.out.extend_from_slice(&[b'\\', short]);
            }
        }
        self.out.extend_from_slice(&s[from..]);
    }
}

#[cfg(test)]
mod tests {
    use jaq_json::Map;
    use proptest::prelude::*;

    use super::*;

    fn compact(v: &Val) -> String {
        let mut out = vec![];
        write_json(v, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn whatever_jq_can_make_becomes_valid_json() {
        let mut o = Map::default();
        o.insert(Val::from(1usize), Val::from(f64::NAN));
        o.insert(Val::utf8_str(vec![0xff, b'a']), Val::byte_str(vec![0u8]));
        o.insert(Val::from("dec".to_owned()), Val::Num(Num::Dec("+1.50".to_owned().into())));
        o.insert(Val::from("ctl".to_owned()), Val::from("\u{1}\u{7f}\"\\\n".to_owned()));
        let text = compact(&Val::obj(o));
        assert_eq!(
            text,
            "{\"1\":null,\"\u{fffd}a\":{\"base64\":\"AA==\"},\"dec\":1.5,\"ctl\":\"\\u0001\u{7f}\\\"\\\\\\n\"}"
        );
        serde_json::from_str::<serde_json::Value>(&text).unwrap();
    }

    #[test]
    fn pretty_is_indented_by_two() {
        let v = jaq_json::read::parse_single(br#"{"a":[1,{}],"b":[]}"#).unwrap();
        let mut out = vec![];
        write_pretty(&v, &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), "{\n  \"a\": [\n    1,\n    {}\n  ],\n  \"b\": []\n}");
    }

    #[test]
    fn a_value_that_would_fill_memory_is_cut_short() {
        let mut v = Val::from(1usize);
        for _ in 0..60 {
            v = [v.clone(), v].into_iter().collect();
        }
        let mut out = vec![];
        assert!(!write_json_within(&v, &mut out, 10_000, || true));
        assert!(out.len() < 11_000);
        assert!(!write_json_within(&v, &mut out, usize::MAX, || false));
        assert!(out.len() < 100_000);
    }

    proptest! {
        #[test]
        fn any_bytes_make_a_valid_string(b in proptest::collection::vec(any::<u8>(), 0..64)) {
            let text = compact(&Val::utf8_str(b.clone()));
            let back: String = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(back, String::from_utf8_lossy(&b));
        }
    }
}
