//! The mover for two places that share no transaction: write down what will be sent, publish, wait for the confirmation, write
//! that down, then remove.

use std::sync::Arc;

use async_trait::async_trait;
use futures::StreamExt;
use futures::channel::{mpsc, oneshot};
use futures::future::BoxFuture;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use super::books::{Books, Written};
use crate::broker::{
    Act, Confirms, Error, Kind, Move, Mover, Outcome, Outgoing, Receipt, Result, Settlement, Settler, Sink, Token,
};
use crate::message::Target;

/// Publishes through a sink; tasks of its own send what is written down, take the confirmations in order and settle what they
/// cover, so that all of it makes progress whether or not anyone waits for the outcome.
pub struct PublishThenSettle {
    sink: Arc<Mutex<Box<dyn Sink>>>,
    holds_lanes: bool,
    books: Books,
    written: mpsc::UnboundedSender<(Sending, Written)>,
    sent: mpsc::UnboundedSender<Sent>,
    sending: JoinHandle<()>,
    settling: JoinHandle<()>,
}

/// A batch that is being written down.
struct Sending {
    outgoing: Vec<Outgoing>,
    note: Note,
}

/// What a batch consists of, and who waits for its fate.
struct Note {
    /// In order, and whether it is sent: what arrived in an earlier attempt is not.
    slots: Vec<(Token, bool)>,
    answer: oneshot::Sender<Vec<Outcome>>,
}

/// A batch on its way.
struct Sent {
    note: Note,
    written: Written,
    confirms: Confirms,
}

/// A batch whose confirmations are in.
struct Confirmed {
    note: Note,
    written: Written,
    outcomes: Vec<Outcome>,
}

/// Batches whose confirmations are awaited side by side. Beyond that they wait unpolled, which a sink must bear anyway.
const AWAITED: usize = 1024;
/// Batches settled in one call at most: more would only delay the first of them.
const MERGED: usize = 64;
/// Groups of batches whose confirmations are written down side by side, while one before them is settled.
const WRITING: usize = 2;

impl PublishThenSettle {
    /// `settler` is `None` where nothing is to be removed.
    pub fn new(sink: Box<dyn Sink>, settler: Option<Arc<dyn Settler>>, books: Books) -> Self {
        let holds_lanes = sink.holds_lanes();
        let sink = Arc::new(Mutex::new(sink));
        // Not bounded here: the engine bounds the messages that are unconfirmed.
        let (written, mut to_send) = mpsc::unbounded::<(Sending, Written)>();
        let (sent, queue) = mpsc::unbounded::<Sent>();
        let (place, on) = (Arc::clone(&sink), sent.clone());
        let sending = tokio::spawn(async move {
            while let Some((batch, written)) = to_send.next().await {
                send(batch, written, &place, &on).await;
            }
        });
        let keeping = books.clone();
        let settling = tokio::spawn(async move {
            let settled = queue
                .map(confirmed)
                .buffered(AWAITED)
                .ready_chunks(MERGED)
                .map(|batches| write_confirmed(batches, keeping.clone()))
                .buffered(WRITING);
            let mut groups = std::pin::pin!(settled);
            while let Some(batches) = groups.next().await {
                settle(batches, settler.as_deref(), &keeping).await;
            }
        });
        PublishThenSettle { sink, holds_lanes, books, written, sent, sending, settling }
    }

    /// Is the target there, may we: see [`Sink::check`].
    ///
    /// # Errors
    /// Those of the sink.
    pub async fn check(&mut self, target: Option<&Target>) -> Result<()> {
        self.sink.lock().await.check(target).await
    }
}

/// Publishes a batch once it is written down; what cannot be written down is not sent.
async fn send(batch: Sending, mut written: Written, sink: &Mutex<Box<dyn Sink>>, sent: &mpsc::UnboundedSender<Sent>) {
    let Sending { outgoing, note } = batch;
    let confirms: Confirms = match written.durable().await {
        Ok(()) if outgoing.is_empty() => Box::pin(std::future::ready(vec![])),
        Ok(()) => sink.lock().await.publish(outgoing).await,
        Err(e) => Box::pin(std::future::ready(outgoing.iter().map(|_| Err(e.again())).collect())),
    };
    // Should the other task be gone, the answer is dropped with the batch and the outcome is unknown, as it should be.
    _ = sent.unbounded_send(Sent { note, written, confirms });
}

