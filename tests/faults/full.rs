//! No room: for the journal, for the archive that messages go to, for a backup. By a limit on the size of files, which every
//! user may set, and at which a write fails as on a full disk.

use std::process::Command;

use crate::archives::Dead;
use crate::sandbox::Ran;

/// Runs it where no file grows beyond so many KiB.
fn limited(dead: &Dead, kib: u32, args: &[&str]) -> Ran {
    let mut bash = Command::new("bash");
    let script = format!(r#"trap "" XFSZ; ulimit -f {kib}; exec "$@""#);
    bash.args(["-c", &script, "bash", env!("CARGO_BIN_EXE_dlq")]).args(args);
    bash.current_dir(dead.s.path(".")).env_clear().env("LANG", "C.UTF-8").env("DLQ_STATE_DIR", dead.s.state());
    bash.env("PATH", std::env::var_os("PATH").unwrap());
    let output = bash.output().unwrap();
    Ran {
        stdout: output.stdout,
        stderr: String::from_utf8(output.stderr).unwrap(),
        code: output.status.code().unwrap_or(-1),
    }
}

#[test]
fn a_journal_without_room_ends_the_run_and_it_goes_on_when_there_is_some() {
    let dead = Dead::new(30_000);
    // Compressed, so that the journal is the larger file.
    let args = ["replay", "file:dead.ndjson", "--to", "file:to.ndjson.zst", "-y", "--run", "nightly", "-o", "json"];
    let ran = limited(&dead, 300, &args);
    assert!([1, 3].contains(&ran.code), "exit {}: {}", ran.code, ran.stderr);
    assert!(ran.stderr.contains("journal.sqlite") && ran.stderr.contains("make room"), "{}", ran.stderr);
    let ran = dead.s.run(&args);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    dead.all_arrived("the journal was full", "to.ndjson.zst", "nightly");
    assert_eq!(dead.left(), 0);
}

#[test]
fn an_archive_without_room_keeps_what_it_has_and_the_rest_stays() {
    for journal in [true, false] {
        let dead = Dead::new(30_000);
        let more: &[&str] = if journal { &["--run", "nightly"] } else { &["--no-journal"] };
        let args = [&["move", "file:dead.ndjson", "file:to.ndjson", "-y", "-o", "json"], more].concat();
        let ran = limited(&dead, 4500, &args);
        assert!([1, 3].contains(&ran.code), "exit {}: {}", ran.code, ran.stderr);
        assert!(ran.stderr.contains("to.ndjson"), "{}", ran.stderr);
        assert!(dead.left() > 0, "it was not full: {}", ran.stderr);
        let ran = dead.s.run(&args);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        assert_eq!(dead.left(), 0);
        if journal {
            dead.all_arrived("the archive was full", "to.ndjson", "nightly");
        } else {
            let there = crate::killed_archive::arrived(&dead.s, "to.ndjson");
            let counts = crate::load::count(there.into_iter().map(|a| a.body));
            for (body, many) in crate::load::count(dead.bodies.clone()) {
                assert!(counts.get(&body).is_some_and(|n| *n >= many), "{body} is lost");
            }
        }
    }
}

#[test]
fn what_fails_and_cannot_be_set_aside_stays_and_that_is_said() {
    let dead = Dead::new(3000);
    let failing = ["--map", "error(\"no\")", "--failed-to", "file:bad.ndjson", "-y", "-o", "json"];
    let args = [&["replay", "file:dead.ndjson", "--to", "file:to.ndjson.zst", "--no-journal"], &failing[..]].concat();
    let ran = limited(&dead, 100, &args);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("not all that failed is in file:bad.ndjson"), "{}", ran.stderr);
    let report = ran.json();
    let there = crate::killed_archive::arrived(&dead.s, "bad.ndjson").len() as u64;
    assert_eq!(report["written_to_failed"], there, "{report}");
    assert!(there > 0 && there < 3000 && dead.left() == 3000, "{report}");
}

#[test]
fn a_backup_without_room_purges_no_more_than_it_holds() {
    let dead = Dead::new(30_000);
    let ran = limited(&dead, 4500, &["purge", "file:dead.ndjson", "--all", "--backup", "file:saved.ndjson", "-y"]);
    assert!([1, 3].contains(&ran.code), "exit {}: {}", ran.code, ran.stderr);
    let saved = crate::killed_archive::arrived(&dead.s, "saved.ndjson");
    let left = crate::killed_archive::arrived(&dead.s, "dead.ndjson");
    assert!(!saved.is_empty() && !left.is_empty());
    let counts = crate::load::count(saved.into_iter().chain(left).map(|a| a.body));
    for (body, many) in crate::load::count(dead.bodies.clone()) {
        assert!(counts.get(&body).is_some_and(|n| *n >= many), "{body} is lost");
    }
}
