//! What can be made to go wrong, a call at a time.

use std::collections::{HashMap, VecDeque};

use super::http::Answer;

/// An error as the service words it.
#[derive(Clone, Copy, Debug)]
pub struct Refusal {
    pub status: u16,
    /// The JSON type, without its namespace.
    pub code: &'static str,
    /// The code of the query protocol, where it differs.
    pub query: Option<&'static str>,
    pub message: &'static str,
}

impl Refusal {
    const fn new(status: u16, code: &'static str, message: &'static str) -> Refusal {
        Refusal { status, code, query: None, message }
    }

    /// As the JSON protocol of SQS has it.
    pub fn json(&self) -> Answer {
        let body = serde_json::json!({ "__type": format!("com.amazonaws.sqs#{}", self.code), "message": self.message });
        let who = if self.status >= 500 { "Receiver" } else { "Sender" };
        Answer {
            status: self.status,
            kind: "application/x-amz-json-1.0",
            query_error: Some(format!("{};{who}", self.query.unwrap_or(self.code))),
            body: body.to_string(),
        }
    }

    /// As the query protocol of SNS and STS has it.
    pub fn xml(&self) -> Answer {
        let who = if self.status >= 500 { "Receiver" } else { "Sender" };
        let body = format!(
            "<ErrorResponse><Error><Type>{who}</Type><Code>{}</Code><Message>{}</Message></Error>\
             <RequestId>00000000-fake</RequestId></ErrorResponse>",
            self.query.unwrap_or(self.code),
            self.message
        );
        Answer { status: self.status, kind: "text/xml", query_error: None, body }
    }
}

pub const THROTTLED: Refusal =
    Refusal { query: Some("RequestThrottled"), ..Refusal::new(400, "RequestThrottled", "Rate exceeded") };
pub const INTERNAL: Refusal = Refusal {
    query: Some("InternalError"),
    ..Refusal::new(500, "InternalFailure", "We encountered an internal error. Please try again.")
};
pub const UNAVAILABLE: Refusal = Refusal::new(503, "ServiceUnavailable", "Service Unavailable");
pub const DENIED: Refusal = Refusal {
    query: Some("AccessDenied"),
    ..Refusal::new(
        403,
        "AccessDeniedException",
        "User: arn:aws:iam::000000000000:user/oncall is not authorized to perform this because no identity-based policy allows it",
    )
};
pub const EXPIRED_TOKEN: Refusal = Refusal {
    query: Some("ExpiredToken"),
    ..Refusal::new(403, "ExpiredTokenException", "The security token included in the request is expired")
};
pub const NO_SUCH_QUEUE: Refusal = Refusal {
    query: Some("AWS.SimpleQueueService.NonExistentQueue"),
    ..Refusal::new(400, "QueueDoesNotExist", "The specified queue does not exist.")
};
pub const PURGE_IN_PROGRESS: Refusal = Refusal {
    query: Some("AWS.SimpleQueueService.PurgeQueueInProgress"),
    ..Refusal::new(
        403,
        "PurgeQueueInProgress",
        "Only one PurgeQueue operation on this queue is allowed every 60 seconds.",
    )
};
pub const BAD_HANDLE: Refusal =
    Refusal::new(400, "ReceiptHandleIsInvalid", "The input receipt handle is invalid or has expired.");
pub const OVER_LIMIT: Refusal =
    Refusal { query: Some("OverLimit"), ..Refusal::new(403, "OverLimit", "Too many messages in flight") };

/// What happens to one call.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Nothing: the call before a fault of a later one.
    None,
    /// Entries at these places fail with this code, by the sender's fault or not; the others are carried out.
    Entries(Vec<usize>, &'static str, bool),
    /// As it stands, without being carried out.
    Refused(Refusal),
    /// Carried out, and then this.
    RefusedAfter(Refusal),
    /// The connection breaks before anything is done.
    ResetBefore,
    /// Carried out; the connection breaks before the answer.
    ResetAfter,
    /// Carried out, after so long.
    Slow(std::time::Duration),
    /// No answer until the fake ends; nothing is done.
    Hangs,
    /// Carried out; no answer until the fake ends.
    HangsAfter,
    /// A receive finds nothing, though there is something.
    Empty,
    /// A receive gives its first message twice, with two handles of which the later is good.
    Twice,
    /// The digests of the answer are of something else.
    WrongDigests,
    /// Only the digests of the attributes are of something else.
    WrongAttributeDigests,
    /// Entries at these places are carried out, but the answer knows nothing of them.
    Silent(Vec<usize>),
    /// The answer lists its entries from last to first.
    Reversed,
}

/// Planned faults by operation: one for each of the next calls, then the lasting one.
#[derive(Default)]
pub struct Plan {
    next: HashMap<&'static str, VecDeque<Fault>>,
    lasting: HashMap<&'static str, Fault>,
}

impl Plan {
    pub fn next(&mut self, operation: &'static str, faults: impl IntoIterator<Item = Fault>) {
        self.next.entry(operation).or_default().extend(faults);
    }

    pub fn lasting(&mut self, operation: &'static str, fault: Fault) {
        self.lasting.insert(operation, fault);
    }

    pub fn clear(&mut self) {
        *self = Plan::default();
    }

    pub fn take(&mut self, operation: &str) -> Fault {
        let next = self.next.get_mut(operation).and_then(VecDeque::pop_front);
        next.or_else(|| self.lasting.get(operation).cloned()).unwrap_or(Fault::None)
    }

    /// Faults that no call has met.
    pub fn unmet(&self) -> Vec<String> {
        let left = self.next.iter().flat_map(|(operation, faults)| faults.iter().map(move |f| (operation, f)));
        left.map(|(operation, f)| format!("{operation}: {f:?}")).collect()
    }
}
