//! The mover for two places that share no transaction: publish, wait for the confirmation, then remove.

use std::sync::Arc;

use async_trait::async_trait;
use futures::StreamExt;
use futures::channel::{mpsc, oneshot};
use futures::future::BoxFuture;
use tokio::task::JoinHandle;

use crate::broker::{
    Act, Confirms, Error, Kind, Move, Mover, Outcome, Receipt, Result, Settlement, Settler, Sink, Token,
};
use crate::message::Target;

/// Publishes through a sink; a task of its own takes the confirmations in order and settles what they cover, so that both
/// make progress whether or not anyone waits for the outcome.
pub struct PublishThenSettle {
    sink: Box<dyn Sink>,
    sent: mpsc::UnboundedSender<Sent>,
    settling: JoinHandle<()>,
}

/// A batch on its way.
struct Sent {
    tokens: Vec<Token>,
    confirms: Confirms,
    answer: oneshot::Sender<Vec<Outcome>>,
}

/// A batch whose confirmations are in.
struct Confirmed {
    tokens: Vec<Token>,
    receipts: Vec<Result<Receipt>>,
    answer: oneshot::Sender<Vec<Outcome>>,
}

/// Batches whose confirmations are awaited side by side. Beyond that they wait unpolled, which a sink must bear anyway.
const AWAITED: usize = 1024;
/// Batches settled in one call at most: more would only delay the first of them.
const MERGED: usize = 64;

impl PublishThenSettle {
    /// `settler` is `None` where nothing is to be removed.
    pub fn new(sink: Box<dyn Sink>, settler: Option<Arc<dyn Settler>>) -> Self {
        // Not bounded here: the engine bounds the messages that are unconfirmed.
        let (sent, queue) = mpsc::unbounded::<Sent>();
        let settling = tokio::spawn(async move {
            let confirmed = queue
                .map(|s| async move { Confirmed { tokens: s.tokens, receipts: s.confirms.await, answer: s.answer } })
                .buffered(AWAITED)
                .ready_chunks(MERGED);
            let mut confirmed = std::pin::pin!(confirmed);
            while let Some(batches) = confirmed.next().await {
                settle(batches, settler.as_deref()).await;
            }
        });
        PublishThenSettle { sink, sent, settling }
    }

    /// Is the target there, may we: see [`Sink::check`].
    ///
    /// # Errors
    /// Those of the sink.
    pub async fn check(&mut self, target: Option<&Target>) -> Result<()> {
        self.sink.check(target).await
    }
}

/// Removes what is confirmed of these batches and nothing else, and tells the fate of each message.
async fn settle(batches: Vec<Confirmed>, settler: Option<&dyn Settler>) {
    let mut settlements = Vec::new();
    let mut fates: Vec<(Vec<Outcome>, _)> = Vec::with_capacity(batches.len());
    for Confirmed { tokens, receipts, answer } in batches {
        let mut receipts = receipts.into_iter();
        let mut outcomes = Vec::with_capacity(tokens.len());
        for token in tokens {
            let outcome = match receipts.next() {
                Some(Ok(receipt)) => Outcome::Moved(receipt),
                Some(Err(e)) if e.kind() == Kind::Indeterminate => Outcome::Indeterminate(e),
                Some(Err(e)) => Outcome::Failed(e),
                None => Outcome::Indeterminate(unanswered()),
            };
            let act = if matches!(outcome, Outcome::Moved(_)) { Act::Done } else { Act::Keep };
            settlements.push(Settlement { token, act });
            outcomes.push(outcome);
        }
        fates.push((outcomes, answer));
    }
    if let Some(settler) = settler {
        let mut settled = settler.settle(settlements).await.into_iter();
        for outcome in fates.iter_mut().flat_map(|(outcomes, _)| outcomes) {
            let settled = settled.next().unwrap_or_else(|| Err(unanswered()));
            // Keeping cannot fail in a way that matters here: what is not removed is given back when the scan closes.
            if let (Outcome::Moved(_), Err(e)) = (&*outcome, settled) {
                *outcome = Outcome::NotRemoved(e);
            }
        }
    }
    for (outcomes, answer) in fates {
        // Nobody waits any more when the run was dropped at the second Ctrl-C.
        let _ = answer.send(outcomes);
    }
}

fn unanswered() -> Error {
    Error::new(Kind::Indeterminate, "no answer came for this message")
}

#[async_trait]
impl Mover for PublishThenSettle {
    async fn submit(&mut self, batch: Vec<Move>) -> BoxFuture<'static, Vec<Outcome>> {
        let (tokens, outgoing): (Vec<_>, Vec<_>) = batch.into_iter().map(|m| (m.token, m.outgoing)).unzip();
        let many = tokens.len();
        let confirms = self.sink.publish(outgoing).await;
        let (answer, outcomes) = oneshot::channel();
        // Should the task be gone, `answer` is dropped with the message and the outcome is unknown, as it should be.
        let _ = self.sent.unbounded_send(Sent { tokens, confirms, answer });
        Box::pin(async move {
            outcomes.await.unwrap_or_else(|_| (0..many).map(|_| Outcome::Indeterminate(unanswered())).collect())
        })
    }

    async fn close(self: Box<Self>) -> Result<()> {
        let PublishThenSettle { sink, sent, settling } = *self;
        drop(sent);
        let settled = settling.await;
        sink.close().await?;
        settled.map_err(|e| Error::new(Kind::Other, "settling ended before its time").because(e))
    }
}
