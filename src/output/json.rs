//! JSON, compact or indented, from compact JSON bytes. Tokens are copied, so that no number changes on the way.

use super::Look;
use crate::message::{DeadLetter, view};
use crate::ui::colour::{OFF, Style};
use crate::ui::visible;

/// The view of a message as compact JSON, without a line break.
pub fn message(m: &DeadLetter, look: &Look, out: &mut Vec<u8>) {
    value(&view::view(m, view::Need::ALL), look, out);
}

/// A value as compact JSON, without a line break.
pub fn value(v: &jaq_json::Val, look: &Look, out: &mut Vec<u8>) {
    if !look.tty && !look.colour {
        return view::write_json(v, out);
    }
    let mut bytes = Vec::new();
    view::write_json(v, &mut bytes);
    compact(&bytes, look, out);
}

/// The same JSON, fit for where it goes.
pub fn compact(bytes: &[u8], look: &Look, out: &mut Vec<u8>) {
    Printer { look, indent: false, level: 0, open: Vec::new(), out }.print(bytes);
}

/// Indented by two spaces a level.
pub fn pretty(bytes: &[u8], look: &Look, out: &mut Vec<u8>) {
    pretty_at(bytes, 0, look, out);
}

/// Indented, within something that is itself indented by so many levels.
pub fn pretty_at(bytes: &[u8], level: usize, look: &Look, out: &mut Vec<u8>) {
    Printer { look, indent: true, level, open: Vec::new(), out }.print(bytes);
}

struct Printer<'a> {
    look: &'a Look,
    indent: bool,
    level: usize,
    /// The containers we are in: true for an object.
    open: Vec<bool>,
    out: &'a mut Vec<u8>,
}

impl Printer<'_> {
    fn print(mut self, bytes: &[u8]) {
        let mut at = 0;
        let mut name = false;
        while let Some(&b) = bytes.get(at) {
            let end = token_end(bytes, at);
            let token = &bytes[at..end];
            at = end;
            match b {
                b' ' | b'\n' | b'\r' | b'\t' => {}
                b'{' | b'[' => {
                    self.out.push(b);
                    self.open.push(b == b'{');
                    name = b == b'{';
                    let next = bytes[at..].iter().find(|b| !b.is_ascii_whitespace());
                    if !matches!(next, Some(b'}' | b']')) {
                        self.new_line();
                    }
                }
                b'}' | b']' => {
                    self.open.pop();
                    if !matches!(self.out.last(), Some(b'{' | b'[')) {
                        self.new_line();
                    }
                    self.out.push(b);
                }
                b',' => {
                    self.out.push(b);
                    name = self.open.last() == Some(&true);
                    self.new_line();
                }
                b':' => {
                    self.out.push(b);
                    if self.indent {
                        self.out.push(b' ');
                    }
                    name = false;
                }
                b'"' if name => self.styled(Style::Name, token),
                b'"' => self.styled(Style::Text, token),
                _ => self.styled(Style::Number, token),
            }
        }
    }

    fn new_line(&mut self) {
        if self.indent {
            self.out.push(b'\n');
            self.out.resize(self.out.len() + 2 * (self.level + self.open.len()), b' ');
        }
    }

    fn styled(&mut self, style: Style, token: &[u8]) {
        if self.look.colour {
            self.out.extend_from_slice(style.on().as_bytes());
        }
        if self.look.tty {
            self.out.extend_from_slice(&visible::json(token, self.look.utf8));
        } else {
            self.out.extend_from_slice(token);
        }
        if self.look.colour {
            self.out.extend_from_slice(OFF.as_bytes());
        }
    }
}

/// Where the token that begins at `at` ends.
fn token_end(bytes: &[u8], at: usize) -> usize {
    match bytes[at] {
        b'"' => {
            let mut end = at + 1;
            while let Some(&b) = bytes.get(end) {
                end += 1;
                match b {
                    b'"' => break,
                    b'\\' => end += 1,
                    _ => {}
                }
            }
            end.min(bytes.len())
        }
        b'{' | b'}' | b'[' | b']' | b',' | b':' | b' ' | b'\n' | b'\r' | b'\t' => at + 1,
        _ => {
            let stop =
                |b: &u8| matches!(b, b',' | b'}' | b']' | b':' | b' ' | b'\n' | b'\r' | b'\t' | b'"' | b'{' | b'[');
            bytes[at + 1..].iter().position(stop).map_or(bytes.len(), |n| at + 1 + n)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(text: &str, indent: bool, look: &Look) -> String {
        let mut out = Vec::new();
        if indent {
            pretty(text.as_bytes(), look, &mut out)
        } else {
            compact(text.as_bytes(), look, &mut out)
        }
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_survive_to_the_last_digit() {
        let text = r#"{"n":12345678901234567890,"d":0.10000000000000000000000001,"e":[],"o":{},"l":[1,{"a":"\"]"}]}"#;
        assert_eq!(shown(text, false, &Look::PLAIN), text);
        assert_eq!(
            shown(text, true, &Look::PLAIN),
            "{\n  \"n\": 12345678901234567890,\n  \"d\": 0.10000000000000000000000001,\n  \"e\": [],\n  \"o\": {},\n  \
             \"l\": [\n    1,\n    {\n      \"a\": \"\\\"]\"\n    }\n  ]\n}"
        );
    }

    #[test]
    fn names_and_values_have_their_colours() {
        let look = Look { colour: true, ..Look::PLAIN };
        assert_eq!(
            shown(r#"{"a":["b",1]}"#, false, &look),
            "{\x1b[34m\"a\"\x1b[0m:[\x1b[32m\"b\"\x1b[0m,\x1b[36m1\x1b[0m]}"
        );
    }

    #[test]
    fn what_is_cut_off_or_no_json_does_not_panic() {
        for text in ["", "\"", "\"a\\", "{", "]", "{\"a\":", "1 2", "}}}", "nan"] {
            for indent in [true, false] {
                shown(text, indent, &Look { tty: true, ..Look::PLAIN });
            }
        }
    }

    fn any_json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            any::<i64>().prop_map(Into::into),
            any::<bool>().prop_map(Into::into),
            any::<String>().prop_map(Into::into),
            Just(serde_json::Value::Null),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Into::into),
                prop::collection::vec((any::<String>(), inner), 0..5)
                    .prop_map(|fields| serde_json::Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_value_stays_the_same(v in any_json(), tty: bool, utf8: bool) {
            let look = Look { tty, utf8, ..Look::PLAIN };
            let text = v.to_string();
            let indented = shown(&text, true, &look);
            prop_assert_eq!(&serde_json::from_str::<serde_json::Value>(&indented).unwrap(), &v);
            prop_assert_eq!(&serde_json::from_str::<serde_json::Value>(&shown(&text, false, &look)).unwrap(), &v);
            if !tty {
                prop_assert_eq!(indented, serde_json::to_string_pretty(&v).unwrap());
                prop_assert_eq!(shown(&text, false, &look), text);
            } else {
                prop_assert!(indented.chars().all(|c| c == '\n' || !visible::is_hidden(c)));
            }
        }
    }
}
