//! Which servers there are, and what happens to a test where there is none.
#![allow(dead_code, reason = "each test crate uses a part of it")]

use std::io::Write;

/// A running RabbitMQ.
#[derive(Clone, Debug)]
pub struct Server {
    /// `amqp://USER:PASS@HOST:PORT`.
    pub url: String,
    /// Of the management API.
    pub management: String,
}

/// The server of a version (`43`, `310`); none, in sight, where it is not running and not required.
pub fn server(version: &str) -> Option<Server> {
    let url = var(&format!("DLQ_TEST_RABBITMQ_{version}_URL"))?;
    let management = var(&format!("DLQ_TEST_RABBITMQ_{version}_MANAGEMENT"))?;
    Some(Server { url: url.trim_end_matches('/').to_owned(), management })
}

/// The endpoint of an ElasticMQ; none, in sight, where it is not running and not required.
pub fn elasticmq() -> Option<String> {
    var("DLQ_TEST_ELASTICMQ_URL")
}

/// The endpoint of a moto, which plays SNS and SQS; none, in sight, where it is not running and not required.
pub fn moto() -> Option<String> {
    var("DLQ_TEST_MOTO_URL")
}

/// `kafka://HOST:PORT` of a running cluster; none, in sight, where there is none and none is required.
pub fn kafka() -> Option<String> {
    let url = var("DLQ_TEST_KAFKA_URL")?;
    Some(url.trim_end_matches('/').to_owned())
}

/// A variable `DLQ_TEST_SERVER_…` that `tests/run` sets.
pub fn var(name: &str) -> Option<String> {
    let value = std::env::var(name).ok().filter(|v| !v.is_empty());
    if value.is_none() {
        let required = std::env::var("DLQ_TEST_REQUIRE").unwrap_or_default();
        let server = name.split('_').nth(2).unwrap_or_default().to_lowercase();
        assert!(!required.split(',').any(|r| r == server), "{server} is required, but {name} is not set");
        skipped(&format!("{name} is not set; tests/run starts the servers"));
    }
    value
}

/// Said in the output of the run, and counted where `tests/run` counts.
pub fn skipped(why: &str) {
    let mut err = std::io::stderr();
    writeln!(err, "SKIPPED: {why}").expect("standard error");
    if let Some(path) = std::env::var_os("DLQ_TEST_SKIPPED") {
        let mut list =
            std::fs::OpenOptions::new().create(true).append(true).open(path).expect("the list of the skipped");
        writeln!(list, "{why}").expect("write");
    }
}
