//! What may be done with an archive, as far as the file system tells. Nothing is written.

use std::fs::{self, File};
use std::path::Path;

use rustix::fs::{Access, access, statvfs};

use super::address::{canonical, folder, is_zst, not_a_side_file, path_of};
use super::error;
use super::lock::is_held;
use super::torn::Tail;
use crate::broker::{Ability, Address, Finding, Load};
use crate::output::human;

const DISK: &str = "disk room";

/// Reads and removes. `ours`: the lock is held by this very process.
pub(super) fn read(path: &Path, ability: Ability, ours: bool) -> Vec<Finding> {
    let mut found = vec![match File::open(path) {
        Ok(_) => Finding::yes("permission to read", "the file can be opened"),
        Err(e) => Finding::no("permission to read", e.to_string()),
    }];
    if ability != Ability::Remove {
        return found;
    }
    found.push(match File::options().write(true).open(path) {
        Ok(_) => Finding::yes("permission to write", "the file can be opened to be written"),
        Err(e) => Finding::no("permission to write", e.to_string()),
    });
    found.push(beside(path, "its lock and the list of what is removed go into"));
    if let (Some(free), Ok(about)) = (free(folder(path)), fs::metadata(path)) {
        let most = human::bytes(about.len());
        found.push(if about.len() <= free {
            Finding::yes(DISK, format!("what stays is written anew beside it, {most} at most: there is room"))
        } else {
            let free = human::bytes(free);
            Finding::unknown(DISK, format!("what stays is written anew beside it, {most} at most, and {free} are free"))
        });
    }
    if !ours && is_held(path) {
        found.push(Finding::no("lock", "another process holds the archive"));
    }
    found
}

/// Writes so much to the archive of an address. A stream has no room to tell of.
pub(super) async fn write(address: &Address, load: Load) -> Vec<Finding> {
    let Some(path) = path_of(address) else { return Vec::new() };
    error::blocking(move || Ok(into(&canonical(&path), load, false))).await.unwrap_or_default()
}

/// The same of a file. `ours`: the lock is held by this very process.
pub(super) fn into(path: &Path, load: Load, ours: bool) -> Vec<Finding> {
    const ABOUT: &str = "permission to write";
    let shown = path.display();
    if let Err(e) = not_a_side_file(path) {
        return vec![Finding::no(ABOUT, e.to_string())];
    }
    let mut found = Vec::new();
    match fs::metadata(path) {
        Ok(about) if about.is_dir() => return vec![Finding::no(ABOUT, format!("{shown} is a folder"))],
        Ok(about) if !about.is_file() => return found,
        Ok(_) => found.push(match access(path, Access::WRITE_OK) {
            Ok(()) => Finding::yes(ABOUT, format!("{shown} is there and is written behind its last line")),
            Err(e) => Finding::no(ABOUT, format!("{shown}: {}", std::io::Error::from(e))),
        }),
        Err(_) if folder(path).is_dir() => {}
        Err(_) => return vec![Finding::no(ABOUT, format!("there is no folder {}", folder(path).display()))],
    }
    found.push(beside(path, "the archive and its lock go into"));
    if !ours && is_held(path) {
        found.push(Finding::no("lock", "another process holds the archive"));
    } else {
        found.extend(end(path));
    }
    found.extend(free(folder(path)).map(|free| room(free, &folder(path).display().to_string(), is_zst(path), load)));
    found
}

/// What is wrong with the end of a file that is there.
fn end(path: &Path) -> Option<Finding> {
    const ABOUT: &str = "end of the file";
    match Tail::at_a_glance(&File::open(path).ok()?, path) {
        Ok(tail) if tail.is_torn() => Some(Finding::limit(ABOUT, tail.foretold(path))),
        Ok(_) => None,
        Err(e) => Some(Finding::no(ABOUT, e.to_string())),
    }
}

