//! The frames of a compressed archive: each append is one, and the last may be cut short.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek as _, SeekFrom, Write as _};

use crate::message::archive::BEGINNING;

const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// The longest header of a frame, the header of a block, and the block that ours begin with.
const LOOK: u64 = 18 + 3 + 1 + BEGINNING.len() as u64;

/// One frame with `prefix` and `lines`. The beginning of its first line stands in a block of its own, which is too short
/// to be compressed: a frame of ours is known as such however early it was cut.
pub(super) fn pack(prefix: &[u8], lines: &[u8]) -> io::Result<Vec<u8>> {
    let mut packer = zstd::Encoder::new(Vec::with_capacity(256 + lines.len() / 4), zstd::DEFAULT_COMPRESSION_LEVEL)?;
    packer.include_checksum(true)?;
    packer.set_pledged_src_size(Some((prefix.len() + lines.len()) as u64))?;
    let (beginning, rest) = lines.split_at(BEGINNING.len().min(lines.len()));
    packer.write_all(prefix)?;
    packer.write_all(beginning)?;
    packer.flush()?;
    packer.write_all(rest)?;
    packer.finish()
}

/// Where the last frame begins, if it is one of ours and the first `length` bytes of the file end within it. Only the
/// headers are read. What is damaged in another way is left to who uncompresses it.
pub(super) fn cut_short(mut file: &File, length: u64) -> io::Result<Option<u64>> {
    file.rewind()?;
    let mut walk = Walk { input: BufReader::new(file), at: 0, length };
    while walk.at < length {
        let start = walk.at;
        match walk.frame() {
            Ok(()) => {}
            Err(Stop::Cut) => {
                let mut piece = Vec::new();
                file.seek(SeekFrom::Start(start))?;
                file.take(LOOK.min(length - start)).read_to_end(&mut piece)?;
                return Ok(is_ours(&piece).then_some(start));
            }
            Err(Stop::Foreign) => return Ok(None),
            Err(Stop::Io(e)) => return Err(e),
        }
    }
    Ok(None)
}

/// Whether [`pack`] may have begun so.
fn is_ours(piece: &[u8]) -> bool {
    if piece.len() <= MAGIC.len() {
        return MAGIC.starts_with(piece);
    }
    let about = Header(piece[MAGIC.len()]);
    let Some(block) = piece.get(MAGIC.len() + 1 + about.more()..) else { return true };
    let begun = [b"".as_slice(), b"\n"].iter().any(|prefix| {
        // Neither the last block nor compressed, and so long.
        let header = ((prefix.len() + BEGINNING.len()) << 3) as u8;
        let ours = [&[header, 0, 0], *prefix, BEGINNING].concat();
        ours.starts_with(block) || block.starts_with(&ours)
    });
    piece.starts_with(&MAGIC) && about.has_checksum() && begun
}

/// The byte that says what else is in the header of a frame.
#[derive(Clone, Copy)]
struct Header(u8);

impl Header {
    /// Bytes of the header behind this one: window, dictionary, size of what is in it.
    fn more(self) -> usize {
        let single = self.0 >> 5 & 1 == 1;
        let size = match self.0 >> 6 {
            0 => usize::from(single),
            n => 1 << n,
        };
        usize::from(!single) + [0, 1, 2, 4][usize::from(self.0 & 3)] + size
    }

    fn has_checksum(self) -> bool {
        self.0 >> 2 & 1 == 1
    }
}

enum Stop {
    /// The end comes too early.
    Cut,
    /// No frame.
    Foreign,
    Io(io::Error),
}

impl From<io::Error> for Stop {
    fn from(e: io::Error) -> Stop {
        Stop::Io(e)
    }
}

struct Walk<'a> {
    input: BufReader<&'a File>,
    at: u64,
    length: u64,
}

