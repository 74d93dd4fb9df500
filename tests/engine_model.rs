//! The engine against a fake broker that fails at every possible step: whatever happens, and whenever it is interrupted, no
//! message is lost, none is settled twice, none is removed before it is confirmed, and the report says what is true.
//!
//! Runs are random but repeatable: `DLQ_MODEL_SEED=n` runs one again, `DLQ_MODEL_RUNS=n` runs more of them.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod engine;

use std::sync::Arc;
use std::time::Duration;

use dlq::broker::{Error, Move, Mover, Outgoing};
use dlq::exit::Exit;
use dlq::journal::Trouble;
use dlq::replay::{Books, Job, OnFailure, PublishThenSettle, Rate, RunId, Stopped, Tally, Treatment, Watch, run};
use engine::scenario::{Mode, Scenario};
use engine::sink::FakeSink;
use engine::source::FakeSource;
use engine::world::{At, RUN, Shared, World};
use tokio_util::sync::CancellationToken;

struct Told(std::sync::Mutex<(u64, u64, u64, u64)>);

impl Watch for Told {
    fn progress(&self, read: u64, selected: u64, done: u64) {
        let mut told = self.0.lock().unwrap();
        assert!(read >= told.0 && selected >= told.1 && done >= told.2, "progress goes backwards");
        (told.0, told.1, told.2) = (read, selected, done);
    }
    fn failed(&self, _: Trouble, _: &str, _: Option<&str>, _: &Error) {
        self.0.lock().unwrap().3 += 1;
    }
}

/// Runs one scenario; the tally is absent where the run was dropped or hung.
fn play(s: &Scenario) -> (Option<Tally>, Shared, u64) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let world = Shared::new(s.clone());
        let stop = CancellationToken::new();
        if let Some(at) = s.stop_at {
            let (stop, world) = (stop.clone(), world.clone());
            tokio::spawn(async move {
                tokio::time::sleep(at).await;
                world.lock().stopped = Some(tokio::time::Instant::now());
                stop.cancel();
            });
        }
        let treatment = if s.replays {
            Treatment::Replay {
                to_one_place: s.one_place,
                keep_death_headers: false,
                max_replays: 3,
                fallback: vec![],
                unwrap: None,
                changes: Arc::default(),
            }
        } else {
            Treatment::Verbatim
        };
        let selection = Arc::clone(&world.lock().selection);
        let job = Job {
            source: Arc::new(FakeSource::new(world.clone())),
            sink: Box::new(FakeSink::new(world.clone())),
            selection,
            removes: s.removes,
            treatment,
            on_failure: s.on_failure,
            rate: s.rate.map(|n| Rate::parse(&n.to_string()).unwrap()),
            concurrency: s.concurrency,
            max_failures: s.max_failures,
            run: RunId::named(RUN),
            stop,
            books: Books::none(),
            first: 0,
            resumed: false,
            hold: None,
            aside: None,
        };
        let told = Told(Default::default());
        let most = s.drop_at.unwrap_or(Duration::from_secs(3600));
        let tally = tokio::time::timeout(most, run(job, &told)).await.ok();
        if tally.is_none() && s.drop_at.is_none() {
            world.lock().breaks("the run hangs");
        }
        // Tasks of a dropped run go on until they are done; so do those of a broker.
        tokio::time::sleep(Duration::from_secs(10)).await;
        let failures = told.0.lock().unwrap().3;
        (tally, world, failures)
    })
}

/// Every rule that was broken in this run.
fn judge(s: &Scenario) -> Vec<String> {
    let (tally, world, told) = play(s);
    let mut guard = world.lock();
    let w = &mut *guard;
    nothing_is_lost(w);
    if let Some(t) = &tally {
        books_balance(w, t, told);
        stops_when_it_should(w, t);
        order_is_kept(w);
    }
    std::mem::take(&mut w.broken)
}

fn nothing_is_lost(w: &mut World) {
    let mut broken = Vec::new();
    for (n, i) in w.items.iter().enumerate() {
        if i.at == At::Removed && i.stored == 0 {
            broken.push(format!("m{n} is lost: removed, and stored nowhere"));
        }
        if matches!(i.at, At::Held(_)) {
            broken.push(format!("m{n} was not given back"));
        }
        if i.removals > i.confirmed {
            broken.push(format!("m{n} is removed {} times, and confirmed {} times", i.removals, i.confirmed));
        }
    }
    w.broken.extend(broken);
}

