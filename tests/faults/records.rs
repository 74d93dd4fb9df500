//! The journal's file itself: newer, damaged, shared by many, and kept small.

use crate::archives::Dead;
use crate::sandbox::Sandbox;

fn sql(s: &Sandbox, text: &str) {
    rusqlite::Connection::open(s.state().join("journal.sqlite")).unwrap().execute_batch(text).unwrap();
}

#[test]
fn of_a_newer_version_nothing_is_touched() {
    let dead = Dead::new(10);
    assert_eq!(dead.s.run(&["copy", "file:dead.ndjson", "file:a.ndjson"]).code, 0);
    sql(&dead.s, "PRAGMA user_version = 99");
    let ran = dead.s.run(&["move", "file:dead.ndjson", "file:to.ndjson", "-y"]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("newer version") && ran.stderr.contains("--no-journal"), "{}", ran.stderr);
    assert_eq!(dead.left(), 10);
    let ran = dead.s.run(&["move", "file:dead.ndjson", "file:to.ndjson", "-y", "--no-journal"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
}

#[test]
fn a_damaged_file_is_told_and_done_without() {
    let dead = Dead::new(10);
    std::fs::write(dead.s.state().join("journal.sqlite"), "this is no journal, and was never one").unwrap();
    let ran = dead.s.run(&["move", "file:dead.ndjson", "file:to.ndjson", "-y"]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("journal.sqlite") && ran.stderr.contains("DLQ_STATE_DIR"), "{}", ran.stderr);
    assert_eq!(dead.left(), 10);
    assert_eq!(dead.s.run(&["move", "file:dead.ndjson", "file:to.ndjson", "-y", "--no-journal"]).code, 0);
}

#[test]
fn many_write_to_it_at_once() {
    let s = Sandbox::new();
    let bodies = crate::load::bodies(0, 2000);
    let names: Vec<String> = (0..6).map(|n| format!("dead{n}.ndjson")).collect();
    for name in &names {
        crate::killed_archive::fill(&s, name, &bodies);
    }
    let runs = names.iter().map(|name| {
        let (from, to) = (format!("file:{name}"), format!("file:to-{name}"));
        s.command().args(["move", &from, &to, "-y", "-q"]).stderr(std::process::Stdio::piped()).spawn().unwrap()
    });
    for run in runs.collect::<Vec<_>>() {
        let output = run.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let history = s.run(&["history", "-o", "json"]).json();
    let done: Vec<u64> = history.as_array().unwrap().iter().map(|r| r["done"].as_u64().unwrap()).collect();
    assert_eq!(done, [2000; 6], "{history}");
}

#[test]
fn old_runs_go_and_unfinished_ones_stay() {
    let dead = Dead::new(10);
    assert_eq!(dead.s.run(&["copy", "file:dead.ndjson", "file:a.ndjson"]).code, 0);
    let mut text = "CREATE TEMP TABLE one AS SELECT * FROM runs LIMIT 1; UPDATE one SET name = NULL;".to_owned();
    for n in 0..600 {
        let finished = if n == 3 { "NULL" } else { "finished" };
        text += &format!(
            "UPDATE one SET id = 'old-{n:03}', started = '2025-01-01T00:{:02}:{:02}Z';
             INSERT INTO runs SELECT * FROM one; UPDATE runs SET finished = {finished} WHERE id = 'old-{n:03}';",
            n / 60,
            n % 60
        );
    }
    sql(&dead.s, &text);
    assert_eq!(dead.s.run(&["copy", "file:dead.ndjson", "file:b.ndjson"]).code, 0);
    let history = dead.s.run(&["history", "-n", "9999", "-o", "json"]).json();
    let runs: Vec<&str> = history.as_array().unwrap().iter().map(|r| r["run"].as_str().unwrap()).collect();
    assert!((500..=502).contains(&runs.len()), "{}", runs.len());
    assert!(runs.contains(&"old-003") && runs.contains(&"old-599") && !runs.contains(&"old-050"), "the oldest went");
    assert!(!runs[0].starts_with("old"), "the latest first: {runs:?}");
}

#[test]
fn a_run_that_lives_is_not_taken_up_a_second_time() {
    for verb in ["move", "copy"] {
        let dead = Dead::new(3000);
        let args = [verb, "file:dead.ndjson", "file:to.ndjson", "-y", "--run", "n", "--rate", "100/s"];
        let mut child = dead.start(&args);
        dead.begun("to.ndjson");
        for again in [&["resume", "n", "-y"][..], &args] {
            // A copy would begin anew, which is asked about first.
            let ran = dead.s.run(&[again, &["--accept", "duplicates"]].concat());
            assert_eq!(ran.code, 6, "{verb}: {}", ran.stderr);
            assert!(ran.stderr.contains(&child.id().to_string()), "names the holder: {}", ran.stderr);
        }
        child.kill().unwrap();
        child.wait().unwrap();
        if verb == "move" {
            let ran = dead.s.run(&["resume", "n", "-y", "--rate", "100000/s"]);
            assert_eq!(ran.code, 0, "{}", ran.stderr);
            dead.all_arrived("taken over", "to.ndjson", "n");
        }
    }
}

#[test]
fn a_list_that_was_rewritten_is_another_task() {
    let dead = Dead::new(10);
    let found = dead.s.run(&["inspect", "file:dead.ndjson", "-n", "2", "-o", "jsonl"]);
    let ids = found.stdout().lines().map(|l| serde_json::from_str::<serde_json::Value>(l).unwrap()["id"].clone());
    let ids: Vec<String> = ids.map(|id| id.as_str().unwrap().to_owned()).collect();
    dead.s.write("list", &ids[0]);
    let args = ["replay", "file:dead.ndjson", "--to", "file:to.ndjson", "-y", "--run", "one", "--ids-from", "list"];
    for _ in 0..2 {
        let ran = dead.s.run(&args);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
    }
    dead.s.write("list", &ids[1]);
    let ran = dead.s.run(&args);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("the file of --ids-from has changed since"), "{}", ran.stderr);
    assert_eq!(dead.s.read("to.ndjson").lines().count(), 1);
    // The same list in other words.
    dead.s.write("list", &format!("\n\"{}\"\n", ids[0]));
    assert_eq!(dead.s.run(&args).code, 0);
}
