//! SQS: the redrive policy names the source queue and nothing else. When it died is not recorded, and the receive count
//! goes on in the dead-letter queue, so it is no number of attempts.

use super::read::queue;
use super::{Death, Family};
use crate::message::{DeadLetter, Origin};

pub(super) const FAMILY: Family = Family { name: "sqs", signs: &[], broker: true, read, bookkeeping: |_| false };

fn read(m: &DeadLetter) -> Option<Death> {
    let origin = match &m.origin {
        Some(origin) if origin.queue.as_deref().is_some_and(is_sqs) => origin.clone(),
        _ => source_arn(m)?,
    };
    Some(Death { family: FAMILY.name, origin: Some(origin), ..Death::default() })
}

fn source_arn(m: &DeadLetter) -> Option<Origin> {
    let names = ["dead_letter_queue_source_arn", "DeadLetterQueueSourceArn"];
    names.iter().find_map(|name| m.properties.text(name)).filter(|arn| is_sqs(arn)).map(queue)
}

/// `arn:aws:sqs:…`, `arn:aws-cn:sqs:…`
fn is_sqs(arn: &str) -> bool {
    let mut parts = arn.split(':');
    parts.next() == Some("arn") && parts.nth(1) == Some("sqs")
}
