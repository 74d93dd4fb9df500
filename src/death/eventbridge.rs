//! EventBridge: dead-letter queues of rules and of schedules, told apart by their ARN attribute.

use super::read::{queue, text, tries};
use super::{Death, Family};
use crate::message::DeadLetter;

/// Rules: the target is where the event was to go.
pub(super) const RULE: Family = Family {
    name: "eventbridge",
    signs: &["RULE_ARN"],
    broker: false,
    read: |m| read(m, "eventbridge", "RULE_ARN", "TARGET_ARN"),
    bookkeeping: |name| name == "RULE_ARN" || common(name),
};

/// Schedules: the body is the input of an API call and no queue can take it, so the schedule is the origin.
pub(super) const SCHEDULER: Family = Family {
    name: "eventbridge-scheduler",
    signs: &["SCHEDULE_ARN"],
    broker: false,
    read: |m| read(m, "eventbridge-scheduler", "SCHEDULE_ARN", "SCHEDULE_ARN"),
    bookkeeping: |name| {
        matches!(name, "SCHEDULE_ARN" | "EXECUTION_ID" | "SCHEDULED_TIME" | "IS_PAYLOAD_TRUNCATED") || common(name)
    },
};

fn common(name: &str) -> bool {
    matches!(name, "TARGET_ARN" | "ERROR_CODE" | "ERROR_MESSAGE" | "EXHAUSTED_RETRY_CONDITION" | "RETRY_ATTEMPTS")
}

fn read(m: &DeadLetter, family: &'static str, sign: &str, origin: &str) -> Option<Death> {
    let h = &m.headers;
    h.text(sign).filter(|arn| arn.starts_with("arn:"))?;
    Some(Death {
        family,
        reason: text(h, "ERROR_CODE"),
        message: text(h, "ERROR_MESSAGE"),
        origin: h.text(origin).filter(|arn| !arn.is_empty()).map(queue),
        attempts: tries(h, "RETRY_ATTEMPTS"),
        ..Death::default()
    })
}
