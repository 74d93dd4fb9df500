//! Spring AMQP: `RepublishMessageRecoverer`.

use std::sync::Arc;

use super::read::{text, tries};
use super::{Death, Family};
use crate::message::{DeadLetter, Origin};

pub(super) const FAMILY: Family = Family {
    name: "spring-amqp",
    signs: &["x-original-exchange", "x-original-routingKey"],
    broker: false,
    read,
    bookkeeping: |name| {
        matches!(
            name,
            "x-exception-message"
                | "x-exception-stacktrace"
                | "x-original-exchange"
                | "x-original-routingKey"
                | "retry-count"
        )
    },
};

fn read(m: &DeadLetter) -> Option<Death> {
    let h = &m.headers;
    let origin = Origin {
        exchange: h.text("x-original-exchange").map(Arc::from),
        routing_key: h.text("x-original-routingKey").map(Arc::from),
        ..Origin::default()
    };
    if origin == Origin::default() {
        return None;
    }
    // The class is only in the stack trace, which is off by default; its first line is `Class: message` as Java prints it.
    let trace = h.text("x-exception-stacktrace").and_then(|t| t.lines().next());
    let class = trace.and_then(|line| line.split(':').next()).map(str::trim);
    Some(Death {
        family: FAMILY.name,
        reason: Some("exception".into()),
        class: class.filter(|c| !c.is_empty() && !c.contains(char::is_whitespace)).map(str::to_owned),
        message: text(h, "x-exception-message"),
        origin: Some(origin),
        attempts: tries(h, "retry-count"),
        ..Death::default()
    })
}
