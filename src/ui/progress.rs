//! How far, how fast, how long still: on a terminal, and only for what takes longer than a second.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{LogFormat, Ui, lock, visible};
use crate::output::human;

/// What is quicker than this shows nothing.
const PATIENCE: Duration = Duration::from_secs(1);
/// Between two looks at the count.
const TICK: Duration = Duration::from_millis(125);
/// Between two events of a JSON log.
const EVENT: Duration = Duration::from_secs(10);

/// Counts; ends when dropped. Counting is one atomic addition, so it may be called for each message.
pub struct Progress {
    shared: Arc<Shared>,
    ticker: Option<JoinHandle<()>>,
}

struct Shared {
    done: AtomicU64,
    /// 0 for not known.
    total: AtomicU64,
    /// What it waits for, if it does.
    said: Mutex<Option<String>>,
    over: Mutex<bool>,
    wake: Condvar,
}

impl Progress {
    pub(super) fn start(ui: &Ui, total: Option<u64>, label: &str) -> Progress {
        let shared = Arc::new(Shared {
            done: AtomicU64::new(0),
            total: AtomicU64::new(total.unwrap_or(0)),
            said: Mutex::new(None),
            over: Mutex::new(false),
            wake: Condvar::new(),
        });
        let terminal = ui.terminal();
        let json = ui.options().log == LogFormat::Json;
        let shown = terminal.stderr_tty && !terminal.dumb && !ui.options().quiet;
        let ticker = (json || shown).then(|| {
            let (ui, shared, label) = (ui.clone(), shared.clone(), visible::line(label).into_owned());
            std::thread::spawn(move || if json { shared.log(&ui, &label) } else { shared.draw(&ui, &label) })
        });
        Progress { shared, ticker }
    }

    /// So many more are done.
    pub fn inc(&self, n: u64) {
        self.shared.done.fetch_add(n, Ordering::Relaxed);
    }

    /// How many there are, once that is known.
    pub fn set_total(&self, total: u64) {
        self.shared.total.store(total, Ordering::Relaxed);
    }

    /// Says why nothing goes on; `None`: it goes on.
    pub fn say(&self, what: Option<String>) {
        *lock(&self.shared.said) = what;
    }

    /// Takes it off the screen.
    pub fn finish(self) {}
}

impl Drop for Progress {
    fn drop(&mut self) {
        *lock(&self.shared.over) = true;
        self.shared.wake.notify_all();
        if let Some(ticker) = self.ticker.take() {
            _ = ticker.join();
        }
    }
}

impl Shared {
    /// False when it is over.
    fn wait(&self, d: Duration) -> bool {
        let over = lock(&self.over);
        match self.wake.wait_timeout_while(over, d, |over| !*over) {
            Ok((over, _)) => !*over,
            Err(_) => false,
        }
    }

    fn total(&self) -> Option<u64> {
        Some(self.total.load(Ordering::Relaxed)).filter(|t| *t > 0)
    }

    fn draw(&self, ui: &Ui, label: &str) {
        let began = Instant::now();
        if !self.wait(PATIENCE) {
            return;
        }
        let bar = ProgressBar::hidden();
        let mut styled = None;
        loop {
            let (done, total) = (self.done.load(Ordering::Relaxed), self.total());
            let mut message = describe(label, done, total, began.elapsed());
            if let Some(said) = &*lock(&self.said) {
                message.push_str(&format!("; {said}"));
            }
            bar.set_message(message);
            if styled != Some(total.is_some()) {
                bar.set_style(style(total.is_some(), ui.terminal().utf8));
            }
            match total {
                Some(total) => bar.update(|state| {
                    state.set_len(total.max(done));
                    state.set_pos(done);
                }),
                None => bar.tick(),
            }
            if styled.replace(total.is_some()).is_none() {
                // Shown only now that there is something to show.
                *lock(&ui.0.bar) = Some(bar.clone());
                bar.set_draw_target(ProgressDrawTarget::stderr());
            }
            if !self.wait(TICK) {
                break;
            }
        }
        *lock(&ui.0.bar) = None;
        bar.finish_and_clear();
    }

    fn log(&self, ui: &Ui, label: &str) {
        while self.wait(EVENT) {
            let done = self.done.load(Ordering::Relaxed);
            ui.event("progress", serde_json::json!({ "doing": label, "done": done, "total": self.total() }));
        }
    }
}

/// `wide_msg` is cut to the width there is; a line that wraps could not be taken off again.
fn template(total: bool) -> &'static str {
    if total { "[{bar:20}] {wide_msg}" } else { "{spinner} {wide_msg}" }
}

fn style(total: bool, utf8: bool) -> ProgressStyle {
    let style = ProgressStyle::with_template(template(total)).unwrap_or_else(|_| ProgressStyle::default_spinner());
    if utf8 { style.progress_chars("━━ ") } else { style.progress_chars("=> ").tick_chars("|/-\\ ") }
}

/// The line beside the bar. The remaining time appears once there is a rate to reckon with.
fn describe(label: &str, done: u64, total: Option<u64>, took: Duration) -> String {
    let rate = human::rate(done, took);
    let Some(total) = total else { return format!("{label}: {}, {rate}", human::count(done)) };
    let mut text = format!("{label}: {} of {}, {rate}", human::count(done), human::count(total));
    if done > 0 && done < total {
        let left = took.mul_f64((total - done) as f64 / done as f64);
        text.push_str(&format!(", {} left", human::duration(Duration::from_secs(left.as_secs().max(1)))));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_how_far_how_fast_and_how_long() {
        let s = Duration::from_secs;
        assert_eq!(describe("replaying", 0, Some(50_000), s(2)), "replaying: 0 of 50 000, 0.0/s");
        assert_eq!(describe("replaying", 20_000, Some(50_000), s(2)), "replaying: 20 000 of 50 000, 10 000/s, 3s left");
        assert_eq!(describe("replaying", 50_001, Some(50_000), s(5)), "replaying: 50 001 of 50 000, 10 000/s");
        assert_eq!(describe("reading", 7, None, s(2)), "reading: 7, 3.5/s");
    }

    #[test]
    fn both_templates_are_valid() {
        for total in [true, false] {
            assert!(ProgressStyle::with_template(template(total)).is_ok());
            style(total, true);
            style(total, false);
        }
    }
}
