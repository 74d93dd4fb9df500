//! The task that publishes: it owns the channel, keeps the order, and settles every message exactly once.
//!
//! Messages go out in chunks, issued together because a publish returns only when its frame has been written. A chunk's
//! answers are collected by a task of its own; what was returned is matched in [`super::returns`]. An answer is final once
//! nothing that came back can still be waiting in the client library: when as many returns were read as came over the wire,
//! or when everything that was outstanding at that moment has been answered too.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;

use futures::StreamExt;
use futures::future::Either;
use futures::stream::FuturesOrdered;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{Channel, Confirmation, ErrorKind};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::codec::{self, Received};
use super::connect::Link;
use super::fit::Limits;
use super::held::answer;
use super::letter::{Letter, print};
use super::returns::{Open, Returns, Routed};
use super::{culprit, error, lookup};
use crate::broker::{Error, Kind, Receipt, Result};

/// Messages issued together.
pub const CHUNK: usize = 500;
/// Messages without an answer at most.
const WINDOW: usize = 8 * CHUNK;
/// How many are sent one by one after the channel closed over a message that could not be told.
const CAREFUL: usize = 1000;
/// A channel that dies so often without a single answer is not opened again.
const STRIKES: usize = 3;

/// A batch with the means to answer it.
pub struct Job {
    /// Some of them may have failed already.
    pub letters: Vec<Result<Letter>>,
    /// One result for each.
    pub reply: oneshot::Sender<Vec<Result<Receipt>>>,
}

struct Waiting {
    results: Vec<Option<Result<Receipt>>>,
    left: usize,
    reply: oneshot::Sender<Vec<Result<Receipt>>>,
}

/// Messages issued together and not judged yet.
struct Flight {
    letters: Arc<Vec<Letter>>,
    prints: Option<Vec<u128>>,
}

/// Their answers.
struct Answers {
    answers: Vec<Result<Confirmation, lapin::Error>>,
    /// The chunk issued last when these came.
    barrier: u64,
}

/// The state of the task.
pub struct Pump {
    link: Arc<Link>,
    limits: Limits,
    jobs: HashMap<u64, Waiting>,
    numbered: u64,
    queue: VecDeque<Letter>,
    current: Option<Channel>,
    /// Returns on the wire before this channel was opened.
    base: u64,
    /// Returns read from confirms of this channel.
    read: u64,
    underway: FuturesOrdered<JoinHandle<Answers>>,
    queuing: Option<oneshot::Receiver<()>>,
    /// In the order issued; the first of them are those of `answered`.
    flying: VecDeque<Flight>,
    answered: VecDeque<Answers>,
    issued: u64,
    arrived: u64,
    outstanding: usize,
    returns: Returns,
    exchanges: HashMap<String, Option<Error>>,
    careful: usize,
    strikes: usize,
    /// Why nothing can be sent any more.
    dead: Option<Error>,
}

impl Pump {
    /// Publishes what comes through `jobs` until its other end is dropped; then closes the connection.
    pub async fn run(link: Arc<Link>, limits: Limits, mut jobs: mpsc::Receiver<Job>) -> Result<()> {
        let mut pump = Pump {
            link,
            limits,
            jobs: HashMap::new(),
            numbered: 0,
            queue: VecDeque::new(),
            current: None,
            base: 0,
            read: 0,
            underway: FuturesOrdered::new(),
            queuing: None,
            flying: VecDeque::new(),
            answered: VecDeque::new(),
            issued: 0,
            arrived: 0,
            outstanding: 0,
            returns: Returns::default(),
            exchanges: HashMap::new(),
            careful: 0,
            strikes: 0,
            dead: None,
        };
        let mut more = true;
        let watched = pump.link.clone();
        let mut silence = std::pin::pin!(watched.hang_up_on_silence());
        while more || !pump.jobs.is_empty() {
            if pump.outstanding == 0 {
                // Nothing was due so far.
                silence.set(watched.hang_up_on_silence());
            }
            if pump.may_issue() {
                pump.issue().await;
                continue;
            }
            tokio::select! {
                job = jobs.recv(), if more && pump.queue.len() < CHUNK => match job {
                    Some(job) => pump.take(job),
                    None => more = false,
                },
                // An error means that the chunk's task ended before that: its answers tell.
                _ = async { match &mut pump.queuing { Some(w) => { let _ = w.await; }, None => std::future::pending().await } } => {
                    pump.queuing = None;
                }
                never = &mut silence, if pump.outstanding > 0 => match never {},
                Some(answers) = pump.underway.next(), if !pump.underway.is_empty() => match answers {
                    Ok(answers) => pump.arrive(answers),
                    Err(e) => {
                        return Err(Error::new(Kind::Indeterminate, "publishing was cut short").because(e));
                    }
                },
            }
        }
        pump.close().await
    }

