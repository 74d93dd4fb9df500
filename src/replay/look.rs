//! The loop behind every look: read, judge, work on all cores, hand out in order, give everything back.

use std::ops::ControlFlow;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::pipeline::{Pipeline, Start, at_most};
use super::tally::{FILTER_EXAMPLES, Failure};
use crate::broker::{Closed, Error, ScanRequest, Source};
use crate::select::judging::judge_and;
use crate::select::{Judged, Selection, Verdict};

/// What came of a look.
#[derive(Debug, Default)]
pub struct Looked {
    /// Messages looked at.
    pub read: u64,
    /// Messages selected, up to `--limit`.
    pub selected: u64,
    /// Messages the expression failed on.
    pub filter_errors: u64,
    /// The first few of them.
    pub filter_error_examples: Vec<Failure>,
    /// The look was stopped by a signal.
    pub stopped: bool,
    /// `--limit`, `--scan-limit`, or the one who looked ended it.
    pub limited: bool,
    /// What ended it before its time.
    pub error: Option<Error>,
    /// What went wrong when the scan was closed: that everything was given back is not certain.
    pub unclosed: Option<Error>,
    /// How the scan ended.
    pub closed: Closed,
}

/// What was made of one batch.
pub struct Page<W> {
    /// Made on the thread that judged the batch, of all of it.
    pub made: W,
    /// Selected messages of this batch that are within `--limit`: the first so many.
    pub selected: u64,
    /// All messages of this batch.
    pub read: u64,
}

struct Counted<W> {
    made: W,
    read: u64,
    selected: u64,
    failed: u64,
    examples: Vec<Failure>,
    fatal: Option<Error>,
}

/// Looks at a queue: `work` makes something of each judged batch, on any thread; `each` gets it in order, until it breaks off.
/// Nothing is settled, and the scan is closed on every path. `request.at_most` is lowered to what the selection allows.
pub async fn look_with<W: Send + 'static>(
    source: &dyn Source,
    selection: &Arc<Selection>,
    request: ScanRequest,
    stop: &CancellationToken,
    work: impl Fn(Judged) -> W + Send + Sync + 'static,
    mut each: impl FnMut(Page<W>) -> ControlFlow<()> + Send,
) -> Looked {
    let mut looked = Looked::default();
    selection.start();
    source.hint(selection.hints());
    let most = [request.at_most, at_most(selection)].into_iter().flatten().min();
    let scan = match source.scan(ScanRequest { at_most: most, ..request }).await {
        Ok(scan) => scan,
        Err(e) => return Looked { error: Some(e), ..looked },
    };
    let (work, selected) = (Arc::new(work), Arc::clone(selection));
    let start: Start<_> = Box::new(move |batch, _| {
        let work = Arc::clone(&work);
        judge_and(&selected, batch, move |judged| count(judged, &*work))
    });
    let mut pipeline = Pipeline::new(scan, selection.scan_limit, start);
    loop {
        let counted = tokio::select! {
            biased;
            () = stop.cancelled() => {
                looked.stopped = true;
                break;
            }
            next = pipeline.next() => match next {
                Some(Ok(counted)) => counted,
                Some(Err(e)) => {
                    looked.error = Some(e);
                    break;
                }
                None => break,
            },
        };
        let Counted { made, read, selected, failed, examples, fatal } = counted;
        let room = selection.limit.map_or(u64::MAX, |most| most - looked.selected);
        let selected = selected.min(room);
        looked.read += read;
        looked.selected += selected;
        looked.filter_errors += failed;
        let left = FILTER_EXAMPLES - looked.filter_error_examples.len();
        looked.filter_error_examples.extend(examples.into_iter().take(left));
        let broke_off = each(Page { made, selected, read }).is_break();
        if fatal.is_some() {
            looked.error = fatal;
            break;
        }
        if broke_off || selected == room {
            looked.limited = true;
            break;
        }
    }
    looked.limited |= pipeline.limited;
    match pipeline.close().await {
        Ok(closed) => looked.closed = closed,
        Err(e) => looked.unclosed = Some(e),
    }
    looked
}

/// The same, handing out the judged batches themselves, cut before the first selected message beyond `--limit`.
pub async fn look(
    source: &dyn Source,
    selection: &Arc<Selection>,
    request: ScanRequest,
    stop: &CancellationToken,
    mut each: impl FnMut(Judged) -> ControlFlow<()> + Send,
) -> Looked {
    look_with(
        source,
        selection,
        request,
        stop,
        |judged| judged,
        move |page: Page<Judged>| {
            let mut judged = page.made;
            let within = usize::try_from(page.selected).unwrap_or(usize::MAX);
            let beyond = judged.verdicts.iter().enumerate().filter(|(_, v)| **v == Verdict::Yes).nth(within);
            let end = beyond.map_or(judged.verdicts.len(), |(at, _)| at);
            judged.verdicts.truncate(end);
            judged.batch.deliveries.truncate(end);
            each(judged)
        },
    )
    .await
}

fn count<W>(mut judged: Judged, work: &impl Fn(Judged) -> W) -> Counted<W> {
    let read = judged.verdicts.len() as u64;
    // What the verdict that ends the command was for, and all behind it, was not judged.
    judged.batch.deliveries.truncate(judged.verdicts.len());
    let (mut selected, mut failed, mut examples) = (0, 0, Vec::new());
    for (delivery, verdict) in judged.batch.deliveries.iter().zip(&judged.verdicts) {
        match verdict {
            Verdict::Yes => selected += 1,
            Verdict::No => {}
            Verdict::Failed(error) => {
                failed += 1;
                if examples.len() < FILTER_EXAMPLES {
                    examples.push(Failure { id: delivery.message.id.to_string(), error: error.clone() });
                }
            }
        }
    }
    let fatal = judged.fatal.take();
    Counted { made: work(judged), read, selected, failed, examples, fatal }
}
