//! What the C library does, done otherwise: a source of this folder, built and loaded before it.

use std::path::PathBuf;
use std::process::Command;

use crate::sandbox::Sandbox;

/// The library made of `NAME.c`, for `LD_PRELOAD`.
pub fn built(s: &Sandbox, name: &str) -> PathBuf {
    let library = s.state().join(format!("{name}.so"));
    let source = format!("{}/tests/faults/{name}.c", env!("CARGO_MANIFEST_DIR"));
    let mut cc = Command::new("cc");
    cc.args(["-O1", "-Wall", "-Werror", "-shared", "-fPIC", "-pthread", "-o"]).arg(&library).args([&source, "-ldl"]);
    let built = cc.output().expect("a C compiler");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    library
}
