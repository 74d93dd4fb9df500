//! How far a scan is and when it is over. The count of a queue lags behind, a poll that comes back empty proves nothing, and
//! messages of a FIFO group do not come while others of it are held: so the end is put together from several signs.

use std::time::Duration;

use tokio::time::Instant;

use super::capabilities::BATCH;

/// Empty polls in a row for so long before the queue is asked how many it has: two long polls.
const QUIET: Duration = Duration::from_millis(1800);
/// Where it says it has some, so long until that is taken for what it is.
pub const PATIENCE: Duration = Duration::from_secs(6);
/// So many receives in a row may bring messages younger than the scan alone.
const YOUNG_ONLY: u32 = 50;

/// Counts, and what they mean.
#[derive(Debug)]
pub struct Progress {
    /// No more than these are handed out: what was asked for, and what was there at the start where that is known.
    bound: Option<u64>,
    /// Messages handed out.
    pub handed: u64,
    /// Room promised to receives under way.
    reserved: u64,
    /// Messages younger than the scan, which are left alone.
    pub young: u64,
    /// Messages that arrived damaged.
    pub damaged: u64,
    /// Receives whose answer was lost: what they took stays hidden for a while.
    pub lost: u64,
    young_only: u32,
    quiet_since: Option<Instant>,
    /// Why it is over, when it is.
    pub end: Option<End>,
}

/// Why a scan is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Everything that was there, or was asked for, was handed out.
    Bound,
    /// Nothing more comes, and the queue says it has nothing more to give.
    Dry,
    /// Nothing more comes although the queue says it has so many.
    Withheld(u64),
    /// Only messages younger than the scan come.
    Younger,
    /// No more may be held at once.
    Full,
    /// Held for as long as SQS allows.
    Time,
    /// Reading failed.
    Failed,
}

/// What a receiver is to do next.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// Ask for so many.
    Receive(usize),
    /// Others may have room to give back.
    Wait,
    /// It is over.
    Over,
}

/// What to do about an empty poll.
#[derive(Debug, PartialEq, Eq)]
pub enum Quiet {
    /// Poll on.
    Not,
    /// For long enough to ask the queue; for so long by now.
    For(Duration),
}

impl Progress {
    /// `bound`: hand out no more than so many.
    pub fn new(bound: Option<u64>) -> Progress {
        Progress {
            bound,
            handed: 0,
            reserved: 0,
            young: 0,
            damaged: 0,
            lost: 0,
            young_only: 0,
            quiet_since: None,
            end: (bound == Some(0)).then_some(End::Bound),
        }
    }

    /// Promises room for one receive.
    pub fn reserve(&mut self) -> Next {
        if self.end.is_some() {
            return Next::Over;
        }
        let Some(bound) = self.bound else { return Next::Receive(BATCH) };
        if self.handed >= bound {
            self.end = Some(End::Bound);
            return Next::Over;
        }
        let room = bound.saturating_sub(self.handed + self.reserved).min(BATCH as u64);
        if room == 0 {
            return Next::Wait;
        }
        self.reserved += room;
        Next::Receive(usize::try_from(room).unwrap_or(BATCH))
    }

    /// A receive that was promised `room` brought messages: so many new ones, so many younger than the scan.
    pub fn received(&mut self, room: usize, new: u64, young: u64) {
        self.reserved = self.reserved.saturating_sub(self.bound.map_or(0, |_| room as u64));
        self.handed += new;
        self.young += young;
        self.quiet_since = None;
        self.young_only = if new == 0 && young > 0 { self.young_only + 1 } else { 0 };
        if self.bound.is_some_and(|bound| self.handed >= bound) {
            self.end.get_or_insert(End::Bound);
        } else if self.young_only >= YOUNG_ONLY {
            self.end.get_or_insert(End::Younger);
        }
    }

    /// A receive that was promised `room` and was begun at `began` brought nothing.
    pub fn empty(&mut self, room: usize, began: Instant) -> Quiet {
        self.reserved = self.reserved.saturating_sub(self.bound.map_or(0, |_| room as u64));
        let quiet = self.quiet_since.get_or_insert(began).elapsed();
        if quiet >= QUIET { Quiet::For(quiet) } else { Quiet::Not }
    }

    /// A receive failed; `lost`: it may have taken messages all the same.
    pub fn failed(&mut self, room: usize, lost: bool) {
        self.lost += u64::from(lost);
        self.reserved = self.reserved.saturating_sub(self.bound.map_or(0, |_| room as u64));
    }

    /// Ends it, if nothing has before.
    pub fn end(&mut self, why: End) {
        self.end.get_or_insert(why);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_asked_for_than_is_wanted() {
        let mut p = Progress::new(Some(15));
        assert_eq!((p.reserve(), p.reserve(), p.reserve()), (Next::Receive(10), Next::Receive(5), Next::Wait));
        p.received(10, 4, 2);
        assert_eq!(p.reserve(), Next::Receive(6), "room that was not used is given to another");
        p.received(5, 5, 0);
        p.received(6, 6, 0);
        assert_eq!((p.reserve(), p.end.clone(), p.young), (Next::Over, Some(End::Bound), 2));
        assert_eq!(Progress::new(Some(0)).reserve(), Next::Over);
    }

    #[test]
    fn only_younger_ones_for_long_enough_end_it() {
        let mut p = Progress::new(None);
        for _ in 0..YOUNG_ONLY {
            assert_eq!(p.reserve(), Next::Receive(10));
            p.received(10, 0, 10);
        }
        assert_eq!((p.reserve(), p.end.clone()), (Next::Over, Some(End::Younger)));
    }

    #[tokio::test(start_paused = true)]
    async fn one_empty_poll_proves_nothing() {
        let mut p = Progress::new(Some(100));
        let began = Instant::now();
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(p.empty(10, began), Quiet::Not);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(p.empty(10, began), Quiet::For(Duration::from_secs(2)));
        p.received(10, 1, 0);
        assert_eq!(p.empty(10, Instant::now()), Quiet::Not, "what comes breaks the quiet");
    }
}