async fn confirmed(Sent { note, written, confirms }: Sent) -> Confirmed {
    let mut receipts = confirms.await.into_iter();
    let outcome = |(_, sent): &(Token, bool)| {
        if !sent {
            return Outcome::Moved(Receipt::default());
        }
        match receipts.next() {
            Some(Ok(receipt)) => Outcome::Moved(receipt),
            Some(Err(e)) if e.kind() == Kind::Indeterminate => Outcome::Indeterminate(e),
            Some(Err(e)) if e.kind() == Kind::Behind => Outcome::Behind,
            Some(Err(e)) => Outcome::Failed(e),
            None => Outcome::Indeterminate(unanswered()),
        }
    };
    let outcomes = note.slots.iter().map(outcome).collect();
    Confirmed { note, written, outcomes }
}

/// Writes down what has arrived, before any of it is removed.
async fn write_confirmed(mut batches: Vec<Confirmed>, books: Books) -> Vec<Confirmed> {
    let entries = batches.iter_mut().filter_map(|b| b.written.confirm(&b.outcomes)).collect();
    if let Err(e) = books.write(entries).await {
        for outcome in batches.iter_mut().flat_map(|b| &mut b.outcomes) {
            if matches!(outcome, Outcome::Moved(_)) {
                *outcome = Outcome::NotRemoved(e.again());
            }
        }
    }
    batches
}

/// Removes what is confirmed of these batches and nothing else, and tells the fate of each message.
async fn settle(mut batches: Vec<Confirmed>, settler: Option<&dyn Settler>, books: &Books) {
    if let Some(settler) = settler {
        let both = batches.iter().flat_map(|b| b.note.slots.iter().zip(&b.outcomes));
        let settlements = both.map(|((token, _), outcome)| {
            let act = if matches!(outcome, Outcome::Moved(_)) { Act::Done } else { Act::Keep };
            Settlement { token: *token, act }
        });
        let mut settled = settler.settle(settlements.collect()).await.into_iter();
        for outcome in batches.iter_mut().flat_map(|b| &mut b.outcomes) {
            let settled = settled.next().unwrap_or_else(|| Err(unanswered()));
            // Keeping cannot fail in a way that matters here: what is not removed is given back when the scan closes.
            if let (Outcome::Moved(_), Err(e)) = (&*outcome, settled) {
                *outcome = Outcome::NotRemoved(e);
            }
        }
    }
    books.note(batches.iter_mut().filter_map(|b| b.written.settle(&b.outcomes, books)).collect());
    for batch in batches {
        // Nobody waits any more when the run was dropped at the second Ctrl-C.
        let _ = batch.note.answer.send(batch.outcomes);
    }
}

fn unanswered() -> Error {
    Error::new(Kind::Indeterminate, "no answer came for this message")
}

#[async_trait]
impl Mover for PublishThenSettle {
    async fn submit(&mut self, batch: Vec<Move>) -> BoxFuture<'static, Vec<Outcome>> {
        let many = batch.len();
        let (answer, outcomes) = oneshot::channel();
        let written = self.books.open(&batch);
        let claims = self.books.claims();
        let slots = batch.iter().map(|m| (m.token, !claims.is_arrived(m.outgoing.sequence))).collect();
        let outgoing = batch.into_iter().map(|m| m.outgoing).filter(|o| !claims.is_arrived(o.sequence)).collect();
        let note = Note { slots, answer };
        if self.books.keeps() {
            let _ = self.written.unbounded_send((Sending { outgoing, note }, written));
        } else {
            // Where nothing is written first, returning late is the back-pressure.
            let confirms = self.sink.lock().await.publish(outgoing).await;
            let _ = self.sent.unbounded_send(Sent { note, written, confirms });
        }
        Box::pin(async move {
            outcomes.await.unwrap_or_else(|_| (0..many).map(|_| Outcome::Indeterminate(unanswered())).collect())
        })
    }

    fn holds_lanes(&self) -> bool {
        self.holds_lanes
    }

    async fn close(self: Box<Self>) -> Result<()> {
        let PublishThenSettle { sink, written, sent, sending, settling, .. } = *self;
        drop(written);
        let sending = sending.await;
        drop(sent);
        let settled = settling.await;
        let sink = Arc::into_inner(sink).map(Mutex::into_inner);
        if let Some(sink) = sink {
            sink.close().await?;
        }
        sending.and(settled).map_err(|e| Error::new(Kind::Other, "settling ended before its time").because(e))
    }
}
