//! Each wrong call has its message and its exit code.

use crate::pin;
use crate::sandbox::Sandbox;

#[test]
fn addresses() {
    let s = Sandbox::new();
    assert_eq!(pin!(s, "unknown_scheme", "inspect", "ampq://localhost/orders.dlq").code, 2);
    assert_eq!(pin!(s, "no_scheme", "inspect", "orders.dlq").code, 2);
    assert_eq!(pin!(s, "file_without_scheme", "inspect", "orders.ndjson").code, 2);
    assert_eq!(pin!(s, "no_such_file", "inspect", "file:order.ndjson").code, 1);
    assert_eq!(pin!(s, "no_queue_in_address", "inspect", "amqp://localhost").code, 2);
    assert_eq!(pin!(s, "arguments_swapped", "filter", ".body.total > 5", "file:orders.ndjson").code, 2);
    assert_eq!(pin!(s, "unknown_option", "inspect", "-X", "prefech=3", "amqp://127.0.0.1/q").code, 2);
}

#[test]
fn arguments() {
    let s = Sandbox::new();
    assert_eq!(pin!(s, "limit_zero", "inspect", "file:orders.ndjson", "--limit", "0").code, 2);
    assert_eq!(pin!(s, "bad_duration", "inspect", "file:orders.ndjson", "--since", "2 fortnights").code, 2);
    assert_eq!(
        pin!(
            s,
            "empty_window",
            "inspect",
            "file:orders.ndjson",
            "--since",
            "2026-11-22T12:00:00Z",
            "--until",
            "2026-11-22T11:00:00Z"
        )
        .code,
        2
    );
    assert_eq!(pin!(s, "bad_rate", "copy", "file:orders.ndjson", "file:b.ndjson", "--rate", "fast").code, 2);
    assert_eq!(pin!(s, "kcat_offset", "inspect", "file:orders.ndjson", "-o", "beginning").code, 2);
    assert_eq!(pin!(s, "kcat_broker", "inspect", "-b", "localhost", "-t", "orders").code, 2);
    assert_eq!(pin!(s, "unknown_hazard", "inspect", "file:orders.ndjson", "--accept", "everything").code, 2);
    assert_eq!(pin!(s, "both_standard_input", "filter", "-", "true", "--ids-from", "-").code, 2);
}

#[test]
fn expressions() {
    let s = Sandbox::new();
    assert_eq!(pin!(s, "jq_syntax", "filter", "file:orders.ndjson", ".body.total > ").code, 2);
    assert_eq!(pin!(s, "jq_unknown_function", "filter", "file:orders.ndjson", ".body.total | flor > 4").code, 2);
    assert_eq!(pin!(s, "jq_field_without_dot", "filter", "file:orders.ndjson", "body.total > 4").code, 2);
    assert_eq!(pin!(s, "jq_unknown_variable", "filter", "file:orders.ndjson", ".body.total > $min").code, 2);
    assert_eq!(pin!(s, "jq_several_outputs", "filter", "file:orders.ndjson", "true, false").code, 2);
    assert_eq!(pin!(s, "jq_runtime", "filter", "file:orders.ndjson", ".id | keys", "-n", "1").code, 0);
    assert_eq!(pin!(s, "jq_runtime_strict", "filter", "file:orders.ndjson", ".id | keys", "--strict").code, 3);
    assert_eq!(pin!(s, "jq_no_match", "filter", "file:orders.ndjson", ".id == \"nobody\"", "-e").code, 5);
    assert_eq!(
        pin!(s, "jq_absent_path", "filter", "file:orders.ndjson", ".body.totl < 5 and .id == \"nobody\"").code,
        0
    );
    assert_eq!(pin!(s, "jq_no_expression", "filter", "file:orders.ndjson").code, 2);
    assert_eq!(pin!(s, "jq_reaches_outside", "filter", "file:orders.ndjson", "env.HOME == \"x\"").code, 2);
    assert_eq!(
        pin!(
            s,
            "jq_runs_away",
            "filter",
            "file:orders.ndjson",
            "[limit(1000000000; repeat(1))] | length > 0",
            "--filter-timeout",
            "200ms"
        )
        .code,
        1
    );
}

