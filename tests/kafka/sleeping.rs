//! A machine that sleeps in the middle of a run.

use std::time::{Duration, Instant};

use crate::cluster::cluster;
use crate::replaying::{counted, numbered, start};
use crate::sandbox::{Sandbox, signal};

#[test]
fn a_run_that_sleeps_for_longer_than_its_transaction_may_goes_on() {
    let Some(cluster) = cluster() else { return };
    let (topic, origin) = (cluster.topic(2, &[]), cluster.topic(1, &[]));
    cluster.send(&topic, &numbered(&origin, 800, 2));
    let sandbox = Sandbox::new();
    let (address, state) = (cluster.address(&topic), format!("state-topic={}", cluster.name()));
    let given = ["-X", &state, "-X", "transaction.timeout.ms=3000"];
    let run = start(&sandbox, &[&["replay", &address, "-y", "--rate", "100/s"][..], &given].concat());
    let began = Instant::now();
    while cluster.read(&origin).is_empty() {
        assert!(began.elapsed() < Duration::from_secs(60), "it begins");
        std::thread::sleep(Duration::from_millis(100));
    }
    for _ in 0..2 {
        // Somewhere in a transaction, which is open most of the time.
        std::thread::sleep(Duration::from_millis(730));
        signal(&run, "-STOP");
        std::thread::sleep(Duration::from_secs(7));
        signal(&run, "-CONT");
    }
    let ran = run.wait_with_output().expect("wait");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    assert!(counted(&cluster.read(&origin), 800).iter().all(|n| *n == 1), "each once");
    let left = sandbox.run(&["depth", &address, "-o", "json", "-X", &state]);
    assert_eq!(left.json()[0]["unresolved"], 0, "{}", left.stderr);
}
