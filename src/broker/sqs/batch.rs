//! Calls for many messages at once, ten a call and several calls at a time, with an answer for each message.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_sqs::types::{
    BatchResultErrorEntry, ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry,
};
use futures::StreamExt;
use futures::stream;

use super::capabilities::BATCH;
use super::connect::Link;
use super::held::Lease;
use crate::broker::aws::error::{self, Asked};
use crate::broker::{Error, Kind, Result};

/// Calls of one kind at a time.
const AT_ONCE: usize = 32;
/// Calls that are prepared ahead.
const PREPARED: usize = 4 * AT_ONCE;
/// Tries for entries that fail through no fault of ours.
const TRIES: u32 = 4;

/// Removes messages. One result a lease, in order: `Ok` where the queue has confirmed it.
pub async fn delete(link: &Link, url: &str, what: &str, leases: &[Lease]) -> Vec<Result<()>> {
    let asked = Asked { doing: "removing messages", action: "sqs:DeleteMessage", what };
    each_ten(leases, |ten| async move {
        tried(ten, asked, |some| async move {
            let mut call = link.calls.delete_message_batch().queue_url(url);
            for (at, lease) in some {
                let entry = DeleteMessageBatchRequestEntry::builder().id(at.to_string()).receipt_handle(&lease.handle);
                call = call.entries(entry.build().map_err(|e| incomplete(&e))?);
            }
            let answer = call.send().await.map_err(|e| error::of(e, asked))?;
            let done = answer.successful.into_iter().map(|entry| entry.id).collect();
            Ok((done, answer.failed))
        })
        .await
    })
    .await
}

/// Hides messages for so many seconds from now; 0 gives them back. One result a lease, in order.
pub async fn hide(link: &Link, url: &str, what: &str, leases: &[Lease], seconds: u32) -> Vec<Result<()>> {
    let doing = if seconds == 0 { "giving messages back" } else { "renewing leases" };
    let asked = Asked { doing, action: "sqs:ChangeMessageVisibility", what };
    each_ten(leases, |ten| async move {
        tried(ten, asked, |some| async move {
            let mut call = link.calls.change_message_visibility_batch().queue_url(url);
            for (at, lease) in some {
                let entry = ChangeMessageVisibilityBatchRequestEntry::builder()
                    .id(at.to_string())
                    .receipt_handle(&lease.handle)
                    .visibility_timeout(i32::try_from(seconds).unwrap_or(i32::MAX));
                call = call.entries(entry.build().map_err(|e| incomplete(&e))?);
            }
            let answer = call.send().await.map_err(|e| error::of(e, asked))?;
            let done = answer.successful.into_iter().map(|entry| entry.id).collect();
            Ok((done, answer.failed))
        })
        .await
    })
    .await
}

fn incomplete(e: &dyn std::error::Error) -> Error {
    Error::new(Kind::Other, format!("a message came without its receipt: {e}"))
}

/// Whether the queue says that a receipt is of no use any more.
pub fn is_stale(e: &Error) -> bool {
    e.kind() == Kind::NotFound
}

