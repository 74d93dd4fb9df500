//! Names, verdicts and what could be done, on archives.

use crate::pin;
use crate::sandbox::Sandbox;

const CONFIG: &str = r#"
[cluster.here]
address = "file:."

[cluster.rabbit]
address = "amqp://rabbit-1:5673"
credential-command = "vault read -field=x secret"
options = { heartbeat = 10 }

[queue.orders]
address = "here/orders.ndjson"
to = "file:out.ndjson"
protected = true

[queue.remote]
address = "rabbit/shop/orders.dlq"
password-env = "SECRET"
"#;

fn named() -> Sandbox {
    let s = Sandbox::new();
    std::fs::create_dir_all(s.path("config/dlq")).expect("a folder");
    s.write("config/dlq/config.toml", CONFIG);
    s
}

#[test]
fn names() {
    let s = named();
    _ = pin!(s, "names_config_show", "config", "show");
    _ = pin!(s, "names_depth", "depth", "orders");
    _ = pin!(s, "names_unknown", "depth", "order");
    _ = pin!(s, "names_cluster_alone", "depth", "here");
    _ = pin!(s, "names_protected", "purge", "file:orders.ndjson", "--all", "--yes");
    _ = pin!(s, "names_wrong_confirmation", "replay", "orders", "--confirm", "order");
    _ = pin!(s, "names_confirmed", "replay", "orders", "--cause", "expired", "--confirm", "orders");
    assert_eq!(s.run(&["config", "names"]).stdout(), "orders\nremote\nhere/\nrabbit/\n");
}

#[test]
fn a_wrong_configuration() {
    let s = named();
    s.write("config/dlq/config.toml", "[queue.orders]\naddress = \"file:orders.ndjson\"\nprotect = true\n");
    _ = pin!(s, "names_unknown_key", "depth", "file:orders.ndjson");
    assert_eq!(s.run(&["check", "file:orders.ndjson", "--crit", "1"]).code, 3);
    assert_eq!(s.run(&["config", "names"]).code, 0, "a shell must not be told of it");
    let mut s = Sandbox::new();
    s.environment.push(("DLQ_CONFIG".into(), "/no/such/file".into()));
    assert_eq!(s.run(&["depth", "file:orders.ndjson"]).code, 2);
    // Without a file there is nothing to show, and no such name.
    let s = Sandbox::new();
    assert_eq!((s.run(&["config", "show"]).code, s.run(&["config", "show", "orders"]).code), (0, 2));
}

