//! One run at a time over one queue, from one state directory.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};

use xxhash_rust::xxh3::xxh3_128;

use crate::broker::{Error, Kind, Result};
use crate::replay::RunId;
use crate::state::StateDir;

/// Locks on the names of a queue. The system lets go of them when the process ends, however it ends.
#[derive(Debug)]
pub struct Locks {
    _files: Vec<File>,
}

impl Locks {
    /// Takes all of `places`, which name one queue, for `run`. `queue` is what the user calls it.
    ///
    /// # Errors
    /// `Held` with the run that has one of them; `Usage` where the state directory cannot be used.
    pub fn take(state: &StateDir, places: &[String], queue: &str, run: &RunId) -> Result<Locks> {
        let dir = state.create()?.join("locks");
        std::fs::create_dir_all(&dir).map_err(|e| state.unusable("cannot be written", e))?;
        // In one order everywhere, so that two runs cannot each hold one that the other wants.
        let mut places: Vec<&String> = places.iter().collect();
        places.sort();
        places.dedup();
        let mut files = vec![];
        for place in places {
            let path = dir.join(format!("{:032x}", xxh3_128(place.as_bytes())));
            let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
            let mut file = opened.map_err(|e| state.unusable("cannot be written", e))?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(held(&mut file, queue)),
                Err(TryLockError::Error(e)) => return Err(state.unusable("cannot lock files", e)),
            }
            // For whoever finds it locked; no more than a name, so that failing to write it harms nobody.
            _ = file.set_len(0).and_then(|()| write!(file, "{run} {}", std::process::id()));
            files.push(file);
        }
        Ok(Locks { _files: files })
    }
}

fn held(file: &mut File, queue: &str) -> Error {
    let mut text = String::new();
    _ = file.seek(SeekFrom::Start(0)).and_then(|_| file.read_to_string(&mut text));
    let holder = match text.split_once(' ') {
        Some((run, process)) => format!("run {run} (process {process})"),
        None => "another run".to_owned(),
    };
    Error::new(Kind::Held, format!("{queue} is being worked on by {holder}"))
        .hint("wait for it or stop it with Ctrl-C; two runs at once would send messages twice")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_run_is_told_who_holds_the_queue_and_a_dead_one_holds_nothing() {
        let dir = tempfile::tempdir().expect("a folder");
        let state = StateDir::at(dir.path());
        let take = |places: &[&str], run: &str| {
            let places: Vec<String> = places.iter().map(ToString::to_string).collect();
            Locks::take(&state, &places, "amqp://h/q", &RunId::named(run))
        };
        let first = take(&["b", "a"], "r1").expect("free");
        let e = take(&["a", "c"], "r2").expect_err("held");
        assert_eq!(e.kind(), Kind::Held);
        assert!(e.to_string().contains("run r1"), "{e}");
        take(&["c"], "r3").expect("another queue");
        drop(first);
        take(&["a", "c"], "r2").expect("free again");
    }
}
