//! What one call tells of a queue.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_sqs::types::QueueAttributeName as Name;
use serde::Deserialize;

use crate::broker::aws::partition::Arn;
use crate::broker::{Accuracy, Depth};

/// Largest message where the queue does not say: what new queues take. The service itself has the last word.
const MOST_BYTES: usize = 1 << 20;

/// A queue as its attributes describe it.
#[derive(Clone, Debug, PartialEq)]
pub struct Queue {
    /// What calls name it by.
    pub url: String,
    /// Empty where the attributes could not be read.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// It has groups, and drops repeats.
    pub fifo: bool,
    /// Largest message in bytes, attributes included.
    pub max_message: usize,
    /// For how long it keeps a message.
    pub retention: Option<Duration>,
    /// Where it moves messages that were received too often.
    pub redrive: Option<Redrive>,
    /// For how long a received message is hidden, unless its receiver says otherwise.
    pub visibility: Option<Duration>,
    /// Messages that can be received.
    pub visible: Option<u64>,
    /// Messages somebody has received.
    pub in_flight: Option<u64>,
    /// Messages whose delay has not run out.
    pub delayed: Option<u64>,
}

/// A redrive policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redrive {
    /// The ARN of the queue messages are moved to.
    pub target: String,
    /// After so many receives.
    pub most: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Policy {
    dead_letter_target_arn: String,
    max_receive_count: serde_json::Value,
}

impl Queue {
    /// Of a queue nothing is known about but its URL.
    pub fn unknown(url: &str) -> Queue {
        let name = url.trim_end_matches('/').rsplit('/').next().unwrap_or(url).to_owned();
        Queue {
            url: url.to_owned(),
            arn: String::new(),
            fifo: name.ends_with(".fifo"),
            name,
            max_message: MOST_BYTES,
            retention: None,
            redrive: None,
            visibility: None,
            visible: None,
            in_flight: None,
            delayed: None,
        }
    }

    /// From the answer to GetQueueAttributes.
    pub fn of(url: &str, attributes: &HashMap<Name, String>) -> Queue {
        let get = |name: &Name| attributes.get(name).map(String::as_str);
        let number = |name: &Name| get(name).and_then(|n| n.parse::<u64>().ok());
        let unknown = Queue::unknown(url);
        Queue {
            arn: get(&Name::QueueArn).unwrap_or_default().to_owned(),
            fifo: get(&Name::FifoQueue).map_or(unknown.fifo, |f| f == "true"),
            max_message: number(&Name::MaximumMessageSize)
                .and_then(|n| usize::try_from(n).ok())
                .unwrap_or(unknown.max_message),
            retention: number(&Name::MessageRetentionPeriod).map(Duration::from_secs),
            redrive: get(&Name::RedrivePolicy).and_then(redrive),
            visibility: number(&Name::VisibilityTimeout).map(Duration::from_secs),
            visible: number(&Name::ApproximateNumberOfMessages),
            in_flight: number(&Name::ApproximateNumberOfMessagesNotVisible),
            delayed: number(&Name::ApproximateNumberOfMessagesDelayed),
            ..unknown
        }
    }

    /// `fifo` or `standard`.
    pub fn kind(&self) -> &'static str {
        if self.fifo { "fifo" } else { "standard" }
    }

    /// The account that owns it, where that is known.
    pub fn account(&self) -> Option<&str> {
        Arn::parse(&self.arn).map(|arn| arn.account)
    }

    /// For messages of errors.
    pub fn shown(&self) -> String {
        format!("queue {}", self.name)
    }

    /// The three counts, which lag behind by up to a minute.
    pub fn depth(&self) -> Depth {
        Depth {
            kind: self.kind(),
            ready: self.visible,
            in_flight: self.in_flight,
            delayed: self.delayed,
            unresolved: None,
            oldest: None,
            accuracy: Accuracy::Approximate,
        }
    }
}

fn redrive(policy: &str) -> Option<Redrive> {
    let policy: Policy = serde_json::from_str(policy).ok()?;
    let count = &policy.max_receive_count;
    let most = count.as_u64().or_else(|| count.as_str()?.parse().ok())?;
    Some(Redrive { target: policy.dead_letter_target_arn, most })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_describe_a_queue() {
        let policy = r#"{"deadLetterTargetArn":"arn:aws:sqs:eu-west-1:123456789012:last","maxReceiveCount":"3"}"#;
        let attributes = HashMap::from([
            (Name::QueueArn, "arn:aws:sqs:eu-west-1:123456789012:o.fifo".to_owned()),
            (Name::FifoQueue, "true".to_owned()),
            (Name::MaximumMessageSize, "262144".to_owned()),
            (Name::RedrivePolicy, policy.to_owned()),
            (Name::ApproximateNumberOfMessages, "7".to_owned()),
        ]);
        let q = Queue::of("https://sqs.eu-west-1.amazonaws.com/123456789012/o.fifo", &attributes);
        assert_eq!((q.name.as_str(), q.kind(), q.max_message), ("o.fifo", "fifo", 262_144));
        assert_eq!(q.redrive.as_ref().map(|r| r.most), Some(3));
        assert_eq!((q.account(), q.depth().ready, q.depth().in_flight), (Some("123456789012"), Some(7), None));
        let unknown = Queue::unknown("http://h/1/o");
        assert_eq!((unknown.fifo, unknown.max_message, unknown.account()), (false, MOST_BYTES, None));
        assert_eq!(redrive("{}"), None);
    }
}