    async fn close(self) -> Result<()> {
        if let Some(channel) = &self.current
            && channel.status().connected()
        {
            answer(self.link.longest, "closing the channel", channel.close(200, "done".into())).await?;
        }
        match self.dead {
            Some(_) => Ok(()),
            None => self.link.close().await,
        }
    }

    fn take(&mut self, job: Job) {
        let number = self.numbered;
        self.numbered += 1;
        let left = job.letters.len();
        self.jobs.insert(number, Waiting { results: (0..left).map(|_| None).collect(), left, reply: job.reply });
        if left == 0 {
            self.answer(number);
        }
        for (at, letter) in job.letters.into_iter().enumerate() {
            match (letter, &self.dead) {
                (Ok(mut letter), None) => {
                    (letter.job, letter.at) = (number, at);
                    self.queue.push_back(letter);
                }
                (Ok(_), Some(dead)) => {
                    let dead = dead.again();
                    self.settle(number, at, Err(dead));
                }
                (Err(e), _) => self.settle(number, at, Err(e)),
            }
        }
    }

    fn settle(&mut self, job: u64, at: usize, result: Result<Receipt>) {
        let Some(open) = self.jobs.get_mut(&job) else { return };
        if open.results[at].replace(result).is_none() {
            open.left -= 1;
        }
        if open.left == 0 {
            self.answer(job);
        }
    }

    fn answer(&mut self, job: u64) {
        if let Some(open) = self.jobs.remove(&job) {
            // Whoever asked may have gone; the messages are settled all the same.
            let _ = open.reply.send(open.results.into_iter().flatten().collect());
        }
    }

    fn may_issue(&self) -> bool {
        let closing = self.answered.iter().any(Answers::failed);
        !self.queue.is_empty()
            && self.queuing.is_none()
            && !closing
            && self.outstanding < WINDOW
            && (self.careful == 0 || self.outstanding == 0)
    }

    /// Sends the next chunk, or fails it where the exchange is known not to be there.
    async fn issue(&mut self) {
        let most = if self.careful > 0 { 1 } else { CHUNK };
        let mut letters = Vec::with_capacity(most.min(self.queue.len()));
        while letters.len() < most
            && let Some(letter) = self.queue.pop_front()
        {
            if let Some(e) = self.exchange_fault(letter.exchange.as_str()).await {
                self.settle(letter.job, letter.at, Err(e));
                continue;
            }
            letters.push(letter);
        }
        if letters.is_empty() {
            return;
        }
        let channel = match self.channel().await {
            Ok(channel) => channel,
            Err(e) => {
                self.queue.extend(letters);
                self.give_up(e);
                return;
            }
        };
        self.careful = self.careful.saturating_sub(letters.len());
        self.outstanding += letters.len();
        self.issued += 1;
        let (queued, queuing) = oneshot::channel();
        self.queuing = Some(queuing);
        let letters = Arc::new(letters);
        self.flying.push_back(Flight { letters: letters.clone(), prints: None });
        self.underway.push_back(tokio::spawn(send(channel, letters, queued)));
    }

    /// Asked once for each exchange: a publish to one that is not there closes the channel.
    async fn exchange_fault(&mut self, exchange: &str) -> Option<Error> {
        if !self.exchanges.contains_key(exchange) {
            let fault = match exchange {
                // Always there; it may be learnt that we may not publish to it.
                "" => None,
                named => match lookup::exchange_exists(&self.link, named).await {
                    Err(e) if e.kind() == Kind::NotFound => Some(e),
                    // Not allowed to ask is not "not allowed to publish".
                    _ => None,
                },
            };
            self.exchanges.insert(exchange.to_owned(), fault);
        }
        self.exchanges.get(exchange)?.as_ref().map(Error::again)
    }

    async fn channel(&mut self) -> Result<Channel> {
        if let Some(channel) = &self.current {
            return Ok(channel.clone());
        }
        let channel = self.link.channel().await?;
        let asked = channel.confirm_select(ConfirmSelectOptions::default());
        answer(self.link.longest, "asking for confirms", asked).await?;
        (self.base, self.read) = (self.link.heard.returns(), 0);
        self.current = Some(channel.clone());
        Ok(channel)
    }

    fn give_up(&mut self, e: Error) {
        for letter in std::mem::take(&mut self.queue) {
            self.settle(letter.job, letter.at, Err(e.again()));
        }
        self.dead = Some(e);
    }

