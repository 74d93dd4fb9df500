//! Watching: brokers that go away and come back, conditions, commands that hang or fail.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cluster::{Cluster, cluster};
use crate::management::Vhost;
use crate::proxy::Proxy;
use crate::sandbox::{Sandbox, signal};

/// A watch that is under way, and what it has printed so far.
struct Running {
    child: Child,
    out: Arc<Mutex<Vec<String>>>,
    err: Arc<Mutex<Vec<String>>>,
}

fn collect(stream: impl std::io::Read + Send + 'static) -> Arc<Mutex<Vec<String>>> {
    let lines = Arc::new(Mutex::new(vec![]));
    let kept = Arc::clone(&lines);
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            kept.lock().unwrap().push(line);
        }
    });
    lines
}

impl Running {
    fn start(s: &Sandbox, args: &[&str]) -> Running {
        let mut child = s
            .command()
            .arg("watch")
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (out, err) = (collect(child.stdout.take().unwrap()), collect(child.stderr.take().unwrap()));
        Running { child, out, err }
    }

    /// Waits until one of the lines printed so far is as wanted.
    fn until(&self, what: &str, wanted: impl Fn(&Value) -> bool) {
        let began = Instant::now();
        loop {
            let lines = self.out.lock().unwrap().clone();
            if lines.iter().any(|l| wanted(&serde_json::from_str(l).unwrap())) {
                return;
            }
            let err = self.err.lock().unwrap().clone();
            assert!(began.elapsed() < Duration::from_secs(60), "{what}: {lines:#?} {err:#?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Its exit code, once it ends by itself.
    fn wait(&mut self) -> i32 {
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(120) {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code().unwrap_or(-1);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        self.child.kill().unwrap();
        panic!("it does not end: {:#?} {:#?}", self.out.lock().unwrap(), self.err.lock().unwrap());
    }

    fn interrupt(&mut self) -> i32 {
        signal(&self.child, "-INT");
        self.wait()
    }

    /// How often it has said that, once it has.
    fn said(&self, text: &str) -> usize {
        let (began, said) = (Instant::now(), || self.err.lock().unwrap().iter().filter(|l| l.contains(text)).count());
        while said() == 0 && began.elapsed() < Duration::from_secs(60) {
            std::thread::sleep(Duration::from_millis(20));
        }
        // What it wrote last may still be on its way through the pipe.
        std::thread::sleep(Duration::from_millis(100));
        said()
    }
}

const FAST: [&str; 4] = ["--interval", "200ms", "-o", "jsonl"];

#[test]
fn a_broker_that_goes_away_is_said_once_and_is_read_again_when_it_is_back() {
    let Some(v) = Vhost::new() else { return };
    v.queue("dead", json!({}));
    v.publish("dead", 2);
    let server = v.server.url.rsplit_once('@').unwrap().1.to_owned();
    let proxy = Proxy::to(&server);
    let address = v.address("dead").replace(&server, &format!("127.0.0.1:{}", proxy.port));
    let s = Sandbox::new();
    let args = [&[address.as_str(), "--timeout", "20s"], &FAST[..]].concat();
    let mut watch = Running::start(&s, &args);
    watch.until("the first reading", |r| r["ready"] == 2);
    proxy.cut();
    watch.until("the loss", |r| !r["error"].is_null());
    v.publish("dead", 3);
    std::thread::sleep(Duration::from_secs(2));
    proxy.mend();
    watch.until("the return", |r| r["ready"] == 5 && r["change_since_start"] == 3);
    assert_eq!(watch.said("cannot be read for now"), 1, "{:#?}", watch.err.lock().unwrap());
    assert_eq!(watch.said("is back, after"), 1, "{:#?}", watch.err.lock().unwrap());
    assert_eq!(watch.interrupt(), 130);
    assert!(!watch.out.lock().unwrap().iter().any(|l| l.contains("guest:guest")));
}

#[test]
fn a_login_that_was_changed_meanwhile_is_asked_for_when_the_broker_is_back() {
    let Some(v) = Vhost::new() else { return };
    v.queue("dead", json!({}));
    v.publish("dead", 2);
    let user = v.user("changes", "management");
    v.allow(&user);
    let server = v.server.url.rsplit_once('@').unwrap().1.to_owned();
    let proxy = Proxy::to(&server);
    let s = Sandbox::new();
    let login = |password: &str| {
        s.write(
            "login",
            &json!({ "username": user, "password": password, "expires": "2099-01-01T00:00:00Z" }).to_string(),
        );
        v.password(&user, password);
    };
    login("hunter-one");
    std::fs::create_dir_all(s.path("config/dlq")).unwrap();
    let command = format!("sh -c 'echo >> asked; cat {}'", s.path("login").display());
    let text = format!(
        "[cluster.prod]\naddress = \"amqp://127.0.0.1:{}/{}\"\ncredential-command = {command:?}\n\
         options = {{ management = {:?} }}\n[queue.dead]\naddress = \"prod/dead\"\n",
        proxy.port,
        crate::management::encoded(&v.name),
        v.server.management
    );
    s.write("config/dlq/config.toml", &text);
    let mut watch = Running::start(&s, &[&["dead", "--timeout", "20s"], &FAST[..]].concat());
    watch.until("the first reading", |r| r["ready"] == 2);
    let asked = s.read("asked").lines().count();
    proxy.cut();
    watch.until("the loss", |r| !r["error"].is_null());
    login("hunter-two");
    v.publish("dead", 1);
    proxy.mend();
    watch.until("the return", |r| r["ready"] == 3);
    assert!(s.read("asked").lines().count() > asked, "the command was asked again");
    assert_eq!(watch.interrupt(), 130);
    let all = [watch.out.lock().unwrap().concat(), watch.err.lock().unwrap().concat()].concat();
    assert!(!all.contains("hunter-"), "{all}");
}

#[test]
fn a_silent_broker_is_bounded_and_holds_up_no_other() {
    let Some(v) = Vhost::new() else { return };
    v.queue("dead", json!({}));
    // Takes connections and never says a word.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mute = format!("amqp://127.0.0.1:{}/q?management=none", silent.local_addr().unwrap().port());
    let s = Sandbox::new();
    let address = v.address("dead");
    let mut watch = Running::start(&s, &[&[address.as_str(), &mute, "--timeout", "4s"], &FAST[..]].concat());
    watch.until("the silence", |r| r["error"].as_str().is_some_and(|e| e.contains("did not answer")));
    let readings = watch.out.lock().unwrap().iter().filter(|l| l.contains("\"ready\":0")).count();
    assert!(readings >= 3, "the other was read all the while: {readings}");
    assert_eq!(watch.interrupt(), 130);
}

#[test]
fn until_empty_waits_for_a_consumer_to_drain_it() {
    let Some(v) = Vhost::new() else { return };
    v.queue("dead", json!({}));
    v.publish("dead", 12);
    let s = Sandbox::new();
    let address = v.address("dead");
    // The management API counts what is in flight some seconds late, so that it is called an estimate while somebody consumes.
    let args = [&[address.as_str(), "--until-empty", "--for", "1s", "--timeout", "100s"], &FAST[..]].concat();
    let mut watch = Running::start(&s, &args);
    watch.until("the first reading", |r| r["ready"] == 12);
    while v.take("dead", 4) > 0 {
        std::thread::sleep(Duration::from_millis(300));
        assert!(watch.child.try_wait().unwrap().is_none() || v.take("dead", 1) == 0);
    }
    assert_eq!(watch.wait(), 0, "{:#?}", watch.err.lock().unwrap());
    assert_eq!(watch.said("empty holds"), 1);
    assert!(watch.out.lock().unwrap().last().unwrap().contains("\"ready\":0"));
}

#[test]
fn a_condition_that_does_not_come_true_in_time_fails_and_says_how_it_stands() {
    let s = Sandbox::new();
    let began = Instant::now();
    let ran = s.run(&["watch", "file:orders.ndjson", "--until", "depth<100", "--timeout", "1s", "--interval", "100ms"]);
    assert_eq!(ran.code, 1);
    assert!(began.elapsed() < Duration::from_secs(30));
    assert!(
        ran.stderr.contains("depth<100 did not come true within 1s: file:orders.ndjson has 360 waiting"),
        "{}",
        ran.stderr
    );
    assert_eq!(ran.lines(), 1, "one line, since nothing changed: {}", ran.stdout());
    let ran = s.run(&["watch", "file:orders.ndjson", "--until", "age<1h"]);
    assert!([0, 4].contains(&ran.code), "{} {}", ran.code, ran.stderr);
    for (args, text) in [
        (vec!["--until", "depth=>3"], "a condition is written"),
        (vec!["--until-empty", "--until", "depth<1"], "cannot be used with"),
        (vec!["--for", "3s"], "--until"),
        (vec!["--exec", "true"], "--when"),
        (vec!["--when", "depth>1", "--exec", "a 'b"], "quote"),
        (vec!["-o", "json"], "-o jsonl"),
        (vec!["--interval", "1ms"], "100ms"),
    ] {
        let ran = s.run(&[&["watch", "file:orders.ndjson"], &args[..]].concat());
        assert_eq!(ran.code, 2, "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(text), "{args:?}: {}", ran.stderr);
    }
    let ran = s.run(&["watch", "file:nowhere.ndjson", "--until-empty"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
}

#[test]
fn a_command_is_run_once_a_crossing_and_once_when_it_is_over_with_a_sample_where_a_look_is_free() {
    let Some(c) = cluster() else { return };
    let topic = c.topic(1, &[]);
    let s = Sandbox::new();
    s.write("note", "#!/bin/sh\ncat >> events\n");
    assert!(std::process::Command::new("chmod").arg("+x").arg(s.path("note")).status().unwrap().success());
    let (address, note) = (c.address(&topic), s.path("note").display().to_string());
    let state = format!("state-topic={}", c.name());
    let when = ["--when", "depth>=2", "--exec", note.as_str(), "-X", state.as_str()];
    let mut watch = Running::start(&s, &[&[address.as_str()], &FAST[..], &when[..]].concat());
    watch.until("the first reading", |r| r["unresolved"] == 0);
    let send = |n: usize| c.send(&topic, &vec![Cluster::dead("orders", 0, "k", "{\"total\":12345678901234567890}"); n]);
    send(1);
    watch.until("one", |r| r["unresolved"] == 1);
    send(2);
    watch.until("three", |r| r["unresolved"] == 3);
    send(1);
    watch.until("four", |r| r["unresolved"] == 4);
    let purged = s.run(&["purge", &address, "--all", "--no-backup", "-y", "-X", &state]);
    assert_eq!(purged.code, 0, "{}", purged.stderr);
    watch.until("none", |r| r["unresolved"] == 0 && r["change"].as_i64().is_some_and(|n| n < 0));
    let began = Instant::now();
    while s.read("events").lines().count() < 2 && began.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(50));
    }
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(watch.interrupt(), 130);
    let events = s.read("events");
    let events: Vec<Value> = events.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(events.iter().map(|e| e["event"].as_str().unwrap()).collect::<Vec<_>>(), ["crossed", "recovered"]);
    assert_eq!((&events[0]["queue"], &events[0]["when"]), (&json!(address), &json!("depth>=2")));
    assert_eq!((&events[0]["depth"], &events[0]["sample"]["death"]["origin"]["queue"]), (&json!(3), &json!("orders")));
    assert!(events[0]["oldest"].is_string() && s.read("events").contains("12345678901234567890"));
    assert_eq!((&events[1]["depth"], &events[1]["sample"]), (&json!(0), &Value::Null));
}

#[test]
fn a_command_that_hangs_fails_or_is_missing_is_told_and_stops_nothing() {
    let s = Sandbox::new();
    for (command, limit, told) in [
        ("sleep 1000", "300ms", "did not end within 300ms and was killed"),
        ("sh -c 'echo out of paper >&2; exit 7'", "20s", "out of paper"),
        ("/no/such/command", "20s", "cannot be started"),
    ] {
        let args = ["file:orders.ndjson", "--when", "depth>1", "--exec", command, "--exec-timeout", limit];
        let mut watch = Running::start(&s, &[&args[..], &FAST[..]].concat());
        assert!(watch.said(told) > 0, "{command}: {:#?}", watch.err.lock().unwrap());
        let (began, before) = (Instant::now(), watch.out.lock().unwrap().len());
        while watch.out.lock().unwrap().len() == before {
            assert!(began.elapsed() < Duration::from_secs(60), "{command}: it goes on reading");
            std::thread::sleep(Duration::from_millis(50));
        }
        // Longer than it takes to be told twice.
        std::thread::sleep(Duration::from_millis(700));
        assert_eq!(watch.said("--exec"), 1, "{command}: told once");
        assert_eq!(watch.interrupt(), 130);
    }
}

#[test]
fn ctrl_c_ends_a_command_that_runs_and_words_are_no_shells() {
    let s = Sandbox::new();
    let args = ["file:orders.ndjson", "--when", "depth>1", "--exec", "sleep 1000", "--exec-timeout", "10m"];
    let mut watch = Running::start(&s, &[&args[..], &FAST[..]].concat());
    watch.until("a reading", |r| r["ready"] == 360);
    std::thread::sleep(Duration::from_millis(500));
    let began = Instant::now();
    assert_eq!(watch.interrupt(), 130);
    assert!(began.elapsed() < Duration::from_secs(60), "took {:?}", began.elapsed());
    let args = ["watch", "file:orders.ndjson", "--when", "depth>1", "--until", "depth>1", "--exec"];
    let ran = s.run(&[&args[..], &["touch '$(touch made-by-a-shell)' ';' plain"]].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(
        !s.path("made-by-a-shell").exists() && s.path("$(touch made-by-a-shell)").exists() && s.path("plain").exists()
    );
}
