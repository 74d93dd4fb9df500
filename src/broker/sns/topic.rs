//! What is known of a topic.

use std::collections::HashMap;

/// Largest message where the topic does not say, as the API reference has it.
const MOST_BYTES: usize = 262_144;

/// A topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    /// What calls name it by.
    pub arn: String,
    /// It has groups, and drops repeats.
    pub fifo: bool,
    /// Largest message, and largest batch, in bytes, attributes included.
    pub max_message: usize,
    /// No subscription is there to get what is published; false where that is not known.
    pub unheard: bool,
}

impl Topic {
    /// Of a topic nothing is known about but its ARN.
    pub fn unknown(arn: &str) -> Topic {
        Topic { arn: arn.to_owned(), fifo: arn.ends_with(".fifo"), max_message: MOST_BYTES, unheard: false }
    }

    /// From the answer to GetTopicAttributes.
    pub fn of(arn: &str, attributes: &HashMap<String, String>) -> Topic {
        let most = attributes.get("MaximumMessageSize").and_then(|n| n.parse().ok());
        let unknown = Topic::unknown(arn);
        let unheard = attributes.get("SubscriptionsConfirmed").is_some_and(|n| n == "0");
        Topic { max_message: most.unwrap_or(unknown.max_message), unheard, ..unknown }
    }

    /// For messages of errors.
    pub fn shown(&self) -> String {
        format!("topic {}", self.arn.rsplit(':').next().unwrap_or(&self.arn))
    }
}
