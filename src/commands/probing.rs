//! Measuring many queues at once, again and again: what `depth`, `check`, `watch` and `list` share.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use jiff::Timestamp;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::glance;
use super::session::{Opening, Session};
use crate::broker::{Address, Context, Depth, Error, Kind, Result, Shared, Source};
use crate::cli;

/// What is given on top of `--timeout`, so that a backend can say itself what it waited for.
const GRACE: Duration = Duration::from_millis(300);

/// How queues are measured.
#[derive(Clone, Copy)]
pub struct How<'a> {
    /// `--accept`.
    pub accept: &'a [String],
    /// The age of the oldest message too, where that takes a look.
    pub age: bool,
    /// Longest for one queue, opening included; `None` where counting may take as long as it takes.
    pub within: Option<Duration>,
    /// When it is over for all of them, those included whose turn has not come.
    pub until: Option<Instant>,
    /// For archives too, which are otherwise counted from end to end.
    pub local: bool,
}

/// One queue that is measured: opened at the first time, and anew after a failure.
pub struct Probe {
    address: Address,
    source: Option<Arc<dyn Source>>,
}

/// What one measurement gave.
pub struct Measured {
    /// How many and how old.
    pub depth: Depth,
    /// How far the age can be trusted, a sentence each.
    pub notes: Vec<String>,
    /// When it was taken.
    pub at: Timestamp,
    /// The opened queue.
    pub source: Arc<dyn Source>,
}

/// What the queues of one broker have in common while they are measured.
struct Broker {
    turns: Semaphore,
    silent: AtomicBool,
}

impl Probe {
    /// Of this queue. Opens nothing yet.
    pub fn new(address: Address) -> Probe {
        Probe { address, source: None }
    }

    /// The queue.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Queues that differ in their last segment alone are taken for those of one broker.
    fn broker(&self) -> &str {
        let canonical = &self.address.canonical;
        canonical.rfind(['/', ' ']).map_or(canonical.as_str(), |at| &canonical[..at])
    }

    async fn measure(&mut self, session: &Session, context: &Context, how: How<'_>) -> Result<Measured> {
        let source = match &self.source {
            Some(source) => Arc::clone(source),
            None => session.open(&self.address, context).await?,
        };
        let mut depth = source.depth().await?;
        let mut notes = vec![];
        if how.age && depth.oldest.is_none() && depth.waiting() != Some(0) {
            let oldest = source.oldest().await?;
            depth.oldest = oldest.at;
            notes = oldest.notes;
        }
        self.source = Some(Arc::clone(&source));
        Ok(Measured { depth, notes, at: Timestamp::now(), source })
    }

    async fn bounded(&mut self, session: &Session, context: &Context, how: How<'_>, of: &Broker) -> Result<Measured> {
        let Some(within) = how.within else { return self.measure(session, context, how).await };
        // The semaphore is never closed.
        let turn = of.turns.acquire();
        let _turn = match how.until {
            None => turn.await,
            Some(end) => match tokio::time::timeout_at(end, turn).await {
                Ok(turn) => turn,
                Err(_) => return Err(self.silent(within).hint("the other queues of its broker took as long")),
            },
        };
        if of.silent.load(Ordering::Relaxed) {
            return Err(self.silent(within).hint("another queue of this broker was waited for as long already"));
        }
        let end = [Some(Instant::now() + within), how.until].into_iter().flatten().min();
        let end = end.unwrap_or_else(Instant::now) + GRACE;
        let measured = tokio::time::timeout_at(end, self.measure(session, context, how)).await;
        let measured = measured.unwrap_or_else(|_| Err(self.silent(within).hint("--timeout sets how long to wait")));
        if let Err(e) = &measured {
            self.source = None;
            of.silent.fetch_or(e.kind() == Kind::Timeout, Ordering::Relaxed);
        }
        measured
    }

    fn silent(&self, within: Duration) -> Error {
        silent(&self.address, within)
    }
}

