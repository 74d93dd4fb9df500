//! Looks that measure, for what no broker tells: whether one is affordable, and how old the oldest message is.

use std::ops::ControlFlow;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::broker::{Result, ScanRequest, Source};
use crate::death;
use crate::message::DeadLetter;
use crate::output::human;
use crate::replay::{Looked, Page, look_with};
use crate::select::{Judged, Selection};

/// How far a look may go.
#[derive(Clone)]
pub(super) struct Bound {
    /// When it must be over; `None` where it takes what it takes.
    pub until: Option<Instant>,
    /// Cancelled at Ctrl-C.
    pub stop: CancellationToken,
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

/// The time of the oldest message, or of its death where that is all that is known; and why there may be an older one.
pub(super) async fn oldest(source: &dyn Source, bound: &Bound) -> Result<(Option<Timestamp>, Option<String>)> {
    let (mut oldest, mut undated): (Option<Timestamp>, u64) = (None, 0);
    let of = |judged: Judged| {
        let (mut oldest, mut undated): (Option<Timestamp>, u64) = (None, 0);
        for d in &judged.batch.deliveries {
            match d.message.time.or_else(|| died(&d.message)) {
                Some(at) => oldest = [oldest, Some(at)].into_iter().flatten().min(),
                None => undated += 1,
            }
        }
        (oldest, undated)
    };
    let each = |page: Page<(Option<Timestamp>, u64)>| {
        oldest = [oldest, page.made.0].into_iter().flatten().min();
        undated += page.made.1;
    };
    let looked = look(source, Selection::default(), bound, of, each).await;
    let more = incomplete(&looked).or_else(|| untold(undated));
    match looked.error {
        Some(e) => Err(e),
        None => Ok((oldest, more)),
    }
}

/// Whether neither a time nor that of its death is known.
pub(super) fn is_undated(m: &DeadLetter) -> bool {
    m.time.is_none() && died(m).is_none()
}

/// A sentence about such, if there are any.
pub(super) fn untold(undated: u64) -> Option<String> {
    match undated {
        0 => None,
        1 => Some("1 message does not tell when it was created or died".to_owned()),
        n => Some(format!("{} do not tell when they were created or died", human::counted(n, "message"))),
    }
}

fn died(m: &DeadLetter) -> Option<Timestamp> {
    death::of(m).and_then(|d| d.last)
}

/// Looks at what is selected, within the bound.
pub(super) async fn look<W: Send + 'static>(
    source: &dyn Source,
    selection: Selection,
    bound: &Bound,
    work: impl Fn(Judged) -> W + Send + Sync + 'static,
    mut each: impl FnMut(Page<W>) + Send,
) -> Looked {
    let stop = bound.stop.child_token();
    let timer = bound.until.map(|until| {
        let stop = stop.clone();
        tokio::spawn(async move {
            tokio::time::sleep_until(until).await;
            stop.cancel();
        })
    });
    let request = ScanRequest { takes: false, at_most: None, again: false };
    let each = |page| {
        each(page);
        ControlFlow::Continue(())
    };
    let looked = look_with(source, &Arc::new(selection), request, &stop, work, each).await;
    if let Some(timer) = timer {
        timer.abort();
    }
    looked
}

/// Why there may be more than was seen.
pub(super) fn incomplete(looked: &Looked) -> Option<String> {
    if looked.stopped {
        return Some("the look was cut short by --timeout".to_owned());
    }
    let held = || looked.closed.unseen.filter(|n| *n > 0).map(|n| format!("{n} more are held by consumers"));
    looked.closed.cut.as_ref().map(|cut| format!("the look was cut short: {cut}")).or_else(held)
}
