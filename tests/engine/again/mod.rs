//! A run that is cut off at any step and taken up again, as often as it takes, against a broker and a journal that know the
//! truth: nothing is lost, what is known to have arrived is not sent again, and every double is named.
//!
//! `tests/engine/mutations.pl` takes the rules out one at a time. What it says:
//!
//! | without this rule | it is noticed that |
//! |---|---|
//! | a confirmed fingerprint proves nothing: it is sent again | a message is removed, and none like it was confirmed in this attempt |
//! | a confirmed fingerprint goes under a new id | 3 removed, and 2 arrived, where repeats are dropped |
//! | what was never confirmed keeps its id | 5 copies of 4 where repeats are dropped |
//! | an exact identity that is confirmed is not sent again | it is known to have arrived, and is sent again |
//! | nothing is claimed for what is delivered for the first time | one is named that was never delivered before |
//! | what arrived and was not removed is not sent again in the same attempt | it is known to have arrived, and is sent again |
//! | numbers of an attempt begin behind those of the one before | two have the same mark, and neither is named |
//! | a message is written down before it is sent | it is sent before that is written down |
//! | its arrival is written down before it is removed | it is removed before |
//! | nothing is removed whose arrival could not be written down | it is removed before its arrival is written down |
//! | what is not confirmed is not removed | it is removed before it is confirmed |
//! | what has arrived stays written down until it is removed | it is removed before its arrival is written down |
//! | what may have been sent before is not forgotten when it fails now | 2 copies of 1 where repeats are dropped |
//! | a new entry takes the place of the old one | a run is done, and not by its journal |
//! | what is sent again is named | doubled, and not named |
//! | a run is not done while what it held is hidden | it is done, and some are left |
//! | what came back during the run is left alone | it came back during this run, and is sent again (the model without a journal) |

mod broker;
mod ledger;
mod source;
pub mod world;

use std::sync::Arc;
use std::time::Duration;

use dlq::broker::Error;
use dlq::journal::{Claims, Trouble};
use dlq::replay::{Books, Job, OnFailure, RunId, Tally, Treatment, Watch, run};
use dlq::select::Selection;
use tokio_util::sync::CancellationToken;

use broker::FakeSink;
use ledger::FakeLedger;
use source::FakeSource;
use world::{Scenario, Shared};

pub const RUN: &str = "20261123T181401-aaaaaa";
/// Numbers an attempt has for its messages.
const OF_AN_ATTEMPT: u64 = 1_000_000;
/// Attempts after which a run without faults must be done.
const MOST: usize = 12;

/// Puts names where the real one does: into the journal, in order with the sends.
struct Names(Arc<FakeLedger>, Shared);

impl Watch for Names {
    fn progress(&self, _: u64, _: u64, _: u64) {}
    fn failed(&self, what: Trouble, id: &str, _: Option<&str>, _: &Error) {
        if what != Trouble::Failed {
            self.name(id);
        }
    }
    fn doubled(&self, id: &str, _: Option<&str>) {
        self.1.lock().doubles(id);
        self.name(id);
    }
}

impl Names {
    fn name(&self, id: &str) {
        self.1.lock().told.push(id.to_owned());
        self.0.name(id);
    }
}

/// One process: it ends by itself, or is cut off.
fn attempt(world: &Shared, number: u64) -> Option<Tally> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let tally = runtime.block_on(async {
        let (rows, next_batch) = {
            let mut w = world.lock();
            w.begins(number);
            (w.durable_rows(), w.next_batch())
        };
        let ledger = Arc::new(FakeLedger::start(world.clone()));
        let claims = Arc::new(Claims::new(rows));
        let s = world.lock().s.clone();
        let treatment = Treatment::Replay {
            changes: Arc::default(),
            to_one_place: true,
            keep_death_headers: false,
            max_replays: 3,
            fallback: vec![],
            unwrap: None,
        };
        let job = Job {
            resumed: number > 0,
            hold: None,
            aside: None,
            source: Arc::new(FakeSource::new(world.clone())),
            sink: Box::new(FakeSink::new(world.clone())),
            selection: Arc::new(Selection::default()),
            removes: true,
            treatment: if s.replays { treatment } else { Treatment::Verbatim },
            on_failure: OnFailure::Skip,
            rate: None,
            concurrency: None,
            max_failures: None,
            run: RunId::named(RUN),
            stop: CancellationToken::new(),
            books: Books::new(Arc::clone(&ledger) as _, claims, next_batch),
            first: number * OF_AN_ATTEMPT,
        };
        let names = Names(Arc::clone(&ledger), world.clone());
        let whole = async {
            let tally = run(job, &names).await;
            ledger.flush().await;
            tally
        };
        tokio::select! {
            biased;
            () = world.cut_off() => None,
            ended = tokio::time::timeout(Duration::from_secs(3600), whole) => match ended {
                Ok(tally) => Some(tally),
                Err(_) => {
                    world.lock().breaks(format!("attempt {number} hangs"));
                    None
                }
            },
        }
    });
    // The tasks it had end with it: a process that is gone does nothing more.
    drop(runtime);
    world.lock().ends(tally.is_some());
    tally
}

/// Every rule that is broken until the run is done.
pub fn judge(s: &Scenario) -> Vec<String> {
    let world = Shared::new(s.clone());
    for number in 0..MOST as u64 {
        let tally = attempt(&world, number);
        let mut w = world.lock();
        w.nothing_is_lost();
        if let Some(t) = &tally {
            let sum = t.moved + t.failed + t.indeterminate + t.not_removed + t.skipped;
            if t.selected != sum {
                w.breaks(format!("{} selected, and {sum} fates", t.selected));
            }
        }
        let done = tally.is_some_and(|t| t.exit(dlq::exit::Exit::Interrupted) == dlq::exit::Exit::Done);
        if done || !w.broken.is_empty() {
            w.is_done(number);
            return std::mem::take(&mut w.broken);
        }
    }
    let mut w = world.lock();
    w.breaks(format!("it is not done after {MOST} attempts"));
    std::mem::take(&mut w.broken)
}
