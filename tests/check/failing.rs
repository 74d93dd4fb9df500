//! Brokers that are down, that are silent, or that say no; a state directory that cannot be written.

use std::time::Instant;

use crate::sandbox::Sandbox;
use crate::{Queues, SOON, silent, unique};

#[test]
fn a_silent_broker_is_waited_for_once_and_hides_nothing() {
    let s = Sandbox::new();
    let (_kept, port) = silent();
    for form in [
        "amqp://guest:guest@127.0.0.1:PORT/q",
        "kafka://127.0.0.1:PORT/q",
        "http://127.0.0.1:PORT/000000000000/q?sign=no",
    ] {
        let address = form.replace("PORT", &port.to_string());
        let mut queues: Vec<String> = (0..40).map(|n| address.replace("/q", &format!("/q{n}"))).collect();
        queues.push("file:orders.ndjson".into());
        let args: Vec<&str> = queues.iter().map(String::as_str).collect();
        let began = Instant::now();
        let ran = s.run(&[&["depth", "--timeout", "2s", "-o", "json"], args.as_slice()].concat());
        assert!(began.elapsed() < SOON, "{form}: {:?}", began.elapsed());
        assert_eq!(ran.code, 3, "{}", ran.stderr);
        let values = ran.json();
        assert_eq!(values.as_array().map(Vec::len), Some(41));
        assert_eq!(values[40]["ready"], 360);
        assert!(values[0]["error"].is_string() && values[0].get("ready").is_none(), "{values}");
        let ran = s.run(&[&["check", "--timeout", "2s", "--crit", "1000"], args.as_slice()].concat());
        assert_eq!(ran.code, 3, "{}", ran.stdout());
        assert!(ran.stdout().starts_with("DLQ UNKNOWN - 40 of 41 queues: "), "{}", ran.stdout());
    }
}

#[test]
fn a_broker_that_is_down_is_unknown_and_a_queue_over_its_limit_is_worse() {
    let s = Sandbox::new();
    let (listener, port) = silent();
    drop(listener);
    let down = format!("amqp://guest:guest@127.0.0.1:{port}/q");
    let ran = s.run(&["check", &down, "--crit", "10"]);
    assert_eq!((ran.code, ran.lines()), (3, 1), "{}", ran.stdout());
    let ran = s.run(&["check", &down, "file:orders.ndjson", "--crit", "10"]);
    assert_eq!(ran.code, 2, "{}", ran.stdout());
    assert!(ran.stdout().contains("UNKNOWN amqp://"), "{}", ran.stdout());
    assert_eq!(s.run(&["depth", &down, "file:none"]).code, 1);
}

#[test]
fn half_of_the_queues_missing() {
    let Some(q) = Queues::new(3) else { return };
    let s = Sandbox::new();
    let missing = |n: usize| q.address(n).replace("check.", "gone.");
    let (a, b, c, d) = (q.address(1), q.address(2), missing(1), missing(2));
    let ran = s.run(&["depth", "-o", "jsonl", &a, &c, &b, &d]);
    assert_eq!((ran.code, ran.lines()), (3, 4), "{}", ran.stderr);
    let lines: Vec<serde_json::Value> = ran.stdout().lines().map(|l| serde_json::from_str(l).expect("JSON")).collect();
    assert_eq!((&lines[0]["ready"], &lines[2]["ready"]), (&1.into(), &2.into()));
    assert!(lines[1]["error"].as_str().is_some_and(|e| e.contains("there is no queue")), "{}", lines[1]);
    let ran = s.run(&["check", "--warn", "2", "-o", "json", &a, &c, &b]);
    assert_eq!(ran.code, 3, "{}", ran.stdout());
    let statuses: Vec<_> =
        ran.json()["queues"].as_array().expect("a list").iter().map(|q| q["status"].clone()).collect();
    assert_eq!(statuses, ["OK", "UNKNOWN", "WARNING"]);
}

