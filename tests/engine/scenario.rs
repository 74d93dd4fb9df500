//! One random run: what is in the queue, how the broker behaves, and what goes wrong.

use std::time::Duration;

use dlq::replay::OnFailure;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// How the source hands out messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Held by a session; all come back when it dies (RabbitMQ).
    Session,
    /// Each has a lease that may run out, and then turns up again (SQS).
    Lease,
    /// Read by position, never redelivered (Kafka, an archive).
    Log,
}

/// The chance of each fault, at each opportunity.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    pub scan_refused: f64,
    pub read_fails: f64,
    pub session_dies: f64,
    pub lease_expires: f64,
    pub removal_fails: f64,
    pub removal_unknown: f64,
    pub settle_short: f64,
    pub scan_close_fails: f64,
    pub target_missing: f64,
    pub unfit: f64,
    pub no_room_for_mark: f64,
    pub rejected: f64,
    pub indeterminate: f64,
    pub confirms_short: f64,
    pub channel_dies: f64,
    pub sink_close_fails: f64,
    pub taken_by_others: f64,
    pub comes_back: f64,
}

#[derive(Clone, Debug)]
pub struct Scenario {
    pub seed: u64,
    pub mode: Mode,
    pub messages: u64,
    pub lanes: u64,
    pub read_batch: usize,
    /// Deliveries the source can have out at once.
    pub hold: usize,
    pub window: usize,
    pub batch: usize,
    pub concurrency: Option<usize>,
    pub removes: bool,
    pub replays: bool,
    pub one_place: bool,
    /// The source and the sink share transactions.
    pub whole: bool,
    pub on_failure: OnFailure,
    pub rate: Option<u32>,
    pub max_failures: Option<u64>,
    pub limit: Option<u64>,
    pub scan_limit: Option<u64>,
    /// Only every n-th message is wanted.
    pub every: u64,
    pub slow: u64,
    pub faults: Faults,
    pub stop_at: Option<Duration>,
    /// The run is dropped: the second Ctrl-C, or a crash.
    pub drop_at: Option<Duration>,
}

impl Scenario {
    pub fn draw(seed: u64) -> Scenario {
        let mut rng = StdRng::seed_from_u64(seed);
        let r = &mut rng;
        let mode = [Mode::Session, Mode::Lease, Mode::Log][r.random_range(0..3)];
        let removes = r.random_bool(0.8);
        let replays = r.random_bool(0.7);
        let window = r.random_range(1..16);
        Scenario {
            seed,
            mode,
            messages: r.random_range(0..60),
            lanes: r.random_range(1..5),
            read_batch: r.random_range(1..9),
            hold: if r.random_bool(0.2) { r.random_range(1..12) } else { usize::MAX },
            window,
            batch: r.random_range(1..10),
            concurrency: maybe(r, 0.3, |r| r.random_range(1..20)),
            removes,
            replays,
            one_place: r.random_bool(0.4),
            whole: mode == Mode::Log && r.random_bool(0.3),
            on_failure: [OnFailure::HoldLane, OnFailure::Skip, OnFailure::Stop][r.random_range(0..3)],
            rate: maybe(r, 0.15, |r| r.random_range(50..2000)),
            max_failures: maybe(r, 0.3, |r| r.random_range(0..6)),
            limit: maybe(r, 0.2, |r| r.random_range(1..40)),
            scan_limit: maybe(r, 0.2, |r| r.random_range(1..50)),
            every: if r.random_bool(0.3) { r.random_range(2..5) } else { 1 },
            slow: r.random_range(0..12),
            faults: Faults::draw(r),
            stop_at: maybe(r, 0.25, |r| Duration::from_millis(r.random_range(0..120))),
            drop_at: maybe(r, 0.1, |r| Duration::from_millis(r.random_range(0..120))),
        }
    }

    /// The same without faults and interruptions.
    pub fn calm(seed: u64) -> Scenario {
        Scenario { faults: Faults::default(), stop_at: None, drop_at: None, max_failures: None, ..Scenario::draw(seed) }
    }
}

impl Faults {
    /// Each fault is absent from most runs, so that each is met alone as well as beside others.
    fn draw(r: &mut StdRng) -> Faults {
        let mut p = |most: f64| if r.random_bool(0.2) { r.random_range(0.0..most) } else { 0.0 };
        Faults {
            scan_refused: p(0.3),
            read_fails: p(0.2),
            session_dies: p(0.1),
            lease_expires: p(0.2),
            removal_fails: p(0.3),
            removal_unknown: p(0.3),
            settle_short: p(0.2),
            scan_close_fails: p(0.8),
            target_missing: p(0.6),
            unfit: p(0.3),
            no_room_for_mark: p(0.3),
            rejected: p(0.4),
            indeterminate: p(0.4),
            confirms_short: p(0.3),
            channel_dies: p(0.2),
            sink_close_fails: p(0.8),
            taken_by_others: p(0.3),
            comes_back: p(0.5),
        }
    }
}

fn maybe<T>(r: &mut StdRng, p: f64, make: impl FnOnce(&mut StdRng) -> T) -> Option<T> {
    r.random_bool(p).then(|| make(r))
}
