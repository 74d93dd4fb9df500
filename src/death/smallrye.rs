//! SmallRye Reactive Messaging (Quarkus) on Kafka: text headers. It puts new ones before those it copies, so the first of a
//! repeated name is the newest, and the last is the true origin.

use super::read::{first_of, text_position, tries};
use super::{Death, Family};
use crate::message::DeadLetter;

const PREFIX: &str = "dead-letter-";
const RETRY: &str = "delayed-retry-";

pub(super) const FAMILY: Family = Family {
    name: "smallrye",
    signs: &[PREFIX, RETRY],
    broker: false,
    read,
    bookkeeping: |name| {
        let own = name.strip_prefix(PREFIX).or_else(|| name.strip_prefix(RETRY));
        matches!(
            own,
            Some(
                "exception-class-name"
                    | "cause-class-name"
                    | "reason"
                    | "cause"
                    | "topic"
                    | "partition"
                    | "offset"
                    | "count"
                    | "original-timestamp"
                    | "first-processing-timestamp"
            )
        )
    },
};

fn read(m: &DeadLetter) -> Option<Death> {
    let h = &m.headers;
    let newest = |name| {
        let of = |p: &&str| first_of(h, p, name)?.as_str().filter(|t| !t.is_empty());
        [PREFIX, RETRY].iter().find_map(of).map(str::to_owned)
    };
    let class = newest("exception-class-name");
    // Through a delayed retry the record was first read where the retry says.
    let origin = [RETRY, PREFIX].iter().find_map(|p| text_position(h, p));
    if class.is_none() && origin.is_none() {
        return None;
    }
    Some(Death {
        family: FAMILY.name,
        reason: Some("exception".into()),
        class,
        message: newest("reason"),
        origin,
        attempts: tries(h, "delayed-retry-count"),
        ..Death::default()
    })
}