#[test]
fn halt_does_not_end_the_process() {
    let s = Sandbox::new();
    let ran = s.run(&["filter", "file:orders.ndjson", "halt"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("360 messages"), "counted as filter errors: {}", ran.stderr);
}

#[test]
fn guards() {
    let s = Sandbox::new();
    let before = s.read("orders.ndjson");
    assert_eq!(pin!(s, "purge_without_selection", "purge", "file:orders.ndjson").code, 2);
    assert_eq!(pin!(s, "purge_all_and_selection", "purge", "file:orders.ndjson", "--all", "-n", "3").code, 2);
    assert_eq!(pin!(s, "no_terminal_no_yes", "move", "file:orders.ndjson", "file:b.ndjson", "-n", "3").code, 6);
    assert_eq!(pin!(s, "same_destination", "copy", "file:orders.ndjson", "file:./orders.ndjson").code, 2);
    assert_eq!(
        pin!(s, "absent_path_refused", "move", "file:orders.ndjson", "file:b.ndjson", "-f", ".body.totl < 5", "--yes")
            .code,
        6
    );
    assert_eq!(pin!(s, "archive_has_no_home", "replay", "file:orders.ndjson", "--yes").code, 4);
    assert_eq!(s.read("orders.ndjson"), before, "a refusal changes nothing");
}

#[test]
fn archives() {
    let s = Sandbox::new();
    let view = s.run(&["filter", "file:orders.ndjson", "true", "-n", "1", "-o", "jsonl"]);
    s.write("view.ndjson", view.stdout());
    assert_eq!(pin!(s, "view_line", "inspect", "file:view.ndjson").code, 1);

    let archive = s.read("orders.ndjson");
    s.write("torn.ndjson", &archive[..archive.len() - 40]);
    assert_eq!(pin!(s, "torn_last_line", "filter", "file:torn.ndjson", "false").code, 1);
    assert_eq!(pin!(s, "torn_last_line_skipped", "filter", "file:torn.ndjson", "false", "--skip-bad-lines").code, 0);

    s.write("foreign.ndjson", "{\"hello\":1}\nnot json\n");
    assert_eq!(pin!(s, "foreign_lines", "inspect", "file:foreign.ndjson").code, 1);
    s.write("newer.ndjson", "{\"v\":2}\n");
    assert_eq!(pin!(s, "newer_version", "inspect", "file:newer.ndjson").code, 1);
    std::fs::create_dir(s.path("folder")).expect("a folder");
    assert_eq!(pin!(s, "a_folder", "inspect", "file:folder").code, 2);
    assert_eq!(pin!(s, "destination_folder_missing", "copy", "file:orders.ndjson", "file:nowhere/b.ndjson").code, 1);
}

#[test]
fn a_reader_that_leaves_is_no_failure() {
    use std::io::Read;
    use std::process::Stdio;
    let s = Sandbox::new();
    // More than a pipe holds, so that the writer meets the closed end.
    let big = s.read("orders.ndjson").repeat(8);
    s.write("big.ndjson", &big);
    let mut child = s
        .command()
        .args(["filter", "file:big.ndjson", "true"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("start");
    let mut first = [0; 10];
    child.stdout.take().expect("stdout").read_exact(&mut first).expect("some output");
    let output = child.wait_with_output().expect("wait");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn a_server_that_is_not_there() {
    let s = Sandbox::new();
    // A port that was just free; nobody listens.
    let port = std::net::TcpListener::bind("127.0.0.1:0").expect("bind").local_addr().expect("address").port();
    let ran = s.run(&["inspect", &format!("amqp://someone:secret@127.0.0.1:{port}/orders.dlq")]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.starts_with("unreachable:"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("secret"), "{}", ran.stderr);
}

#[test]
fn no_error_shows_a_password() {
    let s = Sandbox::new();
    let bad = "amqp://ops:s3cret@host/q";
    for args in [
        vec!["filter", "file:orders.ndjson", bad],
        vec!["purge", "file:orders.ndjson", "-n", "1", "--backup", bad],
        vec!["depth", "amqp:/ops:s3cret@host/q"],
        vec!["inspect", "file:orders.ndjson", bad],
        vec!["inspect", "-o", bad],
        vec![bad],
    ] {
        let ran = s.run(&args);
        assert_eq!(ran.code, 2, "{args:?}: {}", ran.stderr);
        assert!(!ran.stderr.contains("s3cret"), "{}", ran.stderr);
    }
}

#[test]
fn what_stands_before_a_bad_line_is_shown_every_time() {
    let s = Sandbox::new();
    let whole = s.read("orders.ndjson");
    s.write("bad.ndjson", &format!("{}\nnonsense\n", whole.lines().next().expect("a line")));
    for _ in 0..20 {
        let ran = s.run(&["filter", "file:bad.ndjson", "true"]);
        assert_eq!((ran.code, ran.lines()), (1, 1), "{}", ran.stderr);
    }
}

#[cfg(unix)]
#[test]
fn a_reader_that_leaves_a_copy_is_no_failure() {
    let s = Sandbox::new();
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let output =
        s.command().args(["copy", "file:orders.ndjson", "-", "-q", "--yes"]).stdout(writer).output().expect("run");
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let args = ["move", "file:orders.ndjson", "-", "--yes", "--accept", "unconfirmed"];
    let output = s.command().args(args).stdout(writer).output().expect("run");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(s.read("orders.ndjson").lines().count(), 360);
}
