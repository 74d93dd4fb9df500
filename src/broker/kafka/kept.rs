//! Records of a transaction as they are handed over. They are kept until it is committed, since they are sent once more where it
//! is not: in little memory, for they are many.

/// Bytes of a piece of memory.
const PIECE: usize = 1 << 20;

/// Packed records, in pieces of memory that are used again.
#[derive(Default)]
pub(super) struct Kept {
    /// All but the last are full.
    pieces: Vec<Vec<u8>>,
    empty: Vec<Vec<u8>>,
}

/// Where one of them is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct At {
    piece: usize,
    from: usize,
    length: usize,
}

impl Kept {
    pub(super) fn push(&mut self, packed: &[u8]) -> At {
        let length = packed.len();
        if self.pieces.last().is_none_or(|last| last.capacity() - last.len() < length) {
            let fits = |piece: &Vec<u8>| piece.capacity() >= length;
            let next = self.empty.pop().filter(fits).unwrap_or_else(|| Vec::with_capacity(PIECE.max(length)));
            self.pieces.push(next);
        }
        let piece = self.pieces.len() - 1;
        let last = &mut self.pieces[piece];
        let from = last.len();
        last.extend_from_slice(packed);
        At { piece, from, length }
    }

    pub(super) fn get(&self, at: At) -> &[u8] {
        &self.pieces[at.piece][at.from..at.from + at.length]
    }

    /// Without the records; what memory they took is used again.
    pub(super) fn emptied(mut self) -> Kept {
        for mut piece in self.pieces.drain(..).filter(|piece| piece.capacity() == PIECE) {
            piece.clear();
            self.empty.push(piece);
        }
        self
    }
}

/// One record.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Packed<'a> {
    /// `None`: by its key.
    pub(super) partition: Option<i32>,
    /// Milliseconds since 1970; `None`: now.
    pub(super) time: Option<i64>,
    pub(super) key: Option<&'a [u8]>,
    /// `None` for a tombstone.
    pub(super) value: Option<&'a [u8]>,
    count: usize,
    headers: Reader<'a>,
}

/// Writes a record where another one was.
pub(super) fn pack<'a>(
    to: &mut Vec<u8>,
    (partition, time): (Option<i32>, Option<i64>),
    (key, value): (Option<&[u8]>, Option<&[u8]>),
    headers: impl ExactSizeIterator<Item = (&'a str, Option<&'a [u8]>)>,
) {
    to.clear();
    number(to, partition.map(i64::from));
    number(to, time);
    bytes(to, key);
    bytes(to, value);
    bytes_of_length(to, headers.len());
    for (name, value) in headers {
        bytes(to, Some(name.as_bytes()));
        bytes(to, value);
    }
}

/// The record that [`pack`] has written.
pub(super) fn unpack(packed: &[u8]) -> Packed<'_> {
    let mut from = Reader(packed);
    let partition = from.number().and_then(|p| i32::try_from(p).ok());
    let (time, key, value) = (from.number(), from.bytes(), from.bytes());
    Packed { partition, time, key, value, count: from.length(), headers: from }
}

impl<'a> Packed<'a> {
    /// In order.
    pub(super) fn headers(&self) -> impl ExactSizeIterator<Item = (&'a [u8], Option<&'a [u8]>)> + use<'a> {
        let mut from = self.headers;
        (0..self.count).map(move |_| (from.bytes().unwrap_or_default(), from.bytes()))
    }
}

fn number(to: &mut Vec<u8>, n: Option<i64>) {
    to.push(u8::from(n.is_some()));
    if let Some(n) = n {
        to.extend_from_slice(&n.to_le_bytes());
    }
}

fn bytes_of_length(to: &mut Vec<u8>, length: usize) {
    to.extend_from_slice(&length.to_le_bytes());
}

fn bytes(to: &mut Vec<u8>, b: Option<&[u8]>) {
    bytes_of_length(to, b.map_or(usize::MAX, <[u8]>::len));
    to.extend_from_slice(b.unwrap_or_default());
}

/// Reads on from there.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(length);
        self.0 = rest;
        taken
    }

    fn length(&mut self) -> usize {
        let mut n = [0; size_of::<usize>()];
        n.copy_from_slice(self.take(size_of::<usize>()));
        usize::from_le_bytes(n)
    }

    fn number(&mut self) -> Option<i64> {
        if self.take(1) == [0] {
            return None;
        }
        let mut n = [0; 8];
        n.copy_from_slice(self.take(8));
        Some(i64::from_le_bytes(n))
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.length();
        (length != usize::MAX).then(|| self.take(length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Header<'a> = (&'a str, Option<&'a [u8]>);
    type Place = (Option<i32>, Option<i64>);
    type Body<'a> = (Option<&'a [u8]>, Option<&'a [u8]>);

    #[test]
    fn what_is_kept_comes_back_as_it_was() {
        let large = vec![7; PIECE + 1];
        let some: &[Header<'_>] = &[("a", Some(b"1")), ("a", None), ("", Some(b""))];
        let records: [(Place, Body<'_>, &[Header<'_>]); 4] = [
            ((None, None), (None, None), &[]),
            ((Some(0), Some(-1)), (Some(b""), Some(b"")), some),
            ((Some(7), None), (Some(b"k"), Some(&large)), some),
            ((None, Some(1)), (None, Some(b"v")), &[]),
        ];
        let (mut kept, mut packed) = (Kept::default(), Vec::new());
        for _ in 0..2 {
            let mut places = Vec::new();
            for (to, body, headers) in records {
                pack(&mut packed, to, body, headers.iter().copied());
                places.push(kept.push(&packed));
            }
            for ((to, body, headers), at) in records.into_iter().zip(places) {
                let back = unpack(kept.get(at));
                assert_eq!(((back.partition, back.time), (back.key, back.value)), (to, body));
                let there: Vec<_> = back.headers().collect();
                let expected: Vec<_> = headers.iter().map(|(n, v)| (n.as_bytes(), *v)).collect();
                assert_eq!((back.headers().len(), there), (headers.len(), expected));
            }
            kept = kept.emptied();
            assert_eq!((kept.pieces.len(), kept.empty.len()), (0, 2), "what is larger is let go of");
        }
    }
}
