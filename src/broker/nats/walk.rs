//! Reading a stream from one number to another, without a consumer: many gets at once, and over gaps in one step.

use futures::{StreamExt, TryStreamExt, stream};

use super::api::Stored;
use super::connect::Link;
use super::newest::{FAN, Search, Step};
use super::stream::{State, matches};
use crate::broker::Result;

/// Gets under way at once. The server has one line for all questions of its kind, and drops what makes it too long.
const AT_ONCE: usize = 128;
/// Numbers of one page.
const PAGE: u64 = 512;
/// Bytes of messages that may be under way at once.
pub const ON_THE_WAY: u64 = 16 << 20;

/// Where a reading is.
pub struct Walk {
    link: Link,
    stream: String,
    /// Of these subjects only.
    subject: String,
    next: u64,
    last: u64,
    page: u64,
    at_once: usize,
}

impl Walk {
    /// From the first message there is to the last there was when `state` was told.
    pub fn new(link: &Link, stream: &str, subject: &str, state: &State) -> Walk {
        let average = state.bytes.checked_div(state.messages).unwrap_or(0).max(1);
        let room = (ON_THE_WAY / average).clamp(1, PAGE);
        Walk {
            link: link.clone(),
            stream: stream.to_owned(),
            subject: subject.to_owned(),
            next: state.first_seq.max(1),
            last: state.last_seq,
            page: room,
            at_once: usize::try_from(room).unwrap_or(AT_ONCE).min(AT_ONCE),
        }
    }

    /// Begins further on.
    pub fn begin_at(&mut self, seq: u64) {
        self.next = self.next.max(seq);
    }

    /// The next messages, in order; never none, but for the end.
    ///
    /// # Errors
    /// As the connection is.
    pub async fn page(&mut self) -> Result<Option<Vec<Stored>>> {
        while self.next <= self.last {
            let end = self.last.min(self.next + (self.page - 1));
            let got = many(&self.link, &self.stream, self.next..=end, self.at_once).await?;
            self.next = end + 1;
            let wanted: Vec<Stored> =
                got.into_iter().flatten().filter(|m| matches(&self.subject, &m.subject)).collect();
            if !wanted.is_empty() {
                return Ok(Some(wanted));
            }
            if self.next <= self.last {
                let next = self.link.next(&self.stream, &self.subject, self.next).await?;
                self.next = next.map_or(u64::MAX, |m| m.seq);
            }
        }
        Ok(None)
    }

    /// The number from which on there are so many messages, or the first.
    ///
    /// # Errors
    /// As the connection is.
    pub async fn number_from_end(&self, many_of_them: u64) -> Result<u64> {
        let mut search = Search::new(self.next, self.last, many_of_them, self.page);
        loop {
            match search.step() {
                Step::Read(numbers) => {
                    let got = many(&self.link, &self.stream, numbers, self.at_once).await?;
                    let wanted = got.iter().flatten().filter(|m| matches(&self.subject, &m.subject));
                    search.read(&wanted.map(|m| m.seq).collect::<Vec<_>>());
                }
                Step::Probe(starts) => {
                    let first = async |seq| {
                        let next = self.link.next(&self.stream, &self.subject, seq).await;
                        next.map(|m| m.map(|m| m.seq))
                    };
                    let asked = stream::iter(starts.into_iter().map(first)).buffered(self.at_once.min(FAN as usize));
                    search.probed(&asked.try_collect::<Vec<_>>().await?);
                }
                Step::Found(seq) => return Ok(seq),
            }
        }
    }
}

/// These messages, in this order; none where one is gone.
///
/// # Errors
/// As the connection is.
pub async fn many(
    link: &Link,
    stream: &str,
    numbers: impl IntoIterator<Item = u64>,
    at_once: usize,
) -> Result<Vec<Option<Stored>>> {
    stream::iter(numbers.into_iter().map(|seq| link.get(stream, seq))).buffered(at_once.max(1)).try_collect().await
}
