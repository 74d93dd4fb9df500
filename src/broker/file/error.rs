//! One place that turns an I/O error into ours, naming the file.

use std::io;
use std::path::Path;

use super::address::{SIDES, folder};
use crate::broker::{Error, Kind, nearest};

/// `doing` as in "cannot DOING PATH".
pub(super) fn io(doing: &str, path: &Path, e: io::Error) -> Error {
    let kind = match e.kind() {
        io::ErrorKind::NotFound => Kind::NotFound,
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Kind::Denied,
        io::ErrorKind::BrokenPipe => Kind::ClosedPipe,
        _ => Kind::Io,
    };
    let full = matches!(e.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
    let error = Error::new(kind, format!("cannot {doing} {}", path.display())).because(e);
    if full { error.hint("make room and run it again: what was not written is still where it was") } else { error }
}

/// There is no such file; names the nearest one there is.
pub(super) fn absent(path: &Path) -> Error {
    let error =
        Error::new(Kind::NotFound, format!("there is no file {}", path.display())).during("opening the archive");
    if path.starts_with("~") {
        return error.hint("the shell does not expand ~ behind file: and $HOME does the same");
    }
    let directory = folder(path);
    let Ok(entries) = directory.read_dir() else {
        return error.hint(format!("there is no directory {} either", directory.display()));
    };
    let names: Vec<String> = entries.flatten().filter_map(|e| e.file_name().into_string().ok()).collect();
    let archives = names.iter().map(String::as_str).filter(|n| !SIDES.iter().any(|s| n.ends_with(s)));
    let typed = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    match nearest(&typed, archives) {
        Some(close) => error.hint(format!("did you mean file:{}?", path.with_file_name(close).display())),
        None => error,
    }
}

/// A blocking task of ours died.
pub(super) fn died(e: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(Kind::Other, "an archive task ended early").because(e)
}

/// Runs what blocks where blocking is allowed.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> crate::broker::Result<T> + Send + 'static,
) -> crate::broker::Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|e| Err(died(e)))
}
