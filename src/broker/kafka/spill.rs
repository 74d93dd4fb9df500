//! Sorting more than fits in memory: sorted runs in an unlinked file, merged as they are read.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

/// Where an entry stands among the others: topic, partition and offset of its origin, then its own place, which is unique.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) topic: u32,
    pub(super) partition: i64,
    pub(super) offset: i64,
    pub(super) token: u64,
}

const KEY: usize = 28;
/// Read ahead of each run.
const AHEAD: usize = 32 << 10;

/// Takes entries in any order.
pub(super) struct Spill {
    /// Bytes held in memory before a run is written.
    most: usize,
    held: Vec<(Key, Vec<u8>)>,
    bytes: usize,
    file: Option<File>,
    runs: Vec<(u64, u64)>,
    end: u64,
}

impl Spill {
    pub(super) fn new(most: usize) -> Self {
        Spill { most, held: Vec::new(), bytes: 0, file: None, runs: Vec::new(), end: 0 }
    }

    /// Takes one entry.
    ///
    /// # Errors
    /// The folder of temporary files is full or cannot be written.
    pub(super) fn add(&mut self, key: Key, entry: Vec<u8>) -> io::Result<()> {
        self.bytes += entry.len() + size_of::<(Key, Vec<u8>)>();
        self.held.push((key, entry));
        if self.bytes >= self.most { self.write() } else { Ok(()) }
    }

    fn write(&mut self) -> io::Result<()> {
        self.held.sort_unstable_by_key(|(key, _)| *key);
        let file = match self.file.take() {
            Some(file) => file,
            None => tempfile::tempfile()?,
        };
        let mut out = BufWriter::with_capacity(1 << 20, &file);
        let begin = self.end;
        for (key, entry) in self.held.drain(..) {
            out.write_all(&key.topic.to_le_bytes())?;
            out.write_all(&key.partition.to_le_bytes())?;
            out.write_all(&key.offset.to_le_bytes())?;
            out.write_all(&key.token.to_le_bytes())?;
            out.write_all(&(entry.len() as u64).to_le_bytes())?;
            out.write_all(&entry)?;
            self.end += (KEY + 8 + entry.len()) as u64;
        }
        out.flush()?;
        drop(out);
        self.runs.push((begin, self.end));
        self.file = Some(file);
        self.bytes = 0;
        Ok(())
    }

    /// All of them in their order.
    ///
    /// # Errors
    /// As [`Spill::add`].
    pub(super) fn finish(mut self) -> io::Result<Sorted> {
        self.held.sort_unstable_by_key(|(key, _)| *key);
        let file = self.file.map(Arc::new);
        let mut sorted = Sorted { runs: Vec::new(), next: BinaryHeap::new(), held: self.held.into_iter() };
        for (at, end) in self.runs {
            let Some(file) = file.clone() else { continue };
            sorted.runs.push(BufReader::with_capacity(AHEAD, Section { file, at, end }));
            sorted.pull(sorted.runs.len() - 1)?;
        }
        sorted.pull_held();
        Ok(sorted)
    }
}

/// A run within the file.
struct Section {
    file: Arc<File>,
    at: u64,
    end: u64,
}

impl Read for Section {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
        let most = buffer.len().min(left);
        let n = self.file.read_at(&mut buffer[..most], self.at)?;
        self.at += n as u64;
        Ok(n)
    }
}

/// Entries in their order.
pub(super) struct Sorted {
    runs: Vec<BufReader<Section>>,
    /// The first of each run, and of what never left memory.
    next: BinaryHeap<Reverse<(Key, usize, Vec<u8>)>>,
    held: std::vec::IntoIter<(Key, Vec<u8>)>,
}

/// Stands for what never left memory.
const HELD: usize = usize::MAX;

impl Sorted {
    fn pull(&mut self, run: usize) -> io::Result<()> {
        let reader = &mut self.runs[run];
        if reader.buffer().is_empty() && reader.get_ref().at >= reader.get_ref().end {
            return Ok(());
        }
        let mut head = [0; KEY + 8];
        reader.read_exact(&mut head)?;
        let number = |at: usize| u64::from_le_bytes(head[at..at + 8].try_into().expect("eight bytes"));
        let key = Key {
            topic: u32::from_le_bytes(head[..4].try_into().expect("four bytes")),
            partition: number(4).cast_signed(),
            offset: number(12).cast_signed(),
            token: number(20),
        };
        let mut entry = vec![0; usize::try_from(number(KEY)).unwrap_or(usize::MAX)];
        reader.read_exact(&mut entry)?;
        self.next.push(Reverse((key, run, entry)));
        Ok(())
    }

    fn pull_held(&mut self) {
        self.next.extend(self.held.next().map(|(key, entry)| Reverse((key, HELD, entry))));
    }

    /// The next one.
    ///
    /// # Errors
    /// What was written cannot be read back.
    pub(super) fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        let Some(Reverse((_, run, entry))) = self.next.pop() else { return Ok(None) };
        match run {
            HELD => self.pull_held(),
            run => self.pull(run)?,
        }
        Ok(Some(entry))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn whatever_goes_in_comes_out_in_order(
            keys in proptest::collection::vec((0u32..3, -1i64..4, 0i64..50), 0..300),
            most in 100usize..20_000,
        ) {
            let mut spill = Spill::new(most);
            let mut wanted = Vec::new();
            for (token, (topic, partition, offset)) in (0u64..).zip(keys) {
                let key = Key { topic, partition, offset, token };
                let entry = vec![b'x'; (offset as usize * 7) % 90].into_iter().chain(token.to_le_bytes()).collect::<Vec<u8>>();
                wanted.push((key, entry.clone()));
                spill.add(key, entry).expect("written");
            }
            wanted.sort_unstable_by_key(|(key, _)| *key);
            let mut sorted = spill.finish().expect("read");
            for (_, entry) in wanted {
                prop_assert_eq!(sorted.next().expect("read"), Some(entry));
            }
            prop_assert_eq!(sorted.next().expect("read"), None);
        }
    }
}
