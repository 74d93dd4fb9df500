//! A strict JSON reader over one line. Numbers stay text, since a JSON library's floats would not be lossless, and the
//! caller keeps count of the depth, which a line from a stranger must not choose.

use std::borrow::Cow;

/// What is wrong, and at which byte.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) at: usize,
    pub(super) what: Cow<'static, str>,
}

pub(super) type Res<T> = Result<T, Fault>;

/// A place in a line.
pub(super) struct Cursor<'a> {
    text: &'a str,
    pub(super) at: usize,
}

/// Bytes that end a run of plain string content.
static STOPS: [bool; 256] = {
    let mut stops = [false; 256];
    let mut b = 0;
    while b < 0x20 {
        stops[b] = true;
        b += 1;
    }
    stops[b'"' as usize] = true;
    stops[b'\\' as usize] = true;
    stops
};

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Cursor { text, at: 0 }
    }

    pub(super) fn fault<T>(&self, what: impl Into<Cow<'static, str>>) -> Res<T> {
        Err(Fault { at: self.at, what: what.into() })
    }

    /// The next byte that is not white space.
    pub(super) fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = bytes.get(self.at) {
            self.at += 1;
        }
        bytes.get(self.at).copied()
    }

    /// Steps over `byte` if it is next.
    pub(super) fn take(&mut self, byte: u8) -> bool {
        let is = self.peek() == Some(byte);
        self.at += usize::from(is);
        is
    }

    /// Steps over `byte`, which must be next.
    pub(super) fn expect(&mut self, byte: u8) -> Res<()> {
        if self.take(byte) {
            return Ok(());
        }
        let wanted = char::from(byte);
        match self.text[self.at..].chars().next() {
            Some(found) => self.fault(format!("{found:?} where {wanted:?} should be")),
            None => self.fault(format!("the line ends where {wanted:?} should be")),
        }
    }

    /// Nothing but white space may be left.
    pub(super) fn end(&mut self) -> Res<()> {
        if self.peek().is_some() { self.fault("something follows the closing brace") } else { Ok(()) }
    }

    /// After an element: true if another one follows, false if `close` ended the list.
    pub(super) fn more(&mut self, close: u8) -> Res<bool> {
        if self.take(b',') {
            return Ok(true);
        }
        self.expect(close).map(|()| false)
    }

    /// A string. `scratch` holds it where it had escapes.
    pub(super) fn string<'s>(&mut self, scratch: &'s mut String) -> Res<&'s str>
    where
        'a: 's,
    {
        self.expect(b'"')?;
        let text = self.text;
        let mut start = self.at;
        self.run();
        if text.as_bytes().get(self.at) == Some(&b'"') {
            self.at += 1;
            return Ok(&text[start..self.at - 1]);
        }
        scratch.clear();
        loop {
            scratch.push_str(&text[start..self.at]);
            match text.as_bytes().get(self.at) {
                Some(b'"') => break,
                Some(b'\\') => scratch.push(self.escape()?),
                Some(_) => return self.fault("a control byte in a string"),
                None => return self.fault("the line ends inside a string"),
            }
            start = self.at;
            self.run();
        }
        self.at += 1;
        Ok(scratch)
    }

    fn run(&mut self) {
        let bytes = self.text.as_bytes();
        while bytes.get(self.at).is_some_and(|b| !STOPS[usize::from(*b)]) {
            self.at += 1;
        }
    }

    fn escape(&mut self) -> Res<char> {
        let Some(kind) = self.text.as_bytes().get(self.at + 1) else {
            return self.fault("the line ends inside a string");
        };
        let plain = match kind {
            b'"' | b'\\' | b'/' => char::from(*kind),
            b'n' => '\n',
            b't' => '\t',
            b'r' => '\r',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'u' => return self.unicode(),
            _ => return self.fault("an unknown escape in a string"),
        };
        self.at += 2;
        Ok(plain)
    }

    fn unicode(&mut self) -> Res<char> {
        let first = self.hex(self.at)?;
        let (code, length) = match first {
            0xD800..=0xDBFF => match self.hex(self.at + 6)? {
                low @ 0xDC00..=0xDFFF => (0x10000 + ((first - 0xD800) << 10) + (low - 0xDC00), 12),
                _ => return self.fault("half a surrogate pair in a string"),
            },
            _ => (first, 6),
        };
        match char::from_u32(code) {
            Some(c) => {
                self.at += length;
                Ok(c)
            }
            None => self.fault("half a surrogate pair in a string"),
        }
    }

    fn hex(&self, at: usize) -> Res<u32> {
        match self.text.as_bytes().get(at..at + 6) {
            Some([b'\\', b'u', digits @ ..]) => digits.iter().try_fold(0, |n, d| match char::from(*d).to_digit(16) {
                Some(d) => Ok(n * 16 + d),
                None => self.fault("\\u is not followed by four hex digits"),
            }),
            _ => self.fault("half an escape in a string"),
        }
    }

    /// The text of a number; whether it is one is for the caller's parse to say.
    pub(super) fn number(&mut self) -> Res<&'a str> {
        if !matches!(self.peek(), Some(b'-' | b'0'..=b'9')) {
            return self.fault("not a number");
        }
        let start = self.at;
        let bytes = self.text.as_bytes();
        while matches!(bytes.get(self.at), Some(b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9')) {
            self.at += 1;
        }
        Ok(&self.text[start..self.at])
    }

    /// Steps over `word` if it is next.
    pub(super) fn word(&mut self, word: &str) -> bool {
        self.peek();
        let is = self.text.as_bytes()[self.at..].starts_with(word.as_bytes());
        self.at += if is { word.len() } else { 0 };
        is
    }
}
