//! A run while somebody sets the clock: an hour forward, and back; and an hour back for good.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::cluster::{Stored, cluster};
use crate::on_rabbitmq::fill;
use crate::preload;
use crate::rabbit::Broker;
use crate::sandbox::{Ran, Sandbox};

/// Messages, and how many a second: long enough for the clock to be set in the midst of it.
const MANY: usize = 2000;
const RATE: usize = 500;
const HOUR: i64 = 3600;

/// A clock on the wall of a test's own.
struct Clock {
    file: File,
    /// What the command is started with.
    environment: [(String, String); 2],
}

impl Clock {
    fn new(s: &Sandbox) -> Clock {
        let (library, path) = (preload::built(s, "clock"), s.state().join("clock"));
        let file = File::create(&path).unwrap();
        let of = |path: &std::path::Path| path.display().to_string();
        let environment = [("LD_PRELOAD".to_owned(), of(&library)), ("TEST_CLOCK".to_owned(), of(&path))];
        let clock = Clock { file, environment };
        clock.set(0);
        clock
    }

    /// So many seconds from the real one.
    fn set(&self, ahead: i64) {
        self.file.write_all_at(&ahead.to_ne_bytes(), 0).unwrap();
    }
}

/// Runs with the clock set to each of these, a second after the other; what it gave, and how long it took.
fn run(s: &Sandbox, clock: &Clock, args: &[&str], jumps: &[i64]) -> (Ran, Duration) {
    clock.set(0);
    let began = Instant::now();
    let mut command = s.command();
    command.args(args).envs(clock.environment.iter().cloned());
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    for jump in jumps {
        std::thread::sleep(Duration::from_secs(1));
        clock.set(*jump);
    }
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    (Ran { stdout: output.stdout, stderr, code: output.status.code().unwrap_or(-1) }, began.elapsed())
}

fn ended(s: &Sandbox, (ran, took): &(Ran, Duration), jumps: &[i64]) {
    assert_eq!(ran.code, 0, "{jumps:?}: {}", ran.stderr);
    let report = ran.json();
    let counts = ["replayed", "failed", "indeterminate", "not_removed"].map(|f| report[f].as_u64());
    assert_eq!(counts, [Some(MANY as u64), Some(0), Some(0), Some(0)], "{jumps:?}: {report}");
    // It keeps its pace: neither all at once nor an hour later.
    let wanted = Duration::from_secs((MANY / RATE) as u64);
    assert!(*took > wanted.mul_f64(0.75) && *took < wanted + Duration::from_secs(25), "{jumps:?}: {took:?}");
    let time = |f: &str| report[f].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let lasted = time("started").duration_until(time("finished")).as_secs();
    assert!((0..60).contains(&lasted), "{jumps:?}: {report}");
    let history = s.run(&["history", "-o", "json"]);
    assert_eq!(history.code, 0, "{}", history.stderr);
    let run = history.json().as_array().unwrap().iter().find(|r| r["run"] == report["run"]).cloned();
    let run = run.unwrap_or_else(|| panic!("{}", history.stdout()));
    assert!(!run.to_string().contains("unfinished"), "{run}");
}

/// The lock is free, and nothing is unfinished.
fn again(s: &Sandbox, args: &[&str]) {
    let ran = s.run(args);
    let report: Value = ran.json();
    assert_eq!((ran.code, &report["replayed"]), (0, &0.into()), "{}", ran.stderr);
}

const JUMPS: [&[i64]; 2] = [&[HOUR, 0], &[-HOUR]];

#[test]
fn rabbitmq_while_the_clock_jumps() {
    let Some(b) = Broker::open("43") else { return };
    let s = Sandbox::new();
    let clock = Clock::new(&s);
    for (n, jumps) in JUMPS.iter().enumerate() {
        let (dead, to) = (b.queue(&format!("dead.{n}"), "quorum", &[]), b.queue(&format!("to.{n}"), "quorum", &[]));
        let bodies: Vec<String> = (0..MANY).map(|n| n.to_string()).collect();
        fill(&b, &dead, &bodies);
        let (from, place, rate) = (b.address(&dead), b.address(&to), format!("{RATE}/s"));
        let args = ["replay", &from, "--to", &place, "-y", "-o", "json", "--rate", &rate];
        ended(&s, &run(&s, &clock, &args, jumps), jumps);
        assert_eq!(b.bodies(&to), bodies, "{jumps:?}");
        again(&s, &args);
    }
}

#[test]
fn kafka_while_the_clock_jumps() {
    let Some(cluster) = cluster() else { return };
    let s = Sandbox::new();
    let clock = Clock::new(&s);
    for jumps in JUMPS {
        let (dead, to) = (cluster.topic(2, &[]), cluster.topic(1, &[]));
        let record = |n: usize| Stored {
            partition: i32::try_from(n % 2).unwrap(),
            value: Some(n.to_string().into_bytes()),
            ..Stored::default()
        };
        cluster.send(&dead, &(0..MANY).map(record).collect::<Vec<_>>());
        let (from, rate) = (cluster.address(&dead), format!("{RATE}/s"));
        let args = ["replay", &from, "--to-topic", &to, "-y", "-o", "json", "--rate", &rate];
        ended(&s, &run(&s, &clock, &args, jumps), jumps);
        let mut there: Vec<usize> = cluster.read(&to).iter().map(|r| r.text().parse().unwrap()).collect();
        there.sort_unstable();
        assert_eq!(there, (0..MANY).collect::<Vec<_>>(), "{jumps:?}: each once");
        again(&s, &args);
    }
}
