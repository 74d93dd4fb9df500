//! Hands batches to a producer outside of transactions, in order: a record that fails holds up those behind it in its lane.
//!
//! Any number of records of a lane is under way, through a producer that ends at the first record that is refused: none behind
//! it in its partition is stored then. What was not sent goes once more through another that goes on, one of a lane at a time, and
//! so do the next few batches. Where a lane is not known to stay in one partition, one of it goes at a time from the start.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::producer::{Producer as _, PurgeConfig};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::batches::{Answer, Batches, Place, Stray};
use super::connect::Link;
use super::error;
use super::met::{self, Met};
use super::produce::{self, Producer, Refused};
use super::sink::Way;
use super::sys;
use crate::broker::{Error, Kind, Outgoing, Result};

pub(super) struct Job {
    pub(super) batch: Vec<Outgoing>,
    pub(super) answer: Answer,
}

/// Batches after a failure of which one record of a lane goes at a time: where one is refused, more are likely.
const CAREFUL: usize = 8;
/// What is taken back is known as fast as the library's threads get to it.
const TAKEN_BACK: Duration = Duration::from_secs(30);
/// What is under way is looked after so often.
const LOOK: Duration = Duration::from_millis(100);
/// The same while it is waited for.
const FLUSH: Duration = Duration::from_millis(20);
/// What is on its way when all is given up may still be confirmed for so long.
const LAST: Duration = Duration::from_secs(1);
/// A producer that has ended is opened anew so often.
const ANEW: u8 = 3;

pub(super) struct Pump {
    link: Arc<Link>,
    way: Way,
    batches: Arc<Batches>,
    producer: Option<Open>,
    /// There are lanes.
    has_lanes: bool,
    /// Where all goes that is under way together.
    topic: String,
    /// How often a producer may still be opened in the place of one that has ended.
    anew: u8,
    /// Batches that are still to be sent with care.
    careful: usize,
    /// The cluster did not answer for too long: nothing more is sent.
    given_up: bool,
}

struct Open {
    producer: Producer<Batches>,
    /// Bytes of a batch, at most.
    size: u64,
    mode: Mode,
    /// Where it has begun to send.
    met: Met,
}

/// What a producer does about a record that is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// It goes on.
    Plain,
    /// It ends, and stores none behind it.
    Ends,
    /// It goes on, and no record is refused for the sake of another: each is a batch of its own.
    Alone,
}

impl Open {
    fn ends(&self) -> bool {
        self.mode == Mode::Ends
    }
}

/// A record to send, and its number.
struct One {
    number: usize,
    what: What,
}

enum What {
    Fresh(Outgoing),
    Again(Stray),
}

impl One {
    fn lane(&self) -> Option<u64> {
        match &self.what {
            What::Fresh(o) => o.lane,
            What::Again(stray) => stray.lane,
        }
    }
}

impl Pump {
    pub(super) fn new(link: Arc<Link>, way: Way) -> Self {
        Pump {
            link,
            way,
            batches: Arc::default(),
            producer: None,
            has_lanes: false,
            topic: String::new(),
            anew: ANEW,
            careful: 0,
            given_up: false,
        }
    }

    /// Until no more jobs come; returns once everything is confirmed or given up.
    pub(super) fn run(mut self, mut jobs: mpsc::Receiver<Job>, on: &Handle) {
        let mut number = 0;
        let batches = Arc::clone(&self.batches);
        loop {
            self.attend();
            if self.given_up {
                self.batches.cut();
            }
            let next = async {
                tokio::select! {
                    biased;
                    () = batches.failure() => None,
                    job = jobs.recv() => Some(job),
                    () = tokio::time::sleep(LOOK), if self.producer.is_some() => None,
                }
            };
            match on.block_on(next) {
                None => {}
                Some(None) => return self.drain(),
                Some(Some(Job { batch, answer })) => {
                    number += 1;
                    self.has_lanes |= batch.iter().any(|o| o.lane.is_some());
                    let holds = batch.iter().any(|o| o.holds);
                    let places = batch.iter().map(|o| Place { lane: o.lane, time: self.way.to(o).time });
                    self.batches.expect(number, places.collect(), holds, answer);
                    let is_steady = self.is_steady(&batch);
                    let numbered = batch.into_iter().enumerate();
                    let ones =
                        numbered.map(|(at, o)| One { number: Batches::number(number, at), what: What::Fresh(o) });
                    self.take(ones, is_steady);
                }
            }
        }
    }

    /// Whether the records of a lane all go to one partition, so that its numbers hold up what is behind a refused one.
    fn is_steady(&mut self, batch: &[Outgoing]) -> bool {
        let mut in_lanes = batch.iter().filter(|o| o.lane.is_some());
        let Some(first) = in_lanes.clone().next() else { return true };
        let topic = self.way.to(first).topic;
        let by_key = met::chooses_by_key(&self.link);
        let is_steady = in_lanes.all(|o| {
            let to = self.way.to(o);
            by_key
                && (!o.holds || o.lane_is_key && o.message.key.is_some() && to.partition.is_none() && to.topic == topic)
        });
        if is_steady && first.holds && self.topic != topic {
            self.topic = topic.to_owned();
            self.wait();
        }
        is_steady
    }

