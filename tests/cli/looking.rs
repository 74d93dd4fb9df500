//! Looking at the example archive.

use crate::pin;
use crate::sandbox::Sandbox;

const Q: &str = "file:orders.ndjson";

#[test]
fn the_tour() {
    let s = Sandbox::new();
    let before = s.read("orders.ndjson");
    pin!(s, "depth", "depth", Q).stdout();
    pin!(s, "depth_json", "depth", Q, "-o", "json").json();
    pin!(s, "inspect_json", "inspect", Q, "-n", "2", "-o", "json").json();
    let ran = pin!(s, "filter_print", "filter", Q, ".death.reason == \"expired\"", "--print", ".id", "-o", "raw");
    assert_eq!(ran.code, 0);
    assert_eq!(s.read("orders.ndjson"), before, "looking changes nothing");
}

#[test]
fn inspect_shows_twenty_and_says_so() {
    let s = Sandbox::new();
    let ran = s.run(&["inspect", Q]);
    assert_eq!((ran.code, ran.lines()), (0, 20));
    assert!(ran.stderr.contains("20") && ran.stderr.contains("360"), "{}", ran.stderr);
    assert_eq!(s.run(&["inspect", Q, "-n", "33"]).lines(), 33);
    assert_eq!(s.run(&["inspect", Q, "-q"]).stderr, "");
}

#[test]
fn one_message_in_full_by_its_id() {
    let s = Sandbox::new();
    let first = s.run(&["inspect", Q, "-n", "1", "--print", ".id", "-o", "raw"]);
    let id = first.stdout().trim();
    let ran = s.run(&["inspect", Q, "--id", id, "-o", "json"]);
    assert_eq!(ran.json()["id"], id);
    let ran = pin!(s, "inspect_absent_id", "inspect", Q, "--id", "nobody");
    assert_eq!(ran.code, 1);
}

#[test]
fn filter_keeps_the_order_on_all_cores() {
    let s = Sandbox::new();
    let all = s.read("orders.ndjson");
    let ids: Vec<String> = all
        .lines()
        .map(|l| serde_json::from_str::<serde_json::Value>(l).expect("json")["id"].as_str().expect("id").to_owned())
        .collect();
    s.write("many.ndjson", &all.repeat(20));
    let ran = s.run(&["filter", "file:many.ndjson", "true", "--print", ".id", "-o", "raw"]);
    let seen: Vec<&str> = ran.stdout().lines().collect();
    assert_eq!(seen.len(), 7200);
    assert!(seen.iter().zip(ids.iter().cycle()).all(|(a, b)| a == b), "in the order of the queue");
}

#[test]
fn archive_output_is_read_back() {
    let s = Sandbox::new();
    let out = s.run(&["filter", Q, "true", "-o", "archive"]);
    s.write("again.ndjson", out.stdout());
    let first = s.run(&["filter", Q, "true"]);
    let second = s.run(&["filter", "file:again.ndjson", "true"]);
    assert_eq!(first.stdout(), second.stdout());
    let third = s.run_with(&["filter", "-", "true"], out.stdout());
    assert_eq!(third.stdout(), first.stdout());
}

#[test]
fn raw_output_keeps_every_byte() {
    let s = Sandbox::new();
    let nul = s.run(&["filter", Q, "true", "-o", "raw", "-0"]);
    assert!(nul.stdout.iter().filter(|b| **b == 0).count() >= 360);
    let odd = s.run(&["filter", Q, "true", "-n", "2", "-o", "raw", "--delimiter", "<\\n>"]);
    assert_eq!(String::from_utf8_lossy(&odd.stdout).matches("<\n>").count(), 2);
}

#[test]
fn samples_are_reproducible_and_say_what_was_covered() {
    let s = Sandbox::new();
    let first = s.run(&["sample", Q, "-n", "7", "--seed", "42"]);
    assert_eq!((first.code, first.lines()), (0, 7), "{}", first.stderr);
    assert_eq!(s.run(&["sample", Q, "-n", "7", "--seed", "42"]).stdout(), first.stdout());
    assert_ne!(s.run(&["sample", Q, "-n", "7", "--seed", "43"]).stdout(), first.stdout());
    assert!(first.stderr.contains("360"), "{}", first.stderr);
    let by = s.run(&[
        "sample",
        Q,
        "-n",
        "2",
        "--by",
        ".death.family",
        "--seed",
        "1",
        "--print",
        ".death.family",
        "-o",
        "raw",
    ]);
    let families: std::collections::HashMap<&str, usize> = by.stdout().lines().fold(Default::default(), |mut m, l| {
        *m.entry(l).or_default() += 1;
        m
    });
    assert!(families.len() > 2 && families.values().all(|n| *n <= 2), "{families:?}");
}

