//! Changing messages on the way, dry runs, and canaries.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aws_sdk_sqs::types::QueueAttributeName;

use crate::queues::{Letter, Queues, attribute, binary};
use crate::sandbox::Sandbox;

fn full(n: usize, attributes: usize) -> Letter {
    let letter = Letter::new(format!("{{\"n\":{n}}}"))
        .with("number", attribute("Number", "1.50"))
        .with("bytes", binary("Binary", &[0, 255]))
        .with("mail", attribute("String.email", "a@example.com"));
    (3..attributes).fold(letter, |l, at| l.with(&format!("a{at}"), attribute("String", "x")))
}

#[test]
fn types_of_attributes_survive_a_change_and_ten_are_the_most() {
    let Some(q) = Queues::open() else { return };
    let s = Sandbox::new();
    let (from, to) = (q.queue("from", &[]), q.queue("to", &[]));
    q.send(&from, &[full(1, 9)]);
    let (source, there) = (q.address(&from), q.address(&to));
    let replay = |more: &[&str]| {
        let args: Vec<&str> =
            ["replay", &source, "--to", &there, "-y", "-o", "json"].iter().chain(more).copied().collect();
        s.run(&args)
    };
    let ran = replay(&["--map", ".body.n = 2 | .headers.number = 2.50", "--drop-header", "a3"]);
    assert_eq!(
        (ran.code, &ran.json()["changed"], &ran.json()["unmarked"]),
        (0, &1.into(), &0.into()),
        "{}",
        ran.stderr
    );
    let got = q.drain(&to);
    let attributes = got[0].message_attributes.clone().unwrap();
    assert_eq!((got[0].body.as_deref(), attributes.len()), (Some("{\"n\":2}"), 9));
    assert_eq!(attributes["number"], attribute("Number", "2.50"));
    assert_eq!(attributes["bytes"], binary("Binary", &[0, 255]));
    assert_eq!(attributes["mail"], attribute("String.email", "a@example.com"));

    q.send(&from, &[full(1, 10)]);
    let ran = replay(&["--set-header", "eleventh=x"]);
    assert_eq!((ran.code, &ran.json()["failed"]), (1, &1.into()), "{}", ran.stderr);
    let ran = replay(&["--map", ".body = null"]);
    assert_eq!((ran.code, &ran.json()["failed"]), (1, &1.into()), "{}", ran.stderr);
    let ran = replay(&["--canary", "1", "--canary-wait", "1s"]);
    assert_eq!(ran.code, 6, "there is no room for the mark: {}", ran.stderr);
    assert_eq!(q.counts(&from), (1, 0));
    let ran = replay(&["--set-header", "a4=y"]);
    assert_eq!(
        (ran.code, &ran.json()["changed"], &ran.json()["unmarked"]),
        (0, &1.into(), &1.into()),
        "{}",
        ran.stderr
    );
}

#[test]
fn what_went_without_the_mark_is_not_said_to_have_stayed_away() {
    let Some(q) = Queues::open() else { return };
    let s = Sandbox::new();
    let (from, to) = (q.queue("from", &[]), q.queue("to", &[]));
    let (source, there) = (q.address(&from), q.address(&to));
    let watched = |attributes: usize, more: &[&str]| {
        q.send(&from, &[full(1, attributes)]);
        s.run(&[&["replay", &source, "--to", &there, "-y", "--watch-return", "1s"], more].concat())
    };
    let ran = watched(10, &[]);
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    assert!(ran.stdout().contains("1 message went without the mark: whether they came back"), "{}", ran.stdout());
    let ran = watched(3, &["-o", "json"]);
    assert_eq!((ran.code, &ran.json()["returned"]["came_back_complete"]), (0, &true.into()), "{}", ran.stderr);
}

