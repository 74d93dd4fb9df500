//! Spring for Apache Kafka: the dead-letter publishing recoverer, and retry topics.

use std::sync::Arc;

use super::read::{big_endian, first_of, last_of};
use super::{Death, Family};
use crate::message::{DeadLetter, Fields, Origin, Value};

pub(super) const FAMILY: Family = Family {
    name: "spring-kafka",
    signs: &["kafka_dlt-", "kafka_exception-", "kafka_original-"],
    broker: false,
    read,
    bookkeeping: |name| {
        [
            "kafka_dlt-",
            "kafka_exception-",
            "kafka_original-",
            "kafka_key-exception-",
            "retry_topic-",
            "springDeserializerException",
        ]
        .iter()
        .any(|p| name.starts_with(p))
    },
};

fn read(m: &DeadLetter) -> Option<Death> {
    let h = &m.headers;
    let attempts = h.last("retry_topic-attempts");
    // One byte in old versions.
    let attempts = big_endian(attempts, 4).or_else(|| big_endian(attempts, 1));
    let exception = |name: &str| {
        let kinds = ["kafka_dlt-exception-", "kafka_dlt-key-exception-", "kafka_exception-", "kafka_key-exception-"];
        kinds.iter().find_map(|kind| last_of(h, kind, name)).map(str::to_owned)
    };
    Some(Death {
        family: FAMILY.name,
        reason: Some("exception".into()),
        // What was thrown is normally wrapped in the container's own ListenerExecutionFailedException.
        class: exception("cause-fqcn").or_else(|| exception("fqcn")),
        message: exception("message"),
        origin: origin(h, "kafka_dlt-original-").or_else(|| origin(h, "kafka_original-")),
        attempts: attempts.and_then(|n| u64::try_from(n).ok()),
        ..Death::default()
    })
}

/// Origin headers are appended at each hop, so the first is where the record really came from.
fn origin(h: &Fields, prefix: &str) -> Option<Origin> {
    let of = |name| first_of(h, prefix, name);
    let text = |name| of(name).and_then(Value::as_str).filter(|t| !t.is_empty()).map(Arc::from);
    Some(Origin {
        queue: Some(text("topic")?),
        partition: big_endian(of("partition"), 4).filter(|n| *n >= 0),
        offset: big_endian(of("offset"), 8).filter(|n| *n >= 0),
        group: text("consumer-group"),
        ..Origin::default()
    })
}
