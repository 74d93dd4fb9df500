//! From a judged batch to messages ready to go: strip, mark, route, fit. Runs on the thread that judged it.

use std::future::ready;
use std::sync::Arc;

use super::change::Changes;
use super::pipeline::Start;
use super::route::Route;
use super::run::RunId;
use super::tally::{FILTER_EXAMPLES, Failure, Skip};
use crate::broker::{Delivery, Error, Fit, Outgoing, Result, Source, Token};
use crate::death;
use crate::journal::{Claim, Claims};
use crate::message::unwrap::Envelope;
use crate::message::{ClaimCheck, DeadLetter, Id, MARK_HEADER, Mark, Target};
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
        /// What else is changed.
        changes: Arc<Changes>,
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
    /// Where order has a meaning.
    pub(super) lane: Option<u64>,
    pub(super) token: Token,
    pub(super) fate: Fate,
    /// As it was read, where that is wanted.
    pub(super) original: Option<Box<DeadLetter>>,
}

/// What is to be done with it.
pub(super) enum Fate {
    Go {
        outgoing: Outgoing,
        left_out: Vec<String>,
        unmarked: bool,
        changed: bool,
        cause: Option<String>,
    },
    /// An earlier attempt at this run has sent it: it is only to be removed.
    Arrived(Outgoing),
    Skip(Skip),
    Fail {
        id: Id,
        /// What it had died of.
        cause: Option<String>,
        error: Error,
    },
}

pub(super) struct Preparer {
    source: Arc<dyn Source>,
    how: How,
    fit: Fit,
    wants: Wants,
    numbers: Numbers,
}

/// What is wanted besides.
#[derive(Clone, Copy, Default)]
pub(super) struct Wants {
    /// What gets through is removed, so that what does not is recorded with what it had died of.
    pub(super) removes: bool,
    /// Order within a lane has a meaning.
    pub(super) lanes: bool,
    /// Messages are wanted as they were, should they fail.
    pub(super) originals: bool,
}

/// The numbers messages have within the run.
#[derive(Clone)]
pub(super) struct Numbers {
    /// That of the first message of this attempt.
    pub(super) first: u64,
    /// What earlier attempts have left.
    pub(super) claims: Arc<Claims>,
}

impl Numbers {
    /// That of a message, which was read as this one of the scan; or that it only is to be removed.
    fn of(&self, m: &DeadLetter, read: u64) -> Numbered {
        let number = self.first + read;
        match self.claims.claim(m.identity, number, m.redelivered()) {
            None | Some(Claim::NewNumber) => Numbered::Send(number),
            Some(Claim::SameNumber(earlier)) => Numbered::Send(earlier),
            Some(Claim::Arrived(earlier)) => Numbered::Arrived(earlier),
        }
    }
}

enum Numbered {
    Send(u64),
    Arrived(u64),
}

/// What is to be done with a message that can be dealt with.
enum Ready {
    Send { outgoing: Outgoing, envelope: Option<&'static str>, changed: bool, cause: Option<String> },
    Arrived(Outgoing),
    Skip(Skip),
    Fail { cause: Option<String>, error: Error },
}

enum How {
    Verbatim,
    Replay {
        route: Route,
        keep_death_headers: bool,
        max_replays: u32,
        unwrap: Option<&'static Envelope>,
        changes: Arc<Changes>,
        run: RunId,
    },
}

impl Preparer {
    pub(super) fn new(
        source: Arc<dyn Source>,
        treatment: Treatment,
        run: RunId,
        fit: Fit,
        wants: Wants,
        numbers: Numbers,
    ) -> Self {
        let how = match treatment {
            Treatment::Verbatim => How::Verbatim,
            Treatment::Replay { to_one_place, keep_death_headers, max_replays, fallback, unwrap, changes } => {
                let route = Route::new(to_one_place, fallback, source.address());
                How::Replay { route, keep_death_headers, max_replays, unwrap, changes, run }
            }
        };
        Preparer { source, how, fit, wants, numbers }
    }

    /// Judges and prepares batches: small ones on the spot unless there is an expression, others on other threads.
    pub(super) fn starter(self, selection: Arc<Selection>) -> Start<Prepared> {
        let me = Arc::new(self);
        let evaluates = matches!(&me.how, How::Replay { changes, .. } if changes.evaluates());
        Box::new(move |batch, first| {
            if selection.program.is_none() && !evaluates && batch.deliveries.len() <= SMALL {
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
        let are_keys = self.source.lanes_are_keys() && !matches!(self.how, How::Replay { unwrap: Some(_), .. });
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
                    let lane = if self.wants.lanes { self.source.lane(of_batch, &message) } else { None };
                    let original = self.wants.originals.then(|| message.clone());
                    let mut fate = self.fate(sequence, message);
                    if let Fate::Go { outgoing, changed, .. } = &mut fate {
                        (outgoing.lane, outgoing.lane_is_key) = (lane, are_keys && !*changed);
                    }
                    out.items.push(Item { lane, token, fate, original });
                }
                Verdict::No => out.unselected.push(token),
                Verdict::Failed(error) => {
                    out.unselected.push(token);
                    out.filter_errors += 1;
                    if out.filter_examples.len() < FILTER_EXAMPLES {
                        out.filter_examples.push(Failure { id: message.id.to_string(), error });
                    }
                }
            }
        }
        out
    }

