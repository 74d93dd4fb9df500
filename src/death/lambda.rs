//! AWS Lambda, asynchronous invocation: the dead-letter queue of a function, and its on-failure destination.

use serde::Deserialize;

use super::read::{queue, text};
use super::{Death, Family};
use crate::message::{DeadLetter, Payload};

/// The body is the event as it was; the error is in three attributes with plain names, of which two must be there.
pub(super) const QUEUE: Family = Family {
    name: "lambda",
    signs: &["RequestID"],
    broker: false,
    read: dead_letter,
    bookkeeping: |name| matches!(name, "RequestID" | "ErrorCode" | "ErrorMessage"),
};

/// The body is a record about the invocation, with the event in `requestPayload`.
pub(super) const DESTINATION: Family =
    Family { name: "lambda-destination", signs: &[], broker: false, read: destination, bookkeeping: |_| false };

fn dead_letter(m: &DeadLetter) -> Option<Death> {
    let h = &m.headers;
    h.text("RequestID")?;
    h.int("ErrorCode")?;
    Some(Death {
        family: QUEUE.name,
        reason: text(h, "ErrorCode"),
        message: text(h, "ErrorMessage"),
        ..Death::default()
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    timestamp: Option<String>,
    request_context: RequestContext,
    response_payload: Option<serde_json::Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RequestContext {
    condition: String,
    function_arn: Option<String>,
    approximate_invoke_count: Option<u64>,
}

fn destination(m: &DeadLetter) -> Option<Death> {
    let Payload::Bytes(body) = &m.payload else { return None };
    // Lambda writes compact JSON that begins so; every other body is left unread.
    let start = &body[..body.len().min(256)];
    if !start.starts_with(b"{\"version\"") || memchr::memmem::find(start, b"\"requestContext\"").is_none() {
        return None;
    }
    let record: Record = serde_json::from_slice(body).ok()?;
    let error = |name: &str| Some(record.response_payload.as_ref()?.get(name)?.as_str()?.to_owned());
    let died = record.timestamp.as_ref().and_then(|t| t.parse().ok());
    Some(Death {
        family: DESTINATION.name,
        class: error("errorType"),
        message: error("errorMessage"),
        origin: record.request_context.function_arn.as_deref().map(queue),
        attempts: record.request_context.approximate_invoke_count,
        last: died,
        reason: Some(record.request_context.condition),
        ..Death::default()
    })
}
