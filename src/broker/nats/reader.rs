//! The task that reads for a scan.

use std::collections::VecDeque;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::advisories::{Advisories, GivenUp};
use super::api::Stored;
use super::codec::Letters;
use super::connect::Link;
use super::number;
use super::settle::Handed;
use super::stream::StreamInfo;
use super::walk::{self, Walk};
use crate::broker::{Batch, Closed, Delivery, Result, Token};

/// Messages by number that are asked for at once, and handed on together, at most.
const AT_ONCE: u64 = 64;

/// How many of them, where one may be so large: which of a stream are picked, the average of all does not tell.
pub fn at_once(largest: u64) -> usize {
    usize::try_from((walk::ON_THE_WAY / largest.max(1)).clamp(1, AT_ONCE)).unwrap_or(1)
}

/// What is to be read.
pub enum What {
    /// The stream, from one end to the other.
    All(Walk),
    /// These numbers.
    These(Vec<u64>),
    /// What a consumer gave up on; and of it what is known and not read yet.
    GivenUp(Box<Advisories>, VecDeque<GivenUp>),
}

/// Reads one scan.
pub struct Reader {
    /// The connection.
    pub link: Link,
    /// The stream.
    pub stream: String,
    /// How its messages are made ours.
    pub letters: Letters,
    /// What of it.
    pub what: What,
    /// As the stream is when it begins: nothing is read that came later.
    pub info: StreamInfo,
    /// Those by number that are asked for at once.
    pub at_once: usize,
    /// At most so many.
    pub remaining: u64,
    /// What was handed out.
    pub handed: Handed,
    /// Set at Ctrl-C.
    pub stop: CancellationToken,
    /// Of what a consumer gave up on: no longer there.
    pub gone: u64,
}

impl Reader {
    /// Reads to the end, or until told to stop or close.
    ///
    /// # Errors
    /// None that is not also sent.
    pub async fn run(mut self, out: mpsc::Sender<Result<Batch>>, closing: CancellationToken) -> Result<Closed> {
        let mut closed = Closed::default();
        let stop = self.stop.clone();
        while self.remaining > 0 {
            let page = tokio::select! {
                biased;
                () = closing.cancelled() => break,
                () = stop.cancelled() => {
                    closed.cut = Some("it was stopped".into());
                    break;
                }
                page = self.page() => page,
            };
            let batch = match page {
                Ok(Some(page)) if page.is_empty() => continue,
                Ok(Some(page)) => Ok(self.hand_out(page)),
                Ok(None) => break,
                Err(e) => Err(e),
            };
            let failed = batch.is_err();
            tokio::select! {
                () = closing.cancelled() => break,
                sent = out.send(batch) => if failed || sent.is_err() { break },
            }
        }
        if self.gone > 0 {
            let are = if self.gone == 1 { "is" } else { "are" };
            let they = number(self.gone, "message");
            closed.notices.push(format!("{they} that it gave up on {are} no longer in stream {}", self.stream));
        }
        Ok(closed)
    }

    fn hand_out(&mut self, page: Vec<(Stored, Option<GivenUp>)>) -> Batch {
        let many = usize::try_from(self.remaining).unwrap_or(usize::MAX);
        let deliveries: Vec<Delivery> = page
            .into_iter()
            .take(many)
            .map(|(stored, given_up)| {
                self.handed.add(stored.seq);
                let token = Token(stored.seq);
                Delivery { token, message: Box::new(self.letters.letter(stored, given_up.as_ref())) }
            })
            .collect();
        self.remaining -= deliveries.len() as u64;
        Batch { lane: 0, deliveries }
    }

    /// May be dropped: what it has read by then is read again by nobody, since the scan is over.
    async fn page(&mut self) -> Result<Option<Vec<(Stored, Option<GivenUp>)>>> {
        match &mut self.what {
            What::All(walk) => {
                Ok(walk.page().await?.map(|page| page.into_iter().map(|stored| (stored, None)).collect()))
            }
            What::These(numbers) => {
                if numbers.is_empty() {
                    return Ok(None);
                }
                let some: Vec<u64> = numbers.drain(..self.at_once.min(numbers.len())).collect();
                let got = walk::many(&self.link, &self.stream, some, self.at_once).await?;
                Ok(Some(got.into_iter().flatten().map(|stored| (stored, None)).collect()))
            }
            What::GivenUp(advisories, known) => {
                if known.is_empty() {
                    let Some(page) = advisories.page().await? else { return Ok(None) };
                    known.extend(page.into_iter().filter(|g| g.seq <= self.info.state.last_seq));
                }
                let some: Vec<GivenUp> = known.drain(..self.at_once.min(known.len())).collect();
                let numbers: Vec<u64> = some.iter().map(|g| g.seq).collect();
                let got = walk::many(&self.link, &self.stream, numbers, self.at_once).await?;
                let mut there = Vec::with_capacity(some.len());
                for (stored, given_up) in got.into_iter().zip(some) {
                    match stored {
                        Some(stored) => there.push((stored, Some(given_up))),
                        None => self.gone += 1,
                    }
                }
                Ok(Some(there))
            }
        }
    }
}