    fn arrive(&mut self, mut answers: Answers) {
        self.arrived += 1;
        answers.barrier = self.issued;
        let returned: Vec<_> = answers.answers.iter_mut().filter_map(take_returned).collect();
        self.read += returned.len() as u64;
        self.answered.push_back(answers);
        if !returned.is_empty() {
            let open = self.open();
            self.returns.note(returned, &open);
        }
        if self.answered.iter().any(Answers::failed) {
            if self.underway.is_empty() {
                self.channel_closed();
            }
            return;
        }
        let complete = self.complete();
        let mut open = if self.returns.is_empty() { Open::new() } else { self.open() };
        while let (Some(first), Some(flight)) = (self.answered.front(), self.flying.front_mut())
            && (complete || first.barrier <= self.arrived)
        {
            // Equal messages of which only some have come back so far wait for the rest.
            let unclear = !self.underway.is_empty()
                && !self.returns.is_empty()
                && flight.prints().iter().any(|p| self.returns.is_unclear(*p, &open));
            if unclear {
                break;
            }
            let (Some(answers), Some(flight)) = (self.answered.pop_front(), self.flying.pop_front()) else { break };
            for (letter, print, answer) in flight.with(answers) {
                self.judge(letter, print, answer.is_ok_and(|a| a.is_ack()), false, &mut open);
            }
        }
        if self.outstanding == 0 {
            self.returns.forget();
        }
    }

    /// What is published and not judged, by print.
    fn open(&mut self) -> Open {
        let mut open = Open::new();
        for print in self.flying.iter_mut().flat_map(|f| f.prints().to_vec()) {
            *open.entry(print).or_default() += 1;
        }
        open
    }

    /// Whether every return that came over the wire has been read.
    fn complete(&self) -> bool {
        self.link.heard.returns() == self.base + self.read
    }

    /// One message with an answer. `doubt`: returns may be lost.
    fn judge(&mut self, letter: Letter, print: Option<u128>, acknowledged: bool, doubt: bool, open: &mut Open) {
        self.outstanding -= 1;
        let routed = if self.returns.is_empty() {
            Routed::Yes
        } else {
            self.returns.judge(&letter, print.unwrap_or_else(|| letter.print()), open)
        };
        let result = match routed {
            Routed::No => Err(unroutable(&letter)),
            _ if !acknowledged => Err(refused(&letter)),
            Routed::Yes if !doubt => Ok(Receipt::default()),
            Routed::Yes => Err(Error::new(
                Kind::Indeterminate,
                "the channel closed before it was certain that a queue had taken it",
            )),
            Routed::Perhaps => Err(Error::new(
                Kind::Indeterminate,
                format!("it or an equal message came back from {}, and which of them is not known", letter.place()),
            )),
        };
        self.strikes = 0;
        self.settle(letter.job, letter.at, result);
    }

    /// Everything on the channel has its answer or its error: settle all of it, and keep for a new channel what the server has
    /// certainly not taken.
    fn channel_closed(&mut self) {
        let doubt = !self.complete();
        let (mut unanswered, mut cause) = (Vec::new(), None);
        let mut open = if self.returns.is_empty() { Open::new() } else { self.open() };
        let flying = std::mem::take(&mut self.flying);
        for (answers, flight) in std::mem::take(&mut self.answered).into_iter().zip(flying) {
            for (letter, print, answer) in flight.with(answers) {
                match answer {
                    Ok(a) => self.judge(letter, print, a.is_ack(), doubt, &mut open),
                    Err(e) => {
                        let unsent = is_unsent(&e);
                        if !unsent && cause.as_ref().is_none_or(|c| error::reply_code(c).is_none()) {
                            cause = Some(e);
                        }
                        unanswered.push((letter, unsent));
                    }
                }
            }
        }
        self.outstanding = 0;
        self.returns.forget();
        self.current = None;
        let settled_some = unanswered.iter().any(|(_, unsent)| !unsent);
        self.strikes = if settled_some { 0 } else { self.strikes + 1 };
        let Some(cause) = cause else {
            for (letter, _) in unanswered.into_iter().rev() {
                self.queue.push_front(letter);
            }
            if self.strikes >= STRIKES {
                self.give_up(Error::new(Kind::Unreachable, "the server closes every channel as soon as it is opened"));
            }
            return;
        };
        let mapped = error::map(&cause, "publishing");
        let only_channel = self.link.connection.status().connected() && cause.is_amqp_soft_error();
        let text = match cause.kind() {
            ErrorKind::ProtocolError(reply) => reply.get_message().as_str(),
            _ => "",
        };
        let culprit = match unanswered.iter().filter(|(_, unsent)| !unsent).count() {
            _ if !only_channel => None,
            1 => unanswered.iter().position(|(_, unsent)| !unsent),
            _ => culprit::position(text, &self.limits.user, unanswered.iter().map(|(l, _)| l)),
        };
        let mut again = Vec::new();
        for (i, (letter, unsent)) in unanswered.into_iter().enumerate() {
            match culprit {
                Some(at) if i == at => {
                    self.learn(&mapped, text, &letter);
                    self.settle(letter.job, letter.at, Err(mapped.again()));
                }
                Some(at) if i > at => again.push(letter),
                _ if unsent => again.push(letter),
                _ => self.settle(letter.job, letter.at, Err(unknown(&mapped))),
            }
        }
        for letter in again.into_iter().rev() {
            self.queue.push_front(letter);
        }
        if !only_channel {
            self.give_up(mapped);
        } else if culprit.is_none() {
            self.careful = CAREFUL;
        }
    }