fn books_balance(w: &mut World, t: &Tally, told: u64) {
    let c = &w.counts;
    let mut same = Vec::new();
    let sum = t.moved + t.failed + t.indeterminate + t.not_removed + t.skipped;
    same.push(("selected is the sum of all fates", t.selected, sum));
    same.push(("skipped is the sum of its reasons", t.skipped, t.skipped_because.values().sum()));
    same.push(("failures are listed", t.errors.count(), t.failures()));
    same.push(("failures are told as they happen", told, t.failures()));
    same.push(("possible duplicates are named", t.possible_duplicates.count(), t.indeterminate + t.not_removed));
    same.push(("confirmed", c.confirmed, t.moved + t.not_removed));
    same.push(("unknown", c.unclear, t.indeterminate));
    if w.s.removes {
        same.push(("removed", c.removed_ok, t.moved));
    } else {
        same.push(("not removed", 0, t.not_removed));
    }
    same.push(("scans closed", c.scans_closed, c.scans));
    same.push(("sinks closed", c.sinks_closed, 1));
    same.push(("errors of closing", c.close_errors, t.unclosed.len() as u64));
    same.push(("movers closed", c.movers_closed, c.movers));
    let sent_unmarked = t.unmarked;
    let mut broken: Vec<String> = same
        .into_iter()
        .filter(|(_, told, truth)| told != truth)
        .map(|(what, a, b)| format!("the books do not balance: {what}: {a} and {b}"))
        .collect();
    if sent_unmarked > c.unmarked || t.failed < c.rejected || t.read > c.delivered || t.selected > t.read {
        broken.push("the books do not balance: more is reported than has happened".into());
    }
    let copies: u64 = w.items.iter().map(|i| i.stored).sum();
    let gone = w.items.iter().filter(|i| i.stored > 0 && i.at == At::Removed).count() as u64;
    if w.s.removes && copies - gone > t.indeterminate + t.not_removed {
        broken.push(format!("{} duplicates, and {} reported", copies - gone, t.indeterminate + t.not_removed));
    }
    let clean = t.failures() == 0 && t.stopped.is_none() && t.unclosed.is_empty() && t.closed.cut.is_none();
    if (t.exit(Exit::Interrupted) == Exit::Done) != (clean || clean_but_for_limit(t)) {
        broken.push(format!("exit {:?} for {t:?}", t.exit(Exit::Interrupted)));
    }
    w.broken.extend(broken);
}

fn clean_but_for_limit(t: &Tally) -> bool {
    t.failures() == 0 && t.stopped.is_none() && t.unclosed.is_empty() && t.limited
}

fn stops_when_it_should(w: &mut World, t: &Tally) {
    let mut broken = Vec::new();
    if w.s.limit.is_some_and(|most| t.selected > most) || w.s.scan_limit.is_some_and(|most| t.read > most) {
        broken.push(format!("a limit was passed: {} read, {} selected", t.read, t.selected));
    }
    let over = w.s.max_failures.is_some_and(|most| t.failures() > most);
    if over && t.stopped.is_none() || !over && t.stopped == Some(Stopped::MaxFailures) {
        broken.push(format!("{} failures, stopped by {:?}", t.failures(), t.stopped));
    }
    if w.s.on_failure == OnFailure::Stop && t.failures() > 0 && t.stopped.is_none() {
        broken.push("a failure did not stop the run".into());
    }
    if t.stopped == Some(Stopped::Signal) && w.stopped.is_none() {
        broken.push("stopped by a signal that never came".into());
    }
    if t.error.is_some() && t.stopped.is_none() {
        broken.push("an error that ended nothing".into());
    }
    // Nothing went wrong and nothing was bounded: then nothing may be left over.
    // What comes back to another lane during the run may use up the number of messages the scan is bound to.
    let bounded = w.s.faults.comes_back > 0.0
        || !t.unclosed.is_empty()
        || t.stopped.is_some()
        || t.limited
        || t.closed.cut.is_some()
        || t.error.is_some();
    if w.s.removes && !bounded && t.failures() == 0 && w.s.mode != Mode::Lease {
        let first = w.s.messages as usize;
        for (n, i) in w.items.iter().enumerate().take(first) {
            let count = dlq::message::Mark::replays(&i.letter.headers);
            if i.wanted && i.at == At::Ready && !(w.s.replays && count >= 3) {
                broken.push(format!("m{n} was left behind for no reason"));
            }
        }
    }
    w.broken.extend(broken);
}

