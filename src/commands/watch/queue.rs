//! One queue that is read again and again, on a task of its own: opened anew when it was lost, later each time it fails.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::condition::Condition;
use super::hook::Event;
use crate::broker::capability::{Accuracy, Peek};
use crate::broker::{Address, Context, Depth, Error, Kind, Result, ScanRequest, Source};
use crate::message::{DeadLetter, view};

/// Between two readings where nothing is said.
const INTERVAL: Duration = Duration::from_secs(2);
/// The same where counts are estimates that lag behind anyway, and each asking is a request that is paid for.
const SLOW: Duration = Duration::from_secs(10);
/// No more often than this there, whatever is asked for.
const SLOWEST: Duration = Duration::from_secs(1);
/// Between two tries to reach what was lost, at most.
const BACKOFF: Duration = Duration::from_secs(30);
/// Given on top, so that a backend can say itself what it waited for.
const GRACE: Duration = Duration::from_millis(300);

/// What comes of a queue.
pub enum Said {
    /// It was read.
    Read {
        /// When.
        at: Timestamp,
        /// What it holds.
        depth: Depth,
        /// How often it is read.
        every: Duration,
        /// The condition of `--when` is met from now on, or no longer.
        event: Option<Event>,
    },
    /// It could not be read.
    Lost(Error),
}

/// One queue and what it is watched for.
pub struct Queue {
    /// Which.
    pub address: Address,
    /// `--interval`.
    pub interval: Option<Duration>,
    /// `--when`.
    pub when: Option<Condition>,
    /// What the backend is told.
    pub context: Context,
    /// Its place among the others.
    pub place: usize,
}

impl Queue {
    /// Reads until nobody listens, or we are told to stop.
    pub async fn watch(self, tell: mpsc::Sender<(usize, Said)>) {
        let (mut source, mut crossed, mut failures) = (None, false, 0_u32);
        loop {
            let began = Instant::now();
            let wait = match self.read(&mut source).await {
                Ok((open, depth)) => {
                    failures = 0;
                    let (at, every) = (now(), self.every(&*open));
                    let event = self.event(&mut crossed, &depth, at, &open).await;
                    if tell.send((self.place, Said::Read { at, depth, every, event })).await.is_err() {
                        return;
                    }
                    every
                }
                Err(e) => {
                    source = None;
                    if tell.send((self.place, Said::Lost(e))).await.is_err() {
                        return;
                    }
                    failures += 1;
                    self.interval.unwrap_or(INTERVAL).max(Duration::from_secs(1 << failures.min(5)).min(BACKOFF))
                }
            };
            tokio::select! {
                () = tokio::time::sleep_until(began + wait) => {}
                () = self.context.stop.cancelled() => return,
            }
        }
    }

    async fn read(&self, kept: &mut Option<Arc<dyn Source>>) -> Result<(Arc<dyn Source>, Depth)> {
        let reading = async {
            let source: Arc<dyn Source> = match kept.as_ref() {
                Some(source) => Arc::clone(source),
                None => Arc::from((self.address.backend.source)(&self.address, &self.context).await?),
            };
            let mut depth = source.depth().await?;
            // Nothing is touched by it where a look is free.
            if depth.oldest.is_none() && depth.waiting() != Some(0) && source.capabilities().peek == Peek::Free {
                depth.oldest = source.oldest().await?.at;
            }
            Ok((source, depth))
        };
        let limit = self.context.timeout;
        // An archive is counted from end to end, which takes what it takes.
        let read = if self.address.backend.creates() {
            reading.await
        } else {
            tokio::time::timeout(limit + GRACE, reading).await.unwrap_or_else(|_| {
                Err(Error::new(Kind::Timeout, format!("{} did not answer within {limit:?}", self.address)))
            })
        };
        if let Ok((source, _)) = &read {
            *kept = Some(Arc::clone(source));
        }
        read
    }

    fn every(&self, source: &dyn Source) -> Duration {
        match (self.interval, source.capabilities().accuracy) {
            (None, Accuracy::Approximate) => SLOW,
            (None, _) => INTERVAL,
            (Some(asked), Accuracy::Approximate) => asked.max(SLOWEST),
            (Some(asked), _) => asked,
        }
    }

    /// Told once a crossing. What is not known leaves it as it was.
    async fn event(&self, crossed: &mut bool, depth: &Depth, at: Timestamp, source: &Arc<dyn Source>) -> Option<Event> {
        let when = self.when.as_ref()?;
        let now = when.holds(depth, at).filter(|now| now != crossed)?;
        *crossed = now;
        let sample = if now { self.sample(&**source).await } else { None };
        let name = if now { "crossed" } else { "recovered" };
        let queue = self.address.shown.clone();
        Some(Event { json: event(name, when, &queue, depth, at, sample.as_ref()), queue, name })
    }

    /// One message, where a look costs nothing.
    async fn sample(&self, source: &dyn Source) -> Option<DeadLetter> {
        if source.capabilities().peek != Peek::Free {
            return None;
        }
        let look = async {
            let mut scan = source.scan(ScanRequest { takes: false, at_most: Some(1), again: true }).await.ok()?;
            let first = scan.next().await;
            // Nothing is held where a look is free.
            _ = scan.close().await;
            first.ok()??.deliveries.into_iter().next().map(|d| *d.message)
        };
        tokio::time::timeout(self.context.timeout, look).await.ok()?
    }
}

/// To the millisecond, as times in data are.
pub fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
}

/// What the command of `--exec` reads: one object and a line break. The digits of the sample are kept.
fn event(
    name: &str,
    when: &Condition,
    queue: &str,
    depth: &Depth,
    at: Timestamp,
    sample: Option<&DeadLetter>,
) -> Vec<u8> {
    let age = depth.oldest.map(|oldest| at.duration_since(oldest).as_secs().max(0));
    let mut out = json!({
        "event": name, "when": when.to_string(), "time": at, "queue": queue, "depth": depth.waiting(),
        "oldest": depth.oldest, "oldest_age_seconds": age,
    })
    .to_string()
    .into_bytes();
    out.pop();
    out.extend_from_slice(b",\"sample\":");
    match sample {
        Some(m) => view::write_json(&view::view(m, view::Need::ALL), &mut out),
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(b"}\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Payload;

    #[test]
    fn an_event_is_one_line_of_json_with_the_message_in_it() {
        let depth = Depth {
            kind: "topic",
            ready: Some(12),
            in_flight: None,
            delayed: None,
            unresolved: Some(10),
            oldest: Timestamp::from_second(100).ok(),
            accuracy: Accuracy::UpperBound,
        };
        let mut m = DeadLetter::new("kafka://h:9092/t".into(), Payload::Bytes(r#"{"n":12345678901234567890}"#.into()));
        m.id = "0:7".into();
        let at = Timestamp::from_second(160).expect("a time");
        let line = event("crossed", &Condition::Empty, "kafka://h:9092/t", &depth, at, Some(&m));
        let text = String::from_utf8(line).expect("text");
        assert!(text.ends_with("}\n") && text.lines().count() == 1 && text.contains("12345678901234567890"), "{text}");
        let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(
            (&json["event"], &json["depth"], &json["sample"]["id"]),
            (&json!("crossed"), &json!(10), &json!("0:7"))
        );
        assert_eq!(json["oldest_age_seconds"], 60);
        let none = event("recovered", &Condition::Empty, "q", &depth, at, None);
        assert_eq!(
            serde_json::from_slice::<serde_json::Value>(&none).expect("JSON")["sample"],
            serde_json::Value::Null
        );
    }
}
