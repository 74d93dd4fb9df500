//! Everything that is printed is printed here: data to standard output, talk to standard error.

pub mod colour;
mod data;
pub mod libraries;
mod log;
mod progress;
mod prompt;
mod screen;
mod signals;
mod stream;
pub mod table;
mod terminal;
pub mod visible;

use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use indicatif::{ProgressBar, ProgressDrawTarget};
use serde_json::{Value, json};

use crate::broker::{Error, Kind, Result};
use crate::exit;
use crate::output::{Format, Look, Summary};
use colour::Style;
use stream::Input;

pub use data::Data;
pub use log::LogFormat;
pub use progress::Progress;
pub use screen::Screen;
pub use signals::Signals;
pub use stream::Captured;
pub use terminal::{Colour, PIPE_WIDTH, Terminal};

/// Failures of single messages shown as text; a log in JSON has them all.
const FAILURES_SHOWN: u64 = 10;

/// How to talk, from the command line.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// `-q`: no notices, no plan that asks nothing, no progress. Warnings and errors stay.
    pub quiet: bool,
    /// `-v`: details as well.
    pub verbose: bool,
    /// `--log-format`.
    pub log: LogFormat,
    /// `--yes`: the answer to the plan's question.
    pub yes: bool,
}

/// The one printer. Clones are the same printer.
#[derive(Clone)]
pub struct Ui(Arc<Inner>);

struct Inner {
    options: Options,
    terminal: Terminal,
    out: Mutex<Box<dyn Write + Send>>,
    err: Mutex<Box<dyn Write + Send>>,
    input: Mutex<Input>,
    /// The bar on the screen now, so that other lines can be printed above it.
    bar: Mutex<Option<ProgressBar>>,
    /// The live screen, while there is one, and what was said meanwhile.
    live: Mutex<Option<Vec<u8>>>,
    run: OnceLock<String>,
    failures: AtomicU64,
}

