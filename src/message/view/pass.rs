//! What is checked and not built: most of a body, as a rule.

use super::body::{MAX_DEPTH, Parser};

/// A byte in each of eight places.
const EACH: u64 = u64::MAX / 255;

impl Parser<'_> {
    /// Passes a value.
    pub(super) fn pass(&mut self, depth: usize) -> Option<()> {
        match self.peek()? {
            b'{' => self.pass_all(depth + 1, b'}', |p| {
                p.pass_string()?;
                p.space();
                p.pass_byte(b':')?;
                p.space();
                p.pass(depth + 1)
            }),
            b'[' => self.pass_all(depth + 1, b']', |p| p.pass(depth + 1)),
            b'"' => self.pass_string(),
            b't' => self.pass_word(b"true"),
            b'f' => self.pass_word(b"false"),
            b'n' => self.pass_word(b"null"),
            _ => self.number().map(|_| ()),
        }
    }

    /// Passes what is between a bracket and the one that ends it.
    fn pass_all(&mut self, depth: usize, end: u8, one: impl Fn(&mut Self) -> Option<()>) -> Option<()> {
        if depth > MAX_DEPTH {
            return None;
        }
        self.i += 1;
        self.space();
        if self.peek()? == end {
            self.i += 1;
            return Some(());
        }
        loop {
            one(self)?;
            self.space();
            let next = self.peek()?;
            self.i += 1;
            if next == end {
                return Some(());
            }
            if next != b',' {
                return None;
            }
            self.space();
        }
    }

    pub(super) fn pass_byte(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.i += 1)
    }

    pub(super) fn pass_word(&mut self, word: &[u8]) -> Option<()> {
        self.s[self.i..].starts_with(word).then(|| self.i += word.len())
    }

    fn pass_string(&mut self) -> Option<()> {
        self.pass_byte(b'"')?;
        loop {
            self.plain();
            match self.peek()? {
                b'"' => {
                    self.i += 1;
                    return Some(());
                }
                b'\\' => {
                    self.i += 1;
                    self.escape()?;
                }
                // A control byte must be escaped.
                _ => return None,
            }
        }
    }

    /// Passes the bytes of a string up to one that means something else, eight at a time.
    pub(super) fn plain(&mut self) {
        while let Some(eight) = self.s[self.i..].first_chunk() {
            let x = u64::from_le_bytes(*eight);
            let (quote, escape) = (x ^ (EACH * u64::from(b'"')), x ^ (EACH * u64::from(b'\\')));
            // The highest bit of each byte that is less than the one taken off it; of the lowest such byte that is certain.
            let less = |x: u64, than: u64| x.wrapping_sub(EACH * than) & !x;
            let stops = (less(x, 0x20) | less(quote, 1) | less(escape, 1)) & (EACH * 0x80);
            if stops != 0 {
                self.i += stops.trailing_zeros() as usize / 8;
                return;
            }
            self.i += 8;
        }
        while let Some(b) = self.peek()
            && b >= 0x20
            && b != b'"'
            && b != b'\\'
        {
            self.i += 1;
        }
    }

    pub(super) fn escape(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.i += 1;
        Some(match c {
            b'"' | b'\\' | b'/' => char::from(c),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let high = self.hex()?;
                let rest = self.i;
                if (0xd800..0xdc00).contains(&high) && self.s[rest..].starts_with(b"\\u") {
                    self.i += 2;
                    let low = self.hex()?;
                    if (0xdc00..0xe000).contains(&low) {
                        return char::from_u32(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00));
                    }
                    self.i = rest;
                }
                // Half a pair is grammatical; there is no character for it.
                char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER)
            }
            _ => return None,
        })
    }

    fn hex(&mut self) -> Option<u32> {
        let digits = self.s.get(self.i..self.i + 4)?;
        self.i += 4;
        digits.iter().try_fold(0, |n, d| Some(n * 16 + char::from(*d).to_digit(16)?))
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.i;
        while self.peek().is_some_and(|b| b.is_ascii_digit()) {
            self.i += 1;
        }
        (self.i > start).then_some(())
    }

    /// Passes a number and says whether it is whole.
    pub(super) fn number(&mut self) -> Option<bool> {
        if self.peek()? == b'-' {
            self.i += 1;
        }
        match self.peek()? {
            b'0' => self.i += 1,
            b'1'..=b'9' => self.digits()?,
            _ => return None,
        }
        let mut whole = true;
        if self.peek() == Some(b'.') {
            self.i += 1;
            self.digits()?;
            whole = false;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.i += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.i += 1;
            }
            self.digits()?;
            whole = false;
        }
        Some(whole)
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.s.get(self.i).copied()
    }

    pub(super) fn space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.i += 1;
        }
    }
}
