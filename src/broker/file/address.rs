//! `file:PATH[.zst]` and `-`.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use crate::broker::address::Options;
use crate::broker::{Address, Error, Kind, Result};

/// Shown and canonical spelling.
pub(super) fn understand(base: &str, _: &Options) -> Result<(String, String)> {
    if base == "-" {
        return Ok((base.to_owned(), base.to_owned()));
    }
    let path = base.strip_prefix("file:").unwrap_or(base);
    if path.is_empty() {
        return Err(Error::new(Kind::Usage, "file: without a path")
            .hint("archives are written file:PATH, or - for standard input or output"));
    }
    if let Some(rest) = path.strip_prefix("//").filter(|rest| !rest.starts_with('/')) {
        return Err(Error::new(
            Kind::Usage,
            format!("{base:?} names a host, and an archive is a file on this machine"),
        )
        .hint(format!("write file:{rest} or file:/{rest}")));
    }
    let path = Path::new(path);
    let canonical = shared(path).unwrap_or_else(|| format!("file:{}", canonical(path).display()));
    Ok((base.to_owned(), canonical))
}

/// A file of several names is known by none of them: an archive that is moved to a hard link of itself would be doubled.
#[cfg(unix)]
fn shared(path: &Path) -> Option<String> {
    use std::os::unix::fs::MetadataExt as _;
    let about = fs::metadata(path).ok().filter(|about| about.is_file() && about.nlink() > 1)?;
    Some(format!("file:{}:{}", about.dev(), about.ino()))
}

#[cfg(not(unix))]
fn shared(_: &Path) -> Option<String> {
    None
}

/// What the names of the files beside an archive end in.
pub(super) const SIDES: [&str; 4] = [".lock", ".removed", ".compact", ".torn"];

/// Refuses to write an archive where the side file of another would be.
pub(super) fn not_a_side_file(path: &Path) -> Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    match SIDES.iter().find(|side| name.ends_with(**side)) {
        Some(side) => Err(Error::new(
            Kind::Usage,
            format!("{} cannot be an archive: names in {side} belong to the archive without it", path.display()),
        )
        .hint("choose another name")),
        None => Ok(()),
    }
}

/// The path of an address; `None` for `-`.
pub(super) fn path_of(address: &Address) -> Option<PathBuf> {
    let typed = address.typed.expose();
    (typed != "-").then(|| PathBuf::from(typed.strip_prefix("file:").unwrap_or(typed)))
}

/// Absolute and through all symbolic links, as far as it exists: the lock and the side log must sit beside the file
/// itself, however it was spelled.
pub(super) fn canonical(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| match (fs::canonicalize(folder(path)), path.file_name()) {
        (Ok(parent), Some(name)) => parent.join(name),
        _ => std::path::absolute(path).unwrap_or_else(|_| path.to_owned()),
    })
}

/// The folder a file is in.
pub(super) fn folder(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// `PATH.suffix`.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

/// Whether the name says that it is compressed.
pub(super) fn is_zst(path: &Path) -> bool {
    path.extension().is_some_and(|e| e.eq_ignore_ascii_case("zst"))
}
