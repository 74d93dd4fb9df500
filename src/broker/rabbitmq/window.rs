//! Consumers one after the other on one channel, each with an explicit prefetch, and their deliveries in the order of their tags.
//!
//! The prefetch of a consumer is at most 65 535, but a channel may hold any number. So when one consumer is full the next is
//! opened on the same channel and the first is cancelled: tags go on counting, one `nack` order covers everything, and what
//! the client library buffers stays bounded by one prefetch.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::time::Duration;

use futures::stream::SelectAll;
use futures::{FutureExt, Stream, StreamExt};
use lapin::message::Delivery;
use lapin::options::{BasicCancelOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::{FieldTable, ShortString};

use super::held::answer;
use crate::broker::{Error, Kind, Result};

enum Event {
    Delivery(Box<Delivery>),
    Failed(lapin::Error),
    Ended(usize),
}

type Events = Pin<Box<dyn Stream<Item = Event> + Send + Sync>>;

/// What came.
pub enum Came {
    /// The next message in order.
    Delivery(Box<Delivery>),
    /// The broker cancelled the consumer.
    Cancelled,
    /// The channel or the connection broke.
    Broke(lapin::Error),
}

/// The consumers of a channel.
pub struct Windows {
    channel: lapin::Channel,
    queue: ShortString,
    longest: Duration,
    arguments: FieldTable,
    streams: SelectAll<Events>,
    /// Tag, first delivery tag, prefetch.
    current: Option<(ShortString, u64, u16)>,
    starts: Vec<u64>,
    next_tag: u64,
    early: BTreeMap<u64, Box<Delivery>>,
}

impl Windows {
    /// None yet.
    pub fn new(channel: lapin::Channel, queue: ShortString, longest: Duration, arguments: FieldTable) -> Windows {
        Windows {
            channel,
            queue,
            longest,
            arguments,
            streams: SelectAll::new(),
            current: None,
            starts: Vec::new(),
            next_tag: 1,
            early: BTreeMap::new(),
        }
    }

    /// First delivery tag and prefetch of the consumer that is active.
    pub fn current(&self) -> Option<(u64, u16)> {
        self.current.as_ref().map(|(_, from, size)| (*from, *size))
    }

    /// The first tags of all consumers there were, in order.
    pub fn starts(&self) -> &[u64] {
        &self.starts
    }

    /// Opens the next consumer, then cancels the one before: in this order, so that nobody else gets hold of the queue between.
    ///
    /// # Errors
    /// `Held` where another consumer has the queue to itself; the channel is closed then.
    pub async fn open(&mut self, size: u16) -> Result<()> {
        let doing = "consuming";
        answer(self.longest, doing, self.channel.basic_qos(size, BasicQosOptions::default())).await?;
        let index = self.starts.len();
        let tag: ShortString = format!("dlq.{index:06}").into();
        let consume = self.channel.basic_consume(
            self.queue.clone(),
            tag.clone(),
            BasicConsumeOptions::default(),
            self.arguments.clone(),
        );
        let consumer = answer(self.longest, doing, consume).await.map_err(occupied)?;
        let events = consumer.map(|d| match d {
            Ok(d) => Event::Delivery(Box::new(d)),
            Err(e) => Event::Failed(e),
        });
        let ended = futures::stream::once(std::future::ready(Event::Ended(index)));
        self.streams.push(Box::pin(events.chain(ended)));
        let from = self.next_tag + self.early.len() as u64;
        self.starts.push(from);
        let before = self.current.replace((tag, from, size));
        match before {
            Some((old, ..)) => self.cancel(old).await,
            None => Ok(()),
        }
    }

    async fn cancel(&self, tag: ShortString) -> Result<()> {
        let call = self.channel.basic_cancel(tag, BasicCancelOptions::default());
        answer(self.longest, "ending the consumer", call).await
    }

    /// Cancels the active consumer, if there is one; what it was sent before can still be read.
    ///
    /// # Errors
    /// As the channel is by then.
    pub async fn stop(&mut self) -> Result<()> {
        match self.current.take() {
            Some((tag, ..)) => self.cancel(tag).await,
            None => Ok(()),
        }
    }

    /// The next delivery. Cancel safe. `None` once every consumer has ended.
    pub async fn next(&mut self) -> Option<Came> {
        loop {
            if let Some(d) = self.early.remove(&self.next_tag) {
                self.next_tag += 1;
                return Some(Came::Delivery(d));
            }
            match self.streams.next().await? {
                Event::Delivery(d) if d.delivery_tag == self.next_tag => {
                    self.next_tag += 1;
                    return Some(Came::Delivery(d));
                }
                Event::Delivery(d) => {
                    self.early.insert(d.delivery_tag, d);
                }
                Event::Failed(e) => return Some(Came::Broke(e)),
                Event::Ended(index) => {
                    if self.current.is_some() && index + 1 == self.starts.len() {
                        self.current = None;
                        return Some(Came::Cancelled);
                    }
                }
            }
        }
    }

    /// The next delivery, if it is there already.
    pub fn ready(&mut self) -> Option<Came> {
        self.next().now_or_never().flatten()
    }
}

/// What a refused consumer means.
fn occupied(e: Error) -> Error {
    let text = e.to_string();
    if text.contains("exclusive") || e.kind() == Kind::Held {
        return Error::new(Kind::Held, format!("another consumer has the queue to itself: {text}"))
            .during("consuming")
            .hint("stop that consumer first");
    }
    e
}
