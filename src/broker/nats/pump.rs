//! The task that sends: in order, many unconfirmed at once, and once more under the same id where the connection was lost.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use async_nats::{HeaderMap, Message, StatusCode, Subscriber};
use bytes::Bytes;
use futures::StreamExt;
use serde::Deserialize;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::time::{Instant, MissedTickBehavior};

use super::connect::{Link, State};
use super::error::{self, Refusal};
use crate::broker::{Error, Kind, Receipt, Result};

/// Bytes that may be unconfirmed at once, so that large messages do not fill memory.
const ON_THE_WAY: usize = 16 << 20;
/// How often it is looked whether an answer is overdue.
const TICK: Duration = Duration::from_millis(100);

/// One message, ready to go.
#[derive(Debug)]
pub struct Letter {
    /// Where to.
    pub subject: String,
    /// With its id.
    pub headers: HeaderMap,
    /// The payload.
    pub payload: Bytes,
    /// The stream that is to store it, where it is known.
    pub stream: Option<String>,
    /// For how long the stream tells a repeat.
    pub window: Duration,
}

/// A batch and where its fates go.
pub struct Job {
    /// In order; what cannot be sent has its error already.
    pub letters: Vec<Result<Letter>>,
    /// One fate a letter, in order.
    pub reply: oneshot::Sender<Vec<Result<Receipt>>>,
}

#[derive(Deserialize)]
struct Ack {
    #[serde(default)]
    stream: Option<String>,
    #[serde(default)]
    seq: u64,
    #[serde(default)]
    error: Option<Refusal>,
}

/// A letter on its way.
struct Flight {
    letter: Letter,
    job: u64,
    at: usize,
    first: Instant,
    last: Instant,
    /// It was handed over more than once: that it is refused says nothing of the first time.
    again: bool,
}

/// A job under way.
struct Open {
    fates: Vec<Option<Result<Receipt>>>,
    left: usize,
    reply: oneshot::Sender<Vec<Result<Receipt>>>,
}

/// What the task has.
pub struct Pump {
    link: Link,
    inbox: String,
    answers: Subscriber,
    said: broadcast::Receiver<Arc<str>>,
    state: watch::Receiver<State>,
    /// By number, which is the order they were sent in.
    out: BTreeMap<u64, Flight>,
    bytes: usize,
    open: HashMap<u64, Open>,
    next: u64,
    jobs: u64,
    lost: u64,
    /// An answer was waited for in vain, and none has come since: what is handed over now would only pile up.
    stuck: bool,
}

impl Pump {
    /// Listens for answers.
    ///
    /// # Errors
    /// As the connection is.
    pub async fn new(link: &Link) -> Result<Pump> {
        let inbox = link.client.new_inbox();
        let answers = link.client.subscribe(format!("{inbox}.*")).await;
        let answers =
            answers.map_err(|e| Error::new(Kind::Unreachable, "answers cannot be listened for").because(e))?;
        let state = link.state.clone();
        let lost = state.borrow().lost;
        Ok(Pump {
            said: link.said.subscribe(),
            link: link.clone(),
            inbox,
            answers,
            state,
            out: BTreeMap::new(),
            bytes: 0,
            open: HashMap::new(),
            next: 0,
            jobs: 0,
            lost,
            stuck: false,
        })
    }

