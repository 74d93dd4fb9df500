//! What is kept of runs: history, names, taking one up again, and one at a time.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::sandbox::{Ran, Sandbox, signal};

/// A run that goes on until it is killed.
fn start(sandbox: &Sandbox, args: &[&str]) -> Child {
    let mut command = sandbox.command();
    command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("start dlq")
}

fn history(sandbox: &Sandbox, run: &str) -> Value {
    let ran = sandbox.run(&["history", run, "-o", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    ran.json()
}

/// A run that was killed when it had moved something and not everything.
pub fn killed(sandbox: &Sandbox, args: &[&str]) {
    let mut run = start(sandbox, args);
    let began = Instant::now();
    while !sandbox.path("there.ndjson").exists() || sandbox.read("there.ndjson").lines().count() < 20 {
        assert!(began.elapsed() < Duration::from_secs(60), "nothing was moved");
        std::thread::sleep(Duration::from_millis(20));
    }
    run.kill().expect("kill");
    run.wait().expect("wait");
}

/// Different messages in an archive: what was under way at the kill may be there twice, and is named.
pub fn distinct(sandbox: &Sandbox, name: &str) -> usize {
    let ran =
        sandbox.run(&["filter", &format!("file:{name}"), "true", "--print", "[.id, .position, .queue]", "-o", "jsonl"]);
    ran.stdout().lines().collect::<std::collections::BTreeSet<_>>().len()
}

pub const SLOW: &[&str] = &["move", "file:orders.ndjson", "file:there.ndjson", "-y", "--rate", "30/s"];

fn with<'a>(args: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    args.iter().chain(more).copied().collect()
}

#[test]
fn a_run_that_was_killed_is_finished_by_resume_and_what_is_there_twice_is_named() {
    let sandbox = Sandbox::new();
    let ids = |name: &str| {
        let ran = sandbox.run(&["filter", &format!("file:{name}"), "true", "--print", ".id + .position", "-o", "raw"]);
        let mut ids: Vec<String> = ran.stdout().lines().map(str::to_owned).collect();
        ids.sort();
        ids
    };
    let all = ids("orders.ndjson");
    killed(&sandbox, SLOW);
    let refused = sandbox.run(&["move", "file:orders.ndjson", "file:elsewhere.ndjson", "-y"]);
    assert_eq!(refused.code, 6, "{}", refused.stderr);
    assert!(refused.stderr.contains("was cut off") && refused.stderr.contains("dlq resume 20"), "{}", refused.stderr);
    assert!(!sandbox.path("elsewhere.ndjson").exists());
    // Looking and copying are no danger to it.
    assert_eq!(sandbox.run(&["copy", "file:orders.ndjson", "file:copy.ndjson", "-q"]).code, 0);

    let ran = sandbox.run(&["resume", "-y", "-o", "json", "--rate", "100000/s"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let report = ran.json();
    assert_eq!(ids("orders.ndjson"), Vec::<String>::new());
    let run = history(&sandbox, report["run"].as_str().expect("a run"));
    let bounds = run["bounds"].as_array().expect("where it was to end");
    assert_eq!(bounds.len(), 2, "of either attempt: {bounds:?}");
    let time = |v: &Value| v.as_str().expect("a time").parse::<jiff::Timestamp>().expect("a time");
    assert!(bounds.iter().all(|b| time(&b["at"]) >= time(&run["started"])), "{run}");
    // It may have been killed when a message was written and that was not noted yet.
    let named: Vec<&str> =
        run["messages"].as_array().expect("a list").iter().filter_map(|m| m["id"].as_str()).collect();
    let mut there = ids("there.ndjson");
    for id in all {
        let at = there.iter().position(|other| *other == id).unwrap_or_else(|| panic!("{id} is lost"));
        there.remove(at);
    }
    assert!(there.iter().all(|twice| named.iter().any(|id| twice.starts_with(id))), "{there:?} and {named:?}");
    assert_eq!((&run["outcome"], &run["attempts"], &run["unfinished_sends"]), (&"done".into(), &2.into(), &0.into()));
    let again = sandbox.run(&["resume"]);
    assert_eq!(again.code, 0, "{}", again.stderr);
    assert!(again.stderr.contains("nothing to finish"), "{}", again.stderr);
}

#[test]
fn a_named_run_begins_goes_on_and_is_done() {
    let sandbox = Sandbox::new();
    killed(&sandbox, &with(SLOW, &["--run", "nightly"]));
    let named = |more: &[&str]| -> Ran { sandbox.run(&with(&SLOW[..4], &with(&["--run", "nightly"], more))) };
    let other = sandbox.run(&["move", "file:orders.ndjson", "file:elsewhere.ndjson", "-y", "--run", "nightly"]);
    assert_eq!(other.code, 2, "{}", other.stderr);
    assert!(other.stderr.contains("other arguments") && other.stderr.contains("TO"), "{}", other.stderr);
    let narrower = named(&["--filter", ".body.total > 100"]);
    assert_eq!(narrower.code, 2, "{}", narrower.stderr);
    assert!(narrower.stderr.contains("--filter"), "{}", narrower.stderr);
    let ran = named(&["--rate", "100000/s", "-o", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let done = named(&[]);
    assert_eq!((done.code, done.stdout()), (0, ""), "{}", done.stderr);
    assert!(done.stderr.contains("is done since"), "{}", done.stderr);
    assert_eq!(history(&sandbox, "nightly")["attempts"], 2);
}

#[test]
fn a_second_run_over_the_same_queue_is_told_who_has_it() {
    let sandbox = Sandbox::new();
    let mut first = start(&sandbox, SLOW);
    while !sandbox.path("there.ndjson").exists() {
        std::thread::sleep(Duration::from_millis(20));
    }
    let second = sandbox.run(&["purge", "file:orders.ndjson", "--all", "-y"]);
    assert_eq!(second.code, 6, "{}", second.stderr);
    assert!(second.stderr.contains("in use"), "{}", second.stderr);
    first.kill().expect("kill");
    first.wait().expect("wait");
    // The lock of a dead process holds nobody up; that it was cut off still does.
    let given_up = sandbox.run(&["resume", "--abandon"]);
    assert_eq!(given_up.code, 0, "{}", given_up.stderr);
    let third = sandbox.run(&["purge", "file:orders.ndjson", "--all", "-y", "-q"]);
    assert_eq!(third.code, 0, "{}", third.stderr);
}

#[test]
fn a_state_directory_that_cannot_be_written_is_told_and_done_without() {
    let mut sandbox = Sandbox::new();
    sandbox.write("state", "");
    let place = sandbox.path("state").display().to_string();
    sandbox.environment.push(("DLQ_STATE_DIR".into(), place));
    let refused = sandbox.run(&["move", "file:orders.ndjson", "file:there.ndjson", "-y"]);
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    assert!(refused.stderr.contains("DLQ_STATE_DIR=PATH"), "{}", refused.stderr);
    assert!(!sandbox.path("there.ndjson").exists());
    let copied = sandbox.run(&["copy", "file:orders.ndjson", "file:copy.ndjson"]);
    assert_eq!(copied.code, 0, "{}", copied.stderr);
    assert!(copied.stderr.contains("no record is kept"), "{}", copied.stderr);
    let ran = sandbox.run(&["move", "file:orders.ndjson", "file:there.ndjson", "-y", "--no-journal", "-q"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let none = sandbox.run(&["history"]);
    assert!(none.stderr.contains("no run is recorded"), "{}", none.stderr);
}

#[test]
fn a_state_directory_that_will_not_survive_is_pointed_out() {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    if !mounts.lines().any(|line| line.contains(" /dev/shm ") && line.contains(" - tmpfs ")) {
        return;
    }
    let mut sandbox = Sandbox::new();
    let memory = tempfile::tempdir_in("/dev/shm").expect("a folder");
    sandbox.environment.push(("DLQ_STATE_DIR".into(), memory.path().display().to_string()));
    let ran = sandbox.run(&["move", "file:orders.ndjson", "file:there.ndjson", "-n", "1", "-y"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("may not survive") && ran.stderr.contains("which is memory"), "{}", ran.stderr);
}

#[test]
fn no_password_outlives_a_run_that_is_done() {
    let sandbox = Sandbox::new();
    let option = "-X=note=amqp://me:hunter2@h/q";
    let ran = sandbox.run(&["move", "file:orders.ndjson", "file:there.ndjson", "-y", "-q", option]);
    assert_eq!(ran.code, 2, "an archive has no options: {}", ran.stderr);
    let filter = "(.body.total > 100) or (\"amqp://me:hunter2@h/q\" == .id)";
    let ran = sandbox.run(&["move", "file:orders.ndjson", "file:there.ndjson", "-y", "-q", "--filter", filter]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let run = sandbox.run(&["history", "-o", "jsonl"]).json()["run"].as_str().expect("a run").to_owned();
    for format in ["json", "table"] {
        let shown = sandbox.run(&["history", &run, "-o", format]);
        assert!(shown.stdout().contains("me:***@") && !shown.stdout().contains("hunter2"), "{}", shown.stdout());
    }
}

/// The same words in another folder, or under another configuration, are not the same queue.
#[test]
fn a_name_stands_for_one_queue_and_one_destination() {
    let sandbox = Sandbox::new();
    std::fs::create_dir(sandbox.path("other")).expect("made");
    std::fs::copy(sandbox.path("orders.ndjson"), sandbox.path("other/orders.ndjson")).expect("copied");
    let args = ["move", "file:orders.ndjson", "file:there.ndjson", "-n", "3", "-y", "-q", "--run", "nightly"];
    assert_eq!(sandbox.run(&args).code, 0);
    assert_eq!(sandbox.run(&args).code, 0, "done");
    let elsewhere = sandbox.command().current_dir(sandbox.path("other")).args(args).output().expect("ran");
    let said = String::from_utf8_lossy(&elsewhere.stderr);
    assert_eq!(elsewhere.status.code(), Some(2), "{said}");
    assert!(said.contains("another source") && !sandbox.path("other/there.ndjson").exists(), "{said}");

    let config = |queue: &str, to: &str| {
        std::fs::create_dir_all(sandbox.path("config/dlq")).expect("made");
        sandbox.write("config/dlq/config.toml", &format!("[queue.q]\naddress = {queue:?}\nto = {to:?}\n"));
    };
    config("file:orders.ndjson", "file:a.ndjson");
    let named = ["replay", "q", "-n", "3", "-y", "-q", "--run", "by-name"];
    assert_eq!(sandbox.run(&named).code, 0);
    assert_eq!(sandbox.run(&named).code, 0, "done");
    for (queue, to, what) in [
        ("file:other/orders.ndjson", "file:a.ndjson", "another source"),
        ("file:orders.ndjson", "file:b.ndjson", "another destination"),
    ] {
        config(queue, to);
        let ran = sandbox.run(&named);
        assert_eq!(ran.code, 2, "{}", ran.stderr);
        assert!(ran.stderr.contains(what), "{}", ran.stderr);
    }
}

#[test]
fn a_run_is_not_taken_up_over_another_queue() {
    let sandbox = Sandbox::new();
    std::fs::create_dir_all(sandbox.path("config/dlq")).expect("made");
    std::fs::copy(sandbox.path("orders.ndjson"), sandbox.path("other.ndjson")).expect("copied");
    let config = |queue: &str| {
        let text = format!("[queue.q]\naddress = \"file:{queue}\"\nto = \"file:there.ndjson\"\n");
        sandbox.write("config/dlq/config.toml", &text);
    };
    config("orders.ndjson");
    let all = distinct(&sandbox, "orders.ndjson");
    killed(&sandbox, &["replay", "q", "-y", "--rate", "30/s"]);
    config("other.ndjson");
    let ran = sandbox.run(&["resume", "-y"]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("another source") && ran.stderr.contains("--abandon"), "{}", ran.stderr);
    assert_eq!(sandbox.run(&["filter", "file:other.ndjson", "true", "-o", "jsonl"]).lines(), 360);
    config("orders.ndjson");
    let ran = sandbox.run(&["resume", "-y", "-q", "--rate", "100000/s"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(distinct(&sandbox, "there.ndjson"), all);
}

#[test]
fn a_relative_state_directory_is_the_one_of_where_resume_is_typed() {
    let mut sandbox = Sandbox::new();
    std::fs::create_dir(sandbox.path("other")).expect("made");
    let place = sandbox.path("state").display().to_string();
    sandbox.environment.push(("DLQ_STATE_DIR".into(), place));
    let all = distinct(&sandbox, "orders.ndjson");
    killed(&sandbox, SLOW);
    let mut resume = sandbox.command();
    resume.current_dir(sandbox.path("other")).env("DLQ_STATE_DIR", "../state");
    let ran = resume.args(["resume", "-y", "-q", "--rate", "100000/s"]).output().expect("ran");
    assert_eq!(ran.status.code(), Some(0), "{}", String::from_utf8_lossy(&ran.stderr));
    assert_eq!(distinct(&sandbox, "there.ndjson"), all);
}

#[test]
fn a_purge_has_one_backup_however_often_it_is_taken_up() {
    let sandbox = Sandbox::new();
    let backups = || -> Vec<String> {
        let names = std::fs::read_dir(sandbox.path("")).expect("a folder");
        let names = names.map(|f| f.expect("a file").file_name().to_string_lossy().into_owned());
        names.filter(|name| name.starts_with("orders.ndjson-") && name.ends_with("Z.ndjson")).collect()
    };
    let all = distinct(&sandbox, "orders.ndjson");
    let mut run = start(&sandbox, &["purge", "file:orders.ndjson", "--all", "-y", "--rate", "30/s"]);
    let began = Instant::now();
    while backups().first().is_none_or(|name| sandbox.read(name).lines().count() < 20) {
        assert!(began.elapsed() < Duration::from_secs(60), "nothing was purged");
        std::thread::sleep(Duration::from_millis(20));
    }
    run.kill().expect("kill");
    run.wait().expect("wait");
    let cut_off = sandbox.run(&["history", "-o", "json"]).json()[0]["run"].as_str().expect("a run").to_owned();
    assert_eq!(history(&sandbox, &cut_off)["backup"], serde_json::json!([format!("file:{}", backups()[0])]));
    // The name of a backup tells the second it was begun in.
    std::thread::sleep(Duration::from_millis(1100));
    let ran = sandbox.run(&["resume", "-y", "-o", "json", "--rate", "100000/s"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let found = backups();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(distinct(&sandbox, &found[0]), all);
    assert_eq!(ran.json()["backup"], format!("file:{}", found[0]));
}

#[test]
fn a_limit_counts_over_all_attempts() {
    let sandbox = Sandbox::new();
    let args = ["move", "file:orders.ndjson", "file:there.ndjson", "-n", "5", "-y", "-q", "--run", "five"];
    assert_eq!(sandbox.run(&args).code, 0);
    // As if it had been killed behind its last message, before it could say so.
    let journal = rusqlite::Connection::open(sandbox.state().join("journal.sqlite")).expect("opened");
    journal.execute("UPDATE runs SET finished = NULL, outcome = NULL, reports = '[]'", []).expect("written");
    drop(journal);
    let ran = sandbox.run(&args);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(sandbox.read("there.ndjson").lines().count(), 5);
    assert_eq!(history(&sandbox, "five")["outcome"], "done");
}

#[test]
fn a_scan_limit_counts_over_all_attempts() {
    let sandbox = Sandbox::new();
    let sqs = r#".queue | startswith("sqs:")"#;
    let args =
        ["move", "file:orders.ndjson", "file:there.ndjson", "--scan-limit", "5", "-f", sqs, "-yq", "--run", "five"];
    assert_eq!(sandbox.run(&args).code, 0);
    assert_eq!(sandbox.read("there.ndjson").lines().count(), 2, "of the first five");
    let journal = rusqlite::Connection::open(sandbox.state().join("journal.sqlite")).expect("opened");
    journal.execute("UPDATE runs SET finished = NULL, outcome = NULL, reports = '[]'", []).expect("written");
    drop(journal);
    let ran = sandbox.run(&args);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(
        sandbox.read("there.ndjson").lines().count(),
        2,
        "three are left of the five, and none of them is for it"
    );
    assert_eq!(history(&sandbox, "five")["outcome"], "done");
}

#[test]
fn a_run_that_is_going_on_is_not_given_up() {
    let sandbox = Sandbox::new();
    let mut first = start(&sandbox, SLOW);
    while !sandbox.path("there.ndjson").exists() {
        std::thread::sleep(Duration::from_millis(20));
    }
    let ran = sandbox.run(&["resume", "--abandon"]);
    assert_eq!(ran.code, 6, "{}", ran.stderr);
    assert!(ran.stderr.contains("in use"), "{}", ran.stderr);
    first.kill().expect("kill");
    first.wait().expect("wait");
    assert_eq!(sandbox.run(&["resume", "--abandon"]).code, 0);
}

#[test]
fn a_copy_is_not_made_twice_unasked() {
    let sandbox = Sandbox::new();
    killed(&sandbox, &["copy", "file:orders.ndjson", "file:there.ndjson", "-y", "--rate", "30/s", "--run", "c"]);
    let before = sandbox.read("there.ndjson").lines().count();
    for args in [
        &["resume", "-y"][..],
        &["copy", "file:orders.ndjson", "file:there.ndjson", "-y", "--rate", "30/s", "--run", "c"],
    ] {
        let ran = sandbox.run(args);
        assert_eq!(ran.code, 6, "{}", ran.stderr);
        assert!(ran.stderr.contains("twice") && ran.stderr.contains("--accept duplicates"), "{}", ran.stderr);
    }
    assert_eq!(sandbox.read("there.ndjson").lines().count(), before);
    let ran = sandbox.run(&["resume", "-y", "-q", "--accept", "duplicates", "--rate", "100000/s"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(sandbox.read("there.ndjson").lines().count(), before + 360);
}

#[test]
fn what_an_earlier_attempt_removed_is_not_called_missing() {
    let sandbox = Sandbox::new();
    let ids = sandbox.run(&["filter", "file:orders.ndjson", "true", "--print", ".id", "-o", "raw"]);
    sandbox.write("ids", ids.stdout());
    killed(&sandbox, &with(SLOW, &["--ids-from", "ids"]));
    let ran = sandbox.run(&["resume", "-y", "--rate", "100000/s"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(!ran.stderr.contains("ids asked for"), "{}", ran.stderr);
}

#[test]
fn a_run_that_was_stopped_is_pointed_out_where_none_was_cut_off() {
    let sandbox = Sandbox::new();
    let mut run = start(&sandbox, SLOW);
    while !sandbox.path("there.ndjson").exists() {
        std::thread::sleep(Duration::from_millis(20));
    }
    signal(&run, "-INT");
    assert_eq!(run.wait().expect("wait").code(), Some(130));
    let ran = sandbox.run(&["resume"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("interrupted: to go on with it, dlq resume 20"), "{}", ran.stderr);
}

#[test]
fn a_plan_that_was_made_anew_is_another_task() {
    let sandbox = Sandbox::new();
    let plan = |more: &[&str]| {
        let args = ["replay", "file:orders.ndjson", "--to", "file:there.ndjson", "--plan-out", "plan.json"];
        assert_eq!(sandbox.run(&with(&args, more)).code, 0);
        sandbox.read("plan.json")
    };
    let all = distinct(&sandbox, "orders.ndjson");
    let (other, first) = (plan(&["-n", "7"]), plan(&[]));
    let run = ["replay", "--plan", "plan.json", "-y", "--run", "p", "-o", "json", "--rate"];
    killed(&sandbox, &with(&run, &["30/s"]));
    sandbox.write("plan.json", &other);
    for args in [&["resume", "p", "-y"][..], &with(&run, &["100000/s"])] {
        let ran = sandbox.run(args);
        assert_eq!(ran.code, 2, "{}", ran.stderr);
        assert!(ran.stderr.contains("begun with another plan"), "{}", ran.stderr);
    }
    sandbox.write("plan.json", &first);
    let ran = sandbox.run(&with(&run, &["100000/s"]));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.json().get("gone").is_none(), "what it has moved before is not gone: {}", ran.stdout());
    assert_eq!(distinct(&sandbox, "there.ndjson"), all);
    assert_eq!(sandbox.run(&with(&run, &["100000/s"])).code, 0, "done");
    sandbox.write("plan.json", &other);
    assert_eq!(sandbox.run(&with(&run, &["100000/s"])).code, 2, "that is not what was done");
}
