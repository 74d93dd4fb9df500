//! EasyNetQ: the message is wrapped in a JSON body with the error.

use serde::Deserialize;

use super::read::exception_line;
use super::{Death, Family};
use crate::message::{DeadLetter, Payload};

pub(super) const FAMILY: Family = Family { name: "easynetq", signs: &[], broker: false, read, bookkeeping: |_| false };

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Error {
    exception: String,
    date_time: Option<String>,
    #[serde(rename = "BasicProperties")]
    _properties: serde::de::IgnoredAny,
}

fn read(m: &DeadLetter) -> Option<Death> {
    let Payload::Bytes(body) = &m.payload else { return None };
    if !body.starts_with(b"{\"RoutingKey\"") {
        return None;
    }
    let error: Error = serde_json::from_slice(body).ok()?;
    let (class, message) = exception_line(&error.exception);
    // No origin: a replay would put the wrapper where the message was.
    Some(Death {
        family: FAMILY.name,
        reason: Some("exception".into()),
        class,
        message,
        last: error.date_time.and_then(|t| t.parse().ok()),
        ..Death::default()
    })
}
