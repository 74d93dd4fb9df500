//! The payload bytes alone.

use jaq_json::Val;

use super::{Look, json};
use crate::message::DeadLetter;
use crate::ui::visible::{self, Breaks};

/// The payload and the delimiter; exact, except on a terminal. An absent payload is nothing and the delimiter.
pub fn message(m: &DeadLetter, delimiter: &[u8], look: &Look, out: &mut Vec<u8>) {
    bytes(m.payload.as_bytes(), delimiter, look, out);
}

/// What `--print` gave: a string without its quotes, anything else as JSON.
pub fn value(v: &Val, delimiter: &[u8], look: &Look, out: &mut Vec<u8>) {
    match v {
        Val::TStr(s) | Val::BStr(s) => bytes(s, delimiter, look, out),
        v => {
            json::value(v, &Look { colour: false, ..*look }, out);
            end(delimiter, look, out);
        }
    }
}

fn bytes(data: &[u8], delimiter: &[u8], look: &Look, out: &mut Vec<u8>) {
    if look.tty {
        out.extend_from_slice(visible::bytes(data, Breaks::Keep, look.utf8).as_bytes());
    } else {
        out.extend_from_slice(data);
    }
    end(delimiter, look, out);
}

fn end(delimiter: &[u8], look: &Look, out: &mut Vec<u8>) {
    if look.tty {
        out.extend_from_slice(visible::bytes(delimiter, Breaks::Keep, look.utf8).as_bytes());
    } else {
        out.extend_from_slice(delimiter);
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::message::Payload;

    fn shown(payload: Payload, delimiter: &[u8], tty: bool) -> Vec<u8> {
        let mut out = Vec::new();
        message(&DeadLetter::new("q".into(), payload), delimiter, &Look { tty, ..Look::PLAIN }, &mut out);
        out
    }

    #[test]
    fn exact_in_a_pipe_and_harmless_on_a_terminal() {
        let payload = Payload::Bytes(Bytes::from_static(b"a\x1b[2J\n\xff\x00"));
        assert_eq!(shown(payload.clone(), b"\n", false), b"a\x1b[2J\n\xff\x00\n");
        assert_eq!(shown(payload.clone(), b"\0", false), b"a\x1b[2J\n\xff\x00\0");
        assert_eq!(shown(payload, b"\0", true), b"a\\x1b[2J\n\\xff\\x00\\x00");
        assert_eq!(shown(Payload::Absent, b"\n", false), b"\n");
    }

    #[test]
    fn printed_strings_have_no_quotes() {
        let mut out = Vec::new();
        value(&Val::utf8_str("a\tb"), b"\n", &Look::PLAIN, &mut out);
        assert_eq!(out, b"a\tb\n");
    }
}
