//! A folder, an empty environment, and the command.
#![allow(dead_code, reason = "each test crate uses a part of it")]

use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// A folder of a test's own, with the example archive in it.
pub struct Sandbox {
    dir: tempfile::TempDir,
    /// Beside it: what is in the folder is the test's own.
    state: tempfile::TempDir,
    /// All that is in the environment besides the language and the time zone.
    pub environment: Vec<(String, String)>,
}

/// What a call gave.
#[must_use]
pub struct Ran {
    pub stdout: Vec<u8>,
    pub stderr: String,
    pub code: i32,
}

/// Sends a signal, `-INT` for one.
pub fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([name, &child.id().to_string()]).status().expect("kill");
    assert!(sent.success(), "{name}");
}

impl Sandbox {
    pub fn new() -> Sandbox {
        let dir = tempfile::tempdir().expect("a folder");
        let example = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/orders.dlq.ndjson");
        std::fs::copy(example, dir.path().join("orders.ndjson")).expect("the example archive");
        let state = tempfile::tempdir().expect("a folder");
        Sandbox { dir, state, environment: vec![] }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The state directory.
    pub fn state(&self) -> &std::path::Path {
        self.state.path()
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).expect("read")
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("write");
    }

    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dlq"));
        command.current_dir(self.dir.path()).env_clear().env("LANG", "C.UTF-8").env("TZ", "UTC");
        command.env("DLQ_STATE_DIR", self.state.path()).env("XDG_CONFIG_HOME", self.path("config"));
        command.envs(self.environment.iter().map(|(k, v)| (k, v)));
        command
    }

    /// Runs `dlq` without a terminal.
    pub fn run(&self, args: &[&str]) -> Ran {
        self.run_with(args, "")
    }

    pub fn run_with(&self, args: &[&str], stdin: &str) -> Ran {
        let mut child = self
            .command()
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("start dlq");
        let mut input = child.stdin.take().expect("stdin");
        let stdin = stdin.to_owned();
        // It may end without reading all of it.
        let feeding = std::thread::spawn(move || _ = input.write_all(stdin.as_bytes()));
        let output = child.wait_with_output().expect("wait");
        feeding.join().expect("feed");
        Ran {
            stdout: output.stdout,
            stderr: String::from_utf8(output.stderr).expect("talk is UTF-8"),
            code: output.status.code().unwrap_or(-1),
        }
    }
}

impl Ran {
    pub fn stdout(&self) -> &str {
        std::str::from_utf8(&self.stdout).expect("UTF-8")
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.stdout).expect("standard output is JSON")
    }

    pub fn lines(&self) -> usize {
        self.stdout().lines().count()
    }

    /// All three, with what differs from run to run replaced.
    pub fn shown(&self, sandbox: &Sandbox) -> String {
        let stdout = String::from_utf8_lossy(&self.stdout).into_owned();
        let text = format!("exit {}\n--- stdout\n{stdout}--- stderr\n{}", self.code, self.stderr);
        let text = text.replace(&sandbox.dir.path().display().to_string(), "[DIR]");
        let run = regex::Regex::new(r"\b\d{8}T\d{6}-[0-9a-z]{6}\b").expect("pattern");
        let stamp = regex::Regex::new(r"\b\d{8}T\d{6}Z\b").expect("pattern");
        let now = regex::Regex::new(r#"("(?:started|finished)": ?)"[^"]*""#).expect("pattern");
        let text = run.replace_all(&text, "[RUN]");
        let text = stamp.replace_all(&text, "[NOW]");
        now.replace_all(&text, "$1\"[TIME]\"").into_owned()
    }
}

/// Pins what `dlq ARGS` shows under the name of the test.
#[macro_export]
macro_rules! pin {
    ($sandbox:expr, $name:expr, $($arg:expr),+ $(,)?) => {{
        let sandbox = &$sandbox;
        let args = [$($arg),+];
        let ran = sandbox.run(&args);
        let shown = format!("$ dlq {}\n{}", args.map(|a| if a.contains(' ') { format!("'{a}'") } else { a.to_owned() }).join(" "), ran.shown(sandbox));
        insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!($name, shown);
        });
        ran
    }};
}
