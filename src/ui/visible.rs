//! Control bytes in data made visible, so that no message can move the cursor, hide text, or speak in our name.

use std::borrow::Cow;
use std::fmt::Write;

/// What may pass unescaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breaks {
    /// Line breaks and tabs stay what they are.
    Keep,
    /// Line breaks and tabs become `\n` and `\t`: for a cell or a single line.
    Show,
}

/// True for characters that act on a terminal or that hide or reorder text instead of showing.
pub fn is_hidden(c: char) -> bool {
    matches!(c,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{ad}' | '\u{61c}' | '\u{180e}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// One line: every control character, line breaks and tabs included, is written out.
pub fn line(text: &str) -> Cow<'_, str> {
    escape(text, Breaks::Show, true)
}

/// Several lines: line breaks and tabs stay, all other control characters are written out.
pub fn lines(text: &str) -> Cow<'_, str> {
    escape(text, Breaks::Keep, true)
}

/// The general form. Without `utf8` everything beyond ASCII is written out too: on such a terminal the bytes of a UTF-8
/// sequence can be control bytes.
pub fn escape(text: &str, breaks: Breaks, utf8: bool) -> Cow<'_, str> {
    let passes = |c: char| match c {
        '\n' | '\t' => breaks == Breaks::Keep,
        c => !is_hidden(c) && (utf8 || c.is_ascii()),
    };
    let Some(first) = text.find(|c| !passes(c)) else { return Cow::Borrowed(text) };
    let mut out = String::with_capacity(text.len() + 16);
    out.push_str(&text[..first]);
    let mut rest = text[first..].chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            c if passes(c) => out.push(c),
            // A CR before a line break is part of that break.
            '\r' if breaks == Breaks::Keep && rest.peek() == Some(&'\n') => {}
            c => push_escaped(c, &mut out),
        }
    }
    Cow::Owned(out)
}

fn push_escaped(c: char, out: &mut String) {
    match c {
        '\n' => out.push_str("\\n"),
        '\t' => out.push_str("\\t"),
        '\r' => out.push_str("\\r"),
        c if c.is_ascii() => _ = write!(out, "\\x{:02x}", u32::from(c)),
        c => _ = write!(out, "\\u{{{:x}}}", u32::from(c)),
    }
}

/// Bytes that are meant to be text; what is not UTF-8 becomes `\xNN`.
pub fn bytes(data: &[u8], breaks: Breaks, utf8: bool) -> String {
    let mut out = String::with_capacity(data.len());
    for chunk in data.utf8_chunks() {
        out.push_str(&escape(chunk.valid(), breaks, utf8));
        for b in chunk.invalid() {
            _ = write!(out, "\\x{b:02x}");
        }
    }
    out
}

/// JSON for a terminal: the same JSON value, with what a terminal must not see as `\uXXXX`. Line breaks and tabs, which
/// JSON has only between tokens, stay.
pub fn json(data: &[u8], utf8: bool) -> Cow<'_, [u8]> {
    let harmless = |c: char| matches!(c, '\n' | '\t') || (!is_hidden(c) && (utf8 || c.is_ascii()));
    if std::str::from_utf8(data).is_ok_and(|s| s.chars().all(harmless)) {
        return Cow::Borrowed(data);
    }
    let mut out = String::with_capacity(data.len() + 16);
    for chunk in data.utf8_chunks() {
        for c in chunk.valid().chars() {
            if harmless(c) {
                out.push(c);
            } else {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    _ = write!(out, "\\u{unit:04x}");
                }
            }
        }
        if !chunk.invalid().is_empty() {
            out.push_str("\\ufffd");
        }
    }
    Cow::Owned(out.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_bytes_never_pass() {
        assert_eq!(line("a\x1b[2Jb\x07\x7f\u{9b}1m"), "a\\x1b[2Jb\\x07\\x7f\\u{9b}1m");
        assert_eq!(line("one\ntwo\tthree\r"), "one\\ntwo\\tthree\\r");
        assert_eq!(lines("one\r\ntwo\tthree\rfour"), "one\ntwo\tthree\\rfour");
        assert_eq!(line("user\u{202e}gpj.exe\u{2066}\u{200b}"), "user\\u{202e}gpj.exe\\u{2066}\\u{200b}");
        assert!(matches!(line("plain, grüße, 日本"), Cow::Borrowed(_)));
        assert_eq!(escape("grüße", Breaks::Show, false), "gr\\u{fc}\\u{df}e");
    }

    #[test]
    fn no_character_that_is_hidden_survives_in_any_form() {
        for c in (0..=0x10ffff).filter_map(char::from_u32).filter(|c| is_hidden(*c)) {
            let text = format!("x{c}y");
            assert!(!line(&text).contains(c), "{:x}", u32::from(c));
            assert!(matches!(c, '\n' | '\t') || !lines(&text).contains(c));
            let safe = String::from_utf8(json(text.as_bytes(), true).into_owned()).unwrap();
            assert!(matches!(c, '\n' | '\t') || !safe.contains(c));
        }
    }

    #[test]
    fn bytes_that_are_not_text_are_written_out() {
        assert_eq!(bytes(b"ok\xff\xc3\n\x00", Breaks::Show, true), "ok\\xff\\xc3\\n\\x00");
    }

    #[test]
    fn json_keeps_its_value() {
        let text = "{\"a\u{7f}\":\"\u{202e}\u{9b}\u{1f600}é\"}";
        for utf8 in [true, false] {
            let safe = json(text.as_bytes(), utf8);
            assert_ne!(&*safe, text.as_bytes());
            let (a, b): (serde_json::Value, serde_json::Value) =
                (serde_json::from_slice(&safe).unwrap(), serde_json::from_str(text).unwrap());
            assert_eq!(a, b);
        }
        assert!(json(text.as_bytes(), false).is_ascii());
    }
}
