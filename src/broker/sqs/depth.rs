//! How many there are, and how old: the second costs a receive.

use aws_sdk_sqs::types::MessageSystemAttributeName;
use jiff::Timestamp;

use super::batch;
use super::capabilities::BATCH;
use super::connect::{Link, WAIT};
use super::held::Lease;
use super::number;
use super::queue::Queue;
use crate::broker::aws::error::{self, Asked};
use crate::broker::{Oldest, Result};

/// Seconds a message that is only asked for its age is hidden, should it not be given back.
const HIDDEN: u32 = 30;

/// The oldest of the messages one receive brings, which are given back at once.
///
/// # Errors
/// Those of a receive.
pub async fn oldest(link: &Link, queue: &Queue) -> Result<Oldest> {
    let what = queue.shown();
    let asked = Asked { doing: "looking for the oldest message", action: "sqs:ReceiveMessage", what: &what };
    let call = link
        .receives
        .receive_message()
        .queue_url(&queue.url)
        .max_number_of_messages(i32::try_from(BATCH).unwrap_or(1))
        .visibility_timeout(i32::try_from(HIDDEN).unwrap_or(i32::MAX))
        .wait_time_seconds(i32::try_from(WAIT.as_secs()).unwrap_or(1))
        .message_system_attribute_names(MessageSystemAttributeName::SentTimestamp);
    let answer = call.send().await.map_err(|e| error::of(e, asked))?;
    let messages = answer.messages.unwrap_or_default();
    let leases: Vec<Lease> = (0..)
        .zip(&messages)
        .map(|(token, m)| Lease { token, handle: m.receipt_handle().unwrap_or_default().to_owned() })
        .collect();
    let back = batch::hide(link, &queue.url, &what, &leases, 0).await;
    let stuck = back.iter().filter(|b| b.as_ref().is_err_and(|e| !batch::is_stale(e))).count() as u64;
    let times = messages.iter().filter_map(|m| {
        let sent = m.attributes()?.get(&MessageSystemAttributeName::SentTimestamp)?;
        Timestamp::from_millisecond(sent.parse().ok()?).ok()
    });
    let mut notes = vec![];
    if queue.visible.is_some_and(|n| n > messages.len() as u64) {
        notes.push(format!(
            "the age is that of the oldest of {} looked at, in no order: there may be older ones",
            number(messages.len() as u64, "message")
        ));
    }
    if stuck > 0 {
        notes.push(format!("{} could not be given back, hidden for up to {HIDDEN} s", number(stuck, "message")));
    }
    Ok(Oldest { at: times.min(), notes })
}
