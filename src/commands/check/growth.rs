//! How much a queue has grown, against counts that earlier runs kept in the state directory.

use std::io::Write;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::broker::address::hide_argument;
use crate::broker::{Address, Result};
use crate::state::StateDir;

/// Counts kept of one queue; of more, every second of the older ones goes.
const KEPT: usize = 200;

/// `N/DURATION`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Growth {
    /// So many more messages.
    pub most: u64,
    /// In this time.
    pub within: Duration,
}

impl FromStr for Growth {
    type Err = String;

    fn from_str(s: &str) -> std::result::Result<Growth, String> {
        let form = "it is written N/DURATION, such as 100/h or 20/15m";
        let (most, within) = s.split_once('/').ok_or(form)?;
        let within = match within {
            "s" | "m" | "h" | "d" => format!("1{within}"),
            other => other.to_owned(),
        };
        let most = most.parse::<u64>().map_err(|_| form)?;
        match most {
            0 => Err("a growth of 0 is always reached: give 1 or more".into()),
            most => Ok(Growth { most, within: super::span(&within)? }),
        }
    }
}

/// What was counted when.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Count {
    pub at: Timestamp,
    pub messages: u64,
}

#[derive(Default, Serialize, Deserialize)]
struct Kept {
    queue: String,
    counts: Vec<Count>,
}

/// Messages more, or fewer, and in what time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Change {
    pub messages: i64,
    pub seconds: i64,
}

impl Change {
    /// From one count to another.
    pub(super) fn between(then: Count, now: Count) -> Change {
        let difference = i128::from(now.messages) - i128::from(then.messages);
        let messages = i64::try_from(difference).unwrap_or(if difference < 0 { i64::MIN } else { i64::MAX });
        Change { messages, seconds: now.at.duration_since(then.at).as_secs().max(0) }
    }

    /// Whether it is as fast as that. What grew in a shorter time is not blown up to the whole of it, unless `all`: then the
    /// time was chosen for it.
    pub(super) fn reaches(&self, limit: Growth, all: bool) -> bool {
        let Ok(grown) = u64::try_from(self.messages) else { return false };
        let (seconds, within) = (self.seconds.max(1) as f64, limit.within.as_secs_f64());
        let scale = if seconds > within || all { within / seconds } else { 1.0 };
        grown as f64 * scale >= limit.most as f64
    }
}

/// Compares with what earlier runs counted, and keeps this count. `None` where there is no earlier one.
///
/// # Errors
/// The state directory cannot be used.
pub(super) fn against_earlier(queue: &Address, now: Count, limit: Growth) -> Result<Option<Change>> {
    let state = StateDir::locate()?;
    let folder = state.create()?.join("check");
    std::fs::create_dir_all(&folder).map_err(|e| state.unusable("cannot be written", e))?;
    let path = folder.join(format!("{:016x}.json", xxhash_rust::xxh3::xxh3_64(counted(queue).as_bytes())));
    let mut kept: Kept = match std::fs::read(&path) {
        // What cannot be read, from another version perhaps, is begun anew.
        Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_default(),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Kept::default(),
        Err(e) => return Err(state.unusable("cannot be read", e)),
    };
    kept.counts.retain(|c| c.at < now.at);
    let change = baseline(&kept.counts, now.at, limit.within).map(|then| Change::between(then, now));
    kept.queue = queue.shown.clone();
    kept.counts.push(now);
    thin(&mut kept.counts);
    write(&folder, path, &kept).map_err(|e| state.unusable("cannot be written", e))?;
    Ok(change)
}

/// What is counted: options may choose a part of a queue. Secrets are not told apart.
fn counted(queue: &Address) -> String {
    let options = queue.options.iter().map(|(name, value)| hide_argument(&format!("{name}={value}")));
    std::iter::once(queue.canonical.clone()).chain(options).collect::<Vec<_>>().join("\n")
}

/// The youngest count that is as old as the time asked for; where all are younger, the oldest.
fn baseline(counts: &[Count], now: Timestamp, within: Duration) -> Option<Count> {
    let old = |c: &&Count| now.duration_since(c.at).as_secs_f64() >= within.as_secs_f64();
    counts.iter().rfind(old).or(counts.first()).copied()
}

fn thin(counts: &mut Vec<Count>) {
    if counts.len() > KEPT {
        let mut n = 0;
        let older = counts.len() / 2;
        counts.retain(|_| {
            n += 1;
            n > older || n % 2 == 1
        });
    }
}

/// Whole or not at all: runs that overlap replace each other's file.
fn write(folder: &std::path::Path, path: PathBuf, kept: &Kept) -> std::io::Result<()> {
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(&serde_json::to_vec(kept)?)?;
    file.persist(path).map_err(|e| e.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(second: i64, messages: u64) -> Count {
        Count { at: Timestamp::from_second(second).expect("a time"), messages }
    }

    #[test]
    fn a_part_of_a_queue_is_not_compared_with_another() {
        let of = |options: &[(&str, &str)]| {
            let options: Vec<_> = options.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            counted(&Address::parse("kafka://h/orders.DLT", &options).expect("an address"))
        };
        assert_ne!(of(&[]), of(&[("partitions", "0")]));
        assert_ne!(of(&[("partitions", "1")]), of(&[("partitions", "0")]));
        assert_eq!(of(&[("sasl.password", "old")]), of(&[("sasl.password", "new")]));
        assert!(!of(&[("sasl.password", "old")]).contains("old"));
    }

    #[test]
    fn it_is_written_as_a_number_and_a_time() {
        let hour = Duration::from_secs(3600);
        assert_eq!("100/h".parse(), Ok(Growth { most: 100, within: hour }));
        assert_eq!("1/60m".parse(), Ok(Growth { most: 1, within: hour }));
        assert_eq!("5/2d".parse(), Ok(Growth { most: 5, within: hour * 48 }));
        for bad in ["", "5", "x/h", "5/x", "0/h", "-1/h", "5/0s"] {
            assert!(bad.parse::<Growth>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_short_time_is_not_blown_up_and_a_long_one_is_brought_down() {
        let limit = Growth { most: 100, within: Duration::from_secs(3600) };
        let change = |messages, seconds| Change { messages, seconds };
        assert!(!change(10, 1).reaches(limit, false));
        assert!(change(10, 1).reaches(limit, true));
        assert!(change(100, 1).reaches(limit, false));
        assert!(!change(150, 7200).reaches(limit, false));
        assert!(change(200, 7200).reaches(limit, false));
        assert!(!change(-500, 10).reaches(limit, true));
    }

    #[test]
    fn the_count_to_compare_with_is_as_old_as_the_time_asked_for() {
        let counts = [count(0, 1), count(100, 2), count(200, 3)];
        let of = |now: i64, within: u64| {
            let now = Timestamp::from_second(now).expect("a time");
            baseline(&counts, now, Duration::from_secs(within)).map(|c| c.messages)
        };
        assert_eq!((of(210, 60), of(210, 10), of(210, 3600)), (Some(2), Some(3), Some(1)));
        assert_eq!(baseline(&[], Timestamp::UNIX_EPOCH, Duration::from_secs(1)), None);
        let mut many: Vec<_> = (0..=200).map(|n| count(n, 0)).collect();
        thin(&mut many);
        assert_eq!((many.len(), many[0], many[150]), (151, count(0, 0), count(200, 0)));
    }
}