/// A line is longer than its body; how much shorter a compressed one is nobody knows.
fn room(free: u64, folder: &str, packed: bool, load: Load) -> Finding {
    let has = format!("{folder} has {} free", human::bytes(free));
    match load.bytes.filter(|_| !load.at_most) {
        _ if free == 0 => Finding::no(DISK, format!("the disk of {folder} is full")),
        Some(bodies) if bodies > free && packed => Finding::unknown(
            DISK,
            format!("{has}; the bodies have {} before they are compressed", human::bytes(bodies)),
        ),
        Some(bodies) if bodies > free => {
            Finding::no(DISK, format!("{has}, and the bodies alone have {}", human::bytes(bodies)))
        }
        Some(bodies) => Finding::yes(DISK, format!("{has}; the bodies have {}", human::bytes(bodies))),
        None => Finding::yes(DISK, has),
    }
}

fn beside(path: &Path, what: &str) -> Finding {
    const ABOUT: &str = "permission to write beside it";
    let folder = folder(path);
    match access(folder, Access::WRITE_OK | Access::EXEC_OK) {
        Ok(()) => Finding::yes(ABOUT, format!("{what} {}", folder.display())),
        Err(e) => Finding::no(ABOUT, format!("{what} {}: {}", folder.display(), std::io::Error::from(e))),
    }
}

/// Bytes that we, no administrator, may still write.
fn free(folder: &Path) -> Option<u64> {
    // A file system that does not tell answers with nothing but zeros.
    let about = statvfs(folder).ok().filter(|about| about.f_blocks > 0)?;
    about.f_bavail.checked_mul(about.f_frsize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::Answer;

    fn load(bytes: u64) -> Load {
        Load { messages: Some(1), bytes: Some(bytes), at_most: false }
    }

    #[test]
    fn bodies_larger_than_the_disk_do_not_fit_unless_they_may_be_compressed() {
        let answer = |packed, load| room(1000, "/x", packed, load).answer;
        assert_eq!(answer(false, load(1001)), Answer::No);
        assert_eq!(answer(true, load(1001)), Answer::Unknown);
        assert_eq!(answer(false, load(1000)), Answer::Yes);
        assert_eq!(answer(false, Load { at_most: true, ..load(1001) }), Answer::Yes);
        assert_eq!(room(0, "/x", true, Load::default()).answer, Answer::No);
    }

    #[test]
    fn a_torn_end_is_foretold_and_a_foreign_one_is_in_the_way() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("a.ndjson");
        for (text, answer) in
            [("", None), (r#"{"v":1,"line":"1","id":"x"#, Some(Answer::Yes)), ("call the vendor", Some(Answer::No))]
        {
            fs::write(&path, text).expect("write");
            let found = into(&path, load(1), false).into_iter().find(|f| f.about == "end of the file");
            assert_eq!(found.as_ref().map(|f| f.answer), answer, "{found:?}");
            if let Some(found) = found.filter(|f| f.answer == Answer::Yes) {
                assert!(found.worth_saying && found.because.contains("a.ndjson is torn (25 bytes, by a writer"));
                assert!(found.because.contains("it will be put aside in ") && found.because.contains("a.ndjson.torn"));
            }
            assert_eq!(fs::read_to_string(&path).expect("read"), text);
        }
        assert_eq!(dir.path().read_dir().expect("read").count(), 1);
    }

    #[test]
    fn a_folder_that_is_not_there_is_told_and_none_is_made() {
        let dir = tempfile::tempdir().expect("a folder");
        let found = into(&dir.path().join("none/a.ndjson"), load(1), false);
        assert!(found[0].answer == Answer::No && found[0].because.contains("there is no folder"), "{found:?}");
        for odd in [dir.path().to_owned(), dir.path().join("a.ndjson.torn")] {
            assert_eq!(into(&odd, load(1), false)[0].answer, Answer::No, "{odd:?}");
        }
        assert!(into(&dir.path().join("a.ndjson"), load(1), false).iter().all(|f| f.answer == Answer::Yes));
        assert_eq!(dir.path().read_dir().expect("read").count(), 0);
    }
}
