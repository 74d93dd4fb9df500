//! What goes wrong on the way to a cluster: one clear error, soon.

use std::time::{Duration, Instant};

use crate::cluster::cluster;
use crate::sandbox::{Ran, Sandbox};
use crate::servers;

fn soon(args: &[&str]) -> Ran {
    let began = Instant::now();
    let ran = Sandbox::new().run(args);
    assert!(began.elapsed() < Duration::from_secs(9), "took {:?}: {}", began.elapsed(), ran.stderr);
    // The plan as far as it goes is no error.
    let errors = ran.stderr.lines().filter(|line| !line.starts_with("  ")).count();
    assert!(errors < 6, "one error and its hint: {}", ran.stderr);
    assert!(!ran.stderr.contains("hunter2"), "{}", ran.stderr);
    ran
}

#[test]
fn nobody_there_and_no_such_host() {
    let ran = soon(&["inspect", "kafka://127.0.0.1:1/t"]);
    assert!(
        ran.stderr.contains("no broker answers at 127.0.0.1:1: ") && ran.stderr.contains("refused"),
        "{}",
        ran.stderr
    );
    assert_eq!(ran.code, 1);
    let ran = soon(&["inspect", "kafka://no-such-host.invalid/t"]);
    assert!(ran.stderr.contains("resolve"), "{}", ran.stderr);
}

#[test]
fn a_topic_that_is_not_there_is_not_made() {
    let Some(cluster) = cluster() else { return };
    let topic = cluster.topic(1, &[]);
    let near = format!("{topic}x");
    let ran = soon(&["inspect", &cluster.address(&near)]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains(&format!("did you mean {topic:?}")), "{}", ran.stderr);
    let ran = soon(&["copy", "file:orders.ndjson", &cluster.address(&near), "-y"]);
    assert!(ran.stderr.contains("there is no topic"), "{}", ran.stderr);
    assert!(cluster.ends(&near).is_empty(), "naming it does not make it");
}

#[test]
fn options_are_checked_before_anything_is_reached() {
    for (option, wanted) in [
        ("fetch.wait.max.m=1", "did you mean \"fetch.wait.max.ms\""),
        ("fetch.wait.max.ms=soon", "fetch.wait.max.ms"),
        ("sasl.jaas.config=hunter2", "jaas"),
    ] {
        let ran = soon(&["inspect", "kafka://127.0.0.1:1/t", "-X", option]);
        assert_eq!(ran.code, 2, "{}", ran.stderr);
        assert!(ran.stderr.to_lowercase().contains(wanted), "{}", ran.stderr);
    }
}

#[test]
fn tls_is_trusted_by_the_right_authority_alone() {
    let Some(cluster) = cluster() else { return };
    let (Some(tls), Some(ca), Some(other)) = (
        servers::var("DLQ_TEST_KAFKA_TLS_URL"),
        servers::var("DLQ_TEST_KAFKA_CA"),
        servers::var("DLQ_TEST_KAFKA_OTHER_CA"),
    ) else {
        return;
    };
    let topic = cluster.topic(1, &[]);
    let address = format!("{tls}/{topic}");
    let with =
        |ca: &str| soon(&["depth", &address, "-X", "security.protocol=ssl", "-X", &format!("ssl.ca.location={ca}")]);
    assert_eq!(with(&ca).code, 0, "{}", with(&ca).stderr);
    let ran = with(&other);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("ssl.ca.location"), "{}", ran.stderr);
    let ran = soon(&["depth", &address]);
    assert!(ran.stderr.contains("security.protocol"), "{}", ran.stderr);
}

#[test]
fn a_plan_reaches_another_topic_as_it_reaches_the_queue() {
    let Some(cluster) = cluster() else { return };
    let (Some(tls), Some(ca)) = (servers::var("DLQ_TEST_KAFKA_TLS_URL"), servers::var("DLQ_TEST_KAFKA_CA")) else {
        return;
    };
    let (topic, other) = (cluster.topic(1, &[]), cluster.topic(1, &[]));
    cluster.send(&topic, &crate::replaying::numbered("none", 3, 1));
    let (address, ca) = (format!("{tls}/{topic}"), format!("ssl.ca.location={ca}"));
    let state = format!("state-topic={}", cluster.name());
    let login = ["-X", "security.protocol=ssl", "-X", &ca, "-X", &state];
    let sandbox = Sandbox::new();
    let planned =
        sandbox.run(&[&["replay", &address, "--to-topic", &other, "--plan-out", "p.json"], &login[..]].concat());
    assert_eq!(planned.code, 0, "{}", planned.stderr);
    let elsewhere = sandbox.run(&[&["replay", "--plan", "p.json", "--to", "file:x", "-y"], &login[..]].concat());
    assert_eq!(elsewhere.code, 2, "{}", elsewhere.stderr);
    let ran = sandbox.run(&[&["replay", "--plan", "p.json", "-y"], &login[..]].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("exactly once"), "{}", ran.stderr);
    assert_eq!(cluster.read(&other).len(), 3);
}

#[test]
fn logins_by_plain_and_scram_from_a_variable_or_a_file() {
    let Some(cluster) = cluster() else { return };
    let Some(sasl) = servers::var("DLQ_TEST_KAFKA_SASL_URL") else { return };
    let topic = cluster.topic(1, &[]);
    let address = format!("{sasl}/{topic}");
    for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
        for (password, code) in [("secret", 0), ("hunter2", 1)] {
            let sandbox = Sandbox::new();
            sandbox.write("password", password);
            let began = Instant::now();
            let ran = sandbox.run(&[
                "depth",
                &address,
                "-X",
                "security.protocol=sasl_plaintext",
                "-X",
                &format!("sasl.mechanisms={mechanism}"),
                "-X",
                "sasl.username=me",
                "-X",
                "password-file=password",
            ]);
            assert_eq!(ran.code, code, "{mechanism}: {}", ran.stderr);
            assert!(began.elapsed() < Duration::from_secs(9), "{:?}", began.elapsed());
            assert!(code == 0 || ran.stderr.contains("refused the login of \"me\""), "{}", ran.stderr);
            assert!(!ran.stderr.contains("hunter2"), "{}", ran.stderr);
        }
    }
}