#[test]
fn verdicts() {
    let s = Sandbox::new();
    let q = "file:orders.ndjson";
    _ = pin!(s, "check_critical", "check", q, "--warn", "10", "--crit", "100");
    _ = pin!(s, "check_text", "check", q, "file:none.ndjson", "--warn", "10", "--causes", "-o", "text");
    _ = pin!(s, "check_usage", "check", q, "--crit", "1", "--bogus");
    _ = pin!(s, "check_no_threshold", "check", q);
    for (args, code) in [
        (&["--crit", "361"][..], 0),
        (&["--warn", "360"], 1),
        (&["--crit", "360"], 2),
        (&["--expect-empty"], 2),
        (&["--max-age", "1h"], 2),
        (&["--max-age", "36500d"], 3),
        (&["--crit", "0"], 3),
        (&["--warn", "5", "--crit", "4"], 3),
        (&["--crit", "1", "-o", "table"], 3),
        (&["--since", "never", "--crit", "1"], 3),
        (&["--since", "2099-01-01", "--crit", "1"], 3),
        (&["--max-growth", "5"], 3),
    ] {
        let ran = s.run(&[&["check", q], args].concat());
        assert_eq!(ran.code, code, "{args:?}");
        // A monitor reads nothing else.
        assert_eq!(ran.stdout().starts_with("DLQ UNKNOWN - "), code == 3, "{args:?}: {}", ran.stdout());
    }
    for args in [&["--warn", "5", "--crit", "4"][..], &["--crit", "many"], &["--bogus"]] {
        let ran = s.run(&[&["check", q], args].concat());
        assert_eq!((ran.code, ran.lines()), (3, 1), "{args:?}: {}", ran.stdout());
        assert!(ran.stdout().starts_with("DLQ UNKNOWN - "), "{}", ran.stdout());
        assert!(!ran.stderr.is_empty(), "{args:?}");
        // In the format that is asked for, wherever that stands.
        for form in [&["-o", "json"][..], &["--output=json"], &["-ojson"]] {
            for ran in [s.run(&[&["check", q], form, args].concat()), s.run(&[&["check", q], args, form].concat())] {
                assert_eq!((ran.code, &ran.json()["status"]), (3, &"UNKNOWN".into()), "{args:?}");
            }
        }
        let ran = s.run(&[&["check", q], args, &["-o", "junit"]].concat());
        assert!(ran.code == 3 && ran.stdout().contains("errors=\"1\""), "{args:?}: {}", ran.stdout());
        let ran = s.run(&[&["check", q], args, &["-o", "prometheus"]].concat());
        assert!(ran.code == 3 && ran.stdout().starts_with("# DLQ UNKNOWN"), "{args:?}: {}", ran.stdout());
    }
    let ran = s.run(&["check", "amqp://ops:secret@h/q", "--bogus", "amqp://ops:secret@h/q"]);
    assert!(ran.code == 3 && !ran.stdout().contains("secret"), "{}", ran.stdout());
    assert_eq!(s.run(&["check", "--help"]).code, 0);
    assert_eq!(s.run(&["depth", q, "-o", "nagios"]).code, 2);
    let ran = s.run(&["check", q, "--max-growth", "10/h"]);
    assert!(ran.code == 3 && ran.stdout().contains("first count"), "{}", ran.stdout());
    assert_eq!(s.run(&["check", q, "--max-growth", "10/h"]).code, 0);
    let text = s.read("orders.ndjson");
    let more: String =
        text.lines().take(10).map(|l| format!("{}\n", l.replacen("\"id\":\"", "\"id\":\"again-", 1))).collect();
    s.write("orders.ndjson", &format!("{text}{more}"));
    let ran = s.run(&["check", q, "--max-growth", "10/h", "-o", "json"]);
    assert_eq!((ran.code, &ran.json()["queues"][0]["growth"]), (2, &10.into()), "{}", ran.stdout());
}

#[test]
fn the_configuration_is_tried_a_cluster_at_a_time() {
    let s = named();
    let tried = |args: &[&str]| {
        let ran = s.run(&[&["config", "check", "-o", "json"], args].concat());
        let names: Vec<String> = ran.json().as_array().expect("a list").iter().map(|t| t["name"].to_string()).collect();
        (ran.code, names.join(" "), ran.stderr)
    };
    let (code, names, said) = tried(&["here"]);
    assert_eq!((code, names.as_str()), (0, "\"orders\""), "{said}");
    assert_eq!(tried(&["here/", "orders"]).1, "\"orders\"", "as completions offer it, and each once");
    s.write("config/dlq/config.toml", "[cluster.here]\naddress = \"file:.\"\n");
    let (code, names, said) = tried(&["here"]);
    assert_eq!((code, names.as_str()), (3, ""), "what was asked for was not tried: {said}");
    assert!(said.contains("cluster here was not tried"), "{said}");
    assert_eq!(tried(&[]).0, 0, "nothing was asked for");
    assert_eq!(s.run(&["list", "here/", "-o", "jsonl"]).lines(), 1);
}

#[test]
fn causes_that_are_not_named_are_counted() {
    let s = Sandbox::new();
    let ran = s.run(&["check", "file:orders.ndjson", "--crit", "1", "--causes", "-o", "json"]);
    let report = ran.json();
    let queue = &report["queues"][0];
    let named: u64 = queue["causes"].as_array().expect("a list").iter().map(|c| c["count"].as_u64().expect("n")).sum();
    let note = queue["notes"][0].as_str().expect("a note");
    assert!(note.ends_with(&format!(" more causes with {} messages", 360 - named)), "{note}");
    // The example is there.
    let example = queue["causes"][0]["example"].as_str().expect("an id");
    assert_eq!(s.run(&["inspect", "file:orders.ndjson", "--id", example]).code, 0);
    // Of many more, the first are looked at, which is said.
    let line = s.read("orders.ndjson").lines().next().expect("a line").to_owned();
    let text: String =
        (0..10_050).map(|n| format!("{}\n", line.replacen("\"id\":\"", &format!("\"id\":\"{n}-"), 1))).collect();
    s.write("many.ndjson", &text);
    let ran = s.run(&["check", "file:many.ndjson", "--crit", "1", "--causes"]);
    assert!(ran.stdout().contains("causes of the first 10 000 messages alone"), "{}", ran.stdout());
}

