//! The client library's configuration.

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;

use super::address::{OPTIONS, Parts};
use super::{oauth, sys};
use crate::broker::credentials::Given;
use crate::broker::{Address, Result};

/// What every client of ours has, over which the options of the address go.
///
/// # Errors
/// `Usage` for an option that Kafka's client does not know.
pub(super) fn base(address: &Address, parts: &Parts, login: Option<&Given>) -> Result<ClientConfig> {
    let mut config = ClientConfig::new();
    config.set_log_level(if log::log_enabled!(target: "librdkafka", log::Level::Info) {
        RDKafkaLogLevel::Info
    } else {
        RDKafkaLogLevel::Warning
    });
    config.set("client.id", "dlq").set("socket.connection.setup.timeout.ms", "5000");
    // A transaction that waits longer for its broker to be back is undone. Of the shorter one the library waits half between the
    // first connections to any two brokers.
    config.set("reconnect.backoff.max.ms", "2000").set("reconnect.backoff.ms", "20");
    for (name, value) in &address.options {
        if !OPTIONS.contains(&name.as_str()) && !oauth::is_ours(name) {
            config.set(name, value);
        }
    }
    if let (Some(user), None) = (address.option("user"), config.get("sasl.username")) {
        config.set("sasl.username", user);
    }
    if let Some(Given { username, password, .. }) = login {
        if let (Some(name), None) = (username, config.get("sasl.username")) {
            config.set("sasl.username", name);
        }
        config.set("sasl.password", password.expose());
    }
    // A file of options is often that of another program: where and as which group it reads is not for us.
    for other in ["metadata.broker.list", "group.id", "group.instance.id"] {
        config.remove(other);
    }
    config.set("bootstrap.servers", parts.bootstrap());
    // A typing error must never make a topic.
    config.set("allow.auto.create.topics", "false");
    config.create_native_config().map_err(|e| super::error::map(&e, "reading the options"))?;
    Ok(config)
}

/// Refuses options that neither we nor the library know, and values that it does not take.
///
/// # Errors
/// `Usage`.
pub(super) fn check_options(address: &Address) -> Result<()> {
    let mut config = ClientConfig::new();
    for (name, value) in &address.options {
        if !OPTIONS.contains(&name.as_str()) && !oauth::is_ours(name) {
            config.set(name, value);
        }
    }
    config.create_native_config().map(drop).map_err(|e| super::error::map(&e, "reading the options"))
}

/// For reading: little memory, no waiting at the end, no group.
pub(super) fn consumer(base: &ClientConfig) -> ClientConfig {
    let mut config = base.clone();
    for (name, value) in [
        // Without this each time its queue is full it waits a second.
        ("fetch.queue.backoff.ms", "2"),
        // A broker waits so long at the end of a partition, which is where every read ends.
        ("fetch.wait.max.ms", "0"),
        // The leaders of all partitions are wanted at once, and are waited for one by one otherwise.
        ("enable.sparse.connections", "false"),
        // Of each, one is read from and one is under way: what is resident grows with these and little else.
        ("fetch.message.max.bytes", "1048576"),
        ("fetch.max.bytes", "4194304"),
        ("queued.max.messages.kbytes", "4096"),
        ("isolation.level", "read_committed"),
    ] {
        if base.get(name).is_none() {
            config.set(name, value);
        }
    }
    config.set("enable.partition.eof", "true");
    // Anything else would skip what was trimmed meanwhile without a word.
    config.set("auto.offset.reset", "error");
    config.set("enable.auto.commit", "false").set("enable.auto.offset.store", "false");
    config
}

/// Names of all options the library knows.
pub(super) fn names() -> Vec<String> {
    sys::property_names()
}
