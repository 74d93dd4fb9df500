//! The move task of AWS: everything, as it is, without passing through here.

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_sqs::types::ListMessageMoveTasksResultEntry;

use super::connect::{self, Link};
use super::queue::Queue;
use super::{BACKEND, lookup};
use crate::broker::aws::error::{self, Asked};
use crate::broker::{Address, Context, Error, Kind, RemoteMove, RemoteMoving, RemoteProgress, RemoteState, Result};

/// AWS moves no more messages a second.
const MOST_A_SECOND: f64 = 500.0;
const ASKED: &str = "sqs:StartMessageMoveTask";
const FOLLOWING: &str = "following the move task";

/// A move task, to be started or started.
pub struct MoveTask {
    link: Arc<Link>,
    queue: Queue,
    destination: Option<String>,
    rate: Option<i32>,
    handle: Option<String>,
}

/// Checks what AWS would refuse. Nothing is started yet.
///
/// # Errors
/// `Unsupported`, with the reason.
pub async fn prepare(
    link: &Arc<Link>,
    queue: &Queue,
    request: &RemoteMove,
    ctx: &Context,
) -> Result<Box<dyn RemoteMoving>> {
    let rate = request.rate.map(rate).transpose()?;
    let destination = match &request.to {
        Some(to) => Some(destination(queue, to, ctx).await?),
        None => None,
    };
    if lookup::sources(link, queue).await?.is_empty() {
        return Err(cannot(format!(
            "no queue of SQS has {} as its dead-letter queue, and the move task of AWS takes only those",
            queue.shown()
        )));
    }
    Ok(Box::new(MoveTask { link: Arc::clone(link), queue: queue.clone(), destination, rate, handle: None }))
}

fn cannot(text: impl Into<String>) -> Error {
    Error::new(Kind::Unsupported, text).hint("without --server-side dlq moves the messages itself")
}

fn rate(a_second: f64) -> Result<i32> {
    if a_second > MOST_A_SECOND {
        return Err(cannot(format!(
            "AWS moves at most {MOST_A_SECOND} messages a second, and --rate asks for {a_second}"
        )));
    }
    if a_second < 1.0 || a_second.fract() > 0.0 {
        return Err(cannot(format!("AWS takes whole messages a second, and --rate comes to {a_second}")));
    }
    // It is between 1 and 500.
    Ok(a_second as i32)
}

async fn destination(queue: &Queue, to: &Address, ctx: &Context) -> Result<String> {
    if !std::ptr::eq(to.backend, &BACKEND) {
        return Err(cannot(format!("the move task of AWS moves to queues of SQS, and {to} is none")));
    }
    let (_, there) = connect::open(to, ctx).await?;
    if there.fifo != queue.fifo {
        return Err(cannot(format!(
            "the move task of AWS moves from {} to {} queues only, and {to} is a {} queue",
            queue.kind(),
            queue.kind(),
            there.kind()
        )));
    }
    Ok(there.arn)
}

impl MoveTask {
    /// The latest task of the queue.
    async fn last(&self) -> Result<Option<ListMessageMoveTasksResultEntry>> {
        let what = self.queue.shown();
        let asked = Asked { doing: FOLLOWING, action: "sqs:ListMessageMoveTasks", what: &what };
        let call = self.link.calls.list_message_move_tasks().source_arn(&self.queue.arn).max_results(1);
        let answer = call.send().await.map_err(|e| error::of(e, asked))?;
        Ok(answer.results.unwrap_or_default().into_iter().next())
    }
}

#[async_trait]
impl RemoteMoving for MoveTask {
    fn notes(&self) -> Vec<String> {
        let rate = if self.rate.is_none() { ", at a speed of its own choosing" } else { "" };
        vec![
            format!(
                "AWS moves the messages by itself{rate}: no receive is counted, no mark is left, and each gets a new id and a new time"
            ),
            "messages that arrive meanwhile go too; Ctrl-C cancels what is left".to_owned(),
        ]
    }

    async fn start(&mut self) -> Result<()> {
        let what = self.queue.shown();
        let asked = Asked { doing: "starting the move task", action: ASKED, what: &what };
        let call = self.link.sends.start_message_move_task().source_arn(&self.queue.arn);
        let call = call.set_destination_arn(self.destination.clone()).set_max_number_of_messages_per_second(self.rate);
        let answer = call.send().await.map_err(|e| error::of_sending(e, asked))?;
        self.handle = answer.task_handle;
        Ok(())
    }

    async fn take_up(&mut self) -> Result<bool> {
        let Some(task) = self.last().await? else { return Ok(false) };
        // One to elsewhere is somebody else's, and the start is refused because of it.
        let same = task.destination_arn() == self.destination.as_deref();
        self.handle = task.task_handle.filter(|_| same && task.status.as_deref() == Some("RUNNING"));
        Ok(self.handle.is_some())
    }

    async fn progress(&mut self) -> Result<RemoteProgress> {
        let Some(task) = self.last().await? else {
            return Err(Error::new(Kind::Indeterminate, "AWS knows nothing of the move task").during(FOLLOWING));
        };
        let state = match task.status().unwrap_or_default() {
            "COMPLETED" => RemoteState::Done,
            "CANCELLED" => RemoteState::Cancelled,
            "FAILED" => RemoteState::Failed(task.failure_reason().unwrap_or("AWS gives no reason").to_owned()),
            _ => RemoteState::Running,
        };
        let many = |n: i64| u64::try_from(n).ok();
        Ok(RemoteProgress {
            moved: many(task.approximate_number_of_messages_moved()).unwrap_or(0),
            of: task.approximate_number_of_messages_to_move().and_then(many),
            state,
        })
    }

    async fn cancel(&mut self) -> Result<()> {
        let what = self.queue.shown();
        let asked = Asked { doing: "cancelling the move task", action: "sqs:CancelMessageMoveTask", what: &what };
        let Some(handle) = &self.handle else { return Ok(()) };
        let call = self.link.calls.cancel_message_move_task().task_handle(handle);
        call.send().await.map(drop).map_err(|e| error::of(e, asked))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_what_aws_takes() {
        assert_eq!((rate(1.0).unwrap(), rate(500.0).unwrap()), (1, 500));
        for bad in [501.0, 0.5, 2.5] {
            assert_eq!(rate(bad).unwrap_err().kind(), Kind::Unsupported, "{bad}");
        }
    }
}
