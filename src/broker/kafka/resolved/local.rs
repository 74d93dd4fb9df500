//! The set kept in the state directory instead of a topic: a file for each block of each partition, in the format of the topic.
//! It is seen by this user on this machine alone, and cannot change in one transaction with what is sent.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::codec;
use super::set::Offsets;
use crate::broker::{Error, Kind, Result};
use crate::state::StateDir;

/// The sets of one topic.
#[derive(Clone, Debug)]
pub(in super::super) struct Local {
    dir: StateDir,
    folder: PathBuf,
}

impl Local {
    /// Where they are, whether or not there are any.
    ///
    /// # Errors
    /// `Usage` where this user has no state directory.
    pub(in super::super) fn of(topic_id: &str) -> Result<Local> {
        Ok(Local::within(StateDir::locate()?, topic_id))
    }

    fn within(dir: StateDir, topic_id: &str) -> Local {
        let folder = dir.path().join("kafka-resolved").join(topic_id);
        Local { dir, folder }
    }

    /// The folder.
    pub(in super::super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Why it will not last, where that is known.
    pub(in super::super) fn fleeting(&self) -> Option<String> {
        self.dir.fleeting()
    }

    /// What is resolved of each partition.
    ///
    /// # Errors
    /// `Corrupt`, or that it cannot be read.
    pub(in super::super) fn look(&self) -> Result<BTreeMap<i32, Offsets>> {
        let mut found: BTreeMap<i32, Offsets> = BTreeMap::new();
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(found),
            Err(e) => return Err(self.dir.unusable("cannot be read", e)),
        };
        for entry in entries {
            let entry = entry.map_err(|e| self.dir.unusable("cannot be read", e))?;
            let Some((partition, block)) = entry.file_name().to_str().and_then(parse_name) else { continue };
            let value = fs::read(entry.path()).map_err(|e| self.dir.unusable("cannot be read", e))?;
            let offsets = codec::parse_value(&value)
                .map_err(|e| e.during("reading the resolved set").hint(format!("it is {}", entry.path().display())))?;
            found.entry(partition).or_default().put(block, offsets);
        }
        Ok(found)
    }

    /// Takes one partition's set, so that no other run on this machine changes it.
    ///
    /// # Errors
    /// `Held`; `Usage` where nothing can be written there.
    pub(in super::super) fn take(&self, partition: i32) -> Result<Kept> {
        self.dir.create()?;
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.folder);
        made.map_err(|e| self.dir.unusable("cannot be written", e))?;
        let path = self.folder.join(format!("{partition}.lock"));
        let opened = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
        let lock = opened.map_err(|e| self.dir.unusable("cannot be written", e))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::new(
                    Kind::Held,
                    format!("another run of dlq on this machine works on partition {partition} of this topic"),
                )
                .hint("wait until it is done, or take other partitions with --partitions"));
            }
            Err(TryLockError::Error(e)) => return Err(self.dir.unusable("cannot be locked", e)),
        }
        let set = self.look()?.remove(&partition).unwrap_or_default();
        Ok(Kept { local: self.clone(), partition, set, _lock: lock })
    }

    /// Writes the blocks that were changed, each as a whole and to the disk.
    fn store(&self, partition: i32, set: &Offsets) -> io::Result<()> {
        for (block, offsets) in set.changed() {
            let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
            file.write_all(&codec::value(offsets))?;
            file.as_file().sync_data()?;
            file.persist(self.folder.join(name(partition, block))).map_err(|e| e.error)?;
        }
        // The names are to last as well.
        File::open(&self.folder)?.sync_all()
    }
}

/// The set of one partition, ours until it is dropped.
pub(in super::super) struct Kept {
    local: Local,
    partition: i32,
    pub(in super::super) set: Offsets,
    _lock: File,
}

impl Kept {
    /// Stores that these are done.
    ///
    /// # Errors
    /// They are not marked.
    pub(in super::super) fn mark(&mut self, done: &[i64]) -> Result<()> {
        let new: Vec<i64> = done.iter().copied().filter(|at| self.set.insert(*at)).collect();
        match self.local.store(self.partition, &self.set) {
            Ok(()) => {
                self.set.stored();
                Ok(())
            }
            Err(e) => {
                new.into_iter().for_each(|at| self.set.take_back(at));
                Err(self.local.dir.unusable("cannot be written", e).during("storing the resolved set"))
            }
        }
    }
}

fn name(partition: i32, block: u64) -> String {
    format!("{partition}-{block}.set")
}

fn parse_name(name: &str) -> Option<(i32, u64)> {
    let (partition, block) = name.strip_suffix(".set")?.split_once('-')?;
    Some((partition.parse().ok()?, block.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_marked_is_there_after_and_one_run_works_on_a_partition_at_a_time() {
        let dir = tempfile::tempdir().expect("a folder");
        let local = Local::within(StateDir::at(dir.path()), "-Ab_9");
        assert_eq!(local.look().expect("nothing yet"), BTreeMap::new());
        let mut kept = local.take(3).expect("ours");
        kept.mark(&[5, 65_536 * 2 + 1]).expect("marked");
        kept.mark(&[6]).expect("marked");
        let e = local.take(3).err().expect("refused");
        assert_eq!(e.kind(), Kind::Held);
        drop(local.take(4).expect("another partition"));
        drop(kept);
        let again = local.take(3).expect("free again");
        assert!([5, 6, 65_536 * 2 + 1].iter().all(|at| again.set.contains(*at)) && !again.set.contains(7));
        assert!(Local::within(StateDir::at(dir.path()), "other").look().expect("none").is_empty());
        fs::write(local.folder().join("3-0.set"), b"torn").expect("written");
        assert!(matches!(local.look().expect_err("refused").kind(), Kind::Unsupported | Kind::Corrupt));
    }

    #[test]
    fn what_cannot_be_stored_is_not_marked() {
        let dir = tempfile::tempdir().expect("a folder");
        let local = Local::within(StateDir::at(dir.path()), "t");
        let mut kept = local.take(0).expect("ours");
        fs::remove_dir_all(local.folder()).expect("gone");
        kept.mark(&[1]).expect_err("nowhere to write");
        assert!(!kept.set.contains(1));
    }
}
