//! Batches on their way to a topic, and what becomes of each record.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

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
    /// The oldest batch when that was last asked for, how many of it were left, and since when.
    oldest: Option<(usize, usize, Instant)>,
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

    /// Since when nothing is known of the oldest batch under way, as far as it was asked for: it is to be, now and then. One
    /// partition that takes nothing holds up its batch, whatever others take.
    pub(super) fn waits_since(&self) -> Option<Instant> {
        let mut all = self.lock();
        let (number, left) = all.under_way.iter().map(|(number, b)| (*number, b.left)).min()?;
        let known = all.oldest.filter(|(n, l, _)| (*n, *l) == (number, left));
        Some(all.oldest.insert(known.unwrap_or_else(|| (number, left, Instant::now()))).2)
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
    fn the_oldest_batch_has_its_own_clock() {
        let batches = Batches::default();
        let mut answers = Vec::new();
        for batch in [1, 2] {
            let (answer, told) = oneshot::channel();
            answers.push(told);
            batches.expect(batch, places(None, 2), false, answer);
        }
        let since = batches.waits_since();
        batches.refused(Batches::number(2, 0), failed());
        assert_eq!(batches.waits_since(), since, "another batch says nothing of it");
        batches.refused(Batches::number(1, 0), failed());
        assert!(batches.waits_since() > since);
    }
}
