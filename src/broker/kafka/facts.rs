//! What a topic is set to.

use std::ops::Deref;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;

use super::connect::Link;
use super::{error, sys};
use crate::broker::Result;

/// A client for the requests of an administrator.
///
/// Its own thread waits by the clock on the wall: where that was set back meanwhile, it would hold up for as long whoever lets go
/// of it. So that is left to a thread nobody waits for.
pub(super) struct Admin(Option<AdminClient<DefaultClientContext>>);

impl Deref for Admin {
    type Target = AdminClient<DefaultClientContext>;

    fn deref(&self) -> &Self::Target {
        self.0.as_ref().expect("it is taken when it is dropped")
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        let client = self.0.take();
        // Without a thread it is dropped here.
        _ = std::thread::Builder::new().name("kafka parting".into()).spawn(move || drop(client));
    }
}

/// Opens one.
///
/// # Errors
/// As any client.
pub(super) fn admin(link: &Link) -> Result<Admin> {
    let config = link.logged_in(&link.base);
    let admin = Admin(Some(config.create().map_err(|e| error::map(&e, "connecting"))?));
    log_in(&admin, link)?;
    Ok(admin)
}

/// Gives it a token that is good now, where the login is by token: such a client does not ask for one.
///
/// # Errors
/// As [`super::oauth::Tokens::get`].
pub(super) fn log_in(admin: &Admin, link: &Link) -> Result<()> {
    match &link.tokens {
        Some(tokens) => sys::set_token(admin.inner(), &tokens.get()?.hand_over()).map_err(error::of_code),
        None => Ok(()),
    }
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
    /// `message.timestamp.before.max.ms`: so much older than now a record may be, where that is limited.
    pub(super) before: Option<i64>,
    /// `message.timestamp.after.max.ms`: so much newer.
    pub(super) after: Option<i64>,
    /// `message.timestamp.type` is `LogAppendTime`: the broker stamps records when they arrive.
    pub(super) stamps: Option<bool>,
}

impl Settings {
    /// How long it keeps records by their time, where that is bounded and known.
    pub(super) fn keeps(&self) -> Option<Duration> {
        self.retention.and_then(|ms| u64::try_from(ms).ok()).map(Duration::from_millis)
    }
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
    let limit = |name: &str| value(name).and_then(|v| v.parse().ok()).filter(|ms| *ms < i64::MAX);
    let policy = value("cleanup.policy");
    let has = |word: &str| policy.as_ref().map(|p| p.split(',').any(|w| w.trim() == word));
    Ok(Settings {
        deletes: has("delete"),
        compacts: has("compact"),
        max_message: value("max.message.bytes").and_then(|v| v.parse().ok()),
        // A topic that only compacts keeps its records however old they are.
        retention: value("retention.ms")
            .and_then(|v| v.parse().ok())
            .filter(|ms| *ms >= 0 && has("delete") != Some(false)),
        before: limit("message.timestamp.before.max.ms"),
        after: limit("message.timestamp.after.max.ms"),
        stamps: value("message.timestamp.type").map(|v| v == "LogAppendTime"),
    })
}
