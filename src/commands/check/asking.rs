//! Asks the brokers and puts a verdict together for each queue.

use std::time::Duration;

use futures::future::join_all;
use tokio::time::Instant;

use super::growth::{self, Change};
use super::judging::{self, Count};
use super::{Args, Thresholds, looking};
use crate::broker::{Accuracy, Result, Source};
use crate::commands::glance::{self, Bound};
use crate::commands::probing::{self, How, Measured, Probe};
use crate::commands::session::Session;
use crate::output::check::{Status, Verdict};

/// Between two looks of `--for`.
const BEAT: Duration = Duration::from_secs(2);

/// How much a queue has grown, or why that is not known; `None` where there is nothing to compare with.
type Grown = std::result::Result<Option<Change>, String>;

/// One run of `check`.
pub(super) struct Asking<'a> {
    args: &'a Args,
    session: &'a Session,
    thresholds: Thresholds,
    probes: Vec<Probe>,
}

impl<'a> Asking<'a> {
    pub(super) fn new(args: &'a Args, session: &'a Session, thresholds: Thresholds) -> Result<Asking<'a>> {
        let probes = probing::named(session, &args.queues, args.all_named, &args.connection)?;
        Ok(Asking { args, session, thresholds, probes })
    }

    fn bound(&self, deadline: Instant) -> Bound {
        Bound { until: Some(deadline), stop: self.session.stop.clone() }
    }

    async fn measure(&mut self, deadline: Instant) -> Vec<Result<Measured>> {
        let how = How {
            accept: &self.args.accept.accept,
            age: false,
            within: Some(self.session.timeout()),
            until: Some(deadline),
            local: true,
        };
        probing::all(self.session, &mut self.probes, how).await
    }

    /// One verdict a queue, in order.
    pub(super) async fn verdicts(&mut self, deadline: Instant) -> Vec<Verdict> {
        let first = self.measure(deadline).await;
        let grown = match self.args.over {
            Some(over) => self.over(&first, over).await,
            None => None,
        };
        let measured = match &grown {
            Some(_) => self.measure(deadline).await,
            None => first,
        };
        let changes = self.changes(&measured, grown.as_deref());
        let mut verdicts = self.judge(&measured, &changes, deadline).await;
        if let Some(lasting) = self.args.lasting {
            self.again(lasting, deadline, &changes, &mut verdicts).await;
        }
        verdicts
    }

    /// How much each has grown, once a run: counts of the same run are not compared with each other but for `--over`.
    fn changes(&self, measured: &[Result<Measured>], before: Option<&[Option<growth::Count>]>) -> Vec<Grown> {
        let Some(limit) = self.thresholds.max_growth else { return vec![Ok(None); measured.len()] };
        let each = self.probes.iter().zip(measured).enumerate().map(|(n, (probe, measured))| {
            let Ok(m) = measured else { return Err("the first count failed".to_owned()) };
            let now = counted(m).ok_or_else(|| "the broker does not say how many there are".to_owned())?;
            match before.map(|all| all[n]) {
                Some(Some(then)) => Ok(Some(Change::between(then, now))),
                Some(None) => Err("the first count failed".to_owned()),
                None => growth::against_earlier(probe.address(), now, limit).map_err(|e| e.to_string()),
            }
        });
        each.collect()
    }

    /// Waits; what was counted before.
    async fn over(&self, first: &[Result<Measured>], over: Duration) -> Option<Vec<Option<growth::Count>>> {
        let counts = first.iter().map(|m| m.as_ref().ok().and_then(counted)).collect();
        self.wait(over).await;
        Some(counts)
    }

    async fn wait(&self, time: Duration) {
        tokio::select! {
            () = tokio::time::sleep(time) => {}
            () = self.session.stop.cancelled() => {}
        }
    }

    /// Until the time is over, or a queue is found that is not empty.
    async fn again(&mut self, lasting: Duration, deadline: Instant, changes: &[Grown], verdicts: &mut Vec<Verdict>) {
        let end = Instant::now() + lasting;
        let beat = (lasting / 10).clamp(Duration::from_millis(100), BEAT);
        while verdicts.iter().all(|v| v.status != Status::Critical) && !self.session.stop.is_cancelled() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            self.wait(beat.min(left)).await;
            let measured = self.measure(deadline).await;
            *verdicts = self.judge(&measured, changes, deadline).await;
        }
    }

    async fn judge(&self, measured: &[Result<Measured>], changes: &[Grown], deadline: Instant) -> Vec<Verdict> {
        let each = self.probes.iter().zip(measured).zip(changes).map(|((probe, measured), grown)| async move {
            let mut verdict = Verdict::new(probe.address().shown.clone());
            match measured {
                Ok(m) => self.one(&mut verdict, m, grown, deadline).await,
                Err(e) => verdict.reason(Status::Unknown, e.to_string()),
            }
            verdict
        });
        join_all(each).await
    }

    async fn one(&self, verdict: &mut Verdict, m: &Measured, grown: &Grown, deadline: Instant) {
        let t = &self.thresholds;
        (verdict.ready, verdict.in_flight) = (m.depth.ready, m.depth.in_flight);
        let count = self.count(m, deadline).await;
        verdict.count = count.messages.as_ref().ok().copied();
        judging::count(verdict, &count, t);
        if t.expect_empty {
            judging::empty(verdict, &count, &m.depth, t.since.is_some());
            self.say_late(verdict, &*m.source);
        }
        let why_not = self.age(verdict, m, deadline).await;
        judging::age(verdict, m.depth.waiting(), why_not, t);
        judging::growth(verdict, grown.clone(), self.args.over.is_some(), t);
        if self.args.causes && verdict.status != Status::Ok {
            self.causes(verdict, &*m.source, deadline).await;
        }
    }

    /// As the broker counts; by a look where only messages that died since are wanted, or where the broker's count is an upper
    /// bound that reaches a threshold and a look is free.
    async fn count(&self, m: &Measured, deadline: Instant) -> Count {
        let (t, source) = (&self.thresholds, &*m.source);
        let told = Count::of(&m.depth);
        if t.since.is_none() {
            let reached = matches!((&told.messages, t.least()), (Ok(n), Some(least)) if *n >= least);
            if !(told.at_most && reached && source.capabilities().look_hazard().is_none()) {
                return told;
            }
            return match looking::count(source, None, t.most(), &self.bound(deadline)).await {
                Ok(found) if found.messages < t.most() && found.more.is_none() => {
                    Count { messages: Ok(found.messages), at_most: false, more: None }
                }
                // There are as many as matter, or it is not known.
                _ => told,
            };
        }
        if told.messages == Ok(0) && !told.at_most {
            return told;
        }
        let unknown = |why: String| Count { messages: Err(why), at_most: false, more: None };
        if let Err(why) = glance::affordable(source, &self.args.accept.accept) {
            return unknown(format!("how many died since is not known: {why}"));
        }
        match looking::count(source, t.since, u64::MAX, &self.bound(deadline)).await {
            Ok(found) => Count { messages: Ok(found.messages), at_most: false, more: found.more },
            Err(e) => unknown(e.to_string()),
        }
    }

    /// Finds out how old the oldest is; why that is not known, where it is not.
    async fn age(&self, verdict: &mut Verdict, m: &Measured, deadline: Instant) -> Option<String> {
        let age = |at: jiff::Timestamp| m.at.duration_since(at).as_secs().max(0);
        verdict.oldest_age_seconds = m.depth.oldest.map(age);
        if self.thresholds.max_age.is_none() || m.depth.oldest.is_some() || m.depth.waiting() == Some(0) {
            return None;
        }
        if let Err(why) = glance::affordable(&*m.source, &self.args.accept.accept) {
            return Some(why);
        }
        let told = tokio::time::timeout_at(deadline, m.source.oldest()).await;
        let told = told.unwrap_or_else(|_| Err(probing::silent(m.source.address(), self.session.timeout())));
        let (at, more) = match told {
            Err(e) => return Some(e.to_string()),
            Ok(oldest) if oldest.at.is_some() => (oldest.at, oldest.notes.into_iter().next()),
            Ok(_) => match glance::oldest(&*m.source, &self.bound(deadline)).await {
                Err(e) => return Some(e.to_string()),
                Ok(found) => found,
            },
        };
        verdict.oldest_age_seconds = at.map(age);
        // One that is old enough is enough; one that is not says nothing of those that were not seen.
        more
    }

    /// Counts that lag behind say nothing of what came a moment ago.
    fn say_late(&self, verdict: &mut Verdict, source: &dyn Source) {
        let Some(lag) = source.lag() else { return };
        if self.args.lasting.is_none_or(|lasting| lasting < lag) && verdict.status == Status::Ok {
            verdict.notes.push(format!(
                "the counts of this queue lag behind by up to {} s: ask for as long, with --for {}s",
                lag.as_secs(),
                lag.as_secs()
            ));
        }
    }

    async fn causes(&self, verdict: &mut Verdict, source: &dyn Source, deadline: Instant) {
        if let Err(why) = glance::affordable(source, &self.args.accept.accept) {
            return verdict.notes.push(format!("the causes are not known: {why}"));
        }
        match looking::causes(source, self.thresholds.since, &self.bound(deadline)).await {
            Ok((causes, notes)) => {
                verdict.causes = Some(causes);
                verdict.notes.extend(notes);
            }
            Err(e) => verdict.notes.push(format!("the causes are not known: {e}")),
        }
    }
}

fn counted(m: &Measured) -> Option<growth::Count> {
    let _: Accuracy = m.depth.accuracy;
    Some(growth::Count { at: m.at, messages: m.depth.waiting()? })
}