async fn each_ten<'a, F, A>(leases: &'a [Lease], call: F) -> Vec<Result<()>>
where
    F: Fn(&'a [Lease]) -> A,
    A: Future<Output = Vec<Result<()>>>,
{
    let mut fates = Vec::with_capacity(leases.len());
    // In pieces: a call that waits for its turn takes some kilobytes.
    for some in leases.chunks(BATCH * PREPARED) {
        let calls: Vec<A> = some.chunks(BATCH).map(&call).collect();
        fates.extend(stream::iter(calls).buffered(AT_ONCE).concat().await);
    }
    fates
}

/// Ids that went through, and those that did not with their reasons.
type Answer = (Vec<String>, Vec<BatchResultErrorEntry>);

/// Makes one call for up to ten, and again for those of them that failed through no fault of ours. An entry the answer does
/// not speak of has no outcome.
async fn tried<'a, F, A>(ten: &'a [Lease], asked: Asked<'a>, call: F) -> Vec<Result<()>>
where
    F: Fn(Vec<(usize, &'a Lease)>) -> A,
    A: Future<Output = Result<Answer>>,
{
    let mut fates: Vec<Option<Result<()>>> = ten.iter().map(|_| None).collect();
    for attempt in 0..TRIES {
        let open: Vec<(usize, &Lease)> = ten.iter().enumerate().filter(|(at, _)| fates[*at].is_none()).collect();
        if open.is_empty() {
            break;
        }
        if attempt > 0 {
            tokio::time::sleep(pause(attempt)).await;
        }
        let (done, failed) = match call(open.clone()).await {
            Ok(answer) => answer,
            Err(e) => {
                open.iter().for_each(|(at, _)| fates[*at] = Some(Err(e.again())));
                break;
            }
        };
        for at in done.iter().filter_map(|id| id.parse::<usize>().ok()) {
            if let Some(fate) = fates.get_mut(at) {
                *fate = Some(Ok(()));
            }
        }
        let failed: HashMap<usize, BatchResultErrorEntry> =
            failed.into_iter().filter_map(|e| Some((e.id.parse().ok()?, e))).collect();
        for (at, _) in open {
            match failed.get(&at) {
                Some(e) if !e.sender_fault() && attempt + 1 < TRIES => {}
                Some(e) => fates[at] = Some(Err(of_entry(e, asked))),
                None if fates[at].is_none() && attempt + 1 == TRIES => fates[at] = Some(Err(silent(asked))),
                None => {}
            }
        }
    }
    fates.into_iter().map(|fate| fate.unwrap_or_else(|| Err(silent(asked)))).collect()
}

/// 100 ms, then twice that each time.
pub fn pause(attempt: u32) -> Duration {
    Duration::from_millis(50 << attempt.min(6))
}

/// The error of one entry of a batch.
pub fn of_entry(e: &BatchResultErrorEntry, asked: Asked<'_>) -> Error {
    let code = e.code().rsplit(['.', '#']).next().unwrap_or_default();
    let said = e.message().unwrap_or_default();
    if matches!(code, "ReceiptHandleIsInvalid" | "MessageNotInflight") || said.contains("receipt handle has expired") {
        return Error::new(Kind::NotFound, format!("its lease has run out: {said} ({code})")).during(asked.doing);
    }
    error::of_code(e.code(), said, if e.sender_fault() { 400 } else { 500 }, asked)
}

fn silent(asked: Asked<'_>) -> Error {
    Error::new(Kind::Indeterminate, format!("the answer of {} says nothing about this message", asked.what))
        .during(asked.doing)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    const ASKED: Asked<'_> = Asked { doing: "removing messages", action: "sqs:DeleteMessage", what: "queue q" };

    fn leases(n: u64) -> Vec<Lease> {
        (0..n).map(|token| Lease { token, handle: format!("h{token}") }).collect()
    }

    fn failed(id: &str, code: &str, ours: bool) -> BatchResultErrorEntry {
        BatchResultErrorEntry::builder().id(id).code(code).sender_fault(ours).build().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn what_failed_through_no_fault_of_ours_is_tried_again_and_nothing_else() {
        let (ten, asked_for) = (leases(4), Mutex::new(Vec::new()));
        let fates = tried(&ten, ASKED, |some| {
            let ids: Vec<usize> = some.iter().map(|(at, _)| *at).collect();
            let mut calls = asked_for.lock().unwrap();
            calls.push(ids);
            let answer = match calls.len() {
                1 => (
                    vec!["0".into()],
                    vec![failed("1", "InternalError", false), failed("2", "ReceiptHandleIsInvalid", true)],
                ),
                2 => (vec!["1".into()], vec![failed("3", "InternalError", false)]),
                _ => (vec![], vec![failed("3", "InternalError", false)]),
            };
            async move { Ok(answer) }
        })
        .await;
        let kinds: Vec<_> = fates.iter().map(|f| f.as_ref().err().map(Error::kind)).collect();
        assert_eq!(kinds, [None, None, Some(Kind::NotFound), Some(Kind::Other)]);
        let asked_for = asked_for.into_inner().unwrap();
        assert_eq!(asked_for, [vec![0, 1, 2, 3], vec![1, 3], vec![3], vec![3]]);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_no_outcome() {
        let ten = leases(1);
        let fates = tried(&ten, ASKED, |_| async { Ok((vec![], vec![])) }).await;
        assert_eq!(fates[0].as_ref().unwrap_err().kind(), Kind::Indeterminate);
        let fates = tried(&ten, ASKED, |_| async { Err(Error::new(Kind::Unreachable, "gone")) }).await;
        assert_eq!(fates[0].as_ref().unwrap_err().kind(), Kind::Unreachable);
    }
}