#[test]
fn a_user_without_rights_on_one_queue() {
    let Some(q) = Queues::new(2) else { return };
    let Some(control) = crate::servers::var("DLQ_TEST_RABBITMQ_43_CTL") else { return };
    let s = Sandbox::new();
    let user = format!("u{}", unique());
    let ctl = |args: &[&str]| {
        let done = std::process::Command::new(&control).args(args).output().expect("rabbitmqctl");
        assert!(done.status.success(), "{args:?}: {}", String::from_utf8_lossy(&done.stderr));
    };
    ctl(&["add_user", &user, "first"]);
    ctl(&["set_user_tags", &user, "administrator"]);
    ctl(&["set_permissions", &user, "^$", "^$", &format!("^{}$", q.names[0].replace('.', "\\."))]);
    let as_user = |n: usize| q.address(n).replace("guest:guest@", &format!("{user}:first@"));
    let may = s.run(&["can-i", "inspect", &as_user(0), "-o", "json"]);
    let mayn_t = s.run(&["can-i", "purge", &as_user(1), "-o", "json"]);
    let answer = |ran: &crate::sandbox::Ran| {
        let found = ran.json();
        let mut all = found.as_array().expect("a list").iter();
        all.find(|f| f["about"] == "permission to read").map(|f| f["answer"].clone())
    };
    let may = (answer(&may), may.code);
    // What may not be read may be counted, with any permission on it.
    ctl(&["set_permissions", &user, &q.names[1], "^$", &q.names[0]]);
    let counted = s.run(&["depth", &as_user(1)]);
    let count = s.run(&["can-i", "depth", &as_user(1), "-o", "json"]);
    let read = s.run(&["can-i", "redrive", &as_user(1), "-o", "json"]);
    ctl(&["set_permissions", &user, "^$", "^$", &format!("^{}$", q.names[0].replace('.', "\\."))]);
    let both = s.run(&["check", "--crit", "5", "-o", "json", &as_user(0), &as_user(1)]);
    // A command that is asked again finds the password that was changed meanwhile.
    std::fs::create_dir_all(s.path("config/dlq")).expect("a folder");
    s.write("password", &format!("{{\"username\":\"{user}\",\"password\":\"first\"}}"));
    s.write(
        "config/dlq/config.toml",
        &format!(
            "[cluster.rabbit]\naddress = {:?}\ncredential-command = \"cat {}\"\n[queue.one]\naddress = \"rabbit/{}\"\n",
            q.server.url.replace("guest:guest@", ""),
            s.path("password").display(),
            q.names[0]
        ),
    );
    let first = s.run(&["depth", "one"]);
    ctl(&["change_password", &user, "second"]);
    let stale = s.run(&["depth", "one"]);
    s.write("password", &format!("{{\"username\":\"{user}\",\"password\":\"second\"}}"));
    let second = s.run(&["depth", "one"]);
    ctl(&["delete_user", &user]);
    assert_eq!(may, (Some("yes".into()), 0));
    assert_eq!((counted.code, count.code, read.code), (0, 0, 1), "{} {}", counted.stderr, count.stdout());
    assert_eq!((mayn_t.code, &mayn_t.json()[0]["answer"]), (1, &"no".into()), "{}", mayn_t.stdout());
    let statuses: Vec<_> =
        both.json()["queues"].as_array().expect("a list").iter().map(|q| q["status"].clone()).collect();
    assert_eq!((both.code, statuses), (3, vec!["OK".into(), "UNKNOWN".into()]), "{}", both.stdout());
    assert_eq!((first.code, stale.code, second.code), (0, 1, 0), "{} {} {}", first.stderr, stale.stderr, second.stderr);
    assert!(stale.stderr.starts_with("denied:") && !stale.stderr.contains("first"), "{}", stale.stderr);
}

#[test]
fn growth_is_unknown_without_a_state_directory() {
    let mut s = Sandbox::new();
    s.write("file", "");
    s.environment.push(("DLQ_STATE_DIR".into(), s.path("file/below").display().to_string()));
    let ran = s.run(&["check", "file:orders.ndjson", "--max-growth", "10/h", "--warn", "1000"]);
    assert_eq!(ran.code, 3, "{}", ran.stdout());
    assert!(ran.stdout().contains("growth is not known: the state directory"), "{}", ran.stdout());
}