#[test]
fn selections() {
    let s = Sandbox::new();
    let count = |args: &[&str]| {
        let ran = s.run(args);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        ran.lines()
    };
    assert_eq!(count(&["filter", Q, "true"]), 360);
    assert_eq!(count(&["filter", Q, "true", "-n", "5"]), 5);
    assert_eq!(count(&["filter", Q, "true", "--scan-limit", "11"]), 11);
    assert_eq!(count(&["filter", Q, "true", "--since", "2026-11-01T00:00:00Z", "--until", "2026-11-02T00:00:00Z"]), 0);
    assert_eq!(
        count(&["filter", Q, ".death.reason == $r", "--arg", "r", "expired"]),
        count(&["filter", Q, ".death.reason == $r", "--argjson", "r", "\"expired\""])
    );
    s.write("f.jq", ".death.reason == \"expired\" # a comment\n");
    assert_eq!(count(&["filter", Q, "--filter-file", "f.jq"]), count(&["filter", Q, ".death.reason == \"expired\""]));
    let ids = s.run(&["filter", Q, ".queue | startswith(\"sqs:\")", "-n", "4", "--print", ".id", "-o", "raw"]);
    s.write("ids", ids.stdout());
    assert_eq!(count(&["filter", Q, "true", "--ids-from", "ids"]), 4);
    let cause = s.run(&["inspect", Q, "-n", "1", "--print", ".death.cause", "-o", "raw"]);
    let cause = cause.stdout().trim();
    assert_eq!(
        count(&["filter", Q, "true", "--cause", cause]),
        count(&["filter", Q, ".death.cause == $c", "--arg", "c", cause])
    );
}

#[test]
fn talk_as_json_is_json() {
    let s = Sandbox::new();
    let ran = s.run(&["inspect", Q, "--log-format", "json"]);
    for line in ran.stderr.lines() {
        let event: serde_json::Value = serde_json::from_str(line).expect("an event is JSON");
        assert!(event["time"].is_string() && event["event"].is_string(), "{line}");
    }
    assert!(!ran.stderr.is_empty());
}

#[test]
fn control_bytes_reach_nobody_as_they_are() {
    let s = Sandbox::new();
    let line = s.read("orders.ndjson").lines().next().expect("one").to_owned();
    let mut v: serde_json::Value = serde_json::from_str(&line).expect("json");
    v["payload"] = "evil \u{1b}[31m \u{7} \u{202e} text".into();
    s.write("evil.ndjson", &format!("{v}\n"));
    let ran = s.run(&["inspect", "file:evil.ndjson", "-o", "table"]);
    assert!(!ran.stdout.contains(&0x1b) && !ran.stdout().contains('\u{202e}'), "{}", ran.stdout());
}

#[test]
fn what_could_not_be_printed_is_not_a_success() {
    let s = Sandbox::new();
    let ran = s.run(&["filter", "file:orders.ndjson", "true", "--print", ".id | if . < \"9\" then error else . end"]);
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    assert!(ran.lines() > 0);
    assert!(ran.stderr.contains("which were selected and not shown"), "{}", ran.stderr);
}

#[test]
fn stats_groups_by_cause_or_by_anything() {
    let s = Sandbox::new();
    let report = s.run(&["stats", Q, "-o", "json"]).json();
    assert_eq!(
        (&report["read"], &report["selected"], &report["coverage"]["complete"]),
        (&360.into(), &360.into(), &true.into())
    );
    let groups = report["groups"].as_array().expect("groups");
    let sum: u64 = groups.iter().map(|g| g["count"].as_u64().expect("a count")).sum();
    assert_eq!((sum, &report["groups_omitted"]), (360, &0.into()));
    let counts: Vec<u64> = groups.iter().map(|g| g["count"].as_u64().expect("a count")).collect();
    assert!(counts.is_sorted_by(|a, b| a >= b), "{counts:?}");
    // Each group is what a selection by its cause selects, and its example is one of them.
    for g in groups {
        let cause = g["cause"].as_str().expect("every message of the example has a cause");
        let ids = s.run(&["filter", Q, "true", "--cause", cause, "--print", ".id", "-o", "raw"]);
        assert_eq!(ids.lines() as u64, g["count"].as_u64().expect("a count"), "{g}");
        assert!(ids.stdout().lines().any(|id| id == g["example"]), "{g}");
    }
    let by = s.run(&["stats", Q, "--by", ".death.family", "-o", "jsonl", "-q"]);
    let values: Vec<serde_json::Value> =
        by.stdout().lines().map(|l| serde_json::from_str(l).expect("a JSON line")).collect();
    assert!(values.iter().any(|v| v["value"] == "rabbitmq" && v["share"].as_f64().expect("a share") > 0.0));
    let three = s.run(&["stats", Q, "-n", "3", "--by", "1", "-o", "json"]).json();
    assert_eq!((&three["groups"][0]["count"], &three["coverage"]["complete"]), (&3.into(), &false.into()));
    let failing = s.run(&["stats", Q, "--by", ".id | tonumber", "-o", "json"]);
    assert_eq!((failing.code, &failing.json()["not_grouped"]), (3, &360.into()), "{}", failing.stderr);
    let table = s.run(&["stats", Q]);
    assert_eq!((table.code, table.lines()), (0, groups.len() + 1), "{}", table.stdout());
    assert!(table.stderr.contains("360 messages in"), "{}", table.stderr);
}

#[test]
fn a_variable_has_one_value() {
    let s = Sandbox::new();
    for (given, why) in [
        (&["--arg", "v", "a", "--arg", "v", "b"][..], "the variable $v is given twice"),
        (&["--arg", "v", "a", "--argjson", "v", "1"], "the variable $v is given twice"),
        (&["--arg", "ARGS", "a"], "$ARGS holds all variables"),
    ] {
        let ran = s.run(&[&["filter", Q, ".body.order == $v"], given].concat());
        assert!(ran.code == 2 && ran.stderr.contains(why), "{} {}", ran.code, ran.stderr);
    }
}
