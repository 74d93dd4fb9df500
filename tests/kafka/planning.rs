//! What a plan and `can-i` tell of permissions and limits.

use crate::acls::{self, Denied, Operation, Resource};
use crate::cluster::{Stored, cluster};
use crate::permissions::as_reader;
use crate::plans::{answer, plan_of, says};
use crate::replaying::numbered;
use crate::sandbox::Sandbox;
use crate::servers;

#[test]
fn what_the_cluster_grants_is_told_before_it_is_needed() {
    let _alone = acls::alone();
    let Some(cluster) = cluster() else { return };
    let Some(sasl) = servers::var("DLQ_TEST_KAFKA_SASL_URL") else { return };
    let (topic, origin, state) = (cluster.topic(1, &[]), cluster.topic(1, &[]), cluster.name());
    cluster.send(&topic, &numbered(&origin, 5, 1));
    let (address, option) = (format!("{sasl}/{topic}"), format!("state-topic={state}"));
    let sandbox = Sandbox::new();
    let plan = || plan_of(&as_reader(&sandbox, &["replay", &address, "--dry-run", "-o", "json", "-X", &option]));
    let told = plan();
    assert_eq!(answer(&told["places"][0]["may"], "permission to write"), "yes", "{told:#}");
    assert_eq!(answer(&told["may"], "permission to mark"), "unknown", "it may be made, and what then: {told:#}");
    // Nobody who is not told who the super users are knows more.
    assert_eq!(answer(&told["may"], "permission for transactions"), "unknown", "{told:#}");
    assert_eq!(told["stopped_by"], serde_json::json!([]));

    let mut denied = Denied::none(&cluster);
    denied.allow(Resource::RD_KAFKA_RESOURCE_TRANSACTIONAL_ID, "dlq-", Operation::RD_KAFKA_ACL_OPERATION_WRITE);
    denied.allow(Resource::RD_KAFKA_RESOURCE_TRANSACTIONAL_ID, "dlq-", Operation::RD_KAFKA_ACL_OPERATION_DESCRIBE);
    assert_eq!(answer(&plan()["may"], "permission for transactions"), "yes");
    drop(denied);

    let mut denied = Denied::none(&cluster);
    denied.deny(Resource::RD_KAFKA_RESOURCE_TRANSACTIONAL_ID, "dlq-", Operation::RD_KAFKA_ACL_OPERATION_WRITE);
    let told = plan();
    assert!(says(&told["stopped_by"], "a rule denies User:reader WRITE on the transactional id dlq-"), "{told:#}");
    let can = as_reader(&sandbox, &["can-i", "purge", &address, "-o", "json", "-X", &option]);
    assert_eq!((can.code, answer(&can.json(), "permission for transactions")), (1, &"no".into()), "{}", can.stdout());
    let local = as_reader(&sandbox, &["replay", &address, "--dry-run", "-X", &option, "-X", "state=local"]);
    assert!(local.code == 0 && !local.stderr.contains("stopped by"), "{}", local.stderr);
    drop(denied);

    // Who may not see the rules is told so.
    let mut denied = Denied::none(&cluster);
    denied.deny(Resource::RD_KAFKA_RESOURCE_BROKER, "kafka-cluster", Operation::RD_KAFKA_ACL_OPERATION_DESCRIBE);
    let told = plan();
    assert_eq!(answer(&told["may"], "permission for transactions"), "unknown", "{told:#}");
    drop(denied);

    cluster.create(&state, 4, &[("cleanup.policy", "compact")]);
    let mut denied = Denied::none(&cluster);
    denied.deny(Resource::RD_KAFKA_RESOURCE_TOPIC, &state, Operation::RD_KAFKA_ACL_OPERATION_WRITE);
    for granted in [Operation::RD_KAFKA_ACL_OPERATION_READ, Operation::RD_KAFKA_ACL_OPERATION_DESCRIBE] {
        denied.allow(Resource::RD_KAFKA_RESOURCE_TOPIC, &state, granted);
    }
    let told = plan();
    assert!(says(&told["stopped_by"], &format!("does not grant READ and WRITE on {state}")), "{told:#}");
    drop(denied);

    let mut denied = Denied::none(&cluster);
    denied.deny(Resource::RD_KAFKA_RESOURCE_TOPIC, &origin, Operation::RD_KAFKA_ACL_OPERATION_WRITE);
    denied.allow(Resource::RD_KAFKA_RESOURCE_TOPIC, &origin, Operation::RD_KAFKA_ACL_OPERATION_DESCRIBE);
    let to = format!("{sasl}/{origin}");
    let as_user = ["security.protocol=sasl_plaintext", "sasl.mechanisms=PLAIN", "sasl.username=reader"];
    let to_x = as_user.iter().flat_map(|x| ["--to-X", x]).chain(["--to-X", "password-file=password"]);
    let mut args = vec!["replay", &address, "--to", &to, "--dry-run", "-X", &option];
    args.extend(to_x);
    let ran = as_reader(&sandbox, &args);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("stopped by  the destination: the cluster does not allow \"reader\""),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("as          reader"), "{}", ran.stderr);
    drop(denied);
    assert_eq!(cluster.read(&origin), []);
}

