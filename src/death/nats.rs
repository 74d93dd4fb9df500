//! NATS: what an advisory tells of a message that a consumer gave up on, beside the message or as a message itself.

use std::sync::Arc;

use super::{Death, Family};
use crate::broker::nats::given_up;
use crate::message::{DeadLetter, Origin};

pub(super) const FAMILY: Family = Family { name: "nats", signs: &[], broker: true, read, bookkeeping: |_| false };

fn read(m: &DeadLetter) -> Option<Death> {
    if let Some(reason) = m.properties.text("advisory") {
        return Some(Death {
            family: FAMILY.name,
            reason: Some(reason.to_owned()),
            message: m.properties.text("advisory_reason").map(str::to_owned),
            // The subject, since that is where a replay goes; the stream is the one it is in.
            origin: m.origin.clone(),
            attempts: m.deliveries,
            last: m.properties.text("advisory_time").and_then(|t| t.parse().ok()),
            ..Death::default()
        });
    }
    m.properties.text("subject").filter(|s| s.starts_with("$JS.EVENT.ADVISORY.CONSUMER."))?;
    let told = given_up(m.payload.as_bytes())?;
    Some(Death {
        family: FAMILY.name,
        reason: Some(told.kind.to_owned()),
        message: told.reason,
        origin: Some(Origin {
            queue: Some(Arc::from(told.stream)),
            offset: i64::try_from(told.seq).ok(),
            group: Some(Arc::from(told.consumer)),
            ..Origin::default()
        }),
        attempts: told.deliveries,
        last: told.at,
        ..Death::default()
    })
}
