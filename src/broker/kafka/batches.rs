//! Batches on their way to a topic, and what becomes of each record.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::message::{BorrowedMessage, Headers as _, Message as _};
use smol_str::format_smolstr;
use tokio::sync::{Notify, oneshot};

use super::produce::Fates;
use super::sys;
use crate::broker::{Error, Kind, Receipt, Result};

/// Who waits for the fates of a batch.
pub(super) type Answer = oneshot::Sender<Vec<Result<Receipt>>>;

/// Batches under way, by number: the upper bits of a record's number name its batch, the lower its place there.
#[derive(Default)]
pub(super) struct Batches {
    known: Mutex<Known>,
    /// A record has failed.
    failed: Notify,
}

#[derive(Default)]
struct Known {
    under_way: HashMap<usize, UnderWay>,
    /// Lanes one of whose records has failed, and its number: the first such.
    held: HashMap<u64, usize>,
    /// Given up since others were refused, by number.
    strays: BTreeMap<usize, Stray>,
    /// A record has failed since that was asked for.
    has_failed: bool,
    /// Fates that are known.
    fates: usize,
    /// The oldest batch when that was last asked for and how many of it were left, and since when.
    oldest: Option<((usize, usize), Instant)>,
    /// The same of the fates.
    any: Option<((usize, usize), Instant)>,
}

/// What is known of a record beside what the library has.
pub(super) struct Place {
    pub(super) lane: Option<u64>,
    /// Milliseconds since 1970, where its time is kept: the library tells none of a record that failed.
    pub(super) time: Option<i64>,
}

struct UnderWay {
    fates: Vec<Option<Result<Receipt>>>,
    places: Vec<Place>,
    /// A failure holds up its lane.
    holds: bool,
    left: usize,
    answer: Answer,
}

/// A record as the producer had it: it is sent once more.
pub(super) struct Stray {
    pub(super) lane: Option<u64>,
    topic: String,
    partition: i32,
    time: Option<i64>,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Stray {
    fn of(m: &BorrowedMessage<'_>, Place { lane, time }: &Place) -> Self {
        let owned = |bytes: &[u8]| bytes.to_vec();
        let headers = m.headers().map(|all| all.iter().map(|h| (h.key.to_owned(), h.value.map(owned))).collect());
        Stray {
            lane: *lane,
            topic: m.topic().to_owned(),
            partition: m.partition(),
            time: *time,
            key: m.key().map(owned),
            value: m.payload().map(owned),
            headers: headers.unwrap_or_default(),
        }
    }

    pub(super) fn topic(&self) -> &str {
        &self.topic
    }

    pub(super) fn record(&self, number: usize) -> sys::Handed<'_> {
        sys::Handed {
            // Where it had none yet, it was in no partition.
            partition: (self.partition >= 0).then_some(self.partition),
            time: self.time,
            key: self.key.as_deref(),
            value: self.value.as_deref(),
            number,
        }
    }

    pub(super) fn headers(&self) -> Option<sys::Headers> {
        sys::Headers::of(self.headers.iter().map(|(name, value)| (name.as_str(), value.as_deref())))
    }
}

/// Bits for the place in a batch.
const PLACE: u32 = 20;
/// The oldest batch is waited for so many times as long while others come through.
const OLDEST: u32 = 4;

impl Batches {
    /// The number of a record.
    pub(super) fn number(batch: usize, place: usize) -> usize {
        (batch << PLACE) | place
    }

    /// Expects the fates of a batch.
    pub(super) fn expect(&self, batch: usize, places: Vec<Place>, holds: bool, answer: Answer) {
        let mut fates = Vec::new();
        fates.resize_with(places.len(), || None);
        let under_way = UnderWay { left: places.len(), fates, places, holds, answer };
        self.lock().under_way.insert(batch, under_way);
    }

    /// Whether one ahead of it in its lane has failed.
    pub(super) fn is_behind(&self, number: usize, lane: Option<u64>) -> bool {
        lane.is_some_and(|lane| self.lock().held.get(&lane).is_some_and(|failed| *failed < number))
    }

    /// A record was not handed over.
    pub(super) fn refused(&self, number: usize, why: Error) {
        self.lock().fate(number, Err(why));
    }

    /// Of what is under way nothing more will be known.
    pub(super) fn cut(&self) {
        let all = std::mem::take(&mut self.lock().under_way);
        all.into_values().for_each(UnderWay::tell);
    }

    /// Whether a record that was handed over has failed since this was asked, or is to be sent once more.
    pub(super) fn has_failed(&self) -> bool {
        let mut all = self.lock();
        std::mem::take(&mut all.has_failed) || !all.strays.is_empty()
    }

    /// The same, and may be asked again.
    pub(super) fn is_failing(&self) -> bool {
        self.lock().has_failed
    }

    /// Returns when a record fails.
    pub(super) async fn failure(&self) {
        self.failed.notified().await;
    }

    /// Whether anything is under way.
    pub(super) fn is_idle(&self) -> bool {
        self.lock().under_way.is_empty()
    }

    /// Whether nothing is known of any record for so long, or of the oldest batch for much longer: one partition that takes nothing
    /// holds it up whatever others take. To be asked now and then, since it goes by what was known when it was.
    pub(super) fn is_overdue(&self, longest: Duration) -> bool {
        self.lock().is_overdue(longest, Instant::now())
    }

