//! Changing messages on the way, plans on file, what failed, and the canary, on archives.

use crate::pin;
use crate::sandbox::{Ran, Sandbox};
use crate::terminal::Terminal;

const Q: &str = "file:orders.ndjson";

/// One of each kind of body and header.
const LINES: &str = concat!(
    r#"{"v":1,"line":"1","id":"a","queue":"amqp://h/q","time":"2026-11-21T07:32:45Z","payload":"{\"total\": 1.10, \"x\": 1}","#,
    r#""headers":[["n","i32",5],["t","text","x"],["t","text","y"]],"properties":[["content_type","short","text/json"]]}"#,
    "\n",
    r#"{"v":1,"line":"2","id":"b","queue":"amqp://h/q","payload":"plain","headers":[["n","i32",6]]}"#,
    "\n"
);

fn small() -> Sandbox {
    let s = Sandbox::new();
    s.write("q.ndjson", LINES);
    s
}

/// The lines of an archive as JSON, the mark and the ids of the lines taken out.
fn lines(s: &Sandbox, name: &str) -> Vec<serde_json::Value> {
    let text = s.read(name);
    text.lines()
        .map(|l| {
            let mut v: serde_json::Value = serde_json::from_str(l).expect("JSON");
            if let Some(headers) = v["headers"].as_array_mut() {
                headers.retain(|h| h[0] != "dlq-replay");
            }
            v
        })
        .collect()
}

fn replay(s: &Sandbox, more: &[&str]) -> Ran {
    let args: Vec<&str> =
        ["replay", "file:q.ndjson", "--to", "file:to.ndjson", "-o", "json"].iter().chain(more).copied().collect();
    s.run(&args)
}

