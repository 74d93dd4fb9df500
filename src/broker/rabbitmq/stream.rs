//! Reading a stream, from its first message to the one that was last when the scan began. Nothing is taken and nothing can be.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::{FutureExt, StreamExt};
use jiff::Timestamp;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use tokio::time::{Instant, timeout};

use super::codec;
use super::connect::Link;
use super::error;
use super::held::answer;
use crate::broker::{
    Act, Batch, Bound, Closed, Context, Delivery, Error, Kind, Result, Scan, ScanRequest, Settlement, Settler, Token,
};
use crate::message::{Identity, Value};

const OFFSET: &str = "x-stream-offset";
/// Credit of the consumer; an acknowledgement does no more than renew it.
const CREDIT: u16 = 1000;
const BATCH: usize = 500;
/// A stream sends what it has at once; after so long without a message there is none.
const QUIET: Duration = Duration::from_millis(400);
/// Longest time spent on finding an end that keeps moving.
const PROBE: Duration = Duration::from_secs(2);
/// A stream that stops before its end: the messages were trimmed by retention meanwhile.
const PATIENCE: Duration = Duration::from_secs(10);

/// First and last offset; `None` for a stream that is empty. A declare cannot be asked: it answers with a count that is
/// seconds old, and zero for a new stream (seen on 3.10.8 and 4.3.6). The last chunk itself tells, as it is sent at once.
///
/// # Errors
/// As the connection is.
pub async fn ends(link: &Link, longest: Duration) -> Result<Option<(u64, u64)>> {
    let Some((_, last)) = probe(link, longest, "last").await? else { return Ok(None) };
    Ok(probe(link, longest, "first").await?.map(|(first, seen)| (first, seen.max(last))))
}

async fn probe(link: &Link, longest: Duration, from: &str) -> Result<Option<(u64, u64)>> {
    let channel = link.channel().await?;
    let mut consumer = consume(&channel, link.queue.as_str().into(), longest, from.into(), CREDIT).await?;
    let began = Instant::now();
    let mut seen: Option<(u64, u64)> = None;
    while began.elapsed() < PROBE {
        let Ok(Some(d)) = timeout(QUIET, consumer.next()).await else { break };
        let d = d.map_err(|e| error::map(&e, "finding the end of the stream"))?;
        if let Some(at) = offset(&d) {
            seen = Some(seen.map_or((at, at), |(first, _)| (first, at)));
        }
        if from == "first" {
            break;
        }
        ack(&channel, d.delivery_tag).await?;
    }
    // A stream keeps its messages whatever becomes of the consumer.
    answer(longest, "finding the end of the stream", channel.close(200, "done".into())).await?;
    // Not before: the library then cancels it beside the close, and takes the cancel that comes too late on the closing
    // channel for the end of the whole connection.
    drop(consumer);
    Ok(seen)
}

async fn consume(
    channel: &lapin::Channel,
    queue: ShortString,
    longest: Duration,
    from: AMQPValueOf,
    credit: u16,
) -> Result<lapin::Consumer> {
    let doing = "consuming the stream";
    answer(longest, doing, channel.basic_qos(credit, BasicQosOptions::default())).await?;
    let mut arguments = FieldTable::default();
    arguments.insert(OFFSET.into(), from.0);
    let call = channel.basic_consume(queue, "dlq".into(), BasicConsumeOptions::default(), arguments);
    answer(longest, doing, call).await
}

/// Where to begin.
struct AMQPValueOf(AMQPValue);

impl From<&str> for AMQPValueOf {
    fn from(s: &str) -> Self {
        AMQPValueOf(AMQPValue::LongString(s.into()))
    }
}

async fn ack(channel: &lapin::Channel, tag: u64) -> Result<()> {
    channel.basic_ack(tag, BasicAckOptions { multiple: true }).await.map_err(|e| error::map(&e, "reading the stream"))
}

fn offset(d: &lapin::message::Delivery) -> Option<u64> {
    let v = d.properties.headers().as_ref()?.inner().get(OFFSET)?;
    codec::value_from(v).as_i64().and_then(|n| u64::try_from(n).ok())
}

/// A scan of a stream.
pub struct StreamScan {
    channel: lapin::Channel,
    consumer: lapin::Consumer,
    shown: Arc<str>,
    stop: tokio_util::sync::CancellationToken,
    bound: Bound,
    last: Option<u64>,
    remaining: u64,
    /// Survives a dropped `next`.
    taken: Vec<Delivery>,
    /// Newest tag acknowledged.
    acked: u64,
    ended: bool,
    closed: Closed,
    longest: Duration,
}

