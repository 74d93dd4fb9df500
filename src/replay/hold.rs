//! `--hold-while-backlog`: no more is sent than the consumers of the destination have room for.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::time::Instant;

use crate::broker::{Error, Gauge, Kind, Result};
use crate::message::Target;

/// What may wait at a destination.
#[derive(Clone)]
pub struct HoldWhile {
    /// Tells how much does.
    pub gauge: Arc<dyn Gauge>,
    /// Nothing is sent while more than this waits.
    pub most: u64,
}

/// Between two questions while there is room; while there is none they come at [`SLOW`].
const QUICK: Duration = Duration::from_millis(200);
const SLOW: Duration = Duration::from_secs(1);
/// An answer is good for so long, since others send as well.
const GOOD: Duration = Duration::from_secs(2);
/// Answers that may fail in a row.
const PATIENCE: u32 = 10;
/// Destinations that are asked for; of more, the latest.
const PLACES: usize = 32;

type Place = Option<Arc<Target>>;

/// Says how many may go. It is waited for beside everything else the engine waits for.
pub(super) struct Hold {
    rule: Option<HoldWhile>,
    places: Vec<Place>,
    /// So many may go before the next question.
    credit: u64,
    asked: Instant,
    next: Instant,
    asking: Option<BoxFuture<'static, Result<Option<u64>>>>,
    failures: u32,
    /// Since when nothing may go.
    held: Option<Instant>,
    /// Sent and not yet known to have arrived when that was asked, or since: the answer may not count them.
    unknown: u64,
    /// The last answer left no room.
    is_full: bool,
    /// So it was said.
    full: bool,
    /// How long that was before.
    pub(super) took: Duration,
}

impl Hold {
    pub(super) fn new(rule: Option<HoldWhile>) -> Self {
        let now = Instant::now();
        Hold {
            rule,
            places: vec![],
            credit: 0,
            asked: now,
            next: now,
            asking: None,
            failures: 0,
            held: None,
            unknown: 0,
            is_full: false,
            full: false,
            took: Duration::ZERO,
        }
    }

    /// Messages for this place are about to be sent.
    pub(super) fn meets(&mut self, place: &Place) {
        if self.rule.is_none() || self.places.contains(place) {
            return;
        }
        if self.places.len() >= PLACES {
            self.places.remove(0);
        }
        self.places.push(place.clone());
        self.credit = 0;
        // An answer that is on its way says nothing of it.
        self.asking = None;
        self.next = self.next.min(Instant::now() + QUICK);
    }

    /// How many of `wanted` may go now.
    pub(super) fn allows(&self, wanted: usize) -> usize {
        if self.rule.is_none() { wanted } else { wanted.min(usize::try_from(self.credit).unwrap_or(usize::MAX)) }
    }

    pub(super) fn spent(&mut self, messages: usize) {
        self.credit = self.credit.saturating_sub(messages as u64);
        self.unknown += messages as u64;
        if self.rule.is_some() && self.credit == 0 {
            self.held.get_or_insert_with(Instant::now);
        }
    }

    /// Whether an answer is wanted.
    pub(super) fn wants(&self) -> bool {
        self.rule.is_some() && (self.credit == 0 || self.asked.elapsed() > GOOD)
    }

    /// Asks, not too often; what waits at the fullest place, once it is known. `under_way`: messages that are sent and not
    /// known to have arrived. Cancel safe.
    ///
    /// # Errors
    /// It cannot be known, or not any more.
    pub(super) async fn ask(&mut self, under_way: usize) -> Result<u64> {
        let Some(rule) = self.rule.clone() else { return std::future::pending().await };
        let answer = match &mut self.asking {
            Some(asking) => asking.await,
            None => {
                tokio::time::sleep_until(self.next).await;
                let (gauge, places) = (Arc::clone(&rule.gauge), self.places.clone());
                self.unknown = under_way as u64;
                self.asking.insert(Box::pin(fullest(gauge, places))).await
            }
        };
        self.asking = None;
        self.asked = Instant::now();
        let waits = match answer {
            Ok(Some(waits)) => waits,
            Ok(None) => return Err(cannot_hold()),
            Err(e) => {
                self.failures += 1;
                self.next = Instant::now() + SLOW;
                (self.credit, self.is_full) = (0, true);
                return if self.failures < PATIENCE { Ok(u64::MAX) } else { Err(e) };
            }
        };
        self.failures = 0;
        let room = (rule.most.saturating_add(1)).saturating_sub(waits);
        self.is_full = room == 0;
        self.credit = room.saturating_sub(self.unknown);
        self.next = self.asked + if self.is_full { SLOW } else { QUICK };
        Ok(waits)
    }