#[test]
fn a_map_changes_what_it_names_and_nothing_else() {
    let s = small();
    let before = lines(&s, "q.ndjson");
    let ran = replay(&s, &["--map", "if .id == \"a\" then .body.total = 2 else . end", "-y"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!((&ran.json()["replayed"], &ran.json()["changed"]), (&2.into(), &1.into()));
    let after = lines(&s, "to.ndjson");
    assert_eq!(after[0]["payload"], r#"{"total":2,"x":1}"#);
    assert_eq!((&after[0]["headers"], &after[0]["properties"]), (&before[0]["headers"], &before[0]["properties"]));
    assert_eq!((&after[1]["payload"], &after[1]["headers"]), (&before[1]["payload"], &before[1]["headers"]));
}

#[test]
fn headers_are_set_and_dropped_with_their_types() {
    let s = small();
    let ran = replay(&s, &["--set-header", "n=0", "--set-header", "by=me", "--drop-header", "t", "-y"]);
    assert_eq!((ran.code, &ran.json()["changed"]), (0, &2.into()), "{}", ran.stderr);
    let after = lines(&s, "to.ndjson");
    assert_eq!(after[0]["headers"], serde_json::json!([["n", "i32", 0], ["by", "text", "me"]]));
}

#[test]
fn the_plan_shows_what_will_be_changed() {
    let s = small();
    let ran = pin!(
        s,
        "map_dry_run",
        "replay",
        "file:q.ndjson",
        "--to",
        "file:to.ndjson",
        "--map",
        ".body.total = 2",
        "--rate",
        "1/s",
        "--dry-run"
    );
    assert_eq!(ran.code, 0);
    assert!(!s.path("to.ndjson").exists());
}

#[test]
fn what_an_edit_may_not_touch_is_refused() {
    let s = small();
    let ran = pin!(s, "map_untouchable", "replay", "file:q.ndjson", "--to", "file:to.ndjson", "--map", ".id = 1", "-y");
    assert_eq!(ran.code, 2);
    let ran = replay(&s, &["--map", ".time as $t | if .id == \"b\" then {body} else . end", "-y"]);
    assert_eq!((ran.code, &ran.json()["replayed"], &ran.json()["failed"]), (3, &1.into(), &1.into()), "{}", ran.stderr);
    assert!(ran.json()["errors"][0]["error"].as_str().expect("text").contains("id is missing"));
    assert_eq!(lines(&s, "to.ndjson").len(), 1);
    let ran = s.run(&["replay", "file:q.ndjson", "--to", "file:x.ndjson", "--set-header", "dlq-replay=x", "-y"]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert_eq!(replay(&s, &["--edit", "-y"]).code, 6, "no terminal");
}

#[test]
fn what_failed_is_written_as_it_was_and_stays() {
    let s = small();
    let before = s.read("q.ndjson");
    let ran =
        replay(&s, &["--map", "if .id == \"b\" then error(\"no\") else . end", "--failed-to", "file:bad.ndjson", "-y"]);
    assert_eq!((ran.code, &ran.json()["written_to_failed"]), (3, &1.into()), "{}", ran.stderr);
    assert_eq!(ran.json()["failed_to"], "file:bad.ndjson");
    let line = before.lines().nth(1).expect("a line");
    let [was, is] =
        [line, s.read("bad.ndjson").trim()].map(|l| serde_json::from_str::<serde_json::Value>(l).expect("JSON"));
    assert_eq!((&was["payload"], &was["headers"], &was["id"]), (&is["payload"], &is["headers"], &is["id"]));
    assert!(s.run(&["inspect", "file:q.ndjson", "-o", "jsonl"]).stdout().contains("\"id\":\"b\""));
    let ran = replay(&s, &["--map", ".", "--failed-to", "file:none.ndjson", "-y"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(!s.path("none.ndjson").exists(), "nothing failed, so nothing is made");
    for wrong in ["file:to.ndjson", "file:q.ndjson", "-", "amqp://h/q"] {
        assert_eq!(replay(&s, &["--failed-to", wrong, "-y"]).code, 2, "{wrong}");
    }
}

#[test]
fn a_plan_on_file_is_carried_out_on_its_messages_alone() {
    let s = Sandbox::new();
    let of = |more: &[&str]| {
        let args: Vec<&str> = ["replay"].iter().chain(more).copied().collect();
        s.run(&args)
    };
    let ran =
        of(&[Q, "--to", "file:to.ndjson", "--cause", "expired", "--set-header", "by=plan", "--plan-out", "plan.json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("--plan plan.json"), "{}", ran.stderr);
    assert!(!s.path("to.ndjson").exists(), "a plan changes nothing");
    // One of them is gone by then.
    let first = s.run(&["filter", Q, "true", "--cause", "expired", "-n", "1", "--print", ".id", "-o", "raw"]);
    let id = first.stdout().trim().to_owned();
    assert_eq!(s.run(&["purge", Q, "--id", &id, "--no-backup", "-y"]).code, 0);

    for (args, code) in [
        (vec!["file:other.ndjson", "--plan", "plan.json", "-y"], 2),
        (vec!["--plan", "plan.json", "--to", "file:x.ndjson", "-y"], 2),
        (vec!["--plan", "plan.json", "--map", ".", "-y"], 2),
        (vec!["--plan", "plan.json", "--cause", "x", "-y"], 2),
        (vec!["--plan", "plan.json", "--plan-max-age", "1ms", "-y"], 6),
        (vec!["--plan", "orders.ndjson", "-y"], 2),
    ] {
        let ran = of(&args);
        assert_eq!(ran.code, code, "{args:?}: {}", ran.stderr);
    }
    s.write("edited.json", &s.read("plan.json").replace("by", "with"));
    assert_eq!(of(&["--plan", "edited.json", "-y"]).code, 6);
    assert_eq!(s.run(&["purge", Q, "--plan", "plan.json", "-y"]).code, 2, "it is for another verb");

    let ran = of(&["--plan", "plan.json", "-y", "-o", "json"]);
    let report = ran.json();
    assert_eq!((ran.code, &report["replayed"], &report["changed"]), (0, &30.into(), &30.into()), "{}", ran.stderr);
    assert_eq!(report["gone"], serde_json::json!([id]));
    assert_eq!(report["destination"], "file:to.ndjson");
    let ran = of(&["--plan", "plan.json", "-y", "-o", "json"]);
    assert_eq!((ran.code, &ran.json()["replayed"]), (0, &0.into()), "{}", ran.stderr);
    assert_eq!(ran.json()["gone"].as_array().map(Vec::len), Some(31));

    let ran = s.run(&["purge", Q, "-n", "3", "--plan-out", "purge.json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let ran = s.run(&["purge", Q, "--plan", "purge.json", "-y", "-o", "json"]);
    assert_eq!((ran.code, &ran.json()["purged"]), (0, &3.into()), "{}", ran.stderr);
}

#[test]
fn nobody_reads_an_archive_so_a_canary_ends_unknown() {
    let s = Sandbox::new();
    let to = ["replay", Q, "--to", "file:to.ndjson", "-y", "-o", "json"];
    let run = |more: &[&str]| s.run(&to.iter().chain(more).copied().collect::<Vec<_>>());
    assert_eq!(run(&["--canary", "5"]).code, 2, "how long to wait is not known");
    assert!(!s.path("to.ndjson").exists());
    let ran = run(&["--canary", "5", "--canary-wait", "1s"]);
    let report = ran.json();
    assert_eq!((ran.code, &report["replayed"], &report["stopped_by"]), (6, &5.into(), &"unknown-canary".into()));
    assert_eq!((&report["canary"]["verdict"], &report["canary"]["messages"]), (&"unknown".into(), &5.into()));
    assert!(ran.stderr.contains("--accept unknown-canary"), "{}", ran.stderr);
    let causes = s.run(&["filter", "file:to.ndjson", "true", "--print", ".headers | keys | length"]);
    assert_eq!(causes.lines(), 5);
    let ran = run(&["--canary", "5", "--canary-wait", "1s", "--accept", "unknown-canary", "--watch-return", "1s"]);
    let report = ran.json();
    assert_eq!((ran.code, &report["replayed"], &report["remaining"]), (0, &355.into(), &0.into()), "{}", ran.stderr);
    assert_eq!((&report["returned"]["came_back"], &report["selected"]), (&0.into(), &355.into()));
}

#[test]
fn holding_back_is_refused_where_nothing_tells_what_waits() {
    let s = small();
    let ran = replay(&s, &["--hold-while-backlog", "10", "-y"]);
    assert_eq!(ran.code, 4, "{}", ran.stderr);
    assert!(!s.path("to.ndjson").exists());
}

/// Runs `dlq` at a terminal, with this editor, and answers the question, if there is one, with `typed`.
fn at_a_terminal(s: &Sandbox, editor: &str, typed: &str, args: &str) -> (i32, String) {
    s.write("editor", editor);
    let mut terminal = Terminal::start(s, &[("VISUAL", "sh -e './editor'")], args);
    if !typed.is_empty() {
        terminal.wait_for("[y/N]");
        terminal.types(typed);
    }
    terminal.ends()
}

#[test]
fn messages_are_edited_in_the_users_own_editor() {
    let s = small();
    let args = "replay file:q.ndjson --to file:to.ndjson --edit";
    let (code, said) = at_a_terminal(&s, "true\n", "", args);
    assert!(code == 0 && said.contains("nothing was changed in the editor"), "{code}: {said}");
    let (code, said) = at_a_terminal(&s, "exit 3\n", "", args);
    assert!(code == 6 && said.contains("nothing was sent"), "{code}: {said}");
    let (code, said) = at_a_terminal(&s, "echo '{' > \"$1\"\n", "", args);
    assert!(code == 2 && said.contains("is not JSON") && said.contains("what was written is in"), "{code}: {said}");
    assert!(!s.path("to.ndjson").exists());
    // Ctrl-C in an editor, which every program at the terminal gets, is a command of the editor's.
    let edit = "trap '' INT; kill -INT 0; sleep 0.3; kill -INT 0; sleep 0.3; sed -i 's/1.10/3.30/' \"$1\"\n";
    let (code, said) = at_a_terminal(&s, edit, "y\n", args);
    assert!(code == 0 && said.contains("+    \"total\": 3.30"), "{code}: {said}");
    let after = lines(&s, "to.ndjson");
    assert_eq!((&after[0]["payload"], &after[1]["payload"]), (&r#"{"total":3.30,"x":1}"#.into(), &"plain".into()));
    let (code, said) = at_a_terminal(&s, "true\n", "", "replay file:orders.ndjson --to file:to.ndjson --edit");
    assert!(code == 2 && said.contains("more than 20"), "{code}: {said}");
}

#[test]
fn what_fails_before_it_is_sent_is_on_record_with_what_it_had_died_of() {
    let s = Sandbox::new();
    let expected = s.run(&["filter", Q, "true", "-n", "9", "--print", "[.id, .death.cause]", "-o", "jsonl"]);
    let failing = ["--map", "error(\"no\")", "--to", "file:to.ndjson", "-n", "9"];
    let ran = s.run(&[&["replay", Q, "-y", "--run", "n"], &failing[..]].concat());
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    let history = s.run(&["history", "n", "-o", "json"]).json();
    let told: Vec<String> = history["messages"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|m| serde_json::json!([m["id"], m["cause"]]).to_string())
        .collect();
    assert_eq!(told, expected.stdout().lines().collect::<Vec<_>>(), "{history:#}");
}
