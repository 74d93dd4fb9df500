//! Archives of a folder, names of clusters, and what is no cluster.

use crate::pin;
use crate::sandbox::Sandbox;

fn folder() -> Sandbox {
    let s = Sandbox::new();
    std::fs::create_dir_all(s.path("archives/inner")).expect("folders");
    let all = s.read("orders.ndjson");
    s.write("archives/orders.ndjson", &all);
    let ten: String = all.lines().take(10).flat_map(|l| [l, "\n"]).collect();
    s.write("archives/ten.jsonl", &ten);
    let packed = zstd::encode_all(ten.as_bytes(), 3).expect("packed");
    std::fs::write(s.path("archives/ten.ndjson.zst"), packed).expect("write");
    s.write("archives/empty.ndjson", "");
    s.write("archives/orders.ndjson.lock", "");
    s.write("archives/log.ndjson", "{\"level\":\"info\"}\n");
    s.write("archives/torn.zst", "no archive at all");
    s.write("archives/notes.txt", "buy milk\n");
    s.write("archives/inner/deep.ndjson", &all);
    s
}

#[test]
fn archives_of_a_folder_by_their_first_line() {
    let s = folder();
    let ran = pin!(s, "list_folder", "list", "file:archives");
    assert_eq!(ran.code, 0);
    let ran = s.run(&["list", "file:archives", "-o", "jsonl"]);
    let rows: Vec<serde_json::Value> = ran.stdout().lines().map(|l| serde_json::from_str(l).expect("JSON")).collect();
    let counts: Vec<_> = rows.iter().map(|r| (r["queue"].as_str().expect("text"), r["ready"].as_u64())).collect();
    assert_eq!(
        counts,
        [
            ("file:archives/empty.ndjson", Some(0)),
            ("file:archives/orders.ndjson", Some(360)),
            ("file:archives/ten.jsonl", Some(10)),
            ("file:archives/ten.ndjson.zst", Some(10)),
        ]
    );
    assert!(rows.iter().all(|r| r["recognised_by"] == serde_json::json!(["archive"])));
    for row in &rows {
        let depth = s.run(&["depth", row["address"].as_str().expect("text"), "-o", "json"]);
        assert_eq!((depth.code, &depth.json()[0]["ready"]), (0, &row["ready"]), "{}", depth.stderr);
    }
}

#[test]
fn nothing_found_says_where_it_was_looked() {
    let s = Sandbox::new();
    std::fs::create_dir(s.path("bare")).expect("a folder");
    s.write("bare/notes.txt", "buy milk\n");
    let ran = pin!(s, "list_nothing", "list", "file:bare");
    assert_eq!((ran.code, ran.stdout()), (0, ""));
    assert_eq!(s.run(&["list", "file:bare", "-o", "json"]).json(), serde_json::json!([]));
}

#[cfg(unix)]
#[test]
fn a_file_that_cannot_be_read_is_listed_as_not_known() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let s = folder();
    std::fs::set_permissions(s.path("archives/ten.jsonl"), std::fs::Permissions::from_mode(0o000)).expect("chmod");
    // Root reads everything; a file it cannot read is one that is not there any more.
    symlink(s.path("gone"), s.path("archives/dangling.ndjson")).expect("link");
    let ran = s.run(&["list", "file:archives", "-o", "json"]);
    let unknown = |name: &str| {
        let all = ran.json();
        let found =
            all.as_array().expect("rows").iter().find(|r| r["queue"] == format!("file:archives/{name}").as_str());
        found.map(|r| !r["error"].is_null())
    };
    match unknown("ten.jsonl") {
        Some(true) => assert_eq!(ran.code, 3, "{}", ran.stderr),
        _ => assert_eq!(ran.code, 0, "{}", ran.stderr),
    }
    assert_eq!(unknown("dangling.ndjson"), None, "a link to nothing is no file");
}

