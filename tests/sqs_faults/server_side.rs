//! `--server-side`: the move task of the service.

use crate::bench::{Bench, DEAD, SOURCE, count};
use crate::fake_aws::arn;

#[test]
fn everything_is_moved_by_the_service() {
    let b = Bench::new(9);
    let (ran, report) = b.replay(&["--server-side", "--rate", "100/s"]);
    assert_eq!((ran.code, count(&report, "replayed")), (0, 9), "{} {report:#}", ran.stderr);
    assert_eq!((b.fake.messages(DEAD).len(), b.fake.messages(SOURCE).len()), (0, 9));
    assert!(b.fake.calls("ReceiveMessage").is_empty() && b.fake.calls("SendMessageBatch").is_empty());
    let start = &b.fake.calls("StartMessageMoveTask")[0].body;
    assert_eq!((&start["SourceArn"], &start["MaxNumberOfMessagesPerSecond"]), (&arn(DEAD).into(), &100.into()));
    assert!(start.get("DestinationArn").is_none(), "each to its own source: {start}");
}

#[test]
fn what_it_cannot_do_is_refused_with_the_reason() {
    let b = Bench::new(3);
    let dead = format!("sqs://{DEAD}");
    for more in [&["--filter", ".body.n == 1"][..], &["-n", "1"], &["--id", "x"]] {
        let ran = b.run(&[&["replay", dead.as_str(), "--server-side", "--yes"], more].concat());
        assert!([2, 4].contains(&ran.code), "{more:?}: {} {}", ran.code, ran.stderr);
    }
    let ran = b.run(&["replay", &dead, "--server-side", "--rate", "1000/s", "--yes"]);
    assert!([2, 4].contains(&ran.code) && ran.stderr.contains("500"), "{} {}", ran.code, ran.stderr);
    // No queue has it as its dead-letter queue.
    b.fake.queue("alone");
    b.fake.fill("alone", 2, None);
    let ran = b.run(&["replay", "sqs://alone", "--to", &format!("sqs://{SOURCE}"), "--server-side", "--yes"]);
    assert!([1, 4].contains(&ran.code), "{}", ran.stderr);
    assert!(ran.stderr.to_lowercase().contains("dead-letter queue"), "{}", ran.stderr);
    assert_eq!(b.fake.messages(DEAD).len() + b.fake.messages("alone").len(), 5);
    assert!(b.fake.messages(SOURCE).is_empty());
}

#[test]
fn what_the_service_could_not_place_stays_and_is_told() {
    let b = Bench::new(4);
    b.fake.fill(DEAD, 1, None);
    let (ran, report) = b.replay(&["--server-side"]);
    assert_ne!(ran.code, 0, "{report:#}");
    assert_eq!(b.fake.messages(DEAD).len() + b.fake.messages(SOURCE).len(), 5);
}
