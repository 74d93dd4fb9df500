//! Without the permissions a verb takes it is refused, with what to do; and the resolved set on this machine instead.

use crate::acls::{self, Denied, Operation, Resource};
use crate::cluster::{Cluster, Stored, cluster, until};
use crate::copying::now;
use crate::replaying::{counted, numbered, start};
use crate::sandbox::{Ran, Sandbox};
use crate::servers;

/// Runs as the user `reader`.
pub fn as_reader(sandbox: &Sandbox, args: &[&str]) -> Ran {
    sandbox.write("password", "secret");
    let mut all = args.to_vec();
    for option in ["security.protocol=sasl_plaintext", "sasl.mechanisms=PLAIN", "sasl.username=reader"] {
        all.extend(["-X", option]);
    }
    all.extend(["-X", "password-file=password", "--timeout", "15s"]);
    sandbox.run(&all)
}

#[test]
fn what_is_not_allowed_is_refused_with_what_it_takes() {
    let _alone = acls::alone();
    let Some(cluster) = cluster() else { return };
    let Some(sasl) = servers::var("DLQ_TEST_KAFKA_SASL_URL") else { return };
    let (topic, origin, state) = (cluster.topic(1, &[]), cluster.topic(1, &[]), cluster.name());
    cluster.send(&topic, &numbered(&origin, 20, 1));
    let (address, option) = (format!("{sasl}/{topic}"), format!("state-topic={state}"));
    let sandbox = Sandbox::new();
    let replay = || as_reader(&sandbox, &["replay", &address, "-y", "-o", "json", "-X", &option]);
    let refused = |ran: &Ran, wanted: &str| {
        assert!(matches!(ran.code, 1 | 3), "{wanted}: {} {}", ran.code, ran.stderr);
        assert!(ran.stderr.contains(wanted), "{wanted}: {}", ran.stderr);
        assert_eq!(cluster.read(&origin), [], "{wanted}");
    };

    let mut denied = Denied::none(&cluster);
    denied.deny(Resource::RD_KAFKA_RESOURCE_TOPIC, &topic, Operation::RD_KAFKA_ACL_OPERATION_READ);
    let ran = as_reader(&sandbox, &["filter", &address, "true"]);
    refused(&ran, "is not shown to \"reader\"");
    denied.allow(Resource::RD_KAFKA_RESOURCE_TOPIC, &topic, Operation::RD_KAFKA_ACL_OPERATION_DESCRIBE);
    let ran = as_reader(&sandbox, &["filter", &address, "true"]);
    refused(&ran, "does not allow this user that topic");
    assert!(ran.stderr.contains("READ"), "{}", ran.stderr);
    drop(denied);

    let mut denied = Denied::none(&cluster);
    denied.deny(Resource::RD_KAFKA_RESOURCE_BROKER, "kafka-cluster", Operation::RD_KAFKA_ACL_OPERATION_CREATE);
    denied.deny(Resource::RD_KAFKA_RESOURCE_TOPIC, &state, Operation::RD_KAFKA_ACL_OPERATION_CREATE);
    denied.allow(Resource::RD_KAFKA_RESOURCE_TOPIC, &state, Operation::RD_KAFKA_ACL_OPERATION_DESCRIBE);
    let ran = replay();
    refused(&ran, "cannot be made");
    assert!(ran.stderr.contains("-X state=local"), "{}", ran.stderr);
    drop(denied);

    cluster.create(&state, 4, &[("cleanup.policy", "compact")]);
    let mut denied = Denied::none(&cluster);
    denied.deny(Resource::RD_KAFKA_RESOURCE_TOPIC, &state, Operation::RD_KAFKA_ACL_OPERATION_DESCRIBE);
    refused(&replay(), "-X state=local");
    drop(denied);

    let mut denied = Denied::none(&cluster);
    denied.deny(Resource::RD_KAFKA_RESOURCE_TRANSACTIONAL_ID, "dlq-", Operation::RD_KAFKA_ACL_OPERATION_WRITE);
    refused(&replay(), "-X state=local");
    drop(denied);

    let mut denied = Denied::none(&cluster);
    denied.deny(Resource::RD_KAFKA_RESOURCE_TOPIC, &origin, Operation::RD_KAFKA_ACL_OPERATION_WRITE);
    denied.allow(Resource::RD_KAFKA_RESOURCE_TOPIC, &origin, Operation::RD_KAFKA_ACL_OPERATION_DESCRIBE);
    let ran = replay();
    refused(&ran, "does not allow \"reader\" to write to the topic");
    assert_eq!((&ran.json()["replayed"], &ran.json()["failed"]), (&0.into(), &20.into()), "{}", ran.stdout());
    drop(denied);

    let ran = replay();
    assert_eq!(ran.code, 0, "allowed again, it is done: {}", ran.stderr);
    assert_eq!(cluster.read(&origin).len(), 20);
}

