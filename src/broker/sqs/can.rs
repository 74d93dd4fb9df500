//! What may be done with a queue, or sent to one, as far as its attributes tell.

use super::queue::Queue;
use crate::broker::{Ability, Finding};
use crate::output::human;

/// By its attributes.
pub(super) fn of(queue: &Queue, ability: Ability) -> Vec<Finding> {
    let mut found = vec![];
    if ability != Ability::Count {
        let action =
            if ability == Ability::Look { "sqs:ReceiveMessage" } else { "sqs:ReceiveMessage and sqs:DeleteMessage" };
        found.push(Finding::unknown(
            "permission",
            format!("{action} are told by trying alone; sqs:GetQueueAttributes is granted"),
        ));
        found.push(match &queue.redrive {
            Some(redrive) => Finding::unknown(
                "receive headroom",
                format!(
                    "the queue moves what was received more than {} to {}",
                    super::number(redrive.most, "time"),
                    redrive.target
                ),
            ),
            None => Finding::yes(
                "receive headroom",
                "the queue has no redrive policy of its own: it keeps what is received often",
            ),
        });
    }
    found.push(Finding::yes("size", format!("messages have up to {} bytes, attributes included", queue.max_message)));
    found
}

/// Sends to a queue.
pub(super) fn send(queue: &Queue) -> Vec<Finding> {
    let shown = queue.shown();
    let mut found = vec![
        Finding::unknown("permission to send", format!("sqs:SendMessage on {shown} is told by trying alone")),
        // A queue whose attributes are denied to us has no ARN here.
        if queue.arn.is_empty() {
            Finding::unknown("size", format!("the attributes of {shown} are not shown to us"))
        } else {
            Finding::yes(
                "size",
                format!("{shown} takes messages of up to {} bytes, attributes included", queue.max_message),
            )
        },
    ];
    if queue.fifo {
        found.push(Finding::yes(
            "repeats",
            format!("{shown} drops what comes again within 5 minutes under the same id"),
        ));
    }
    found.extend(queue.retention.map(|kept| {
        let text = format!("{shown} keeps a message for {} from when it is sent", human::duration(kept));
        Finding::kept(kept, text)
    }));
    found
}