    /// Those that are to be sent once more, in their order.
    pub(super) fn strays(&self) -> BTreeMap<usize, Stray> {
        std::mem::take(&mut self.lock().strays)
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Batch and place of a record.
fn place(number: usize) -> (usize, usize) {
    (number >> PLACE, number & ((1 << PLACE) - 1))
}

impl UnderWay {
    fn tell(self) {
        let unknown = || Error::new(Kind::Indeterminate, "no answer came for this record");
        let fates = self.fates.into_iter().map(|f| f.unwrap_or_else(|| Err(unknown())));
        // Nobody waits any more when the run was dropped at the second Ctrl-C.
        drop(self.answer.send(fates.collect()));
    }
}

impl Known {
    fn is_overdue(&mut self, longest: Duration, now: Instant) -> bool {
        let Some((number, left)) = self.under_way.iter().map(|(number, b)| (*number, b.left)).min() else {
            return false;
        };
        let waits = |clock: &mut Option<((usize, usize), Instant)>, what| {
            let known = clock.filter(|(was, _)| *was == what);
            now.saturating_duration_since(clock.insert(known.unwrap_or((what, now))).1)
        };
        let oldest = waits(&mut self.oldest, (number, left));
        let any = waits(&mut self.any, (self.fates, 0));
        oldest > longest && (any > longest || oldest > OLDEST * longest)
    }

    /// The fate of a record; a failure holds up its lane.
    fn fate(&mut self, number: usize, fate: Result<Receipt>) {
        let (batch, place) = place(number);
        let Some(under_way) = self.under_way.get_mut(&batch) else { return };
        if under_way.holds
            && fate.as_ref().is_err_and(|e| e.kind() != Kind::Behind)
            && let Some(lane) = under_way.places[place].lane
        {
            let first = self.held.entry(lane).or_insert(number);
            *first = number.min(*first);
        }
        if under_way.fates[place].replace(fate).is_none() {
            under_way.left -= 1;
        }
        self.fates += 1;
        if under_way.left == 0
            && let Some(done) = self.under_way.remove(&batch)
        {
            done.tell();
        }
    }
}

impl Fates for Batches {
    fn known(&self, number: usize, fate: Result<(i32, i64)>) {
        let fate = fate.map(|(partition, offset)| Receipt { id: Some(format_smolstr!("{partition}:{offset}")) });
        let fails = fate.is_err();
        let mut all = self.lock();
        all.fate(number, fate);
        all.has_failed |= fails;
        drop(all);
        if fails {
            self.failed.notify_one();
        }
    }

    fn unsent(&self, number: usize, record: &BorrowedMessage<'_>) -> bool {
        let (batch, place) = place(number);
        let mut all = self.lock();
        let Some(stray) = all.under_way.get(&batch).map(|b| Stray::of(record, &b.places[place])) else { return false };
        all.strays.insert(number, stray);
        all.has_failed = true;
        drop(all);
        self.failed.notify_one();
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(lane: Option<u64>, many: usize) -> Vec<Place> {
        (0..many).map(|_| Place { lane, time: None }).collect()
    }

    fn failed() -> Error {
        Error::new(Kind::TooLarge, "too large")
    }

    #[test]
    fn what_is_ahead_of_a_failed_one_is_not_behind_it() {
        let batches = Batches::default();
        let (answer, _told) = oneshot::channel();
        batches.expect(1, places(Some(7), 9), true, answer);
        let number = |at| Batches::number(1, at);
        batches.refused(number(5), failed());
        batches.refused(number(4), failed());
        let behind = |at, lane| batches.is_behind(number(at), lane);
        assert_eq!(
            (behind(3, Some(7)), behind(6, Some(7)), behind(6, Some(8)), behind(6, None)),
            (false, true, false, false)
        );
    }

    #[test]
    fn a_failure_that_is_passed_over_holds_up_nothing() {
        let batches = Batches::default();
        let (answer, mut told) = oneshot::channel();
        batches.expect(1, places(Some(7), 2), false, answer);
        batches.refused(Batches::number(1, 0), failed());
        assert!(!batches.is_behind(Batches::number(1, 1), Some(7)));
        batches.cut();
        let fates = told.try_recv().expect("told");
        let kinds: Vec<Kind> = fates.into_iter().filter_map(|f| f.err().map(|e| e.kind())).collect();
        assert_eq!(kinds, [Kind::TooLarge, Kind::Indeterminate], "whatever is left is told");
    }

    #[test]
    fn it_is_over_where_nothing_comes_or_the_oldest_batch_stands_still() {
        const LONGEST: Duration = Duration::from_secs(30);
        let batches = Batches::default();
        let mut answers = Vec::new();
        for batch in [1, 2] {
            let (answer, told) = oneshot::channel();
            answers.push(told);
            batches.expect(batch, places(None, 9), false, answer);
        }
        let began = Instant::now();
        let is_over = |after: u64| batches.lock().is_overdue(LONGEST, began + Duration::from_secs(after));
        assert_eq!((is_over(0), is_over(30), is_over(31)), (false, false, true), "nothing comes");
        let others = |after: u64, at| {
            batches.refused(Batches::number(2, at), failed());
            is_over(after)
        };
        assert_eq!((others(60, 0), others(90, 1), others(120, 2), others(121, 3)), (false, false, false, true));
        batches.refused(Batches::number(1, 0), failed());
        assert_eq!((is_over(122), is_over(152), is_over(153)), (false, false, true));
    }
}