/// The time of the oldest message where the broker tells none: by a look, where that is affordable.
async fn seen(mut measured: Measured, session: &Session, how: How<'_>) -> Measured {
    let known = measured.depth.oldest.is_some() || measured.depth.waiting() == Some(0);
    if !how.age || known || !measured.notes.is_empty() {
        return measured;
    }
    let unknown = |why: String| format!("the age of the oldest is not known: {why}");
    let source = &*measured.source;
    if let Err(why) = glance::affordable(source, how.accept) {
        measured.notes.push(unknown(why));
        return measured;
    }
    let until = how.within.map(|within| Instant::now() + within);
    match glance::oldest(source, &glance::Bound { until, stop: session.stop.clone() }).await {
        Ok((None, why)) => measured.notes.extend(why.map(unknown)),
        Ok((at, more)) => {
            measured.depth.oldest = at;
            measured.notes.extend(more.map(|why| format!("there may be an older one: {why}")));
        }
        Err(e) => measured.notes.push(unknown(e.to_string())),
    }
    measured
}

/// Of a broker that was waited for in vain.
pub fn silent(queue: &Address, within: Duration) -> Error {
    Error::new(Kind::Timeout, format!("{queue} did not answer within {within:?}"))
}

/// Measures all of them at once; the results are in their order. Those of one broker share a connection where the backend can,
/// and one that does not answer holds up nothing but itself.
pub async fn all(session: &Session, probes: &mut [Probe], how: How<'_>) -> Vec<Result<Measured>> {
    let several = probes.len() > 1;
    let shared = Shared::pool(probes.len());
    let mut brokers: HashMap<String, Arc<Broker>> = HashMap::new();
    let running = probes.iter_mut().map(|probe| {
        let of = brokers.entry(probe.broker().to_owned()).or_insert_with(|| {
            let turns = Semaphore::new(probe.address.backend.at_once);
            Arc::new(Broker { turns, silent: AtomicBool::new(false) })
        });
        let of = Arc::clone(of);
        let mut context = session.context(Opening { accept: how.accept, ..Opening::default() });
        context.shared = shared.clone();
        context.timeout = how.within.map_or(context.timeout, |within| within.min(context.timeout));
        let (ui, shown) = (session.ui.clone(), probe.address.shown.clone());
        // What is measured again and again says the same each time.
        let said = Mutex::new(HashSet::new());
        context.notice = Arc::new(move |text| {
            if said.lock().unwrap_or_else(PoisonError::into_inner).insert(text.clone()) {
                ui.notice(&if several { format!("{shown}: {text}") } else { text });
            }
        });
        // An archive is counted from end to end, which takes what it takes.
        let within = how.within.filter(|_| how.local || !probe.address.backend.creates());
        async move {
            let how = How { within, ..how };
            match probe.bounded(session, &context, how, &of).await {
                Ok(measured) => Ok(seen(measured, session, how).await),
                Err(e) => Err(e),
            }
        }
    });
    join_all(running).await
}

/// What was typed, and every named queue where those are asked for, but none of these twice.
///
/// # Errors
/// `Usage`: what is no address; no queue has a name.
pub fn named(session: &Session, typed: &[String], all: bool, connection: &cli::Connection) -> Result<Vec<Probe>> {
    if all && session.config.queues.is_empty() {
        return Err(Error::new(Kind::Usage, "no queue has a name in the configuration")
            .hint("dlq config show tells where the file is looked for"));
    }
    let addresses = typed.iter().map(|queue| session.address(queue, connection));
    let mut addresses = addresses.collect::<Result<Vec<_>>>()?;
    for name in session.config.queues.keys().filter(|_| all) {
        let named = session.address(name, connection)?;
        if !addresses.iter().any(|a| a.canonical == named.canonical && a.options == named.options) {
            addresses.push(named);
        }
    }
    Ok(probes(addresses))
}

/// Of addresses that were understood before.
pub fn probes(addresses: impl IntoIterator<Item = Address>) -> Vec<Probe> {
    addresses.into_iter().map(Probe::new).collect()
}
