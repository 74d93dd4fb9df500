//! The end of a read: what was not settled is given back in order, and how it went is told.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::time::sleep;

use super::facts::Returns;
use super::hazard::{Policy, QueueKind};
use super::held::{answer, counts};
use super::ledger::Ledger;
use super::reader::Reader;
use super::rescue;
use super::window::Came;
use super::{error, number};
use crate::broker::{Closed, Error, Kind, Result};

/// Longest wait for a consumer to be sent all it can be.
const CALM: Duration = Duration::from_secs(5);

impl Reader {
    /// Gives back, in order, and says how it went.
    pub(super) async fn finish(mut self) -> Result<Closed> {
        let drained = self.drain().await.inspect_err(|e| self.link.hang_up_if_silent(e));
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
        // Written before they are given back, which destroys them.
        let kept = (saved.is_err() && !self.at_risk.is_empty()).then(|| rescue::save(&self.at_risk, Timestamp::now()));
        let given = self.held.give_back(self.windows.starts()).await.map_err(|e| self.lost(e))?;
        if let Err(e) = saved {
            return Err(if self.at_risk.is_empty() { e } else { self.not_saved(e, kept) });
        }
        if given.messages > 0 {
            self.closed.notices.extend(behind);
        }
        if given.missing > 0 && !self.facts.delayed_retry {
            let counts =
                if self.facts.policy.counts() { ", or a delivery limit has dropped or dead-lettered them" } else { "" };
            self.closed.notices.push(format!(
                "of what was given back, {} did not turn up in the queue again: expired or taken by somebody meanwhile{counts}",
                number(given.missing, "message")
            ));
        }
        self.tell();
        if let Some(rescuer) = self.rescuer.take() {
            rescuer.close().await?;
        }
        for channel in [&self.held.channel, &self.control] {
            // Nothing is held any more: a channel that is closed already is as good.
            drop(answer(self.ctx.timeout, "closing a channel", channel.close(200, "done".into())).await);
        }
        if let Some(held) = self.facts.held_by_others {
            self.closed.unseen = Some(self.closed.unseen.unwrap_or(0) + held);
        }
        Ok(self.closed)
    }

    /// Ends the consumer and takes in what it was sent.
    pub(super) async fn drain(&mut self) -> Result<()> {
        self.calm_stop().await?;
        let late = std::mem::take(&mut self.stash).into();
        self.take_in(late).await?;
        let mut late = Vec::new();
        let (longest, doing) = (self.ctx.timeout, "giving messages back");
        while let Some(came) = answer(longest, doing, async { Ok(self.windows.next().await) }).await? {
            match came {
                Came::Delivery(d) => late.push(*d),
                Came::Cancelled => {}
                Came::Broke(e) => return Err(error::map(&e, "giving messages back")),
            }
        }
        self.note(&late);
        self.take_in(late).await
    }

    /// Ends the consumer once it has been sent all it can be: its prefetch is full, or the queue is empty. A quorum queue
    /// hands out what an acknowledgement makes room for without waiting for the consumer; what is on its way when the consumer
    /// ends is never seen, and goes back ahead of everything we hold or, on 3.10, when the channel closes. So no
    /// acknowledgement is sent meanwhile.
    pub(super) async fn calm_stop(&mut self) -> Result<()> {
        if self.windows.current().is_none() {
            return Ok(());
        }
        let held = self.held.clone();
        let _pause = held.pause().await;
        self.saturate().await?;
        self.windows.stop().await
    }

    /// Stashes deliveries until the window is full or the queue empty. Acknowledgements are paused by the caller.
    pub(super) async fn saturate(&mut self) -> Result<()> {
        if self.facts.returns() == Returns::InPlace {
            return Ok(());
        }
        let began = Instant::now();
        while !self.is_full() && began.elapsed() < CALM {
            // Asked on the same channel: what was handed out before the answer has come before it.
            let (ready, _) = counts(&self.held.channel, &self.queue, self.ctx.timeout, "reading the queue").await?;
            let Some(came) = self.stash_ready()? else { return Ok(()) };
            let nothing = came == 0;
            if nothing && ready == 0 {
                return Ok(());
            }
            if nothing {
                sleep(Duration::from_millis(2)).await;
            }
        }
        Ok(())
    }

    /// Stashes the deliveries that are there already and tells how many; `None` where the broker ended the consumer.
    pub(super) fn stash_ready(&mut self) -> Result<Option<usize>> {
        let mut came = Vec::new();
        let ended = loop {
            match self.windows.ready() {
                Some(Came::Delivery(d)) => came.push(*d),
                Some(Came::Broke(e)) => break Err(e),
                Some(Came::Cancelled) => break Ok(true),
                None => break Ok(false),
            }
        };
        self.note(&came);
        let many = came.len();
        self.stash.extend(came);
        match ended {
            Ok(cancelled) => Ok((!cancelled).then_some(many)),
            Err(e) => Err(self.lost(error::map(&e, "reading the queue"))),
        }
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
        let e = self.what_is_held_is_back(e);
        if !self.forgets() {
            return e;
        }
        e.hint(
            "should the server's node have been killed, its classic queues can bring back messages that were removed already, and \
             nothing tells them from others: they would be sent once more",
        )
    }

    fn what_is_held_is_back(&self, e: Error) -> Error {
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

    /// Whether the queue can forget a removal it has answered for.
    fn forgets(&self) -> bool {
        self.takes() && self.facts.kind == QueueKind::Classic
    }

    fn not_saved(&self, e: Error, kept: Option<Result<PathBuf>>) -> Error {
        let hint = match kept {
            Some(Ok(path)) => format!(
                "they were saved in {0}; put them back with: dlq copy file:{0} QUEUE, after raising delivery-limit by policy",
                path.display()
            ),
            Some(Err(why)) => format!("they could not be saved in a file either: {why}"),
            None => String::new(),
        };
        Error::new(
            Kind::Indeterminate,
            format!(
                "{} carried more deliveries than the limit of the queue and could not be copied to safety; the broker has dropped or dead-lettered what it was",
                number(self.at_risk.len() as u64, "message")
            ),
        )
        .during("giving messages back")
        .because(e)
        .hint(hint)
    }
}
