//! Killed in the middle, again and again: then one run to the end, and every record is there once.

use std::time::Duration;

use rand::RngExt;

use crate::cluster::{cluster, until};
use crate::replaying::{counted, numbered, start};
use crate::sandbox::Sandbox;

/// Records, and how often a run is killed.
const MANY: usize = 100_000;
const KILLS: usize = 20;

#[test]
fn killed_at_any_moment_every_record_arrives_once() {
    let Some(cluster) = cluster() else { return };
    let (topic, origin) = (cluster.topic(4, &[]), cluster.topic(4, &[]));
    cluster.send(&topic, &numbered(&origin, MANY, 4));
    let sandbox = Sandbox::new();
    let address = cluster.address(&topic);
    // What a killed run leaves open must not hide the sets of other tests.
    let state = format!("state-topic={}", cluster.name());
    let mut marks = vec![];
    for _ in 0..KILLS {
        // Slow, so that there is something left to do whenever it is killed.
        let mut run = start(&sandbox, &["replay", &address, "-y", "--run", "one", "--rate", "8000/s", "-X", &state]);
        std::thread::sleep(Duration::from_millis(rand::rng().random_range(50..1600)));
        run.kill().expect("kill");
        run.wait().expect("wait");
        marks.push(cluster.ends(&origin).iter().map(|(_, high)| *high).sum::<i64>());
    }
    let ran = sandbox.run(&["replay", &address, "-y", "--run", "one", "-o", "json", "-X", &state]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(ran.json()["remaining"], 0, "{}", ran.stdout());
    let there = cluster.read(&origin);
    let counts = counted(&there, MANY);
    let (none, twice) = (counts.iter().filter(|n| **n == 0).count(), counts.iter().filter(|n| **n > 1).count());
    assert_eq!((none, twice), (0, 0), "missing and doubled, after runs that had come to {marks:?}");
}

#[test]
fn a_limit_counts_what_killed_attempts_did() {
    let Some(cluster) = cluster() else { return };
    let (topic, origin) = (cluster.topic(1, &[]), cluster.topic(1, &[]));
    cluster.send(&topic, &numbered(&origin, 8000, 1));
    let sandbox = Sandbox::new();
    let (address, state) = (cluster.address(&topic), format!("state-topic={}", cluster.name()));
    let args = ["replay", &address, "-n", "3000", "-y", "--run", "some", "--rate", "200/s", "-X", &state];
    let mut run = start(&sandbox, &args);
    until("it is under way", || cluster.ends(&origin).iter().map(|(_, high)| *high).sum::<i64>() >= 1000);
    run.kill().expect("kill");
    run.wait().expect("wait");
    let ran = sandbox.run(&["resume", "-y", "-q", "--rate", "100000/s"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let there = cluster.read(&origin).len();
    // Killed behind a commit and before it was counted, it does the records of that transaction over the limit.
    assert!((3000..3800).contains(&there), "{there}");
}