/// What is under a lock is valid between any two writes, so a panic elsewhere does not spoil it.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Ui {
    /// Prints to the streams of this process.
    pub fn new(options: Options, terminal: Terminal) -> Ui {
        Ui::with(options, terminal, Box::new(std::io::stdout()), Box::new(std::io::stderr()), Input::Terminal)
    }

    /// Prints to memory and reads answers from `input`.
    pub fn captured(options: Options, terminal: Terminal, input: &str) -> (Ui, Captured) {
        let captured = Captured::default();
        let (out, err) = captured.streams();
        let input = Input::Given(Box::new(std::io::Cursor::new(input.to_owned().into_bytes())));
        (Ui::with(options, terminal, out, err, input), captured)
    }

    fn with(
        options: Options,
        terminal: Terminal,
        out: Box<dyn Write + Send>,
        err: Box<dyn Write + Send>,
        input: Input,
    ) -> Ui {
        Ui(Arc::new(Inner {
            options,
            terminal,
            out: Mutex::new(out),
            err: Mutex::new(err),
            input: Mutex::new(input),
            bar: Mutex::new(None),
            live: Mutex::new(None),
            run: OnceLock::new(),
            failures: AtomicU64::new(0),
        }))
    }

    /// What it prints to.
    pub fn terminal(&self) -> &Terminal {
        &self.0.terminal
    }

    /// How it talks.
    pub fn options(&self) -> &Options {
        &self.0.options
    }

    /// What formats need to know of standard output.
    pub fn look(&self) -> Look {
        self.0.terminal.look()
    }

    /// Names the run in every event from now on; the first call counts.
    pub fn set_run(&self, run: &str) {
        _ = self.0.run.set(run.to_owned());
    }

    fn json_log(&self) -> bool {
        self.0.options.log == LogFormat::Json
    }

    /// Something worth knowing, one sentence. Hidden by `-q`.
    pub fn notice(&self, text: &str) {
        if !self.0.options.quiet || self.json_log() {
            self.talk("notice", "note", Style::Name, text);
        }
    }

    /// [`Ui::notice`] as a function to hand to a backend.
    pub fn notifier(&self) -> Arc<dyn Fn(String) + Send + Sync> {
        let ui = self.clone();
        Arc::new(move |text| ui.notice(&text))
    }

    /// A detail, one sentence. Shown with `-v`.
    pub fn detail(&self, text: &str) {
        if self.0.options.verbose {
            self.talk("detail", "note", Style::Dim, text);
        }
    }

    /// Something that needs care, one sentence. Shown always.
    pub fn warn(&self, text: &str) {
        self.talk("warning", "warning", Style::Warn, text);
    }

    /// Said whatever `-q` says: the user has just pressed a key and wants to know.
    fn notice_stop(&self, text: &str) {
        self.talk("stopping", "dlq", Style::Warn, text);
    }

    fn talk(&self, event: &str, head: &str, style: Style, text: &str) {
        if self.json_log() {
            return self.event(event, json!({ "text": text }));
        }
        self.lines(&format!("{} {}", self.head(style, &format!("{head}:")), indented(text)));
    }

    fn head(&self, style: Style, text: &str) -> String {
        style.paint(text, self.0.terminal.colour_err)
    }

    /// What ended everything: heading, message, what was being done, and what to do about it. A reader that closed our
    /// output is no error.
    pub fn error(&self, e: &Error) {
        if e.kind() == Kind::ClosedPipe {
            return;
        }
        if self.json_log() {
            return self.event("error", error_fields(e));
        }
        let head = self.head(Style::Bad, &format!("{}:", exit::heading(e.kind())));
        let mut text = format!("{head} {}", indented(&e.to_string()));
        if !e.operation().is_empty() {
            text.push_str(&format!("\n  while {}", indented(e.operation())));
        }
        if let Some(hint) = e.get_hint() {
            text.push_str(&format!("\n{} {}", self.head(Style::Good, "hint:"), indented(hint)));
        }
        self.lines(&text);
    }

    /// What the parser of the command line said, already coloured, and a hint.
    pub fn usage(&self, text: &str, hint: Option<&str>) {
        let hint =
            hint.map_or_else(String::new, |h| format!("\n{} {}\n", self.head(Style::Good, "hint:"), indented(h)));
        self.print_err(format!("{text}{hint}").as_bytes());
    }

    /// One message that failed; the run goes on.
    pub fn failed(&self, id: &str, e: &Error) {
        if self.json_log() {
            let mut fields = error_fields(e);
            fields["id"] = id.into();
            return self.event("failed", fields);
        }
        match self.0.failures.fetch_add(1, Ordering::Relaxed) {
            n if n < FAILURES_SHOWN => {
                let text = indented(&format!("{id}: {e}"));
                self.lines(&format!("{} {text}", self.head(Style::Bad, "failed:")));
            }
            FAILURES_SHOWN => self.warn("more messages failed; --log-format json names each as it happens"),
            _ => {}
        }
    }

    /// What is about to be done. Hidden by `-q` where no question follows (`--yes`).
    pub fn plan(&self, plan: &Summary, fields: Value) {
        if self.json_log() {
            return self.event("plan", fields);
        }
        if !(self.0.options.quiet && self.0.options.yes) {
            self.print_err(plan.render(&self.0.terminal.look_err()).as_bytes());
        }
    }

    /// One event of the JSON log; nothing where the log is text. `fields` is an object.
    pub fn event(&self, name: &str, fields: Value) {
        if self.json_log() {
            let line = log::line(jiff::Timestamp::now(), self.0.run.get().map(String::as_str), name, fields);
            self.print_err(&visible::json(&line, self.0.terminal.utf8));
        }
    }

    /// The result of a run, to standard output: as JSON where that was asked for, else as text. Also the `end` of a JSON log.
    ///
    /// # Errors
    /// `ClosedPipe`, or what else kept standard output from taking it.
    pub fn report(&self, summary: &Summary, json: &Value, format: Format) -> Result<()> {
        self.event("end", json.clone());
        let bytes = crate::output::report(summary, json, format, &self.look());
        let mut data = self.data();
        data.write(&bytes)?;
        data.finish()
    }

    /// The same to standard error, where standard output carries the messages themselves.
    pub fn report_as_talk(&self, summary: &Summary, json: &Value) {
        self.event("end", json.clone());
        if !self.json_log() && !self.0.options.quiet {
            self.print_err(summary.render(&self.0.terminal.look_err()).as_bytes());
        }
    }

    /// Standard output.
    pub fn data(&self) -> Data {
        Data::new(self.clone())
    }

    /// Progress of something that may take longer than a second; `total` where it is known.
    pub fn progress(&self, total: Option<u64>, label: &str) -> Progress {
        Progress::start(self, total, label)
    }

    /// Text of our own making whose embedded data went through [`indented`].
    fn lines(&self, text: &str) {
        self.print_err(format!("{text}\n").as_bytes());
    }

    /// Talk that cannot be printed has nowhere to go, and must not stop the work.
    fn print_err(&self, bytes: &[u8]) {
        if self.held_back(bytes) {
            return;
        }
        self.above_bar(|| {
            let mut err = lock(&self.0.err);
            _ = err.write_all(bytes).and_then(|()| err.flush());
        });
    }

    /// Takes the bar off for good, so that what is said next is the last thing on the screen.
    fn drop_bar(&self) {
        self.leave_screen();
        if let Some(bar) = lock(&self.0.bar).take() {
            bar.finish_and_clear();
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
    }

    fn above_bar<R>(&self, print: impl FnOnce() -> R) -> R {
        let bar = lock(&self.0.bar).clone();
        match bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }
}

/// Visible, and with every line but the first set in, so that data cannot pass for a line of ours.
fn indented(text: &str) -> String {
    visible::lines(text.trim_end_matches('\n')).replace('\n', "\n  ")
}

fn error_fields(e: &Error) -> Value {
    let mut fields = json!({ "kind": exit::heading(e.kind()), "text": e.to_string() });
    if !e.operation().is_empty() {
        fields["while"] = e.operation().into();
    }
    if let Some(hint) = e.get_hint() {
        fields["hint"] = hint.into();
    }
    fields
}

#[cfg(test)]
mod tests;
