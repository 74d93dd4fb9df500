//! Keeps the order of a quorum queue of which only a part was read.
//!
//! A quorum queue hands out what was given back before, in the order it was given back, ahead of what it never delivered. So
//! the first twenty messages of a queue that somebody has looked at whole would, given back, stand behind all the others. They
//! do not if everything that was given back before is taken too, and then all of it is given back in one go.

use std::time::{Duration, Instant};

use super::facts::Returns;
use super::ledger::Ledger;
use super::reader::Reader;
use crate::broker::Result;

/// Most messages taken for the sake of order alone.
const MOST: u64 = 200_000;
/// Longest time spent on it.
const LONGEST: Duration = Duration::from_secs(20);
const WINDOW: u16 = 10_000;

impl Reader {
    /// Takes what must be taken. The sentence says what became of the order where it could not be kept.
    pub(super) async fn keep_order(&mut self) -> Result<Option<String>> {
        let unsettled = self.held.ledger(Ledger::unsettled);
        let returns = self.facts.returns();
        let clear = match returns {
            Returns::InPlace => true,
            Returns::BehindReturned => !self.last_redelivered,
            Returns::Back => false,
        };
        if unsettled == 0 || clear {
            return Ok(None);
        }
        let ready = self.ready().await?;
        if ready == 0 {
            return Ok(None);
        }
        let told = Some(format!(
            "what was given back ({}) now stands {}",
            super::number(unsettled, "message"),
            if returns == Returns::Back {
                "at the end of the queue"
            } else {
                "behind others that were given back before"
            }
        ));
        // Where a look is counted, order is not worth a look at every message.
        if self.facts.policy.counts() || (returns == Returns::Back && ready > MOST) {
            return Ok(told);
        }
        let (began, before) = (Instant::now(), self.delivered);
        while began.elapsed() < LONGEST && self.delivered - before < MOST {
            let from = self.held.ledger(Ledger::last) + 1;
            self.windows.open(WINDOW).await?;
            self.saturate().await?;
            let full = self.held.ledger(|l| l.unsettled_from(from)) >= u64::from(WINDOW);
            self.drain().await?;
            if !full || (returns == Returns::BehindReturned && !self.last_redelivered) {
                return Ok(None);
            }
        }
        Ok(told)
    }

    /// Waits until a quorum queue has removed what was acknowledged. Its channel puts acknowledgements off when it is behind,
    /// and forgets those when it closes. Opening and ending a consumer are answered through the log of the queue: the first
    /// round comes after what was sent, the second after what was put off. It may bring a message, which goes back with the rest.
    pub(super) async fn settle_down(&mut self) -> Result<()> {
        if self.facts.returns() == Returns::InPlace || !self.held.may_be_behind() {
            return Ok(());
        }
        for _ in 0..2 {
            self.windows.open(1).await?;
            self.drain().await?;
            self.held.barrier("giving messages back").await?;
        }
        Ok(())
    }
}