#[test]
fn what_is_no_cluster_says_what_to_write() {
    let s = folder();
    assert_eq!(pin!(s, "list_file", "list", "file:orders.ndjson").code, 2);
    assert_eq!(pin!(s, "list_close_folder", "list", "file:archivs").code, 1);
    assert_eq!(pin!(s, "list_topic_arn", "list", "sns:arn:aws:sns:eu-west-1:123456789012:t").code, 2);
    assert_eq!(pin!(s, "list_plain_folder", "list", "archives").code, 2);
    for (typed, hint) in [
        ("sqs://orders-dlq", "dlq depth sqs://orders-dlq"),
        ("https://sqs.eu-west-1.amazonaws.com/123456789012/q", "dlq depth https://"),
        ("kafka://b/orders.DLT", "dlq depth kafka://b:9092/orders.DLT"),
        ("amqp://me:hunter2@h/v/q", "dlq depth amqp://me@h/v/q"),
        ("-", "file:DIR"),
        ("sqs://?region=", "give -X region=NAME"),
        ("sqs://?region=eu west", "give -X region=NAME"),
    ] {
        let ran = s.run(&["list", typed]);
        assert_eq!(ran.code, 2, "{typed}: {}", ran.stderr);
        assert!(ran.stderr.contains(hint) && !ran.stderr.contains("hunter2"), "{typed}: {}", ran.stderr);
    }
    for (typed, hint) in [
        ("kafka://b", "dlq list kafka://b:9092 finds"),
        ("amqp://me:hunter2@h/", "dlq list amqp://me@h finds"),
        ("sqs://", "dlq list sqs:// finds"),
        ("file:archives", "dlq list file:archives finds"),
    ] {
        let ran = s.run(&["depth", typed]);
        assert_eq!(ran.code, 2, "{typed}: {}", ran.stderr);
        assert!(ran.stderr.contains(hint) && !ran.stderr.contains("hunter2"), "{typed}: {}", ran.stderr);
    }
}

#[test]
fn a_cluster_of_the_configuration_file() {
    let s = folder();
    std::fs::create_dir_all(s.path("config/dlq")).expect("a folder");
    let at = s.path("archives").display().to_string();
    s.write("config/dlq/config.toml", &format!("[cluster.kept]\naddress = \"file:{at}\"\n"));
    let ran = s.run(&["list", "kept", "-o", "jsonl"]);
    assert_eq!((ran.code, ran.lines()), (0, 4), "{}", ran.stderr);
    let first: serde_json::Value = serde_json::from_str(ran.stdout().lines().next().expect("a line")).expect("JSON");
    assert_eq!(first["address"], "kept/empty.ndjson");
    assert_eq!(s.run(&["depth", "kept/ten.jsonl", "-o", "json"]).json()[0]["ready"], 10);
    let ran = s.run(&["list", "kpt"]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("did you mean \"kept\"?"), "{}", ran.stderr);
    let ran = s.run(&["depth", "kept"]);
    assert!(ran.code == 2 && ran.stderr.contains("dlq list kept"), "{}", ran.stderr);
}

#[test]
fn a_watch_prints_a_line_and_ends_when_its_condition_holds() {
    let s = Sandbox::new();
    let ran = s.run(&["watch", "file:orders.ndjson", "--until", "depth>=360"]);
    assert_eq!((ran.code, ran.lines()), (0, 1), "{}", ran.stderr);
    assert!(ran.stdout().contains("file:orders.ndjson  360 waiting") && ran.stderr.contains("depth>=360 holds"));
    let ran = s.run(&["watch", "file:orders.ndjson", "--until-empty", "--timeout", "300ms", "-q"]);
    assert_eq!(ran.code, 1);
    assert_eq!(pin!(s, "watch_condition", "watch", "file:orders.ndjson", "--until", "depth=>3").code, 2);
    assert_eq!(pin!(s, "watch_json", "watch", "file:orders.ndjson", "-o", "json").code, 2);
}
