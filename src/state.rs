//! The state directory: where `dlq` keeps what must outlive a run on this machine.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::broker::{Error, Kind, Result};

/// Names the state directory over everything else.
pub const STATE_DIR: &str = "DLQ_STATE_DIR";

/// A folder of this user's own: `$DLQ_STATE_DIR`, else `$XDG_STATE_HOME/dlq`, else `~/.local/state/dlq`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateDir {
    path: PathBuf,
}

impl StateDir {
    /// Where it is, whether or not it is there yet.
    ///
    /// # Errors
    /// `Usage` where neither of the variables is set and the user has no home.
    pub fn locate() -> Result<StateDir> {
        // A run that is taken up again goes back to the folder it was begun in; what is relative is so to this one.
        static BEGAN_IN: OnceLock<PathBuf> = OnceLock::new();
        let began_in = BEGAN_IN.get_or_init(|| std::env::current_dir().unwrap_or_default());
        let set = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        let path = set(STATE_DIR)
            // As the XDG rules have it, a relative path there is to be ignored.
            .or_else(|| set("XDG_STATE_HOME").filter(|p| p.is_absolute()).map(|p| p.join("dlq")))
            .or_else(|| std::env::home_dir().filter(|p| p.is_absolute()).map(|p| p.join(".local/state/dlq")));
        match path {
            Some(path) => Ok(StateDir { path: began_in.join(path) }),
            None => Err(Error::new(Kind::Usage, "there is no state directory: this user has no home")
                .hint(format!("name a folder that is kept: {STATE_DIR}=PATH"))),
        }
    }

    /// A folder that was chosen otherwise.
    pub fn at(path: impl Into<PathBuf>) -> StateDir {
        StateDir { path: path.into() }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes it, for this user alone, unless it is there.
    ///
    /// # Errors
    /// `Usage`, with the way to another folder.
    pub fn create(&self) -> Result<&Path> {
        use std::os::unix::fs::DirBuilderExt;
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.path);
        made.map_err(|e| self.unusable("cannot be made", e))?;
        Ok(&self.path)
    }

    /// An error about something in it.
    pub fn unusable(&self, what: &str, e: io::Error) -> Error {
        Error::new(Kind::Usage, format!("the state directory {} {what}", self.path.display()))
            .because(e)
            .hint(format!("name a folder that can be written: {STATE_DIR}=PATH"))
    }

    /// Why what is written there will not survive, where that is known: "it is on a tmpfs, which is memory".
    pub fn fleeting(&self) -> Option<String> {
        fleeting(&self.path, &std::fs::read_to_string("/proc/self/mountinfo").ok()?)
    }
}

/// Reads the filesystem of the deepest mount above `path` from the text of `/proc/self/mountinfo` (see `proc(5)`).
fn fleeting(path: &Path, mounts: &str) -> Option<String> {
    let (_, kind) = mounts
        .lines()
        .filter_map(|line| {
            let (before, after) = line.split_once(" - ")?;
            let at = before.split(' ').nth(4)?.replace("\\040", " ");
            path.starts_with(&at).then(|| (at.len(), after.split(' ').next().unwrap_or_default()))
        })
        // Of equals the later one lies on top.
        .max_by_key(|(depth, _)| *depth)?;
    match kind {
        "overlay" | "aufs" => Some(format!("it is on the {kind} of a container, which goes with the container")),
        "tmpfs" | "ramfs" => Some(format!("it is on a {kind}, which is memory")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_goes_with_its_container_is_known() {
        let mounts = "\
            21 1 0:20 / / rw,relatime - overlay overlay rw\n\
            22 21 0:21 / /tmp rw shared:1 - tmpfs tmpfs rw\n\
            23 21 8:1 /v /var/lib/my\\040state rw - ext4 /dev/vda rw\n";
        let of = |path: &str| fleeting(Path::new(path), mounts);
        assert!(of("/root/.local/state/dlq").is_some_and(|t| t.contains("container")));
        assert!(of("/tmp/state").is_some_and(|t| t.contains("memory")));
        assert_eq!(of("/var/lib/my state/dlq"), None);
        assert_eq!(fleeting(Path::new("/x"), ""), None);
    }

    #[test]
    fn it_is_made_for_its_user_alone() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().expect("a folder");
        let state = StateDir::at(dir.path().join("a/b"));
        let mode = std::fs::metadata(state.create().expect("made")).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        state.create().expect("again");
        std::fs::write(dir.path().join("file"), "").expect("written");
        let e = StateDir::at(dir.path().join("file/x")).create().expect_err("refused");
        assert_eq!(e.kind(), Kind::Usage);
        assert!(e.get_hint().is_some_and(|h| h.contains(STATE_DIR)));
    }
}
