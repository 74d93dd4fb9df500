//! Cuts a stream into blocks of whole lines, in bounded memory.

use std::io::{self, Read};

/// What is read at once.
const BLOCK: usize = 128 << 10;
/// The longest line: brokers stop at 128 MiB, which base64 and escapes make longer.
pub(super) const LONGEST: usize = 256 << 20;

/// Whole lines, the last of which lacks its line break if the stream ended there.
#[derive(Debug)]
pub(super) struct Block {
    /// The lines with their line breaks.
    pub(super) bytes: Vec<u8>,
    /// Where in the (uncompressed) stream they begin.
    pub(super) at: u64,
    /// Number of the first line, from 1.
    pub(super) number: u64,
}

/// One line of a block.
pub(super) struct RawLine<'a> {
    pub(super) at: u64,
    pub(super) number: u64,
    /// With its line break.
    pub(super) whole: &'a [u8],
    /// It has no line break.
    pub(super) open: bool,
}

impl RawLine<'_> {
    /// Without its line break.
    pub(super) fn text(&self) -> &[u8] {
        self.whole.strip_suffix(b"\n").unwrap_or(self.whole)
    }

    /// Nothing but white space.
    pub(super) fn is_blank(&self) -> bool {
        self.whole.iter().all(u8::is_ascii_whitespace)
    }
}

impl Block {
    /// In order, blank ones included.
    pub(super) fn lines(&self) -> impl Iterator<Item = RawLine<'_>> {
        let (mut at, mut number, mut rest) = (self.at, self.number, &self.bytes[..]);
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let (end, open) = memchr::memchr(b'\n', rest).map_or((rest.len(), true), |i| (i + 1, false));
            let line = RawLine { at, number, whole: &rest[..end], open };
            rest = &rest[end..];
            at += end as u64;
            number += 1;
            Some(line)
        })
    }
}

/// Why there is no further block.
#[derive(Debug)]
pub(super) enum Broken {
    /// Line `.0` is longer than [`LONGEST`]; asked again, the blocks go on behind it.
    TooLong(u64),
    /// Reading failed in line `.0`.
    Io(u64, io::Error),
}

/// The blocks of a stream.
pub(super) struct Blocks<R> {
    input: R,
    rest: Vec<u8>,
    at: u64,
    number: u64,
    longest: usize,
    skipping: bool,
    done: bool,
}

impl<R: Read> Blocks<R> {
    pub(super) fn new(input: R) -> Self {
        Blocks::up_to(input, LONGEST)
    }

    fn up_to(input: R, longest: usize) -> Self {
        Blocks { input, rest: Vec::new(), at: 0, number: 1, longest, skipping: false, done: false }
    }

    pub(super) fn next(&mut self) -> Result<Option<Block>, Broken> {
        while !self.done {
            let old = self.rest.len();
            let read = self.read().map_err(|e| {
                self.done = true;
                Broken::Io(self.number, e)
            })?;
            if read == 0 {
                self.done = true;
                let bytes = std::mem::take(&mut self.rest);
                return Ok((!bytes.is_empty()).then(|| self.block(bytes)));
            }
            if self.skipping {
                let Some(end) = memchr::memchr(b'\n', &self.rest) else {
                    self.at += self.rest.len() as u64;
                    self.rest.clear();
                    continue;
                };
                self.skipping = false;
                self.at += end as u64 + 1;
                self.number += 1;
                self.rest.drain(..=end);
            }
            if let Some(end) = memchr::memrchr(b'\n', &self.rest[old.min(self.rest.len())..]) {
                let rest = self.rest.split_off(old + end + 1);
                let bytes = std::mem::replace(&mut self.rest, rest);
                return Ok(Some(self.block(bytes)));
            }
            if self.rest.len() > self.longest {
                self.skipping = true;
                self.at += self.rest.len() as u64;
                self.rest = Vec::new();
                return Err(Broken::TooLong(self.number));
            }
        }
        Ok(None)
    }

    fn block(&mut self, bytes: Vec<u8>) -> Block {
        let block = Block { at: self.at, number: self.number, bytes };
        self.at += block.bytes.len() as u64;
        self.number += memchr::memchr_iter(b'\n', &block.bytes).count() as u64;
        block
    }

    fn read(&mut self) -> io::Result<usize> {
        let old = self.rest.len();
        self.rest.resize(old + BLOCK, 0);
        let read = loop {
            match self.input.read(&mut self.rest[old..]) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        self.rest.truncate(old + read.as_ref().map_or(0, |n| *n));
        read
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives a few bytes at a time, as a pipe does.
    struct Drip<'a>(&'a [u8], usize);

    impl Read for Drip<'_> {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            let n = self.1.min(self.0.len()).min(buf.len());
            buf[..n].copy_from_slice(&self.0[..n]);
            self.0 = &self.0[n..];
            Ok(n)
        }
    }

    #[test]
    fn every_line_keeps_its_number_and_place_however_it_arrives() {
        let text = b"a\n\nbb\nccc\r\nd";
        for step in 1..=text.len() {
            let mut blocks = Blocks::new(Drip(text, step));
            let mut seen = Vec::new();
            while let Some(block) = blocks.next().unwrap() {
                seen.extend(block.lines().map(|l| (l.at, l.number, l.whole.to_vec(), l.open)));
            }
            let expected: [(u64, u64, &[u8], bool); 5] = [
                (0, 1, b"a\n", false),
                (2, 2, b"\n", false),
                (3, 3, b"bb\n", false),
                (6, 4, b"ccc\r\n", false),
                (11, 5, b"d", true),
            ];
            assert_eq!(seen, expected.map(|(at, n, l, o)| (at, n, l.to_vec(), o)), "{step} bytes at a time");
        }
    }

    #[test]
    fn a_line_that_is_too_long_is_named_and_passed_over() {
        let text = [b"a\n".as_slice(), &[b'x'; 80], b"\nb\n"].concat();
        for step in [1, 7, 30] {
            let mut blocks = Blocks::up_to(Drip(&text, step), 20);
            let (mut seen, mut long) = (Vec::new(), Vec::new());
            loop {
                match blocks.next() {
                    Ok(Some(block)) => seen.extend(block.lines().map(|l| (l.at, l.number, l.whole.to_vec()))),
                    Ok(None) => break,
                    Err(Broken::TooLong(n)) => long.push(n),
                    Err(Broken::Io(_, e)) => panic!("{e}"),
                }
            }
            assert_eq!(seen, [(0, 1, b"a\n".to_vec()), (83, 3, b"b\n".to_vec())], "{step} bytes at a time");
            assert_eq!(long, [2]);
        }
    }
}