#[test]
fn a_dry_run_gives_everything_back() {
    let Some(q) = Queues::open() else { return };
    let s = Sandbox::new();
    let (from, to) = (q.queue("from", &[]), q.queue("to", &[]));
    q.send(&from, &(0..20).map(|n| full(n, 4)).collect::<Vec<_>>());
    let queues = || {
        let mut names = q.runtime.block_on(q.client.list_queues().send()).unwrap().queue_urls.unwrap_or_default();
        names.retain(|name| name.contains(&q.name("")));
        names.sort();
        names
    };
    let before = queues();
    let (source, there) = (q.address(&from), q.address(&to));
    for more in [&["--map", ".body = 1"][..], &["--canary", "2", "--canary-wait", "1s"], &["--hold-while-backlog", "1"]]
    {
        let args: Vec<&str> = ["replay", &source, "--to", &there, "--dry-run"].iter().chain(more).copied().collect();
        let ran = s.run(&args);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        assert_eq!((q.counts(&from), q.counts(&to), queues()), ((20, 0), (0, 0), before.clone()));
    }
}

/// Receives until it is dropped, and deletes what it got, or does not.
struct Worker(Arc<AtomicBool>, Option<std::thread::JoinHandle<()>>);

impl Worker {
    fn start(q: &Queues, queue: &str, deletes: bool) -> Worker {
        let stop = Arc::new(AtomicBool::new(false));
        let (client, url, stopped) = (q.client.clone(), q.url(queue), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            while !stopped.load(Ordering::Relaxed) {
                let call = client.receive_message().queue_url(&url).max_number_of_messages(10);
                let got = runtime.block_on(call.send()).unwrap().messages.unwrap_or_default();
                for m in got.iter().filter(|_| deletes) {
                    let call = client.delete_message().queue_url(&url).receipt_handle(m.receipt_handle().unwrap());
                    runtime.block_on(call.send()).unwrap();
                }
                std::thread::sleep(Duration::from_millis(100));
            }
        });
        Worker(stop, Some(thread))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
        self.1.take().map(std::thread::JoinHandle::join);
    }
}

#[test]
fn a_canary_comes_back_is_consumed_or_is_not_known() {
    let Some(q) = Queues::open() else { return };
    let dead = q.queue("dead", &[]);
    let policy = format!("{{\"deadLetterTargetArn\":\"{}\",\"maxReceiveCount\":\"1\"}}", q.arn(&dead));
    let orders = q.queue(
        "orders",
        &[(QueueAttributeName::RedrivePolicy, policy.as_str()), (QueueAttributeName::VisibilityTimeout, "1")],
    );
    let letters: Vec<Letter> = (0..8).map(|n| full(n, 4)).collect();
    q.send(&orders, &letters);
    q.let_die(&orders, &dead, 8);
    let (s, source) = (Sandbox::new(), q.address(&dead));
    let replay = |more: &[&str]| {
        let args: Vec<&str> = ["replay", &source, "-y", "-o", "json"].iter().chain(more).copied().collect();
        s.run(&args)
    };
    let failing = Worker::start(&q, &orders, false);
    let ran = replay(&["--canary", "2", "--canary-wait", "8s"]);
    let report = ran.json();
    assert_eq!((ran.code, &report["canary"]["verdict"]), (6, &"came-back".into()), "{report}\n{}", ran.stderr);
    assert_eq!(report["canary"]["came_back"], 2, "{report}");
    drop(failing);
    let ran = replay(&["--canary", "2", "--canary-wait", "1s"]);
    assert_eq!((ran.code, &ran.json()["canary"]["verdict"]), (6, &"unknown".into()), "{}", ran.stderr);
    let working = Worker::start(&q, &orders, true);
    // The queue tells how long to wait; that nothing is left counts after a minute.
    let ran = replay(&["--canary", "2"]);
    let report = ran.json();
    assert_eq!((ran.code, &report["canary"]["verdict"]), (0, &"consumed".into()), "{report}\n{}", ran.stderr);
    assert_eq!(report["replayed"], 6, "{report}");
    drop(working);
}
