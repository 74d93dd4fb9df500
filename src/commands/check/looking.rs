//! What only messages tell: how many died since, how old the oldest is, and of what they died.

use std::ops::ControlFlow;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::broker::{Result, ScanRequest, Source};
use crate::death;
use crate::output::check::Cause;
use crate::replay::{Looked, Page, look_with};
use crate::select::stats::Stats;
use crate::select::{Judged, Selection};

/// Messages looked at for causes.
const LOOKED_AT: u64 = 10_000;
/// Causes that are named.
const NAMED: usize = 3;

/// How many of a queue, as a look counts them.
pub(super) struct Counted {
    pub messages: u64,
    /// Why there may be more: time ran out, or what others hold is not seen.
    pub more: Option<String>,
}

/// Whether this queue may be looked at: for nothing, or because its cost was accepted. Otherwise what it costs.
pub(super) fn affordable(source: &dyn Source, accepted: &[String]) -> std::result::Result<(), String> {
    match source.capabilities().look_hazard() {
        None => Ok(()),
        Some(name) if accepted.iter().any(|a| a == name) => Ok(()),
        Some(name) => {
            let cost = source.capabilities().notices().into_iter().next().unwrap_or_default();
            Err(format!("that takes a look, and here {cost}; --accept {name} lets it look"))
        }
    }
}

/// Counts messages that died since, or all, up to `most`.
pub(super) async fn count(source: &dyn Source, since: Option<Timestamp>, most: u64, until: Instant) -> Result<Counted> {
    let selection = Selection { since, limit: Some(most.max(1)), ..Selection::default() };
    let mut messages = 0;
    let looked = look(source, selection, until, |_| (), |page| messages += page.selected).await;
    let more = incomplete(&looked);
    if let Some(e) = looked.error {
        return Err(e);
    }
    Ok(Counted { messages, more: more.filter(|_| messages < most) })
}

/// The time of the oldest message; and why there may be an older one.
pub(super) async fn oldest(source: &dyn Source, until: Instant) -> Result<(Option<Timestamp>, Option<String>)> {
    let mut oldest: Option<Timestamp> = None;
    let of = |judged: Judged| judged.batch.deliveries.iter().filter_map(|d| d.message.time).min();
    let each = |page: Page<Option<Timestamp>>| oldest = [oldest, page.made].into_iter().flatten().min();
    let looked = look(source, Selection::default(), until, of, each).await;
    let more = incomplete(&looked);
    match looked.error {
        Some(e) => Err(e),
        None => Ok((oldest, more)),
    }
}

/// The commonest causes, with a message of each.
pub(super) async fn causes(source: &dyn Source, since: Option<Timestamp>, until: Instant) -> Result<Vec<Cause>> {
    let selection = Selection { since, scan_limit: Some(LOOKED_AT), ..Selection::default() };
    let work = |judged: Judged| {
        let mut stats = Stats::default();
        for m in judged.selected() {
            let death = death::of(m);
            stats.add(death.as_ref().map(|d| d.cause.clone()).unwrap_or_default(), m, death);
        }
        stats
    };
    let mut all = Stats::default();
    let looked = look(source, selection, until, work, |page| all.merge(page.made)).await;
    if let Some(e) = looked.error {
        return Err(e);
    }
    let (groups, _) = all.finish();
    Ok(groups.into_iter().take(NAMED).map(Cause::of).collect())
}

async fn look<W: Send + 'static>(
    source: &dyn Source,
    selection: Selection,
    until: Instant,
    work: impl Fn(Judged) -> W + Send + Sync + 'static,
    mut each: impl FnMut(Page<W>) + Send,
) -> Looked {
    let stop = CancellationToken::new();
    let timer = {
        let stop = stop.clone();
        tokio::spawn(async move {
            tokio::time::sleep_until(until).await;
            stop.cancel();
        })
    };
    let request = ScanRequest { takes: false, at_most: None, again: false };
    let each = |page| {
        each(page);
        ControlFlow::Continue(())
    };
    let looked = look_with(source, &Arc::new(selection), request, &stop, work, each).await;
    timer.abort();
    looked
}

fn incomplete(looked: &Looked) -> Option<String> {
    if looked.stopped {
        return Some("the look was cut short by --timeout".to_owned());
    }
    let held = || looked.closed.unseen.filter(|n| *n > 0).map(|n| format!("{n} more are held by consumers"));
    looked.closed.cut.as_ref().map(|cut| format!("the look was cut short: {cut}")).or_else(held)
}