impl Walk<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Stop> {
        if self.length - self.at < N as u64 {
            return Err(Stop::Cut);
        }
        let mut bytes = [0; N];
        self.input.read_exact(&mut bytes)?;
        self.at += N as u64;
        Ok(bytes)
    }

    fn skip(&mut self, bytes: u32) -> Result<(), Stop> {
        if self.length - self.at < u64::from(bytes) {
            return Err(Stop::Cut);
        }
        self.input.seek_relative(i64::from(bytes))?;
        self.at += u64::from(bytes);
        Ok(())
    }

    fn frame(&mut self) -> Result<(), Stop> {
        let magic = self.take()?;
        if u32::from_le_bytes(magic) & !15 == 0x184d_2a50 {
            let size = u32::from_le_bytes(self.take()?);
            return self.skip(size);
        }
        if magic != MAGIC {
            return Err(Stop::Foreign);
        }
        let [about] = self.take()?;
        self.skip(Header(about).more() as u32)?;
        loop {
            let [a, b, c] = self.take()?;
            let header = u32::from_le_bytes([a, b, c, 0]);
            match header >> 1 & 3 {
                3 => return Err(Stop::Foreign),
                // One byte, many times.
                1 => self.skip(1)?,
                _ => self.skip(header >> 3)?,
            }
            if header & 1 == 1 {
                break;
            }
        }
        if Header(about).has_checksum() { self.skip(4) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    fn lines(many: usize) -> Vec<u8> {
        let line = |n: usize| [BEGINNING, format!("\"{n:x}-{:032x}\"}}\n", n * 0x9e37_79b9_7f4a).as_bytes()].concat();
        (0..many).flat_map(line).collect()
    }

    #[test]
    fn a_frame_of_ours_is_known_wherever_it_was_cut() {
        // The last one is of several blocks and has another kind of header.
        for (prefix, many) in [(b"".as_slice(), 1), (b"\n", 1), (b"", 100), (b"\n", 100), (b"", 60_000)] {
            let (before, last) = (pack(b"", &lines(3)).unwrap(), pack(prefix, &lines(many)).unwrap());
            assert_eq!(zstd::decode_all(&last[..]).unwrap(), [prefix, &lines(many)].concat());
            let whole = [&before[..], &last[..]].concat();
            let (start, end) = (before.len(), whole.len());
            let all = file(&whole);
            for cut in (start + 1..end).filter(|cut| *cut < start + 100 || end - *cut < 50 || cut % 4096 == 0) {
                assert_eq!(cut_short(&all, cut as u64).unwrap(), Some(start as u64), "{many} lines, cut at {cut}");
            }
            for whole in [0, start, end] {
                assert_eq!(cut_short(&all, whole as u64).unwrap(), None);
            }
            assert_eq!(cut_short(&file(&last[..last.len() - 1]), last.len() as u64 - 1).unwrap(), Some(0));
        }
    }

    #[test]
    fn no_other_frame_is_taken_for_one_of_ours() {
        let others = [
            zstd::encode_all(&lines(100)[..], 3).unwrap(),
            zstd::bulk::compress(&lines(100), 3).unwrap(),
            pack(b"", b"call the vendor, and then the other vendor\n").unwrap(),
            [&[0x50, 0x2a, 0x4d, 0x18, 200, 0, 0, 0][..], &[7; 200]].concat(),
        ];
        for other in others {
            for cut in 30..other.len() {
                assert_eq!(cut_short(&file(&other[..cut]), cut as u64).unwrap(), None, "{:x?}", &other[..cut]);
            }
            // Whole, it is passed over.
            let torn = [&other[..], &pack(b"", &lines(9)).unwrap()[..50]].concat();
            assert_eq!(cut_short(&file(&torn), torn.len() as u64).unwrap(), Some(other.len() as u64));
        }
        for text in [b"no frame at all".as_slice(), b"(((((", b"no"] {
            assert_eq!(cut_short(&file(text), text.len() as u64).unwrap(), None);
        }
    }
}
