//! From a judged batch to messages ready to go: strip, mark, route, fit. Runs on the thread that judged it.

use std::future::ready;
use std::sync::Arc;

use super::pipeline::Start;
use super::route::Route;
use super::run::RunId;
use super::tally::{FILTER_EXAMPLES, Failure, Skip};
use crate::broker::{Delivery, Error, Fit, Outgoing, Result, Source, Token};
use crate::death;
use crate::message::unwrap::Envelope;
use crate::message::{ClaimCheck, DeadLetter, MARK_HEADER, Mark, Target};
use crate::select::judging::judge_and;
use crate::select::{Judged, Selection, Verdict};

/// A thread switch would cost more than so few messages.
const SMALL: usize = 64;

/// What is done to a message on its way.
#[derive(Clone, Debug)]
pub enum Treatment {
    /// Nothing: `copy`, `move`, and the archive of a `purge`.
    Verbatim,
    /// Back to work: without bookkeeping, marked, each to its own place.
    Replay {
        /// Everything goes where the sink was opened to, instead of where it came from.
        to_one_place: bool,
        /// Leave the headers in which frameworks keep their death notes.
        keep_death_headers: bool,
        /// Messages replayed so often before are left alone.
        max_replays: u32,
        /// Where messages can have come from, by topology: used for those that do not say themselves.
        fallback: Vec<Target>,
        /// Messages in such an envelope go as what is inside; others as they are.
        unwrap: Option<&'static Envelope>,
    },
}

/// A batch, prepared.
pub(super) struct Prepared {
    pub(super) read: u64,
    /// The selected ones, in order.
    pub(super) items: Vec<Item>,
    /// The others.
    pub(super) unselected: Vec<Token>,
    /// Selected messages whose bodies are kept elsewhere.
    pub(super) claim_checks: u64,
    pub(super) filter_errors: u64,
    pub(super) filter_examples: Vec<Failure>,
    pub(super) fatal: Option<Error>,
}

/// A selected message.
pub(super) struct Item {
    /// Where a failure is to hold up those behind it.
    pub(super) lane: Option<u64>,
    pub(super) token: Token,
    pub(super) fate: Fate,
}

/// What is to be done with it.
#[expect(clippy::large_enum_variant, reason = "nearly all are Go, and a box each would be an allocation each")]
pub(super) enum Fate {
    Go { outgoing: Outgoing, left_out: Vec<String>, unmarked: bool },
    Skip(Skip),
    Fail { id: String, error: Error },
}

pub(super) struct Preparer {
    source: Arc<dyn Source>,
    how: How,
    fit: Fit,
    /// A failure holds up its lane.
    holds: bool,
}

enum How {
    Verbatim,
    Replay { route: Route, keep_death_headers: bool, max_replays: u32, unwrap: Option<&'static Envelope>, run: RunId },
}

impl Preparer {
    pub(super) fn new(source: Arc<dyn Source>, treatment: Treatment, run: RunId, fit: Fit, holds: bool) -> Self {
        let how = match treatment {
            Treatment::Verbatim => How::Verbatim,
            Treatment::Replay { to_one_place, keep_death_headers, max_replays, fallback, unwrap } => {
                let route = Route::new(to_one_place, fallback, source.address());
                How::Replay { route, keep_death_headers, max_replays, unwrap, run }
            }
        };
        Preparer { source, how, fit, holds }
    }

    /// Judges and prepares batches: small ones on the spot unless there is an expression, others on other threads.
    pub(super) fn starter(self, selection: Arc<Selection>) -> Start<Prepared> {
        let me = Arc::new(self);
        Box::new(move |batch, first| {
            if selection.program.is_none() && batch.deliveries.len() <= SMALL {
                return Box::pin(ready(Ok(me.prepare(selection.judge(batch), first))));
            }
            let me = Arc::clone(&me);
            judge_and(&selection, batch, move |judged| me.prepare(judged, first))
        })
    }

    /// `first` is the number of the first message of the batch within the run.
    pub(super) fn prepare(&self, judged: Judged, first: u64) -> Prepared {
        let Judged { batch, verdicts, fatal } = judged;
        let of_batch = batch.lane;
        let mut out = Prepared {
            read: verdicts.len() as u64,
            items: Vec::with_capacity(verdicts.len()),
            unselected: Vec::new(),
            claim_checks: 0,
            filter_errors: 0,
            filter_examples: Vec::new(),
            fatal,
        };
        for ((sequence, delivery), verdict) in (first..).zip(batch.deliveries).zip(verdicts) {
            let Delivery { token, message } = delivery;
            match verdict {
                Verdict::Yes => {
                    out.claim_checks += u64::from(ClaimCheck::of(&message).is_some());
                    let lane = if self.holds { self.source.lane(of_batch, &message) } else { None };
                    out.items.push(Item { lane, token, fate: self.fate(sequence, message) });
                }
                Verdict::No => out.unselected.push(token),
                Verdict::Failed(error) => {
                    out.unselected.push(token);
                    out.filter_errors += 1;
                    if out.filter_examples.len() < FILTER_EXAMPLES {
                        out.filter_examples.push(Failure { id: message.id, error });
                    }
                }
            }
        }
        out
    }

    fn fate(&self, sequence: u64, message: DeadLetter) -> Fate {
        let id = message.id.clone();
        match self.outgoing(sequence, message) {
            Ok(Ok((mut outgoing, envelope))) => match (self.fit)(&mut outgoing) {
                Ok(mut left_out) => {
                    left_out.extend(envelope.map(|e| format!("the {e} envelope")));
                    // Looked for rather than read from the texts, which are for people.
                    let unmarked =
                        matches!(self.how, How::Replay { .. }) && outgoing.message.headers.last(MARK_HEADER).is_none();
                    Fate::Go { outgoing, left_out, unmarked }
                }
                Err(error) => Fate::Fail { id, error },
            },
            Ok(Err(skip)) => Fate::Skip(skip),
            Err(error) => Fate::Fail { id, error },
        }
    }

    /// With the name of the envelope it was taken out of.
    fn outgoing(
        &self,
        sequence: u64,
        mut message: DeadLetter,
    ) -> Result<Result<(Outgoing, Option<&'static str>), Skip>> {
        let How::Replay { route, keep_death_headers, max_replays, unwrap, run } = &self.how else {
            return Ok(Ok((Outgoing { sequence, message, target: None, verbatim: true }, None)));
        };
        let inner = unwrap.and_then(|e| e.inner(&message));
        let before = inner.as_ref().map_or_else(|| Mark::of(&message.headers), |i| i.mark(&message));
        let replays = before.as_ref().map_or(0, |m| m.count);
        if before.is_some_and(|m| m.run() == run.as_str()) {
            return Ok(Err(Skip::CameBack));
        }
        if replays >= *max_replays {
            return Ok(Err(Skip::MaxReplays));
        }
        // Before anything is taken off: the origin is told by what is taken off.
        let died = death::of(&message);
        let target = route.of(&message, died.as_ref().and_then(|d| d.origin.as_ref()))?;
        self.source.strip(&mut message);
        if !keep_death_headers {
            death::strip(&mut message);
        }
        let envelope = inner.as_ref().map(|i| i.envelope);
        if let Some(inner) = inner {
            inner.replace(&mut message);
        }
        let mark = Mark { id: format!("{run}.{sequence}"), count: replays.saturating_add(1) };
        message.headers.set(MARK_HEADER, mark.to_value());
        Ok(Ok((Outgoing { sequence, message, target, verbatim: false }, envelope)))
    }
}
