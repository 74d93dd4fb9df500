//! MassTransit: what its error and dead-letter transports add; the types vary with the transport.

use super::read::{queue, text, time, tries};
use super::{Death, Family};
use crate::message::DeadLetter;

pub(super) const FAMILY: Family = Family {
    name: "masstransit",
    signs: &["MT-Fault-", "MT-Reason"],
    broker: false,
    read,
    // With an old redelivery count the redelivery policy would find itself used up at the first failure.
    bookkeeping: |name| name.starts_with("MT-Fault-") || matches!(name, "MT-Reason" | "MT-Redelivery-Count"),
};

fn read(m: &DeadLetter) -> Option<Death> {
    let h = &m.headers;
    let died = time(h, "MT-Fault-Timestamp");
    // With redelivery each round has retries of its own, and only those of the last round are counted.
    let redelivered = h.last("MT-Redelivery-Count").or_else(|| h.last("MT-Fault-RedeliveryCount")).is_some();
    Some(Death {
        family: FAMILY.name,
        reason: text(h, "MT-Reason"),
        class: text(h, "MT-Fault-ExceptionType"),
        message: text(h, "MT-Fault-Message"),
        origin: h.text("MT-Fault-InputAddress").and_then(entity).map(queue),
        attempts: if redelivered { None } else { tries(h, "MT-Fault-RetryCount") },
        last: died,
        ..Death::default()
    })
}

/// The queue in `rabbitmq://host/vhost/queue?durable=true`, `amazonsqs://region/queue`, `queue:name`.
fn entity(address: &str) -> Option<&str> {
    let path = address.split(['?', '#']).next()?;
    let name = path.rsplit_once('/').map_or_else(|| path.strip_prefix("queue:"), |(_, name)| Some(name))?;
    (!name.is_empty()).then_some(name)
}