#[test]
fn the_age_of_an_archive_is_that_of_its_oldest_message() {
    let s = Sandbox::new();
    let ran = s.run(&["depth", "file:orders.ndjson", "--age", "-o", "json"]);
    let oldest = ran.json()[0]["oldest"].as_str().expect("a time").to_owned();
    let times = s.run(&["filter", "file:orders.ndjson", "true", "--print", ".time // .death.last", "-o", "raw"]);
    let first = times.stdout().lines().filter(|l| *l != "null").min().expect("a time").to_owned();
    let time = |text: &str| text.parse::<jiff::Timestamp>().expect("a time");
    assert_eq!(time(&oldest), time(&first));
    assert_eq!(s.run(&["depth", "file:orders.ndjson", "-o", "json"]).json()[0]["oldest"], serde_json::Value::Null);
}

#[test]
fn what_could_be_done() {
    let s = Sandbox::new();
    _ = pin!(s, "can_i_replay", "can-i", "replay", "file:orders.ndjson");
    assert_eq!(s.run(&["can-i", "inspect", "file:orders.ndjson"]).code, 0);
    assert_eq!(s.run(&["can-i", "inspect", "file:none.ndjson"]).code, 1);
    // Of a destination nothing is known before it is named.
    let ran = s.run(&["can-i", "copy", "file:orders.ndjson"]);
    assert!(ran.code == 3 && ran.stdout().contains("no destination is named"), "{}", ran.stdout());
    assert_eq!(s.run(&["can-i", "move", "file:orders.ndjson", "--to", "file:out.ndjson"]).code, 0);
    // Where its name says that it goes.
    let ran = named().run(&["can-i", "replay", "orders"]);
    assert!(
        ran.code == 0 && ran.stdout().contains("out.ndjson") && !ran.stdout().contains("where to"),
        "{}{}",
        ran.stdout(),
        ran.stderr
    );
}

/// What is to be written wants room on a disk, and a folder we may write into.
#[test]
fn where_an_archive_would_go_is_looked_at() {
    let s = Sandbox::new();
    let about = |ran: &crate::sandbox::Ran, about: &str| {
        let found = ran.json();
        let found = found.as_array().expect("a list").iter().find(|f| f["about"] == about).cloned();
        found.unwrap_or_else(|| panic!("no {about}: {}", ran.stdout()))
    };
    let ran = s.run(&["can-i", "replay", "file:orders.ndjson", "--to", "file:out.ndjson", "-o", "json"]);
    assert_eq!((ran.code, &about(&ran, "disk room")["answer"]), (0, &"yes".into()), "{}", ran.stdout());
    let to_there = ran.json().as_array().expect("a list").iter().any(|f| {
        let because = f["because"].as_str().expect("a text");
        f["about"] == "disk room"
            && because.contains(" free")
            && because.contains(&s.path("").display().to_string()[..4])
    });
    assert!(to_there, "{}", ran.stdout());
    assert!(!s.path("out.ndjson").exists());
    let ran = s.run(&["can-i", "purge", "file:orders.ndjson", "-o", "json"]);
    assert_eq!(ran.code, 0, "its backup goes into this folder: {}", ran.stdout());
    let ran = s.run(&["can-i", "copy", "file:orders.ndjson", "--to", "file:none/out.ndjson", "-o", "json"]);
    assert_eq!((ran.code, &about(&ran, "permission to write")["answer"]), (1, &"no".into()), "{}", ran.stdout());
    let ran = s.run(&["copy", "file:orders.ndjson", "file:none/out.ndjson", "--dry-run"]);
    assert!(ran.stderr.contains("stopped by") && ran.stderr.contains("there is no folder"), "{}", ran.stderr);
    let ran = s.run(&["move", "file:orders.ndjson", "file:out.ndjson", "--dry-run", "-o", "json"]);
    let plan = &ran.json()["plan"];
    let room = plan["destination_may"].as_array().expect("a list").iter().find(|f| f["about"] == "disk room");
    let room = room.unwrap_or_else(|| panic!("{plan:#}"));
    assert!(room["because"].as_str().expect("a text").contains("; the bodies have "), "{room}");
    assert_eq!(plan["stopped_by"], serde_json::json!([]));
}