fn order_is_kept(w: &mut World) {
    // A lease that runs out brings the message back behind those that were read after it.
    if w.s.mode == Mode::Lease {
        return;
    }
    let mut last = vec![None; w.s.lanes as usize];
    let mut broken = Vec::new();
    for n in &w.stored_order {
        let lane = w.items[*n].lane as usize;
        if last[lane].is_some_and(|before| before > *n) {
            broken.push(format!("m{n} arrives behind m{}", last[lane].unwrap()));
        }
        if w.s.on_failure == OnFailure::HoldLane
            && w.items[..*n].iter().any(|i| i.failed && i.lane == lane as u64 && i.stored == 0)
        {
            broken.push(format!("m{n} arrives although one ahead of it failed"));
        }
        last[lane] = Some(*n);
    }
    w.broken.extend(broken);
}

fn check(make: impl Fn(u64) -> Scenario, default_runs: u64) {
    if let Ok(seed) = std::env::var("DLQ_MODEL_SEED") {
        let s = make(seed.parse().unwrap());
        let broken = judge(&s);
        assert!(broken.is_empty(), "{s:#?}\n{:#?}\n{broken:#?}", play(&s).0);
        return;
    }
    let runs = std::env::var("DLQ_MODEL_RUNS").map_or(default_runs, |n| n.parse().unwrap());
    for seed in 0..runs {
        let broken = judge(&make(seed));
        assert!(broken.is_empty(), "seed {seed} (DLQ_MODEL_SEED={seed} runs it again): {broken:#?}");
    }
}

#[test]
fn no_interleaving_of_faults_and_interruptions_breaks_a_rule() {
    check(Scenario::draw, 5000);
}

#[test]
fn without_faults_everything_goes_through() {
    check(Scenario::calm, 1000);
}

#[test]
fn cut_off_at_any_step_and_taken_up_again_it_loses_nothing_and_names_every_double() {
    use engine::again::{judge, world::Scenario};
    let seed = std::env::var("DLQ_MODEL_SEED").ok().map(|seed| seed.parse().unwrap());
    let runs = std::env::var("DLQ_MODEL_RUNS").map_or(8000, |n| n.parse().unwrap());
    for seed in seed.map_or(0..runs, |seed| seed..seed + 1) {
        let s = Scenario::draw(seed);
        let broken = judge(&s);
        assert!(broken.is_empty(), "seed {seed} (DLQ_MODEL_SEED={seed} runs it again): {broken:#?} {s:#?}");
    }
}

#[test]
fn a_scenario_plays_the_same_each_time() {
    for seed in 0..40 {
        let once = |s: &Scenario| {
            let (tally, world, _) = play(s);
            let w = world.lock();
            (format!("{tally:?}"), w.stored_order.clone())
        };
        let s = Scenario::draw(seed);
        assert_eq!(once(&s), once(&s), "seed {seed}");
    }
}

#[test]
fn closing_the_mover_settles_what_nobody_waited_for() {
    for seed in 0..50 {
        let s = Scenario {
            one_place: true,
            removes: true,
            replays: false,
            window: 99,
            slow: 10,
            every: 1,
            ..Scenario::calm(seed)
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let world = Shared::new(Scenario { concurrency: None, messages: 30, hold: usize::MAX, limit: None, ..s });
        runtime.block_on(async {
            let source = FakeSource::new(world.clone());
            let request = dlq::broker::ScanRequest { takes: true, at_most: None, again: false };
            let mut scan = dlq::broker::Source::scan(&source, request).await.unwrap();
            let sink = FakeSink::new(world.clone());
            dlq::broker::Sink::check(&sink, None).await.unwrap();
            let fit = dlq::broker::Sink::fit(&sink);
            let mut mover: Box<dyn Mover> =
                Box::new(PublishThenSettle::new(Box::new(sink), Some(scan.settler()), Books::none()));
            let mut sequence = 0..;
            while let Some(batch) = scan.next().await.unwrap() {
                let moves = batch.deliveries.into_iter().zip(&mut sequence).map(|(d, sequence)| {
                    let mut outgoing = Outgoing::verbatim(sequence, d.message);
                    fit(&mut outgoing).unwrap();
                    Move { token: d.token, outgoing }
                });
                drop(mover.submit(moves.collect()).await);
            }
            mover.close().await.unwrap();
            let counts = {
                let w = world.lock();
                (w.counts.removed_ok, w.counts.delivered)
            };
            assert_eq!(counts.0, counts.1, "seed {seed}");
            scan.close().await.unwrap();
        });
        let broken = world.lock().broken.clone();
        assert!(broken.is_empty(), "seed {seed}: {broken:?}");
    }
}