    fn take(&mut self, mut batch: impl Iterator<Item = One>, is_steady: bool) {
        // What failed meanwhile has a say in how these go.
        self.attend();
        if self.careful > 0 {
            self.careful -= 1;
            return self.one_by_one(batch, Mode::Alone);
        }
        if !is_steady {
            return self.one_by_one(batch, Mode::Plain);
        }
        let mode = if self.has_lanes { Mode::Ends } else { Mode::Plain };
        self.make_way(mode);
        if self.careful > 0 {
            return self.one_by_one(batch, Mode::Alone);
        }
        while let Some(one) = batch.next() {
            if self.is_beginning(&one) {
                self.wait();
                if self.careful > 0 {
                    return self.one_by_one(std::iter::once(one).chain(batch), Mode::Alone);
                }
                self.producer.iter_mut().for_each(|open| open.met.stored());
            }
            let Err(e) = self.offer(&one, mode) else {
                self.has_sent(&one);
                continue;
            };
            if self.is_ended() {
                // That says nothing of this one.
                self.recover();
                return self.one_by_one(std::iter::once(one).chain(batch), Mode::Alone);
            }
            self.batches.refused(one.number, e);
            if self.is_overdue() {
                self.give_up();
            }
        }
    }

    /// Whether the first records are on their way to where it goes: should they be refused, it is not to be stored.
    fn is_beginning(&mut self, one: &One) -> bool {
        let (Some(open), What::Fresh(o)) = (&mut self.producer, &one.what) else { return false };
        open.ends() && o.lane.is_some_and(|lane| open.met.is_beginning(self.way.to(o), o.message.key.as_deref(), lane))
    }

    fn has_sent(&mut self, one: &One) {
        let (Some(open), What::Fresh(o)) = (&mut self.producer, &one.what) else { return };
        if let Some(lane) = o.lane.filter(|_| open.ends()) {
            open.met.sent(self.way.to(o), o.message.key.as_deref(), lane, &open.producer, &self.link);
        }
    }

    /// Sends them in rounds, of each lane one in each.
    fn one_by_one(&mut self, all: impl Iterator<Item = One>, mut mode: Mode) {
        self.make_way(mode);
        // What that has found out may have a say in it.
        if self.careful > 0 {
            mode = Mode::Alone;
        }
        let mut lanes: Vec<VecDeque<One>> = Vec::new();
        let mut known: HashMap<u64, usize> = HashMap::new();
        for one in all {
            let at = one.lane().map_or(lanes.len(), |lane| *known.entry(lane).or_insert(lanes.len()));
            match lanes.get_mut(at) {
                Some(lane) => lane.push_back(one),
                None => lanes.push(VecDeque::from([one])),
            }
        }
        while !lanes.is_empty() {
            for lane in &mut lanes {
                let Some(one) = lane.pop_front() else { continue };
                if let Err(e) = self.offer(&one, mode) {
                    self.batches.refused(one.number, e);
                }
            }
            self.wait();
            lanes.retain(|lane| !lane.is_empty());
            // Batches are refused as a whole: those of their records that are sound go once more, ahead of what is behind them.
            for (number, stray) in self.batches.strays() {
                mode = Mode::Alone;
                let one = One { number, what: What::Again(stray) };
                match one.lane().and_then(|lane| lanes.iter_mut().find(|l| l.front().and_then(One::lane) == Some(lane)))
                {
                    Some(lane) => lane.push_front(one),
                    None => lanes.push(VecDeque::from([one])),
                }
            }
        }
    }

    /// Sends a record, unless one ahead of it in its lane failed.
    fn offer(&mut self, one: &One, mode: Mode) -> Result<()> {
        if self.given_up {
            return Err(self.too_late());
        }
        if self.batches.is_behind(one.number, one.lane()) {
            return Err(Error::new(Kind::Behind, "one ahead of it in its lane failed"));
        }
        self.send(one, mode).map_err(|refused| refused.why)
    }

