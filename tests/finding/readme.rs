//! The README's runbook and CI job, run as they are written, on a queue of a real server.

use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::management::Vhost;
use crate::sandbox::Sandbox;

const README: &str = include_str!("../../README.md");

/// The block of commands behind a mark, for this queue.
fn block(mark: &str, queue: &str) -> String {
    let (_, rest) = README.split_once(&format!("<!-- {mark} -->\n```sh\n")).unwrap_or_else(|| panic!("no {mark}"));
    let (block, _) = rest.split_once("```").unwrap();
    let named = |l: &str| if l.starts_with("Q=") { format!("Q='{queue}'") } else { l.to_owned() };
    assert!(block.lines().any(|l| l.starts_with("Q=")), "{block}");
    block.lines().map(named).collect::<Vec<_>>().join("\n")
}

fn run(s: &Sandbox, script: &str) -> Output {
    let binary = std::path::Path::new(env!("CARGO_BIN_EXE_dlq")).parent().unwrap().display().to_string();
    let mut bash = Command::new("bash");
    bash.args(["-c", script]).current_dir(s.path("")).env_clear().env("LANG", "C.UTF-8");
    bash.env("PATH", format!("{binary}:/usr/local/bin:/usr/bin:/bin")).env("DLQ_STATE_DIR", s.path("state"));
    bash.env("XDG_CONFIG_HOME", s.path("config")).stdin(std::process::Stdio::null()).output().unwrap()
}

fn shown(ran: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr))
}

/// `orders` with its dead-letter queue, and this many that were rejected.
fn dead(n: usize) -> Option<Vhost> {
    let v = Vhost::new()?;
    v.queue("orders.dlq", json!({}));
    v.queue("orders", json!({ "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "orders.dlq" }));
    v.publish("orders", n);
    if n > 0 {
        die(&v, n);
    }
    Some(v)
}

/// Rejects so many, and waits until they are where they go.
fn die(v: &Vhost, n: usize) {
    assert_eq!(v.reject("orders", n), n);
    let (s, began) = (Sandbox::new(), Instant::now());
    while s.run(&["depth", &v.address("orders.dlq"), "-o", "json"]).json()[0]["ready"] != n {
        assert!(began.elapsed() < Duration::from_secs(60), "{n} have died");
    }
}

#[test]
fn the_runbook_runs_as_it_is_written() {
    let Some(v) = dead(12) else { return };
    let s = Sandbox::new();
    let (script, done) = (block("runbook", &v.address("orders.dlq")), AtomicBool::new(false));
    let (ran, consumed) = std::thread::scope(|threads| {
        let consumer = threads.spawn(|| {
            let mut consumed = 0;
            while !done.load(Ordering::Acquire) {
                consumed += v.take("orders", 5);
                std::thread::sleep(Duration::from_millis(200));
            }
            consumed
        });
        let ran = run(&s, &script);
        done.store(true, Ordering::Release);
        (ran, consumer.join().unwrap())
    });
    assert_eq!(ran.status.code(), Some(0), "{}", shown(&ran));
    assert_eq!(s.read("incident.ndjson").lines().count(), 12);
    let report: serde_json::Value = serde_json::from_str(&s.read("report.json")).unwrap();
    assert_eq!((&report["replayed"], &report["remaining"]), (&json!(12), &json!(0)), "{report}");
    assert_eq!(consumed + v.take("orders", 100), 12);
}

#[test]
fn the_ci_job_fails_where_something_died_and_only_there() {
    let Some(v) = dead(0) else { return };
    let s = Sandbox::new();
    let script = block("ci", &v.address("orders.dlq"));
    let began = Instant::now();
    let ran = run(&s, &script);
    assert_eq!(ran.status.code(), Some(0), "{}", shown(&ran));
    assert!(began.elapsed() >= Duration::from_secs(5), "it looked for a while");
    v.publish("orders", 3);
    die(&v, 3);
    let ran = run(&s, &script);
    assert_eq!(ran.status.code(), Some(1), "{}", shown(&ran));
    assert!(shown(&ran).contains("rejected"), "{}", shown(&ran));
    assert_eq!(s.read("dead-letters.ndjson").lines().count(), 3);
}