#[test]
fn what_ends_by_its_age_is_told_here_and_there() {
    let Some(cluster) = cluster() else { return };
    const HOUR: i64 = 3_600_000;
    let now = jiff::Timestamp::now().as_millisecond();
    for (hours, wanted) in [(10, "limits"), (29, "harm")] {
        // Half of them will be deleted in 30 - hours.
        let topic = cluster.topic(1, &[("retention.ms", "108000000")]);
        let origin = cluster.topic(1, &[("retention.ms", "7200000")]);
        let mut records: Vec<Stored> = numbered(&origin, 6, 1);
        for (n, record) in records.iter_mut().enumerate() {
            record.time = Some(if n % 2 == 0 { now - hours * HOUR - HOUR / 2 } else { now });
        }
        cluster.send(&topic, &records);
        let sandbox = Sandbox::new();
        let ran = sandbox.run(&["replay", &cluster.address(&topic), "--dry-run", "-o", "json"]);
        let plan = plan_of(&ran);
        let line = ran
            .stderr
            .lines()
            .find(|l| l.contains("3 messages will expire within a day, the first at"))
            .unwrap_or_else(|| panic!("{}", ran.stderr));
        assert!(line.contains("messages are kept for 1d6h"), "{line}");
        assert_eq!(says(&plan["harm"], "will expire within a day"), wanted == "harm", "{plan:#}");
        assert!(ran.stderr.contains(&format!("{origin} keeps a record for 2h")), "{}", ran.stderr);
        let size = plan["places"][0]["may"].as_array().expect("a list").iter().any(|f| f["about"] == "size");
        assert!(size, "{plan:#}");
    }
}

#[test]
fn the_guarantee_is_that_of_the_two_places() {
    let Some(cluster) = cluster() else { return };
    let (topic, origin) = (cluster.topic(1, &[]), cluster.topic(1, &[]));
    cluster.send(&topic, &numbered(&origin, 5, 1));
    let sandbox = Sandbox::new();
    let (address, there) = (cluster.address(&topic), cluster.address(&origin));
    let guarantee = |args: &[&str]| {
        let plan = plan_of(&sandbox.run(&[args, &["--dry-run", "-o", "json"]].concat()));
        plan["guarantee"].as_str().expect("a text").to_owned()
    };
    assert_eq!(guarantee(&["replay", &address]), "exactly once within the cluster");
    assert_eq!(guarantee(&["move", &address, &there]), "exactly once within the cluster");
    assert!(guarantee(&["move", &address, "file:out.ndjson"]).starts_with("at least once"));
    assert!(guarantee(&["replay", &address, "-X", "state=local"]).starts_with("at least once"));
}