    /// Whether nothing may go, where that has just changed.
    pub(super) fn turned(&mut self) -> Option<bool> {
        let full = self.is_full;
        if full {
            self.held.get_or_insert_with(Instant::now);
        } else {
            self.finish();
        }
        (std::mem::replace(&mut self.full, full) != full).then_some(full)
    }

    /// Counts the time that is being held back.
    pub(super) fn finish(&mut self) {
        if let Some(since) = self.held.take() {
            self.took += since.elapsed();
        }
    }
}

async fn fullest(gauge: Arc<dyn Gauge>, places: Vec<Place>) -> Result<Option<u64>> {
    let mut most = 0;
    for place in &places {
        match gauge.backlog(place.as_deref()).await? {
            Some(waits) => most = most.max(waits),
            None => return Ok(None),
        }
    }
    Ok(Some(most))
}

/// What is said where nothing tells how much waits.
pub fn cannot_hold() -> Error {
    Error::new(
        Kind::Unsupported,
        "how much waits at the destination cannot be known, so --hold-while-backlog cannot be kept",
    )
    .hint("use --rate to bound the pace instead")
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use async_trait::async_trait;

    use super::*;

    struct Fake(Mutex<Vec<Result<Option<u64>>>>);

    #[async_trait]
    impl Gauge for Fake {
        async fn backlog(&self, _: Option<&Target>) -> Result<Option<u64>> {
            self.0.lock().unwrap().remove(0)
        }
    }

    fn hold(most: u64, answers: Vec<Result<Option<u64>>>) -> Hold {
        let mut hold = Hold::new(Some(HoldWhile { gauge: Arc::new(Fake(Mutex::new(answers))), most }));
        hold.meets(&None);
        hold
    }

    #[tokio::test(start_paused = true)]
    async fn lets_go_what_there_is_room_for_and_then_asks_again() {
        let mut hold = hold(10, vec![Ok(Some(4)), Ok(Some(11)), Ok(Some(10))]);
        assert!(hold.wants() && hold.allows(100) == 0, "nothing goes before the first answer");
        assert_eq!(hold.ask(0).await.unwrap(), 4);
        assert_eq!((hold.allows(100), hold.turned()), (7, None));
        hold.spent(7);
        let began = Instant::now();
        assert_eq!(hold.ask(0).await.unwrap(), 11);
        assert_eq!((hold.allows(100), hold.turned()), (0, Some(true)));
        assert!(began.elapsed() >= QUICK);
        assert_eq!(hold.ask(0).await.unwrap(), 10);
        assert_eq!((hold.allows(100), hold.turned()), (1, Some(false)));
        assert!(hold.took >= SLOW && hold.took < 2 * SLOW, "{:?}", hold.took);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_under_way_may_not_be_counted_yet() {
        let mut hold = hold(10, vec![Ok(Some(0)), Ok(Some(3)), Ok(Some(11))]);
        hold.ask(4).await.unwrap();
        assert_eq!((hold.allows(100), hold.turned()), (7, None));
        hold.spent(7);
        hold.ask(11).await.unwrap();
        assert_eq!((hold.allows(100), hold.turned()), (0, None), "it is not the consumers that leave no room");
        hold.ask(0).await.unwrap();
        assert_eq!((hold.allows(100), hold.turned()), (0, Some(true)));
    }

    #[tokio::test(start_paused = true)]
    async fn what_cannot_be_known_ends_it_and_what_fails_is_asked_again() {
        assert_eq!(hold(10, vec![Ok(None)]).ask(0).await.unwrap_err().kind(), Kind::Unsupported);
        let bad = || Err(Error::new(Kind::Timeout, "no answer"));
        let mut hold = hold(10, (0..PATIENCE).map(|_| bad()).collect());
        for _ in 1..PATIENCE {
            hold.ask(0).await.unwrap();
            assert_eq!(hold.allows(1), 0);
        }
        assert_eq!(hold.ask(0).await.unwrap_err().kind(), Kind::Timeout);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_grows_old_and_asking_can_be_called_off() {
        let mut hold = hold(10, vec![Ok(Some(0)), Ok(Some(0)), Ok(Some(0))]);
        hold.ask(0).await.unwrap();
        assert!(!hold.wants());
        tokio::time::advance(2 * GOOD).await;
        assert!(hold.wants());
        drop(tokio::time::timeout(Duration::ZERO, hold.ask(0)).await);
        assert_eq!(hold.ask(0).await.unwrap(), 0);
    }
}
