//! What a topic is set to.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;

use super::error;
use crate::broker::Result;

/// A client for the requests of an administrator.
pub(super) type Admin = AdminClient<DefaultClientContext>;

/// Opens one.
///
/// # Errors
/// As any client.
pub(super) fn admin(base: &ClientConfig) -> Result<Admin> {
    base.create().map_err(|e| error::map(&e, "connecting"))
}

/// What was asked for takes so long at most.
pub(super) fn within(longest: Duration) -> AdminOptions {
    AdminOptions::new().request_timeout(Some(longest)).operation_timeout(Some(longest))
}

/// Settings of a topic that matter here. `None` where they are not shown to us.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Settings {
    /// `cleanup.policy` contains `delete`: its head can be trimmed.
    pub(super) deletes: Option<bool>,
    /// `cleanup.policy` contains `compact`.
    pub(super) compacts: Option<bool>,
    /// `max.message.bytes`: the largest batch it takes.
    pub(super) max_message: Option<u64>,
    /// `retention.ms`, where there is one: how long it keeps records by their time.
    pub(super) retention: Option<i64>,
    /// `message.timestamp.type` is `LogAppendTime`: the broker stamps records when they arrive.
    pub(super) stamps: Option<bool>,
}

/// Asks for them. Without the permission (DESCRIBE_CONFIGS) they are unknown, which is no error.
///
/// # Errors
/// That the cluster does not answer.
pub(super) async fn settings(admin: &Admin, topic: &str, longest: Duration) -> Result<Settings> {
    let asked = admin.describe_configs(&[ResourceSpecifier::Topic(topic)], &within(longest)).await;
    let Some(Ok(resource)) = asked.map_err(|e| error::map(&e, "asking for the topic's settings"))?.into_iter().next()
    else {
        return Ok(Settings::default());
    };
    let value = |name: &str| resource.get(name).and_then(|entry| entry.value.clone());
    let policy = value("cleanup.policy");
    let has = |word: &str| policy.as_ref().map(|p| p.split(',').any(|w| w.trim() == word));
    Ok(Settings {
        deletes: has("delete"),
        compacts: has("compact"),
        max_message: value("max.message.bytes").and_then(|v| v.parse().ok()),
        retention: value("retention.ms").and_then(|v| v.parse().ok()).filter(|ms| *ms >= 0),
        stamps: value("message.timestamp.type").map(|v| v == "LogAppendTime"),
    })
}
