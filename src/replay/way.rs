//! How messages leave: the backend's own transaction, or publish-then-settle.

use std::collections::HashMap;
use std::sync::Arc;

use futures::future::BoxFuture;

use super::books::Books;
use super::publish_then_settle::PublishThenSettle;
use crate::broker::{Error, Move, Mover, Outcome, Outgoing, Result, Settler, Sink};
use crate::message::Target;

pub(super) enum Way {
    /// Publish and remove are one act; the sink only answers for targets.
    Whole {
        mover: Box<dyn Mover>,
        sink: Box<dyn Sink>,
    },
    Steps(Box<PublishThenSettle>),
}

impl Way {
    pub(super) fn publish_then_settle(sink: Box<dyn Sink>, settler: Option<Arc<dyn Settler>>, books: Books) -> Self {
        Way::Steps(Box::new(PublishThenSettle::new(sink, settler, books)))
    }

    pub(super) async fn submit(&mut self, batch: Vec<Move>) -> BoxFuture<'static, Vec<Outcome>> {
        match self {
            Way::Whole { mover, .. } => mover.submit(batch).await,
            Way::Steps(steps) => steps.submit(batch).await,
        }
    }

    /// Publishing and removing cannot happen one without the other, so that no send is written down.
    pub(super) fn is_one_act(&self) -> bool {
        matches!(self, Way::Whole { .. })
    }

    /// See [`Mover::holds_lanes`].
    pub(super) fn holds_lanes(&self) -> bool {
        match self {
            Way::Whole { mover, .. } => mover.holds_lanes(),
            Way::Steps(steps) => steps.holds_lanes(),
        }
    }

    async fn check(&mut self, target: Option<&Target>) -> Result<()> {
        match self {
            Way::Whole { sink, .. } => sink.check(target).await,
            Way::Steps(steps) => steps.check(target).await,
        }
    }

    /// Waits for everything submitted; what went wrong is added to `errors`.
    pub(super) async fn close(self, errors: &mut Vec<Error>) {
        match self {
            Way::Whole { mover, sink } => {
                errors.extend(mover.close().await.err());
                errors.extend(sink.close().await.err());
            }
            Way::Steps(steps) => errors.extend(steps.close().await.err()),
        }
    }
}

/// Each distinct target is asked for once, before the first message for it.
pub(super) struct Checked {
    known: HashMap<Arc<Target>, Option<Error>>,
    last: Option<Arc<Target>>,
    opened_to: bool,
}

/// Targets that are remembered. A replay has a handful; should each message name its own, the oldest need not be kept.
const REMEMBERED: usize = 4096;

impl Checked {
    /// `opened_to`: the place the sink was opened to has been checked.
    pub(super) fn new(opened_to: bool) -> Self {
        Checked { known: HashMap::new(), last: None, opened_to }
    }

    /// Whether this message has somewhere to go.
    pub(super) async fn check(&mut self, way: &mut Way, outgoing: &Outgoing) -> Result<()> {
        let Some(target) = &outgoing.target else {
            if !self.opened_to {
                way.check(None).await?;
                self.opened_to = true;
            }
            return Ok(());
        };
        if self.last.as_ref() == Some(target) {
            return Ok(());
        }
        if !self.known.contains_key(target) {
            if self.known.len() >= REMEMBERED {
                self.known.clear();
            }
            let answer = way.check(Some(target)).await.err();
            self.known.insert(Arc::clone(target), answer);
        }
        match self.known.get(target).and_then(Option::as_ref) {
            Some(e) => Err(e.again()),
            None => {
                self.last = Some(Arc::clone(target));
                Ok(())
            }
        }
    }
}
