//! The time a record had, and what topics make of it.

use crate::cluster::{Stored, cluster};
use crate::replaying::numbered;
use crate::sandbox::Sandbox;

const DAY: i64 = 24 * 3600 * 1000;

fn now() -> i64 {
    i64::try_from(std::time::SystemTime::UNIX_EPOCH.elapsed().expect("after 1970").as_millis()).expect("small")
}

/// Records that are so many days old.
fn aged(origin: &str, many: usize, days: i64) -> Vec<Stored> {
    numbered(origin, many, 1).into_iter().map(|r| Stored { time: Some(now() - days * DAY), ..r }).collect()
}

#[test]
fn the_time_is_now_and_the_one_it_had_is_in_a_header_unless_it_is_to_be_kept() {
    let Some(cluster) = cluster() else { return };
    let (topic, origin) = (cluster.topic(1, &[]), cluster.topic(1, &[]));
    cluster.send(&topic, &aged(&origin, 4, 3));
    let (sandbox, address, begun) = (Sandbox::new(), cluster.address(&topic), now());
    let ran = sandbox.run(&["replay", &address, "-y", "-n", "2"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let ran = sandbox.run(&["replay", &address, "-y", "--keep-timestamps"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let times = cluster.times(&origin);
    assert!(times[..2].iter().all(|t| *t >= begun), "{times:?}");
    assert!(times[2..].iter().all(|t| (begun - 3 * DAY - t).abs() < 60_000), "{times:?}");
    let had: Vec<bool> = cluster
        .read(&origin)
        .iter()
        .map(|r| r.headers.iter().any(|(name, _)| name == "dlq-original-timestamp"))
        .collect();
    assert_eq!(had, [true, true, false, false]);
}

#[test]
fn a_time_that_its_topic_would_not_keep_is_refused_with_the_reason() {
    let Some(cluster) = cluster() else { return };
    for (settings, days, wanted) in [
        (&[("message.timestamp.before.max.ms", "3600000")][..], 1, "message.timestamp.before.max.ms"),
        (&[("message.timestamp.after.max.ms", "3600000")], -1, "message.timestamp.after.max.ms"),
        (&[("retention.ms", "3600000")], 1, "would delete it at once"),
        (&[("message.timestamp.type", "LogAppendTime")], 1, "message.timestamp.type=LogAppendTime"),
    ] {
        let (topic, origin) = (
            cluster.topic(1, &[("message.timestamp.after.max.ms", "9223372036854775807")]),
            cluster.topic(1, settings),
        );
        cluster.send(&topic, &aged(&origin, 3, days));
        let (sandbox, address) = (Sandbox::new(), cluster.address(&topic));
        let ran = sandbox.run(&["replay", &address, "-y", "--keep-timestamps", "-o", "json"]);
        assert!(matches!(ran.code, 3 | 1), "{settings:?} {}", ran.stderr);
        let report = ran.json();
        assert_eq!((&report["replayed"], &report["failed"]), (&0.into(), &3.into()), "{settings:?} {report}");
        assert!(ran.stderr.contains(wanted), "{settings:?} {}", ran.stderr);
        assert_eq!(cluster.read(&origin), [], "{settings:?}");
        assert_eq!(sandbox.run(&["filter", &address, "true"]).lines(), 3, "{settings:?}");
        let ran = sandbox.run(&["replay", &address, "-y"]);
        assert_eq!(ran.code, 0, "without the time it goes: {settings:?} {}", ran.stderr);
    }
    // What is only compacted keeps its records, however old.
    let (topic, origin) =
        (cluster.topic(1, &[]), cluster.topic(1, &[("cleanup.policy", "compact"), ("retention.ms", "1000")]));
    cluster.send(&topic, &aged(&origin, 3, 1));
    let ran = Sandbox::new().run(&["replay", &cluster.address(&topic), "-y", "--keep-timestamps"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
}