    fn send(&mut self, one: &One, mode: Mode) -> std::result::Result<(), Refused> {
        if mode != Mode::Ends && self.anew > 0 && self.is_ended() {
            self.anew -= 1;
            self.wait();
            self.producer = None;
        }
        if self.producer.as_ref().is_none_or(|open| open.mode != mode) {
            let topic = match &one.what {
                What::Fresh(o) => self.way.to(o).topic,
                What::Again(stray) => stray.topic(),
            };
            self.producer = Some(self.open(topic, mode)?);
        }
        let Some(Open { producer, .. }) = &self.producer else { return Ok(()) };
        let longest = self.link.longest;
        let handed = match &one.what {
            What::Fresh(o) => {
                let to = self.way.to(o);
                self.way.topics.admit(to.topic, o, to.time)?;
                produce::send(producer, to, &o.message, one.number, longest)
            }
            What::Again(stray) => {
                produce::hand(producer, stray.topic(), &stray.record(one.number), stray.headers(), longest)
            }
        };
        handed.map_err(|refused| match producer.client().fatal_error() {
            Some((code, text)) => error::of_code_saying(code, &text).during("sending").into(),
            None => refused,
        })
    }

    /// Waits for what is under way unless the open producer goes on and is one of these, for batches that all topics known by now
    /// take.
    fn make_way(&mut self, mode: Mode) {
        let size = self.way.topics.batch();
        if self.is_ended() || self.producer.as_ref().is_some_and(|open| open.mode != mode || size < open.size) {
            self.wait();
            self.producer = None;
        }
    }

    fn open(&self, topic: &str, mode: Mode) -> Result<Open> {
        let size = self.way.topics.batch();
        let mut config = produce::config(&self.link.base, self.link.longest, size);
        match mode {
            Mode::Plain => {}
            // That one of them has waited for too long would not end it: we do.
            Mode::Ends => _ = config.set("enable.gapless.guarantee", "true").set("message.timeout.ms", "0"),
            Mode::Alone => _ = config.set(produce::OF_BATCH, "1"),
        }
        let producer = produce::open(&config, Arc::clone(&self.batches), &self.link)?;
        produce::acquaint(&producer, topic, self.link.longest);
        Ok(Open { producer, size, mode, met: Met::default() })
    }

    fn is_ended(&self) -> bool {
        self.producer.as_ref().is_some_and(|open| open.producer.client().fatal_error().is_some())
    }

    /// Sees to what failed or has waited for too long.
    fn attend(&mut self) {
        if self.batches.has_failed() {
            return self.recover();
        }
        if self.producer.as_ref().is_some_and(|open| open.ends()) && self.is_overdue() {
            self.give_up();
        }
    }

    fn is_overdue(&self) -> bool {
        self.batches.is_overdue(self.link.longest)
    }

    /// After a failure: what is not on its way yet is taken back, and sent once more with care.
    fn recover(&mut self) {
        self.careful = CAREFUL;
        if self.producer.as_ref().is_some_and(|open| open.ends()) {
            self.wait_for(true);
            self.producer = None;
        }
        let strays = self.batches.strays().into_iter().map(|(number, stray)| One { number, what: What::Again(stray) });
        self.one_by_one(strays, Mode::Alone);
        _ = self.batches.has_failed();
    }

    /// Waits until everything handed over is confirmed or given up.
    fn wait(&mut self) {
        self.wait_for(false);
        if self.producer.as_ref().is_some_and(|open| open.ends()) && self.batches.has_failed() {
            self.recover();
        }
    }

    fn wait_for(&mut self, taken_back: bool) {
        let began = Instant::now();
        let mut taken_back = taken_back;
        while let Some(open) = self.producer.as_ref().filter(|open| open.producer.in_flight_count() > 0) {
            taken_back |= self.is_ended() || open.ends() && self.batches.is_failing();
            if taken_back {
                open.producer.purge(PurgeConfig::default().queue().non_blocking());
            }
            let late = began.elapsed() > self.link.longest;
            if open.ends() && (self.is_overdue() && !taken_back || late && taken_back) {
                return self.give_up();
            }
            if late && self.batches.is_idle() {
                return;
            }
            // Each record has its time; beyond that nothing comes any more.
            if self.batches.is_overdue(2 * self.link.longest) {
                return self.give_up();
            }
            sys::flush(open.producer.client(), FLUSH);
        }
    }

    /// What has waited for too long has failed, and with it all that is on its way.
    fn give_up(&mut self) {
        let Some(Open { producer, .. }) = self.producer.take() else { return };
        self.given_up = true;
        producer.purge(PurgeConfig::default().queue());
        // What others are about to confirm needs not be called unknown.
        sys::flush(producer.client(), LAST);
        producer.purge(PurgeConfig::default().queue().inflight());
        let began = Instant::now();
        while producer.in_flight_count() > 0 && began.elapsed() < TAKEN_BACK {
            std::thread::sleep(Duration::from_millis(1));
        }
        for (number, _) in self.batches.strays() {
            self.batches.refused(number, self.too_late());
        }
        _ = self.batches.has_failed();
    }

    fn too_late(&self) -> Error {
        let text =
            format!("it could not be sent: what is ahead of it, or itself, was not taken in {:?}", self.link.longest);
        Error::new(Kind::Unreachable, text).during("sending")
    }

    fn drain(mut self) {
        self.wait();
        self.recover();
        self.wait();
        self.batches.cut();
    }
}