impl StreamScan {
    /// Finds the end and begins at the start.
    ///
    /// # Errors
    /// `Unsupported` for a scan that takes.
    pub async fn start(link: &Link, shown: Arc<str>, ctx: &Context, request: &ScanRequest) -> Result<StreamScan> {
        if request.takes {
            return Err(Error::new(
                Kind::Unsupported,
                format!("{shown} is a stream, and a stream cannot remove messages"),
            )
            .hint("copy reads it without removing anything; retention removes what is old"));
        }
        let at = Timestamp::now();
        let ends = ends(link, ctx.timeout).await?;
        let channel = link.channel().await?;
        let consumer = consume(&channel, link.queue.as_str().into(), ctx.timeout, "first".into(), CREDIT).await?;
        Ok(StreamScan {
            channel,
            consumer,
            shown,
            stop: ctx.stop.clone(),
            // An upper bound: offsets that retention or a failed publish left out are counted.
            bound: Bound { at, messages: Some(ends.map_or(0, |(first, last)| last - first + 1)) },
            last: ends.map(|(_, last)| last),
            remaining: request.at_most.unwrap_or(u64::MAX),
            taken: Vec::new(),
            acked: 0,
            ended: false,
            closed: Closed::default(),
            longest: ctx.timeout,
        })
    }

    fn take(&mut self, d: lapin::message::Delivery) {
        let at = offset(&d);
        if let (Some(at), Some(last)) = (at, self.last) {
            if at > last {
                self.ended = true;
                return;
            }
            self.ended = at == last;
        }
        let token = Token(d.delivery_tag);
        let mut message = codec::from_delivery(&self.shown, d.into());
        if let Some(at) = at {
            message.id = smol_str::format_smolstr!("{at}");
            // A stream that is deleted and made anew counts from zero again, so this is exact for one stream's life only.
            message.identity = Identity::Exact(xxhash_rust::xxh3::xxh3_128(format!("{}\n{at}", self.shown).as_bytes()));
            message.position.push("offset", Value::I64(i64::try_from(at).unwrap_or(i64::MAX)));
        }
        self.taken.push(Delivery { token, message: Box::new(message) });
        self.remaining = self.remaining.saturating_sub(1);
        self.ended |= self.remaining == 0;
    }

    async fn fill(&mut self) -> Result<()> {
        let mut paused = false;
        while !self.ended && self.taken.len() < BATCH {
            let next = match self.consumer.next().now_or_never() {
                Some(next) => next,
                None if self.taken.is_empty() => tokio::select! {
                    () = self.stop.cancelled() => {
                        self.closed.cut.get_or_insert("it was stopped".into());
                        self.ended = true;
                        break;
                    }
                    next = timeout(PATIENCE, self.consumer.next()) => match next {
                        Ok(next) => next,
                        Err(_) => {
                            self.closed.cut.get_or_insert("the stream stopped before the end it had when the scan began".into());
                            self.ended = true;
                            break;
                        }
                    }
                },
                None if !paused => {
                    paused = true;
                    tokio::time::sleep(Duration::from_millis(2)).await;
                    continue;
                }
                None => break,
            };
            match next {
                Some(Ok(d)) => self.take(d),
                Some(Err(e)) => return Err(error::map(&e, "reading the stream")),
                None => {
                    return Err(
                        Error::new(Kind::Unreachable, "the server ended the consumer").during("reading the stream")
                    );
                }
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Scan for StreamScan {
    async fn next(&mut self) -> Result<Option<Batch>> {
        if self.last.is_none() || self.remaining == 0 {
            self.ended = true;
        }
        self.fill().await?;
        let Some(newest) = self.taken.last().map(|d| d.token.0) else { return Ok(None) };
        if newest > self.acked {
            // Noted first: a `next` dropped here must not acknowledge the same again, which closes the channel. What is not
            // acknowledged now is with the next.
            self.acked = newest;
            ack(&self.channel, newest).await?;
        }
        Ok(Some(Batch { lane: 0, deliveries: std::mem::take(&mut self.taken) }))
    }

    fn settler(&self) -> Arc<dyn Settler> {
        Arc::new(KeepAll)
    }

    fn bound(&self) -> &Bound {
        &self.bound
    }

    async fn close(self: Box<Self>) -> Result<Closed> {
        answer(self.longest, "closing the stream", self.channel.close(200, "done".into())).await?;
        Ok(self.closed)
    }
}

struct KeepAll;

#[async_trait]
impl Settler for KeepAll {
    async fn settle(&self, settlements: Vec<Settlement>) -> Vec<Result<()>> {
        let fate = |s: &Settlement| match s.act {
            Act::Keep => Ok(()),
            Act::Done => Err(Error::new(Kind::Unsupported, "a stream cannot remove messages")),
        };
        settlements.iter().map(fate).collect()
    }
}
