//! The end of a read: what was not settled is given back in order, and how it went is told.

use super::hazard::Policy;
use super::ledger::Ledger;
use super::reader::Reader;
use super::window::Came;
use super::{error, number};
use crate::broker::{Closed, Error, Kind, Result};

impl Reader {
    /// Gives back, in order, and says how it went.
    pub(super) async fn finish(mut self) -> Result<Closed> {
        let drained = self.drain().await;
        let saved = match drained {
            Ok(()) => self.rescue().await,
            Err(e) => Err(e),
        };
        let ordered = match &saved {
            Ok(()) => match self.settle_down().await {
                Ok(()) => self.keep_order().await,
                Err(e) => Err(e),
            },
            Err(_) => Ok(None),
        };
        let (saved, behind) = match ordered {
            Ok(behind) => (saved, behind),
            Err(e) => (Err(e), None),
        };
        let given = self.held.give_back(self.windows.starts()).await.map_err(|e| self.lost(e))?;
        if let Err(e) = saved {
            return Err(if self.at_risk.is_empty() { e } else { self.not_saved(e) });
        }
        if given > 0 {
            self.closed.notices.extend(behind);
        }
        self.tell();
        if let Some(rescuer) = self.rescuer.take() {
            rescuer.close().await?;
        }
        for channel in [&self.held.channel, &self.control] {
            // Nothing is held any more: a channel that is closed already is as good.
            drop(channel.close(200, "done".into()).await);
        }
        if let Some(held) = self.facts.held_by_others {
            self.closed.unseen = Some(self.closed.unseen.unwrap_or(0) + held);
        }
        Ok(self.closed)
    }

    /// Ends the consumer and takes in what it was sent meanwhile.
    async fn drain(&mut self) -> Result<()> {
        self.windows.stop().await?;
        let mut late = Vec::new();
        while let Some(came) = self.windows.next().await {
            match came {
                Came::Delivery(d) => late.push(*d),
                Came::Cancelled => {}
                Came::Broke(e) => return Err(error::map(&e, "giving messages back")),
            }
        }
        self.take_in(late).await
    }

    fn tell(&mut self) {
        let n = self.rescued;
        if n > 0 {
            let limit = self.facts.policy.limit().map_or_else(String::new, |l| format!(" {l}"));
            self.closed.notices.push(format!(
                "{} carried more deliveries than the limit{limit} of this queue, and giving back would have destroyed what did: an exact copy \
                 of each was put at the end of the queue before the original was removed; a higher delivery-limit set by policy makes such messages safe",
                number(n, "message")
            ));
        }
        if let Some(left) = self.fewest.filter(|left| *left > 0) {
            self.closed.notices.push(format!(
                "this look counted as a delivery: the message nearest to the delivery limit has {} left",
                number(left - 1, "look")
            ));
        }
    }

    /// The channel or connection is gone, and with it the lease.
    pub(super) fn lost(&self, e: Error) -> Error {
        let unsettled = self.held.ledger(Ledger::unsettled);
        if unsettled == 0 {
            return e;
        }
        let counted = if self.facts.policy == Policy::Free {
            ""
        } else {
            "; the broker counts that as a failed delivery of each"
        };
        Error::new(
            e.kind(),
            format!(
                "the channel broke while {} held, which the server puts back by itself{counted}",
                if unsettled == 1 { "1 message was".into() } else { format!("{unsettled} messages were") }
            ),
        )
        .during("reading the queue")
        .because(e)
    }

    fn not_saved(&self, e: Error) -> Error {
        Error::new(
            Kind::Indeterminate,
            format!(
                "{} carried more deliveries than the limit of the queue and could not be copied to safety; the broker has dropped or dead-lettered what it was",
                number(self.at_risk.len() as u64, "message")
            ),
        )
        .during("giving messages back")
        .because(e)
    }
}