    /// So that the next such message fails by itself.
    fn learn(&mut self, e: &Error, reply: &str, letter: &Letter) {
        match e.kind() {
            Kind::TooLarge => {
                if let Some(most) = culprit::size_limit(reply) {
                    self.limits.body.fetch_min(most, Ordering::Relaxed);
                }
            }
            Kind::NotFound => {
                self.exchanges.insert(letter.exchange.to_string(), Some(e.again()));
            }
            Kind::Denied if !reply.contains("topic '") => {
                self.exchanges.insert(letter.exchange.to_string(), Some(e.again()));
            }
            _ => {}
        }
    }
}

impl Answers {
    fn failed(&self) -> bool {
        self.answers.iter().any(|a| a.is_err())
    }
}

impl Flight {
    fn prints(&mut self) -> &[u128] {
        self.prints.get_or_insert_with(|| self.letters.iter().map(Letter::print).collect())
    }

    /// Each message with its print, where that was needed, and its answer.
    fn with(self, answers: Answers) -> Vec<(Letter, Option<u128>, Result<Confirmation, lapin::Error>)> {
        // The task that shared them has ended with the answers.
        let letters = Arc::unwrap_or_clone(self.letters);
        let prints = (0..letters.len()).map(|i| self.prints.as_ref().map(|p| p[i])).collect::<Vec<_>>();
        letters.into_iter().zip(prints).zip(answers.answers).map(|((l, p), a)| (l, p, a)).collect()
    }
}

/// Publishes a chunk, says when it is queued, and waits for its answers.
async fn send(channel: Channel, letters: Arc<Vec<Letter>>, queued: oneshot::Sender<()>) -> Answers {
    let options = BasicPublishOptions { mandatory: true, immediate: false };
    let mut publishes = Vec::with_capacity(letters.len());
    for l in letters.iter() {
        let exchange = l.exchange.clone();
        let (key, body) = (l.routing_key.clone(), l.message.payload.as_bytes());
        let publish = channel.basic_publish(exchange, key, options, body, codec::to_publish(&l.message));
        // The first poll queues the frames. These futures are kilobytes each: moving them once more than needed is felt.
        let mut publish = Box::pin(publish);
        publishes.push(match futures::poll!(publish.as_mut()) {
            Poll::Ready(published) => Either::Left(std::future::ready(published)),
            Poll::Pending => Either::Right(publish),
        });
    }
    // In order from here on: the next chunk may follow while this one is being written.
    let _ = queued.send(());
    let mut published = Vec::with_capacity(publishes.len());
    for publish in publishes {
        published.push(publish.await);
    }
    let mut answers = Vec::with_capacity(published.len());
    for confirm in published {
        answers.push(match confirm {
            Ok(confirm) => confirm.await,
            Err(e) => Err(e),
        });
    }
    Answers { answers, barrier: 0 }
}

/// Takes a returned message off a confirm, which is seldom its own.
fn take_returned(answer: &mut Result<Confirmation, lapin::Error>) -> Option<(u128, (String, String))> {
    let (Ok(Confirmation::Ack(slot)) | Ok(Confirmation::Nack(slot))) = answer else { return None };
    let back = slot.take()?;
    let place = (back.delivery.exchange.to_string(), back.delivery.routing_key.to_string());
    Some((print(&Received::from(back.delivery)), place))
}

/// The library refused at once because the channel was closed already: no byte of it was sent.
fn is_unsent(e: &lapin::Error) -> bool {
    matches!(e.kind(), ErrorKind::InvalidChannelState(_, "basic.publish"))
}

fn unroutable(letter: &Letter) -> Error {
    match letter.exchange.as_str() {
        "" => Error::new(Kind::Unroutable, format!("there is no queue {:?}", letter.routing_key.as_str())),
        _ => Error::new(Kind::Unroutable, format!("no queue is bound to {}", letter.place())),
    }
}

fn refused(letter: &Letter) -> Error {
    Error::new(Kind::Rejected, format!("{} refused it", letter.place()))
        .hint("a queue that is full and set to reject-publish does, and one that has lost its leader")
}

fn unknown(cause: &Error) -> Error {
    Error::new(Kind::Indeterminate, format!("it was sent, and no answer came before the channel closed ({cause})"))
        .hint("it may be there: compare before sending it again")
}