    /// Sends until there are no more jobs and all answers are there, or overdue.
    pub async fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut more = true;
        while more || !self.out.is_empty() {
            let room = more && self.bytes < ON_THE_WAY;
            tokio::select! {
                Some(answer) = self.answers.next() => self.answered(&answer),
                job = jobs.recv(), if room => match job {
                    Some(job) => self.send(job).await,
                    None => more = false,
                },
                Ok(text) = self.said.recv() => self.refused(&text),
                Ok(()) = self.state.changed() => self.again().await,
                _ = tick.tick() => self.overdue(),
            }
        }
    }

    async fn send(&mut self, job: Job) {
        let id = self.jobs;
        self.jobs += 1;
        let many = job.letters.len();
        self.open.insert(id, Open { fates: (0..many).map(|_| None).collect(), left: many, reply: job.reply });
        if many == 0 {
            self.finish(id);
        }
        for (at, letter) in job.letters.into_iter().enumerate() {
            match letter {
                Ok(letter) => {
                    if let Err(e) = self.is_open().await {
                        self.settle(id, at, Err(e));
                        continue;
                    }
                    let number = self.next;
                    self.next += 1;
                    let now = Instant::now();
                    if let Err(e) = self.publish(number, &letter).await {
                        self.settle(id, at, Err(e));
                        continue;
                    }
                    self.bytes += letter.payload.len();
                    self.out.insert(number, Flight { letter, job: id, at, first: now, last: now, again: false });
                }
                Err(e) => self.settle(id, at, Err(e)),
            }
        }
    }

    /// Waits for a connection that was lost, as long as one waits for it at all. The library would take what is to be sent
    /// without one, up to the point where it takes no more and says nothing.
    async fn is_open(&mut self) -> Result<()> {
        if self.stuck {
            let text = format!("{} does not answer, so it was not sent", self.link.place);
            return Err(Error::new(Kind::Unreachable, text).during("sending"));
        }
        if !self.state.borrow().up {
            self.link.wait_for_connection().await.map_err(|e| e.during("sending"))?;
            self.again().await;
        }
        Ok(())
    }

    async fn publish(&self, number: u64, letter: &Letter) -> Result<()> {
        let reply = format!("{}.{number}", self.inbox);
        let Letter { subject, headers, payload, .. } = letter;
        let sent =
            self.link.client.publish_with_reply_and_headers(subject.clone(), reply, headers.clone(), payload.clone());
        // Nothing was handed over: it is too large by now, or the client has ended.
        match tokio::time::timeout(self.link.longest, sent).await {
            Ok(sent) => {
                sent.map_err(|e| Error::new(Kind::Rejected, format!("it cannot be sent to {subject}")).because(e))
            }
            Err(_) => {
                Err(Error::new(Kind::Unreachable, format!("{} takes nothing, so it was not sent", self.link.place)))
            }
        }
    }

    fn answered(&mut self, message: &Message) {
        let number = message.subject.rsplit('.').next().and_then(|n| n.parse::<u64>().ok());
        // A second answer to what was sent twice finds nothing.
        let Some(flight) = number.and_then(|n| self.out.remove(&n)) else { return };
        self.stuck = false;
        self.bytes -= flight.letter.payload.len();
        let fate = fate(message, &flight.letter).map_err(|e| doubted(e, flight.again));
        self.settle(flight.job, flight.at, fate);
    }

    /// What the server says of a permission: what goes to that subject was not taken.
    fn refused(&mut self, text: &str) {
        let lower = text.to_lowercase();
        if !lower.contains("publish") {
            return;
        }
        let hit: Vec<u64> = self
            .out
            .iter()
            .filter(|(_, f)| lower.contains(&format!("\"{}\"", f.letter.subject.to_lowercase())))
            .map(|(number, _)| *number)
            .collect();
        self.give_up(hit, |_| error::denied(text).during("sending"));
    }

    /// After the connection was lost and made again: what has no answer goes once more, in order, as long as the stream would
    /// know it again.
    async fn again(&mut self) {
        let state = *self.state.borrow_and_update();
        if !state.up || state.lost == self.lost {
            return;
        }
        self.lost = state.lost;
        self.stuck = false;
        let forgotten: Vec<u64> =
            self.out.iter().filter(|(_, f)| f.first.elapsed() > f.letter.window / 2).map(|(n, _)| *n).collect();
        self.give_up(forgotten, |_| unknown("the connection was lost for longer than the stream tells repeats"));
        let numbers: Vec<u64> = self.out.keys().copied().collect();
        for number in numbers {
            let Some(flight) = self.out.get(&number) else { continue };
            if self.publish(number, &flight.letter).await.is_err() {
                self.give_up(vec![number], |_| unknown("it could not be sent again"));
            } else if let Some(flight) = self.out.get_mut(&number) {
                flight.last = Instant::now();
                flight.again = true;
            }
        }
    }

    fn overdue(&mut self) {
        let (state, longest) = (*self.state.borrow(), self.link.longest);
        let late = |since: Instant| since.elapsed() > longest;
        let hit: Vec<u64> = if state.up {
            self.out.iter().filter(|(_, f)| late(f.last.max(state.since))).map(|(n, _)| *n).collect()
        } else if late(state.since) {
            self.out.keys().copied().collect()
        } else {
            Vec::new()
        };
        self.stuck |= !hit.is_empty();
        let place = self.link.place.clone();
        self.give_up(hit, |_| unknown(&format!("{place} did not answer within {longest:?}")));
    }

    fn give_up(&mut self, numbers: Vec<u64>, why: impl Fn(u64) -> Error) {
        for number in numbers {
            if let Some(flight) = self.out.remove(&number) {
                self.bytes -= flight.letter.payload.len();
                self.settle(flight.job, flight.at, Err(doubted(why(number), flight.again)));
            }
        }
    }

    fn settle(&mut self, job: u64, at: usize, fate: Result<Receipt>) {
        let Some(open) = self.open.get_mut(&job) else { return };
        if let Some(place) = open.fates.get_mut(at).filter(|f| f.is_none()) {
            *place = Some(fate);
            open.left -= 1;
        }
        if open.left == 0 {
            self.finish(job);
        }
    }

    fn finish(&mut self, job: u64) {
        if let Some(open) = self.open.remove(&job) {
            let none = || Err(unknown("no answer came for this message"));
            // Nobody waits any more when the run was dropped at the second Ctrl-C.
            drop(open.reply.send(open.fates.into_iter().map(|f| f.unwrap_or_else(none)).collect()));
        }
    }
}

