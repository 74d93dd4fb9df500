//! What only messages tell: how many died since, and of what.

use jiff::Timestamp;

use crate::broker::{Result, Source};
use crate::commands::glance::{Bound, incomplete, is_undated, look, untold};
use crate::death;
use crate::output::check::Cause;
use crate::output::human;
use crate::replay::Page;
use crate::select::stats::Stats;
use crate::select::{Judged, Selection};

/// Messages looked at for causes.
const LOOKED_AT: u64 = 10_000;
/// Causes that are named.
const NAMED: usize = 3;

/// How many of a queue, as a look counts them.
pub(super) struct Counted {
    pub messages: u64,
    /// Why there may be more: time ran out, what others hold is not seen, or some tell no time.
    pub more: Option<String>,
}

/// Counts messages that died since, or all, up to `most`.
pub(super) async fn count(source: &dyn Source, since: Option<Timestamp>, most: u64, bound: &Bound) -> Result<Counted> {
    let selection = Selection { since, limit: Some(most.max(1)), ..Selection::default() };
    let (mut messages, mut undated) = (0, 0);
    let of = move |judged: Judged| match since {
        Some(_) => judged.batch.deliveries.iter().filter(|d| is_undated(&d.message)).count() as u64,
        None => 0,
    };
    let each = |page: Page<u64>| {
        messages += page.selected;
        undated += page.made;
    };
    let looked = look(source, selection, bound, of, each).await;
    let more = incomplete(&looked).or_else(|| untold(undated));
    if let Some(e) = looked.error {
        return Err(e);
    }
    Ok(Counted { messages, more: more.filter(|_| messages < most) })
}

/// The commonest causes, with a message of each; and what else there is to know of them.
pub(super) async fn causes(
    source: &dyn Source,
    since: Option<Timestamp>,
    bound: &Bound,
) -> Result<(Vec<Cause>, Vec<String>)> {
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
    let looked = look(source, selection, bound, work, |page| all.merge(page.made)).await;
    if let Some(e) = looked.error {
        return Err(e);
    }
    let (groups, uncounted) = all.finish();
    let others = groups.get(NAMED..).unwrap_or_default();
    let more = (!others.is_empty()).then(|| {
        let messages = others.iter().map(|g| g.count).sum::<u64>() + uncounted;
        format!("{} with {}", human::counted(others.len() as u64, "more cause"), human::counted(messages, "message"))
    });
    let first = looked.limited.then(|| format!("causes of the first {} alone", human::counted(looked.read, "message")));
    let cut = first.or_else(|| incomplete(&looked).map(|why| format!("causes of what was seen: {why}")));
    let notes = more.into_iter().chain(cut).collect();
    Ok((groups.into_iter().take(NAMED).map(Cause::of).collect(), notes))
}