    fn fate(&self, read: u64, message: Box<DeadLetter>) -> Fate {
        let id = message.id.clone();
        match self.ready(read, message) {
            Ready::Send { mut outgoing, envelope, changed, cause } => match (self.fit)(&mut outgoing) {
                Ok(mut left_out) => {
                    left_out.extend(envelope.map(|e| format!("the {e} envelope")));
                    // Looked for rather than read from the texts, which are for people.
                    let unmarked =
                        matches!(self.how, How::Replay { .. }) && outgoing.message.headers.last(MARK_HEADER).is_none();
                    Fate::Go { outgoing, left_out, unmarked, changed, cause }
                }
                Err(error) => Fate::Fail { id, cause, error },
            },
            Ready::Arrived(outgoing) => Fate::Arrived(outgoing),
            Ready::Skip(skip) => Fate::Skip(skip),
            Ready::Fail { cause, error } => Fate::Fail { id, cause, error },
        }
    }

    fn ready(&self, read: u64, mut message: Box<DeadLetter>) -> Ready {
        let arrived = |sequence, message| Ready::Arrived(Outgoing::verbatim(sequence, message));
        let How::Replay { route, keep_death_headers, max_replays, unwrap, changes, run } = &self.how else {
            return match self.numbers.of(&message, read) {
                Numbered::Arrived(sequence) => arrived(sequence, message),
                Numbered::Send(sequence) => {
                    let cause = if self.wants.removes { death::of(&message).map(|d| d.cause) } else { None };
                    let outgoing = Outgoing::verbatim(sequence, message);
                    Ready::Send { outgoing, envelope: None, changed: false, cause }
                }
            };
        };
        let inner = unwrap.and_then(|e| e.inner(&message));
        let before = inner.as_ref().map_or_else(|| Mark::of(&message.headers), |i| i.mark(&message));
        let replays = before.as_ref().map_or(0, |m| m.count);
        if before.is_some_and(|m| m.run() == run.as_str()) {
            return Ready::Skip(Skip::CameBack);
        }
        if replays >= *max_replays {
            return Ready::Skip(Skip::MaxReplays);
        }
        let sequence = match self.numbers.of(&message, read) {
            Numbered::Arrived(sequence) => return arrived(sequence, message),
            Numbered::Send(sequence) => sequence,
        };
        // Before anything is taken off: the origin is told by what is taken off.
        let died = death::of(&message);
        let told = || -> Result<_> {
            let target = route.of(&message, died.as_ref().and_then(|d| d.origin.as_ref()))?;
            Ok((target, changes.patch(&changes.base(&message, inner.as_ref()), died.as_ref())?))
        };
        let (target, patch) = match told() {
            Ok(told) => told,
            Err(error) => return Ready::Fail { cause: died.map(|d| d.cause), error },
        };
        self.source.strip(&mut message);
        if !keep_death_headers {
            death::strip(&mut message);
        }
        let envelope = inner.as_ref().map(|i| i.envelope);
        if let Some(inner) = inner {
            inner.replace(&mut message);
        }
        let changed = changes.apply(patch, &mut message);
        message.headers.set(MARK_HEADER, Mark::value(format_args!("{run}.{sequence}"), replays.saturating_add(1)));
        let outgoing = Outgoing { verbatim: false, target, ..Outgoing::verbatim(sequence, message) };
        Ready::Send { outgoing, envelope, changed, cause: died.map(|d| d.cause) }
    }
}

/// Tells what would be sent, without sending it.
pub struct Trial(Preparer);

impl Trial {
    /// Of a run that has not begun.
    pub fn new(source: Arc<dyn Source>, treatment: Treatment, run: RunId, fit: Fit) -> Trial {
        let numbers = Numbers { first: 0, claims: Arc::new(Claims::none()) };
        Trial(Preparer::new(source, treatment, run, fit, Wants::default(), numbers))
    }

    /// What would become of this message.
    pub fn outlook(&self, m: &DeadLetter) -> Outlook {
        match self.0.fate(0, Box::new(m.clone())) {
            Fate::Go { left_out, unmarked, changed, .. } => Outlook::Goes { left_out, unmarked, changed },
            Fate::Arrived(_) | Fate::Skip(_) => Outlook::Stays,
            Fate::Fail { error, .. } => Outlook::Fails(error.to_string()),
        }
    }
}

/// What would become of a message.
#[derive(Debug)]
pub enum Outlook {
    /// It would be sent.
    Goes {
        /// Without these parts.
        left_out: Vec<String>,
        /// The mark is among them.
        unmarked: bool,
        /// It would be changed on the way.
        changed: bool,
    },
    /// It would be left alone.
    Stays,
    /// It would not get through.
    Fails(String),
}