fn unknown(why: &str) -> Error {
    Error::new(Kind::Indeterminate, format!("{why}: it may or may not be stored")).during("sending")
}

/// What a refusal means: of what was sent twice, that the first may be stored all the same.
fn doubted(e: Error, again: bool) -> Error {
    if !again || e.kind() == Kind::Indeterminate {
        return e;
    }
    unknown("the connection was lost, and it was refused when it was sent again").because(e)
}

/// That the stream calls it a repeat is success: its id is of this run and this very message, so that only an earlier try of
/// ours can have been before it.
fn fate(message: &Message, letter: &Letter) -> Result<Receipt> {
    let subject = &letter.subject;
    if message.status == Some(StatusCode::NO_RESPONDERS) {
        return Err(
            Error::new(Kind::Unroutable, format!("no stream takes what is sent to {subject}")).during("sending")
        );
    }
    let ack: Ack = serde_json::from_slice(&message.payload)
        .map_err(|e| unknown(&format!("what listens to {subject} is no stream")).because(e))?;
    match (ack.error, ack.stream) {
        // An application that listens there too may answer before the stream, which numbers all of its refusals.
        (Some(refusal), _) if refusal.err_code == 0 => {
            Err(unknown(&format!("what listens to {subject} is no stream")).because(refusal.description))
        }
        (Some(refusal), _) => Err(error::of_publish(&refusal, subject)),
        (None, Some(stream)) if letter.stream.as_ref().is_some_and(|wanted| *wanted != stream) => Err(unknown(
            &format!("stream {stream} has stored it, and not {}", letter.stream.as_deref().unwrap_or_default()),
        )),
        (None, Some(_)) => Ok(Receipt { id: Some(smol_str::format_smolstr!("{}", ack.seq)) }),
        (None, None) => Err(unknown(&format!("what listens to {subject} is no stream"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_of_what_was_sent_twice_leaves_the_first_unknown() {
        let kind = |kind, again| doubted(Error::new(kind, "no"), again).kind();
        assert_eq!(kind(Kind::Unroutable, false), Kind::Unroutable);
        assert_eq!(kind(Kind::Unroutable, true), Kind::Indeterminate);
        assert_eq!(kind(Kind::Indeterminate, true), Kind::Indeterminate);
    }

    fn told(status: Option<StatusCode>, payload: &'static str) -> Result<Receipt> {
        let letter = Letter {
            subject: "a.b".into(),
            headers: HeaderMap::new(),
            payload: Bytes::new(),
            stream: Some("S".into()),
            window: Duration::ZERO,
        };
        let message = Message {
            subject: "_INBOX.x.1".into(),
            reply: None,
            payload: Bytes::from_static(payload.as_bytes()),
            headers: None,
            status,
            description: None,
            length: 0,
        };
        fate(&message, &letter)
    }

    #[test]
    fn only_the_stream_that_was_meant_confirms() {
        assert_eq!(told(None, r#"{"stream":"S","seq":7}"#).expect("stored").id.as_deref(), Some("7"));
        assert_eq!(
            told(None, r#"{"stream":"S","seq":7,"duplicate":true}"#).expect("stored before").id.as_deref(),
            Some("7")
        );
        let kind = |status, payload| told(status, payload).expect_err(payload).kind();
        assert_eq!(kind(Some(StatusCode::NO_RESPONDERS), ""), Kind::Unroutable);
        assert_eq!(
            kind(None, r#"{"error":{"code":503,"err_code":10077,"description":"maximum messages exceeded"}}"#),
            Kind::Rejected
        );
        assert_eq!(
            kind(None, r#"{"error":{"code":400,"err_code":10054,"description":"message size"}}"#),
            Kind::TooLarge
        );
        let answers =
            [r#"{"error":{"code":500,"description":"no such order"}}"#, r#"{"error":{}}"#, r#"{"error":"no"}"#];
        for other in [r#"{"stream":"T","seq":7}"#, "ok", "{}"].into_iter().chain(answers) {
            assert_eq!(kind(None, other), Kind::Indeterminate, "{other}");
        }
    }
}
