//! Killed in the middle of a write: an archive that ends in half a line is written on, and nothing of it is lost. By a limit on
//! the size of files, at which a write stops half way and the next one kills, as it does by default.

use std::process::Command;

use crate::archives::Dead;
use crate::killed_archive::arrived;
use crate::load::count;

const PLACES: [&str; 2] = ["to.ndjson", "to.ndjson.zst"];

/// So large, and so little compressed, that the archive is the first file to reach the limit.
fn dead() -> Dead {
    let mut dead = Dead::new(0);
    let hash = |n: u64, part: u64| xxhash_rust::xxh3::xxh3_128(&[n.to_le_bytes(), part.to_le_bytes()].concat());
    let noise = |n: u64| (0..300).map(|part| format!("{:032x}", hash(n, part))).collect::<String>();
    dead.bodies = (0..400).map(|n| format!(r#"{{"number":{n},"noise":"{}"}}"#, noise(n))).collect();
    dead.ids = crate::killed_archive::fill(&dead.s, "dead.ndjson", &dead.bodies);
    dead
}

/// Runs it until a file has so many KiB, and not an instant longer.
fn dies(dead: &Dead, args: &[&str]) {
    let mut bash = Command::new("bash");
    bash.args(["-c", r#"ulimit -c 0; ulimit -f 800; exec "$@""#, "bash", env!("CARGO_BIN_EXE_dlq")]).args(args);
    bash.current_dir(dead.s.path(".")).env_clear().env("LANG", "C.UTF-8").env("DLQ_STATE_DIR", dead.s.state());
    bash.env("PATH", std::env::var_os("PATH").unwrap());
    let output = bash.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), None, "it was not killed: {said}");
}

/// It is there, and looking at it tells what is wrong with it.
fn is_torn(dead: &Dead, place: &str) -> Vec<u8> {
    let ran = dead.s.run(&["filter", &format!("file:{place}"), "false"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("is torn") || ran.stderr.contains("ends too early"), "{}", ran.stderr);
    std::fs::read(dead.s.path(place)).unwrap()
}

#[test]
fn a_run_that_was_killed_in_the_middle_of_a_line_is_resumed() {
    for (place, resume) in PLACES.iter().flat_map(|place| [(*place, true), (*place, false)]) {
        let dead = dead();
        let to = format!("file:{place}");
        let run = ["replay", "file:dead.ndjson", "--to", &to, "-y", "--run", "nightly"];
        dies(&dead, &run);
        let torn = is_torn(&dead, place);

        let ran = dead.s.run(&["copy", "file:dead.ndjson", &to, "--dry-run"]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let foretold = format!("{place}.torn");
        assert!(ran.stderr.contains("is torn (") && ran.stderr.contains(&foretold), "{}", ran.stderr);
        let ran = dead.s.run(&["can-i", "copy", "file:dead.ndjson", "--to", &to, "-o", "json"]);
        let shown = [ran.stdout(), &ran.stderr].concat();
        assert!(shown.contains("is torn (") && shown.contains(&foretold), "{shown}");
        assert_eq!(std::fs::read(dead.s.path(place)).unwrap(), torn, "looking changes nothing");
        assert!(!dead.s.path(&foretold).exists());

        let ran = if resume { dead.s.run(&["resume", "nightly", "-y"]) } else { dead.s.run(&run) };
        assert_eq!(ran.code, 0, "{place}: {}", ran.stderr);
        assert!(ran.stderr.contains("was torn (") && ran.stderr.contains("it is put aside in"), "{}", ran.stderr);
        dead.all_arrived("killed in the middle of a line", place, "nightly");
        assert_eq!(dead.left(), 0);
        // What stands there is what was cut off.
        let aside = std::fs::read(dead.s.path(&foretold)).unwrap();
        let aside = aside.strip_suffix(b"\n").unwrap_or(&aside);
        assert!(!aside.is_empty() && torn.ends_with(aside));
    }
}

#[test]
fn a_backup_and_what_failed_are_written_on_too() {
    for place in PLACES {
        let to = format!("file:{place}");
        let dead = dead();
        let purge = ["purge", "file:dead.ndjson", "--all", "--backup", &to, "-y", "--run", "nightly"];
        dies(&dead, &purge);
        is_torn(&dead, place);
        let ran = dead.s.run(&purge);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        assert!(ran.stderr.contains("it is put aside in"), "{}", ran.stderr);
        assert_eq!(dead.left(), 0);
        let saved = count(arrived(&dead.s, place).into_iter().map(|a| a.body));
        assert!(dead.bodies.iter().all(|body| saved.contains_key(body)), "not all is in the backup");

        let dead = self::dead();
        let failing = ["--map", "error(\"no\")", "--failed-to", &to, "-y", "--no-journal"];
        let replay = [&["replay", "file:dead.ndjson", "--to", "file:elsewhere.ndjson"], &failing[..]].concat();
        dies(&dead, &replay);
        is_torn(&dead, place);
        let ran = dead.s.run(&replay);
        assert_eq!(ran.code, 1, "{}", ran.stderr);
        assert!(ran.stderr.contains("it is put aside in"), "{}", ran.stderr);
        let failed = count(arrived(&dead.s, place).into_iter().map(|a| a.body));
        assert!(dead.left() == 400 && dead.bodies.iter().all(|body| failed.contains_key(body)), "not all is set aside");
    }
}
