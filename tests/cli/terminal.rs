//! Somebody at a terminal: the question, the offer to finish what was cut off, Ctrl-C once and twice, a terminal that is closed.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::runs::{SLOW, distinct, killed};
use crate::sandbox::Sandbox;

/// The end of a file and Ctrl-C, as they are typed.
const CTRL_D: &str = "\x04";
const CTRL_C: &str = "\x03";
const LONGEST: Duration = Duration::from_secs(60);

/// `dlq` at a terminal of its own.
pub struct Terminal {
    child: Child,
    input: Option<ChildStdin>,
    seen: Arc<Mutex<Vec<u8>>>,
    reading: std::thread::JoinHandle<()>,
}

impl Terminal {
    pub fn start(s: &Sandbox, environment: &[(&str, &str)], args: &str) -> Terminal {
        let mut command = Command::new("script");
        // Whoever runs the tests may have told them to ignore a closed terminal.
        let line = format!("exec env --default-signal=HUP {} {args}", env!("CARGO_BIN_EXE_dlq"));
        command.args(["-qec", &line, "/dev/null"]).current_dir(s.path("."));
        command.env("DLQ_STATE_DIR", s.state()).env("XDG_CONFIG_HOME", s.path("config"));
        command.env("TERM", "dumb").env("LANG", "C.UTF-8").envs(environment.iter().copied());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("start script");
        let (input, mut output) = (child.stdin.take(), child.stdout.take().expect("stdout"));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let shown = Arc::clone(&seen);
        let reading = std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(n @ 1..) = output.read(&mut bytes) {
                shown.lock().expect("a lock").extend_from_slice(&bytes[..n]);
            }
        });
        Terminal { child, input, seen, reading }
    }

    pub fn said(&self) -> String {
        String::from_utf8_lossy(&self.seen.lock().expect("a lock")).into_owned()
    }

    /// Waits until this is on the screen.
    pub fn wait_for(&self, text: &str) {
        self.wait_until(text, || self.said().contains(text));
    }

    fn wait_until(&self, what: &str, is_so: impl Fn() -> bool) {
        let began = Instant::now();
        while !is_so() {
            assert!(began.elapsed() < LONGEST, "{what}: {}", self.said());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn types(&mut self, text: &str) {
        let input = self.input.as_mut().expect("open");
        input.write_all(text.as_bytes()).and_then(|()| input.flush()).expect("typed");
    }

    /// Its exit code, and all it said.
    pub fn ends(mut self) -> (i32, String) {
        let status = self.child.wait().expect("wait");
        drop(self.input.take());
        self.reading.join().expect("read");
        let said = self.seen.lock().expect("a lock");
        (status.code().unwrap_or(-1), String::from_utf8_lossy(&said).into_owned())
    }

    /// The terminal goes away under it.
    fn closes(mut self) {
        self.child.kill().expect("kill");
        self.child.wait().expect("wait");
    }
}

fn lines(s: &Sandbox, name: &str) -> usize {
    std::fs::read_to_string(s.path(name)).map_or(0, |text| text.lines().count())
}

const MOVE: &str = "move file:orders.ndjson file:there.ndjson";

#[test]
fn only_yes_is_yes() {
    let s = Sandbox::new();
    for (typed, code) in [("\n", 0), ("n\n", 0), ("yess\n", 0), (CTRL_D, 0), (CTRL_C, 130)] {
        let mut terminal = Terminal::start(&s, &[], MOVE);
        terminal.wait_for("Move 360 messages? [y/N]");
        terminal.types(typed);
        let (ended, said) = terminal.ends();
        assert_eq!(ended, code, "{typed:?}: {said}");
        assert!(code == 130 || said.contains("nothing was changed"), "{typed:?}: {said}");
        assert!(!s.path("there.ndjson").exists(), "{typed:?}");
    }
    let mut terminal = Terminal::start(&s, &[], MOVE);
    terminal.wait_for("[y/N]");
    terminal.types("YES\n");
    let (code, said) = terminal.ends();
    assert!(code == 0 && said.contains("360 messages moved"), "{said}");
}

#[test]
fn a_run_that_was_cut_off_is_offered() {
    let s = Sandbox::new();
    let all = distinct(&s, "orders.ndjson");
    killed(&s, SLOW);
    let before = lines(&s, "there.ndjson");
    let args = "move file:orders.ndjson file:elsewhere.ndjson --rate 100000/s";
    let mut terminal = Terminal::start(&s, &[], args);
    terminal.wait_for("Finish run 20");
    terminal.types("n\n");
    let (code, said) = terminal.ends();
    assert!(code == 6 && said.contains("was cut off") && said.contains("--abandon"), "{code}: {said}");
    assert_eq!(lines(&s, "there.ndjson"), before);

    let mut terminal = Terminal::start(&s, &[], args);
    terminal.wait_for("Finish run 20");
    terminal.types("y\n");
    // The plan of that run, and its own question.
    terminal.wait_for("messages? [y/N]");
    terminal.types("y\n");
    let (code, said) = terminal.ends();
    assert_eq!(code, 0, "{said}");
    assert!(!s.path("elsewhere.ndjson").exists(), "it was finished as it was begun");
    assert_eq!(distinct(&s, "there.ndjson"), all);
}

/// Moves slowly until something has arrived.
fn moving(s: &Sandbox) -> Terminal {
    let terminal = Terminal::start(s, &[], &format!("{MOVE} -y --rate 30/s --run n"));
    terminal.wait_until("nothing was moved", || lines(s, "there.ndjson") >= 20);
    terminal
}

fn outcome(s: &Sandbox) -> serde_json::Value {
    s.run(&["history", "n", "-o", "json"]).json()["outcome"].clone()
}

#[test]
fn ctrl_c_stops_in_order_and_a_second_at_once() {
    let s = Sandbox::new();
    let mut once = moving(&s);
    once.types(CTRL_C);
    let (code, said) = once.ends();
    assert_eq!(code, 130, "{said}");
    assert!(said.contains("Ctrl-C again stops at once") && said.contains("not reached"), "{said}");
    assert_eq!(outcome(&s), "interrupted");

    let s = Sandbox::new();
    let mut twice = moving(&s);
    twice.types(&format!("{CTRL_C}{CTRL_C}"));
    let (code, said) = twice.ends();
    assert_eq!(code, 130, "{said}");
    assert!(said.contains("stopped at once: ") || said.contains("not reached"), "{said}");
    let ran = s.run(&["resume", "n", "-y", "-q", "--rate", "100000/s"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(distinct(&s, "there.ndjson"), distinct(&Sandbox::new(), "orders.ndjson"));
}

#[test]
fn ctrl_c_while_it_watches_what_comes_back_is_no_answer() {
    let s = Sandbox::new();
    let mut terminal =
        Terminal::start(&s, &[], "replay file:orders.ndjson --to file:there.ndjson -y --run n --watch-return 10m");
    terminal.wait_for("watching for 10m");
    terminal.types(CTRL_C);
    let (code, said) = terminal.ends();
    assert_eq!(code, 130, "{said}");
    assert!(said.contains("stopped before it was known") && said.contains("360 messages replayed"), "{said}");
    assert_eq!((outcome(&s), lines(&s, "there.ndjson")), ("interrupted".into(), 360));
}

#[test]
fn a_terminal_that_is_closed_stops_it_in_order() {
    let s = Sandbox::new();
    moving(&s).closes();
    let began = Instant::now();
    while outcome(&s) != "terminated" {
        assert!(began.elapsed() < LONGEST, "{}", outcome(&s));
        std::thread::sleep(Duration::from_millis(50));
    }
    let left = s.run(&["depth", "file:orders.ndjson", "-o", "json"]).json()[0]["ready"].as_u64().expect("a number");
    assert_eq!(left + lines(&s, "there.ndjson") as u64, 360, "what was in flight was finished");

    // At the question nothing is begun.
    let terminal = Terminal::start(&s, &[], "move file:orders.ndjson file:other.ndjson");
    terminal.wait_for("[y/N]");
    terminal.closes();
    std::thread::sleep(Duration::from_millis(300));
    assert!(!s.path("other.ndjson").exists());
}
