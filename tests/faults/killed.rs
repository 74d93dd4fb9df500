//! `kill -9` at random moments, and the same run taken up again each time.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rand::RngExt;

use crate::sandbox::{Ran, Sandbox};

/// A run that is killed again and again.
pub struct Killing<'a> {
    pub sandbox: &'a Sandbox,
    /// `replay` or `move`, the queue, the destination, …
    pub args: Vec<&'a str>,
    pub run: &'a str,
    /// It is killed within so many milliseconds of its start.
    pub within: std::ops::Range<u64>,
}

impl Killing<'_> {
    fn start(&self, again: bool) -> Child {
        let mut command = self.sandbox.command();
        // Both ways of going on.
        if again && rand::rng().random_bool(0.5) {
            command.args(["resume", self.run, "-y"]);
        } else {
            command.args(&self.args).args(["-y", "--run", self.run]);
        }
        let said = std::fs::File::create(self.said()).unwrap();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(said).spawn().unwrap()
    }

    fn said(&self) -> std::path::PathBuf {
        self.sandbox.path("said.txt")
    }

    fn is_begun(&self) -> bool {
        self.sandbox.run(&["history", self.run]).code == 0
    }

    /// Kills it so often, or until it ends by itself. How often it was killed.
    pub fn kill(&self, most: u64) -> u64 {
        let (mut kills, mut begun) = (0, false);
        while kills < most {
            let mut child = self.start(begun);
            std::thread::sleep(Duration::from_millis(rand::rng().random_range(self.within.clone())));
            if let Some(status) = child.try_wait().unwrap() {
                // It is done, or what is left is still hidden by the run before.
                if status.success() {
                    return kills;
                }
                let said = std::fs::read_to_string(self.said()).unwrap();
                assert_eq!(status.code(), Some(3), "{:?}, {kills} kills, begun: {begun}: {said}", self.args);
                continue;
            }
            child.kill().unwrap();
            child.wait().unwrap();
            kills += 1;
            begun = begun || self.is_begun();
        }
        kills
    }

    /// Goes on until the run is done.
    pub fn finish(&self) -> Ran {
        let began = Instant::now();
        loop {
            let ran = self.sandbox.run(&[&self.args[..], &["-y", "--run", self.run]].concat());
            if ran.code == 0 {
                return ran;
            }
            // What a dead run held comes back in its time.
            assert!(ran.code == 3 && began.elapsed() < Duration::from_secs(60), "{}: {}", ran.code, ran.stderr);
            std::thread::sleep(Duration::from_millis(300));
        }
    }
}
