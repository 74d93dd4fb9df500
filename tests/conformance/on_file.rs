//! Archives.

use std::sync::atomic::{AtomicU32, Ordering};

use dlq::message::Value;

use super::fixture::Fixture;

pub struct Archives {
    dir: tempfile::TempDir,
    extension: &'static str,
    made: AtomicU32,
}

pub fn plain() -> Option<Archives> {
    Some(Archives { dir: tempfile::tempdir().expect("a folder"), extension: "ndjson", made: AtomicU32::new(0) })
}

pub fn compressed() -> Option<Archives> {
    Some(Archives { extension: "ndjson.zst", ..plain()? })
}

impl Archives {
    fn path(&self, name: &str) -> String {
        format!("{}/{name}.{}", self.dir.path().display(), self.extension)
    }
}

impl Fixture for Archives {
    fn empty_queue(&self) -> String {
        let path = self.path(&format!("q{}", self.made.fetch_add(1, Ordering::Relaxed)));
        std::fs::write(&path, "").expect("write");
        format!("file:{path}")
    }

    fn absent_queue(&self) -> String {
        format!("file:{}", self.path("absent"))
    }

    fn carries(&self, _: &Value) -> bool {
        true
    }

    fn sink_creates(&self) -> bool {
        true
    }
}
