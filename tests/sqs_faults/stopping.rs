//! Ctrl-C: what is in flight is finished, the rest is given back.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::bench::{Bench, DEAD, SOURCE, count};
use crate::fake_aws::Fault;
use crate::sandbox::signal;

fn start(b: &Bench, args: &[&str]) -> Child {
    b.command().args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn until(what: &str, mut is: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !is() {
        assert!(Instant::now() < end, "{what} did not come");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_replay_gives_back_what_it_has_not_sent() {
    let b = Bench::new(40);
    let dead = format!("sqs://{DEAD}");
    let child = start(&b, &["replay", &dead, "--yes", "--rate", "4/s", "-o", "json"]);
    until("the first send", || !b.fake.messages(SOURCE).is_empty());
    signal(&child, "-INT");
    let out = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(130), "{said}");
    let report: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    let moved = b.fake.messages(SOURCE).len();
    assert_eq!(count(&report, "replayed"), moved, "{report:#}");
    assert_eq!((b.fake.messages(DEAD).len(), b.fake.visible(DEAD)), (40 - moved, 40 - moved), "{said}");
}

#[test]
fn a_look_gives_everything_back() {
    let b = Bench::new(30);
    b.fake.next("ReceiveMessage", [Fault::None, Fault::Hangs, Fault::Hangs, Fault::Hangs, Fault::Hangs]);
    let dead = format!("sqs://{DEAD}");
    let child = start(&b, &["filter", &dead, "true", "-o", "jsonl", "--timeout", "3s"]);
    until("the first receive", || b.fake.visible(DEAD) < 30);
    std::thread::sleep(Duration::from_millis(300));
    signal(&child, "-INT");
    let began = Instant::now();
    let out = child.wait_with_output().unwrap();
    assert!(began.elapsed() < Duration::from_secs(25), "{:?}", began.elapsed());
    assert_eq!(out.status.code(), Some(130), "{}", String::from_utf8_lossy(&out.stderr));
    assert_eq!(b.fake.visible(DEAD), 30, "{}", String::from_utf8_lossy(&out.stderr));
}

#[test]
fn a_move_task_is_cancelled() {
    let b = Bench::new(4000);
    b.fake.world().stride = 1;
    let dead = format!("sqs://{DEAD}");
    let child = start(&b, &["replay", &dead, "--yes", "--server-side", "-o", "json"]);
    until("the task", || !b.fake.messages(SOURCE).is_empty());
    signal(&child, "-INT");
    let out = child.wait_with_output().unwrap();
    assert_eq!(out.status.code(), Some(130), "{}", String::from_utf8_lossy(&out.stderr));
    assert_eq!(b.fake.calls("CancelMessageMoveTask").len(), 1);
    assert_eq!(b.fake.messages(DEAD).len() + b.fake.messages(SOURCE).len(), 4000);
}

#[test]
fn a_move_task_is_followed_to_its_end_by_whoever_takes_the_run_up() {
    let b = Bench::new(40);
    b.fake.world().stride = 1;
    let dead = format!("sqs://{DEAD}");
    let args = ["replay", dead.as_str(), "--yes", "--server-side", "-o", "json", "--run", "n"];
    let mut child = start(&b, &args);
    until("the task", || !b.fake.messages(SOURCE).is_empty());
    child.kill().unwrap();
    child.wait().unwrap();
    b.fake.world().stride = 5;
    let ran = b.run(&args);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("still going on"), "{}", ran.stderr);
    assert_eq!(ran.json()["replayed"], 40, "{}", ran.stderr);
    assert_eq!(b.fake.calls("StartMessageMoveTask").len(), 1);
    assert_eq!((b.fake.messages(DEAD).len(), b.fake.messages(SOURCE).len()), (0, 40));
    assert_eq!(b.run(&args).code, 0, "done");
}
