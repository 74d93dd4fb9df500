//! `--timeout` bounds a verdict whatever a broker does. On a service in this process, which hangs and dawdles when it is told to.

use std::time::{Duration, Instant};

use crate::fake_aws::{Fake, Fault, REGION};
use crate::sandbox::Sandbox;
use crate::{SOON, VERBS};

const RECEIVE: &str = "ReceiveMessage";

fn account() -> (Fake, Sandbox) {
    let (fake, mut s) = (Fake::start(), Sandbox::new());
    let set = [
        ("AWS_ENDPOINT_URL", fake.endpoint()),
        ("AWS_REGION", REGION.to_owned()),
        ("AWS_ACCESS_KEY_ID", "AKIAFAKE".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "fake".to_owned()),
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
    ];
    s.environment = set.map(|(k, v)| (k.to_owned(), v)).to_vec();
    (fake, s)
}

#[test]
fn a_look_that_hangs_ends_with_the_time_and_is_no_verdict() {
    for (asked, code, said) in [
        (&["--max-age", "1h"][..], 3, "the age of the oldest is not known: sqs://orders-dlq did not answer within 4s"),
        (&["--since", "1h", "--crit", "100"], 3, "0 messages died since or more: the look was cut short by --timeout"),
        (&["--crit", "1", "--causes"], 2, "causes of what was seen: the look was cut short by --timeout"),
    ] {
        let (fake, s) = account();
        fake.queue("orders-dlq");
        fake.fill("orders-dlq", 5, None);
        fake.lasting(RECEIVE, Fault::Hangs);
        let began = Instant::now();
        let common = ["check", "sqs://orders-dlq", "--accept", "receive-count", "--timeout", "4s"];
        let ran = s.run(&[&common[..], asked].concat());
        assert!(began.elapsed() < SOON, "{asked:?}: {:?}", began.elapsed());
        assert_eq!(ran.code, code, "{asked:?}: {}", ran.stdout());
        assert!(ran.stdout().contains(said), "{asked:?}: {}", ran.stdout());
    }
}

#[test]
fn what_was_seen_before_the_time_was_over_counts_for_what_it_is() {
    let (fake, s) = account();
    fake.queue("orders-dlq");
    fake.fill("orders-dlq", 200, None);
    fake.next(RECEIVE, [Fault::None]);
    fake.lasting(RECEIVE, Fault::Hangs);
    let common = ["check", "sqs://orders-dlq", "--accept", "receive-count", "--timeout", "5s", "--since", "1h"];
    let ran = s.run(&[&common[..], &["--crit", "100", "-o", "json"]].concat());
    let report = ran.json();
    let queue = &report["queues"][0];
    assert_eq!((ran.code, &queue["status"]), (3, &"UNKNOWN".into()), "{report:#}");
    assert_eq!(queue["count"], 10, "one receive: {report:#}");
    assert!(queue["reasons"][0].as_str().is_some_and(|r| r.contains("died since or more")), "{report:#}");
}

#[test]
fn queues_that_answer_slowly_do_not_stretch_the_time() {
    let (fake, s) = account();
    let names: Vec<String> = (0..60).map(|n| format!("q{n}")).collect();
    let queues: Vec<String> = names.iter().map(|name| format!("sqs://{name}")).collect();
    names.iter().for_each(|name| _ = fake.queue(name));
    // Each answers in time, and one round of all of them does not.
    fake.lasting("GetQueueAttributes", Fault::Slow(Duration::from_millis(1400)));
    let args: Vec<&str> = queues.iter().map(String::as_str).collect();
    let ran = s.run(&[&["check", "--crit", "1", "--timeout", "2s", "-o", "json"], args.as_slice()].concat());
    let report = ran.json();
    let found = report["queues"].as_array().expect("a list");
    let unknown = found.iter().filter(|q| q["status"] == "UNKNOWN").count();
    assert_eq!((ran.code, found.len()), (3, 60), "{report:#}");
    assert!(unknown >= 28, "{unknown} of 60 were not asked in time: {report:#}");
    let last = found[59]["reasons"][0].as_str().expect("a reason");
    assert!(last.contains("did not answer within 2s"), "{last}");
}

#[test]
fn keys_from_a_command_are_asked_for_again_when_they_expire_and_what_is_wrong_with_it_is_told() {
    let (fake, mut s) = account();
    s.environment.retain(|(name, _)| !name.contains("KEY"));
    fake.queue("orders-dlq");
    let expiry = |after: &str| {
        let at = format!("$(date -u -d '{after}' +%FT%TZ)");
        let keys = format!("'{{\"AccessKeyId\":\"AKIAFAKE\",\"SecretAccessKey\":\"fake\",\"Expiration\":\"'{at}'\"}}'");
        format!("credential-command=echo >> asked; echo {keys}")
    };
    let asked = |after: &str, lasting: &str| {
        s.write("asked", "");
        // Each look is a request of its own; the client asks for keys some time before they expire, at random.
        let given = expiry(after);
        let common = ["check", "sqs://orders-dlq", "--expect-empty", "--for", lasting, "-X"];
        let ran = s.run(&[&common[..], &[given.as_str()]].concat());
        assert_eq!(ran.code, 0, "{}", ran.stdout());
        s.read("asked").lines().count()
    };
    assert_eq!(asked("+1 hour", "2s"), 1);
    assert!(asked("+5 seconds", "8s") > 1);
    for (command, limit, said) in [
        ("echo the vault is sealed >&2; exit 3", "20s", "the vault is sealed"),
        ("echo nonsense", "20s", "names its access key id"),
        (
            "echo '{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"s\",\"Expiration\":\"2001-01-01T00:00:00Z\"}'",
            "20s",
            "expired at 2001",
        ),
        // That it was the command, or that nothing came, as it happens.
        ("sleep 60", "2s", " within 2"),
    ] {
        let given = format!("credential-command={command}");
        let ran = s.run(&["check", "sqs://orders-dlq", "--crit", "1", "--timeout", limit, "-X", &given]);
        assert!(ran.code == 3 && ran.stdout().contains(said), "{command}: {}", ran.stdout());
    }
}

#[test]
fn whether_a_verb_could_be_used_is_told_without_a_receive_or_a_send() {
    let (fake, s) = account();
    fake.queue("orders");
    fake.queue("orders-dlq");
    fake.redrive("orders", "orders-dlq", 3);
    fake.fill("orders-dlq", 5, Some("orders"));
    for verb in VERBS {
        for more in [&[][..], &["--to", "sqs://orders"]] {
            let ran = s.run(&[&["can-i", verb, "sqs://orders-dlq"], more].concat());
            assert!([0, 3].contains(&ran.code), "{verb} {more:?}: {}{}", ran.stdout(), ran.stderr);
        }
    }
    let harmless = |call: &String| ["Get", "List"].iter().any(|begin| call.starts_with(begin));
    let called = fake.called();
    assert!(called.iter().all(harmless) && !called.is_empty(), "{called:?}");
}
