//! Copy, move and purge on archives.

use crate::pin;
use crate::sandbox::{Sandbox, signal};

const Q: &str = "file:orders.ndjson";

fn ids(s: &Sandbox, queue: &str) -> Vec<String> {
    let ran = s.run(&["filter", queue, "true", "--print", ".id", "-o", "raw"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    ran.stdout().lines().map(str::to_owned).collect()
}

#[test]
fn a_copy_is_the_same_messages() {
    let s = Sandbox::new();
    let before = s.read("orders.ndjson");
    let ran = pin!(s, "copy", "copy", Q, "file:copy.ndjson.zst");
    assert_eq!(ran.code, 0);
    assert_eq!(s.read("orders.ndjson"), before);
    let views = |q: &str| s.run(&["filter", q, "true"]).stdout().to_owned();
    assert_eq!(views("file:copy.ndjson.zst"), views(Q));
}

#[test]
fn a_move_takes_what_it_moved_and_leaves_the_rest() {
    let s = Sandbox::new();
    let all = ids(&s, Q);
    let ran = pin!(s, "move", "move", Q, "file:moved.ndjson", "-f", ".death.reason == \"expired\"", "--yes");
    assert_eq!(ran.code, 0);
    let (moved, left) = (ids(&s, "file:moved.ndjson"), ids(&s, Q));
    assert!(!moved.is_empty() && !left.is_empty());
    assert_eq!(moved.len() + left.len(), all.len());
    let ran = s.run(&["move", "file:moved.ndjson", Q, "--yes", "-o", "json"]);
    let report = ran.json();
    assert_eq!((report["moved"].as_u64(), report["remaining"].as_u64()), (Some(moved.len() as u64), Some(0)));
    let mut back = ids(&s, Q);
    let mut all = all;
    back.sort();
    all.sort();
    assert_eq!(back, all);
}

#[test]
fn a_purge_removes_what_its_archive_holds() {
    let s = Sandbox::new();
    let all = ids(&s, Q);
    let ran = pin!(s, "purge", "purge", Q, "-n", "25", "--yes", "--backup", "file:backup.ndjson");
    assert_eq!(ran.code, 0);
    assert_eq!(ids(&s, "file:backup.ndjson"), all[..25]);
    assert_eq!(ids(&s, Q), all[25..]);

    let ran = s.run(&["purge", Q, "--all", "--yes", "-o", "json"]);
    let backup = ran.json()["backup"].as_str().expect("a backup").to_owned();
    assert_eq!(ids(&s, &backup), all[25..]);
    assert_eq!(ids(&s, Q).len(), 0);
}

#[test]
fn purge_without_a_backup_says_so() {
    let s = Sandbox::new();
    let ran = pin!(s, "purge_no_backup", "purge", Q, "--all", "--no-backup", "--yes");
    assert_eq!(ran.code, 0);
    assert_eq!(ids(&s, Q).len(), 0);
}

#[test]
fn a_dry_run_changes_nothing_at_all() {
    let s = Sandbox::new();
    let before = s.read("orders.ndjson");
    for args in [
        vec!["move", Q, "file:new.ndjson", "--dry-run"],
        vec!["purge", Q, "--all", "--dry-run"],
        vec!["purge", Q, "--all", "--no-backup", "--dry-run"],
        vec!["copy", Q, "file:new.ndjson", "--dry-run"],
        vec!["replay", Q, "--to", "file:new.ndjson", "--dry-run"],
    ] {
        let ran = s.run(&args);
        assert_eq!(ran.code, 0, "{args:?}: {}", ran.stderr);
    }
    assert_eq!(s.read("orders.ndjson"), before);
    let names: Vec<_> = std::fs::read_dir(s.path(".")).expect("read").map(|e| e.expect("entry").file_name()).collect();
    assert_eq!(names, ["orders.ndjson"]);
    let ran = s.run(&["move", Q, "file:new.ndjson", "--dry-run", "-o", "json"]);
    assert_eq!(ran.json()["dry_run"], true);
    assert_eq!(ran.json()["plan"]["planned"]["selected"], 360);
}

#[test]
fn a_replay_marks_counts_and_stops_at_the_limit() {
    let s = Sandbox::new();
    let ran = s.run(&["replay", Q, "--to", "file:one.ndjson", "--yes", "-o", "json"]);
    assert_eq!((ran.code, ran.json()["replayed"].as_u64()), (0, Some(360)), "{}", ran.stderr);
    let marks = |q: &str| s.run(&["filter", q, ".replays >= 1 and .headers[\"dlq-replay\"] != null"]).lines();
    assert_eq!(marks("file:one.ndjson"), 360);
    let ran =
        s.run(&["replay", "file:one.ndjson", "--to", "file:two.ndjson", "--max-replays", "1", "--yes", "-o", "json"]);
    assert_eq!((ran.json()["replayed"].as_u64(), ran.json()["skipped"].as_u64()), (Some(0), Some(360)));
    assert_eq!(ids(&s, "file:one.ndjson").len(), 360, "what was skipped stays");
}

#[test]
fn export_to_standard_output_and_import_from_standard_input() {
    let s = Sandbox::new();
    let out = s.run(&["copy", Q, "-", "-n", "9"]);
    assert_eq!((out.code, out.lines()), (0, 9));
    let ran = s.run_with(&["copy", "-", "file:in.ndjson"], out.stdout());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(ids(&s, "file:in.ndjson"), ids(&s, Q)[..9]);
}

#[test]
fn a_second_writer_is_refused() {
    let s = Sandbox::new();
    let mut first = s
        .command()
        .args(["move", Q, "file:slow.ndjson", "--yes", "--rate", "5"])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("start");
    let begun = std::time::Instant::now();
    while s.path("slow.ndjson").metadata().map_or(0, |m| m.len()) == 0 {
        assert!(begun.elapsed().as_secs() < 60, "the first run begins");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let second = s.run(&["purge", Q, "--all", "--yes"]);
    assert_eq!(second.code, 6, "{}", second.stderr);
    assert!(second.stderr.contains(&first.id().to_string()), "names the holder: {}", second.stderr);
    first.kill().expect("kill");
    first.wait().expect("wait");
    // What the killed run confirmed is there, and what it removed is exactly a part of that.
    let (slow, left) = (ids(&s, "file:slow.ndjson"), ids(&s, Q));
    // Ids of different topics can be equal, so they are counted.
    let count = |ids: &[String]| {
        ids.iter().fold(std::collections::BTreeMap::<String, u32>::new(), |mut m, id| {
            *m.entry(id.clone()).or_default() += 1;
            m
        })
    };
    let (all, there) = (count(&ids(&Sandbox::new(), Q)), count(&[slow, left].concat()));
    for (id, n) in all {
        assert!(there.get(&id).is_some_and(|m| *m >= n), "{id} is lost");
    }
}

#[cfg(unix)]
#[test]
fn interrupted_it_finishes_gives_back_and_reports() {
    let s = Sandbox::new();
    let child = s
        .command()
        .args(["move", Q, "file:slow.ndjson", "--yes", "--rate", "20", "-o", "json"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("start");
    let begun = std::time::Instant::now();
    while s.path("slow.ndjson").metadata().map_or(0, |m| m.len()) == 0 {
        assert!(begun.elapsed().as_secs() < 60, "the run begins");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    signal(&child, "-INT");
    let output = child.wait_with_output().expect("wait");
    assert_eq!(output.status.code(), Some(130));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("the report");
    assert_eq!((report["stopped_by"].as_str(), report["outcome"].as_str()), (Some("signal"), Some("interrupted")));
    let (moved, left) = (ids(&s, "file:slow.ndjson").len() as u64, ids(&s, Q).len() as u64);
    assert_eq!((report["moved"].as_u64(), moved + left), (Some(moved), 360));
}

#[cfg(unix)]
#[test]
fn an_archive_is_not_moved_to_another_name_of_itself() {
    let s = Sandbox::new();
    std::fs::hard_link(s.path("orders.ndjson"), s.path("hard.ndjson")).expect("link");
    std::os::unix::fs::symlink("orders.ndjson", s.path("soft.ndjson")).expect("link");
    let before = s.read("orders.ndjson");
    for to in ["file:hard.ndjson", "file:soft.ndjson", "file:./orders.ndjson"] {
        for verb in ["copy", "move"] {
            let ran = s.run(&[verb, Q, to, "--yes"]);
            assert_eq!(ran.code, 2, "{verb} {to}: {}", ran.stderr);
        }
        assert_eq!(s.run(&["purge", Q, "--all", "--yes", "--backup", to]).code, 2);
    }
    assert_eq!(s.read("orders.ndjson"), before);
}

#[cfg(unix)]
#[test]
fn nothing_is_removed_for_a_destination_that_may_not_keep_it() {
    let s = Sandbox::new();
    let before = s.read("orders.ndjson");
    for args in
        [vec!["move", Q, "-", "--yes"], vec!["move", Q, "file:/dev/null", "--yes"], vec!["move", Q, "-", "--dry-run"]]
    {
        let ran = s.run(&args);
        assert_eq!((ran.code, ran.stdout()), (6, ""), "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains("--accept unconfirmed"), "{}", ran.stderr);
    }
    assert_eq!(s.read("orders.ndjson"), before);
    // A file behind standard output is synced like any other.
    let out = std::fs::File::create(s.path("out.ndjson")).expect("create");
    let status = s.command().args(["move", Q, "-", "--yes", "-q"]).stdout(out).status().expect("run");
    assert_eq!(status.code(), Some(0));
    assert_eq!((ids(&s, Q).len(), ids(&s, "file:out.ndjson").len()), (0, 360));
}

#[test]
fn two_purges_in_one_second_write_two_backups() {
    let s = Sandbox::new();
    let all = ids(&s, Q);
    let mut backups = vec![];
    for _ in 0..3 {
        let ran = s.run(&["purge", Q, "-n", "5", "--yes", "-o", "json"]);
        backups.push(ran.json()["backup"].as_str().expect("a backup").to_owned());
    }
    let kept: Vec<String> = backups.iter().flat_map(|b| ids(&s, b)).collect();
    assert_eq!(kept, all[..15], "{backups:?}");
}

#[test]
fn ids_that_are_nowhere_are_named() {
    let s = Sandbox::new();
    let some = ids(&s, Q)[..3].join("\r\n");
    s.write("ids", &format!("\u{feff}{some}\r\nnowhere\r\n"));
    for args in [
        vec!["copy", Q, "file:new.ndjson"],
        vec!["move", Q, "file:new.ndjson", "--dry-run"],
        vec!["filter", Q, "true"],
        vec!["inspect", Q],
        vec!["sample", Q],
        vec!["move", Q, "file:new.ndjson", "--yes"],
    ] {
        let ran = s.run(&[args.clone(), vec!["--ids-from", "ids"]].concat());
        assert_eq!(ran.code, 0, "{args:?}: {}", ran.stderr);
        let warned =
            ran.stderr.matches("warning: 1 id asked for was in none of the 360 messages read: nowhere").count();
        assert_eq!(warned, 1, "{args:?}: {}", ran.stderr);
    }
    assert_eq!(ids(&s, "file:new.ndjson").len(), 6);
}

#[test]
fn what_is_refused_creates_nothing() {
    let s = Sandbox::new();
    for args in [
        vec!["move", Q, "file:new.ndjson"],
        vec!["purge", Q, "--all"],
        vec!["move", Q, "file:new.ndjson", "--yes", "-f", ".body.nowhere < 5"],
    ] {
        let ran = s.run(&args);
        assert_eq!(ran.code, 6, "{args:?}: {}", ran.stderr);
    }
    let names: Vec<_> = std::fs::read_dir(s.path(".")).expect("read").map(|e| e.expect("entry").file_name()).collect();
    assert_eq!(names, ["orders.ndjson"]);
}

#[test]
fn a_replay_can_take_messages_out_of_their_envelopes() {
    let s = Sandbox::new();
    let envelope = concat!(
        r#"{\"Type\":\"Notification\",\"MessageId\":\"i\",\"TopicArn\":\"arn:aws:sns:eu-west-1:1:t\","#,
        r#"\"Message\":\"{\\\"order\\\":7}\",\"MessageAttributes\":{\"n\":{\"Type\":\"Number\",\"Value\":\"1.50\"}}}"#
    );
    let line = |id: &str, payload: &str| {
        format!(
            "{{\"v\":1,\"line\":\"{id}\",\"id\":\"{id}\",\"queue\":\"q\",\"payload\":\"{payload}\",\"headers\":[]}}\n"
        )
    };
    s.write("in.ndjson", &(line("a", envelope) + &line("b", "plain")));
    let ran = s.run(&["inspect", "file:in.ndjson", "-o", "jsonl", "--print", ".unwrapped.body.order"]);
    assert_eq!((ran.stdout(), ran.code), ("7\nnull\n", 0), "{}", ran.stderr);
    let ran = s.run(&["replay", "file:in.ndjson", "--to", "file:kept.ndjson", "--dry-run"]);
    assert!(ran.stderr.contains("--unwrap") || ran.stdout().contains("--unwrap"), "{}{}", ran.stdout(), ran.stderr);
    let replay = ["replay", "file:in.ndjson", "--to", "file:out.ndjson", "--unwrap", "sns", "--yes", "-o", "json"];
    let ran = s.run(&replay);
    assert_eq!((ran.code, ran.json()["left_out"]["the sns envelope"].as_u64()), (0, Some(1)), "{}", ran.stderr);
    let out = s.read("out.ndjson");
    let lines: Vec<&str> = out.lines().collect();
    assert!(
        lines[0].contains(r#""payload":"{\"order\":7}""#) && lines[0].contains(r#"["n","number","1.50"]"#),
        "{out}"
    );
    assert!(lines[1].contains(r#""payload":"plain""#), "{out}");
}