#[test]
fn without_the_topic_of_the_set_it_is_kept_on_this_machine() {
    let _alone = acls::alone();
    let Some(cluster) = cluster() else { return };
    let Some(sasl) = servers::var("DLQ_TEST_KAFKA_SASL_URL") else { return };
    let (topic, origin, state) = (cluster.topic(3, &[]), cluster.topic(2, &[]), cluster.topic(2, &[]));
    cluster.send(&topic, &numbered(&origin, 3000, 3));
    let mut denied = Denied::none(&cluster);
    denied.deny(Resource::RD_KAFKA_RESOURCE_TOPIC, &state, Operation::RD_KAFKA_ACL_OPERATION_READ);
    denied.deny(Resource::RD_KAFKA_RESOURCE_TOPIC, &state, Operation::RD_KAFKA_ACL_OPERATION_WRITE);
    denied.deny(Resource::RD_KAFKA_RESOURCE_TRANSACTIONAL_ID, "dlq-", Operation::RD_KAFKA_ACL_OPERATION_WRITE);
    let (address, option) = (format!("{sasl}/{topic}"), format!("state-topic={state}"));
    let sandbox = Sandbox::new();
    let local = ["-X", "state=local", "-X", &option];
    let run = |args: &[&str]| as_reader(&sandbox, &[args, &local].concat());
    let ran = run(&["replay", &address, "--dry-run"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("on this machine alone"), "{}", ran.stderr);
    assert!(ran.stderr.contains("at least once") && !ran.stderr.contains("exactly once"), "{}", ran.stderr);
    let ran = run(&["replay", &address, "-y", "-o", "json", "-n", "1000"]);
    assert_eq!((ran.code, &ran.json()["replayed"]), (0, &1000.into()), "{}", ran.stderr);
    assert_eq!(cluster.read(&origin).len(), 1000);
    assert_eq!(run(&["filter", &address, "true"]).lines(), 2000);
    let depth = run(&["depth", &address, "-o", "json"]).json();
    assert_eq!((&depth[0]["ready"], &depth[0]["unresolved"]), (&3000.into(), &2000.into()));
    let ran = run(&["replay", &address, "-y"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(counted(&cluster.read(&origin), 3000).iter().all(|n| *n == 1));
    // Elsewhere nobody knows.
    let elsewhere = Sandbox::new();
    assert_eq!(as_reader(&elsewhere, &[&["filter", &address, "true"][..], &local].concat()).lines(), 3000);
    drop(denied);
    // With the topic it counts too, and is in it from then on.
    let more: Vec<Stored> = numbered(&origin, 3, 3);
    cluster.send(&topic, &more);
    let ran = sandbox.run(&["replay", &cluster.address(&topic), "-y", "-o", "json", "-X", &option]);
    assert_eq!((ran.code, &ran.json()["replayed"]), (0, &3.into()), "{}", ran.stderr);
    let seen = elsewhere.run(&["filter", &cluster.address(&topic), "true", "-X", &option]);
    assert_eq!((seen.lines(), seen.code), (0, 0), "{}", seen.stderr);
}

#[test]
fn killed_with_the_set_on_this_machine_nothing_is_missing_and_two_runs_keep_apart() {
    let Some(cluster) = cluster() else { return };
    let (topic, origin) = (cluster.topic(2, &[]), cluster.topic(2, &[]));
    cluster.send(&topic, &numbered(&origin, 20_000, 2));
    let (sandbox, address) = (Sandbox::new(), cluster.address(&topic));
    let replay = ["replay", &address, "-y", "-o", "json", "-X", "state=local", "--run", "killed-and-again"];
    let there = || cluster.ends(&origin).iter().map(|(_, high)| *high).sum::<i64>();
    for _ in 0..5 {
        let before = there();
        let mut run = start(&sandbox, &[&replay[..], &["--rate", "500/s"]].concat());
        until("it is under way", || there() > before + 200);
        let second = sandbox.run(&["replay", &address, "-y", "-X", "state=local"]);
        assert_eq!(second.code, 6, "{}", second.stderr);
        assert!(second.stderr.contains("in use"), "{}", second.stderr);
        run.kill().expect("kill");
        run.wait().expect("wait");
    }
    let ran = sandbox.run(&replay);
    assert_eq!((ran.code, &ran.json()["remaining"]), (0, &0.into()), "{}", ran.stderr);
    let counts = counted(&cluster.read(&origin), 20_000);
    assert_eq!(counts.iter().filter(|n| **n == 0).count(), 0, "missing");
    // What was sent and not yet noted when a run was killed comes twice: less than is under way at once.
    let twice: usize = counts.iter().map(|n| n - 1).sum();
    assert!(twice < 5 * 1000, "{twice} came twice");
}

#[test]
fn what_the_broker_alone_knows_to_refuse_holds_up_those_behind_with_its_key() {
    let _alone = acls::alone();
    let Some(cluster) = cluster() else { return };
    let Some(sasl) = servers::var("DLQ_TEST_KAFKA_SASL_URL") else { return };
    for held in [true, false] {
        refused_by_the_broker_alone(&cluster, &sasl, held);
    }
}

fn refused_by_the_broker_alone(cluster: &Cluster, sasl: &str, held: bool) {
    let (topic, small) = (cluster.topic(1, &[]), cluster.topic(1, &[("max.message.bytes", "4000")]));
    let mut records = numbered(&small, 970, 1);
    // The second record of k3, and the first of k7.
    for n in [97 + 3, 7] {
        records[n].value = Some(vec![b'x'; 5000]);
    }
    cluster.send(&topic, &records);
    let mut denied = Denied::none(cluster);
    denied.deny(Resource::RD_KAFKA_RESOURCE_TOPIC, &small, Operation::RD_KAFKA_ACL_OPERATION_DESCRIBE_CONFIGS);
    for allowed in [Operation::RD_KAFKA_ACL_OPERATION_DESCRIBE, Operation::RD_KAFKA_ACL_OPERATION_WRITE] {
        denied.allow(Resource::RD_KAFKA_RESOURCE_TOPIC, &small, allowed);
    }
    let sandbox = Sandbox::new();
    let state = format!("state-topic={}", cluster.name());
    let how = if held { "hold-lane" } else { "skip" };
    let from = format!("{sasl}/{topic}");
    let ran = as_reader(
        &sandbox,
        &["replay", &from, "-y", "-o", "json", "-X", &state, "--on-failure", how, "-X", "batch.num.messages=50"],
    );
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    let there: Vec<usize> = cluster.read(&small).iter().map(|r| r.text().parse().expect("a number")).collect();
    let behind = |n: &usize| n % 97 == 7 || (n % 97 == 3 && *n > 3);
    let through = |n: &usize| if held { !behind(n) } else { ![97 + 3, 7].contains(n) };
    let by_key = |all: &mut Vec<usize>| all.sort_by_key(|n| n % 97);
    let (mut there, mut wanted) = (there, (0..970).filter(through).collect());
    by_key(&mut there);
    by_key(&mut wanted);
    assert_eq!(there, wanted, "{how}, by key: {}", ran.stderr);
    let report = ran.json();
    let skipped = if held { 8 + 9 } else { 0 };
    assert_eq!((&report["failed"], &report["skipped"]), (&2.into(), &skipped.into()), "{report}");
}

/// Records of a key go to two partitions by turns: the numbers of one say nothing of the other.
#[test]
fn what_the_broker_alone_refuses_holds_up_its_key_in_other_partitions_too() {
    const MANY: usize = 6000;
    const KEYS: usize = 3;
    let _alone = acls::alone();
    let Some(cluster) = cluster() else { return };
    let Some(sasl) = servers::var("DLQ_TEST_KAFKA_SASL_URL") else { return };
    let limit = |ms| [("message.timestamp.after.max.ms", ms)];
    let (topic, to) = (cluster.topic(1, &limit("9223372036854775807")), cluster.topic(2, &limit("3600000")));
    let mut records = numbered(&to, MANY, 1);
    let refused = |n: usize| n > 3000 && n % 250 == 7;
    for (n, r) in records.iter_mut().enumerate() {
        r.key = Some(format!("k{}", n % KEYS).into_bytes());
        r.time = Some(now() + if refused(n) { 7_200_000 } else { 0 });
        let partition = i32::try_from(n / KEYS % 2).expect("few");
        r.headers.push(("kafka_dlt-original-partition".into(), Some(partition.to_be_bytes().to_vec())));
    }
    cluster.send(&topic, &records);
    let mut denied = Denied::none(&cluster);
    denied.deny(Resource::RD_KAFKA_RESOURCE_TOPIC, &to, Operation::RD_KAFKA_ACL_OPERATION_DESCRIBE_CONFIGS);
    for allowed in [Operation::RD_KAFKA_ACL_OPERATION_DESCRIBE, Operation::RD_KAFKA_ACL_OPERATION_WRITE] {
        denied.allow(Resource::RD_KAFKA_RESOURCE_TOPIC, &to, allowed);
    }
    let from = format!("{sasl}/{topic}");
    let kept = ["--keep-partition", "--keep-timestamps", "-X", "state=local", "-X", "batch.num.messages=5"];
    let ran = as_reader(&Sandbox::new(), &[&["replay", &from, "-y", "-o", "json"][..], &kept].concat());
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    let mut there = vec![0; MANY];
    cluster.read(&to).iter().for_each(|r| there[r.text().parse::<usize>().expect("a number")] += 1);
    for key in 0..KEYS {
        let of_key = (0..MANY).filter(|n| n % KEYS == key);
        let first = of_key.clone().find(|n| refused(*n)).expect("one of each key");
        let wrong: Vec<usize> = of_key.filter(|n| there[*n] != usize::from(*n < first)).collect();
        assert_eq!(wrong, [0; 0], "of key {key} {first} failed: {}", ran.stderr);
    }
}
