//! jq: compiled once, evaluated on all cores, explained when it fails.

mod compile;
mod explain;
mod functions;
pub mod guard;
mod paths;
mod plain;
mod regex;
mod rewrite;
#[cfg(test)]
mod tests;
mod watched;

use std::sync::Arc;
use std::time::Duration;

use jaq_core::{Ctx, Vars};
use jaq_json::Val;

use crate::broker::{Result, nearest};
use crate::death::Death;
use crate::message::DeadLetter;
use crate::message::view::{self, Need, write_json_within};
use functions::Data;
use guard::Trip;
use paths::Looks;
use plain::Parts;

/// A compiled jq program; used from any number of threads at once.
#[derive(Clone)]
pub struct Program {
    compiled: Arc<compile::Compiled>,
    timeout: Duration,
}

/// What a condition said of one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Truth {
    /// One output, neither `false` nor `null`.
    Yes,
    /// `false`, `null`, or no output.
    No,
    /// The expression failed on this message; it is not selected, and counted.
    Failed(String),
    /// Several outputs: the expression is no condition. A usage error that ends the command.
    Several,
    /// It ran longer than the limit. Ends the command.
    TimedOut,
}

/// The most that one output for one message may come to, in bytes of JSON.
const MAX_OUTPUT: usize = 256 << 20;

impl Program {
    /// Compiles `source` with `$name` variables.
    ///
    /// # Errors
    /// `Usage`, pointing at line and column, naming the fields there are where a name was not found.
    pub fn compile(source: &str, variables: &[(String, Val)], timeout: Duration) -> Result<Program> {
        Ok(Program { compiled: Arc::new(compile::compile(source, variables)?), timeout })
    }

    /// Judges one message.
    pub fn truth(&self, m: &DeadLetter) -> Truth {
        self.truth_knowing(m, None)
    }

    /// As [`Program::truth`], with the message's death where that is known already.
    pub fn truth_knowing(&self, m: &DeadLetter, death: Option<&Death>) -> Truth {
        let analysis = &self.compiled.analysis;
        let plain = self.compiled.plain.as_ref().filter(|_| analysis.watched.has_seen_all());
        match plain.and_then(|p| p.holds(&Parts::new(m, &analysis.condition, death))) {
            Some(true) => Truth::Yes,
            Some(false) => Truth::No,
            None => self.interpreted(m, death),
        }
    }

    fn interpreted(&self, m: &DeadLetter, death: Option<&Death>) -> Truth {
        let view = self.view(m, &self.compiled.analysis.condition, death);
        let scope = guard::enter(self.timeout);
        let mut outputs = self.run(view);
        let truth = match outputs.next() {
            None => Truth::No,
            Some(Err(e)) => Truth::Failed(e),
            Some(Ok(v)) => match outputs.next() {
                None if jaq_core::ValT::as_bool(&v) => Truth::Yes,
                None => Truth::No,
                Some(Ok(_)) => Truth::Several,
                Some(Err(e)) => Truth::Failed(e),
            },
        };
        drop(outputs);
        match scope.tripped() {
            Some(Trip::Time) => Truth::TimedOut,
            Some(why) => Truth::Failed(reason(why, self.timeout)),
            None => truth,
        }
    }

    /// All outputs for one message, for `--print` and `--by`.
    ///
    /// Strings in them are slices of the message's payload: turn them into text rather than keeping them.
    ///
    /// # Errors
    /// The text of the jq error, or of the time-out.
    pub fn values(&self, m: &DeadLetter) -> std::result::Result<Vec<Val>, String> {
        let view = self.view(m, &self.compiled.analysis.output, None);
        let scope = guard::enter(self.timeout);
        let outputs: std::result::Result<Vec<Val>, String> = self.run(view).collect();
        match scope.tripped() {
            Some(why) => Err(reason(why, self.timeout)),
            None => outputs,
        }
    }

    /// The whole view of one message, and the one output that is made of it.
    ///
    /// # Errors
    /// The text of the jq error, of the time-out, or that there was not one output.
    pub fn map(&self, m: &DeadLetter, death: Option<&Death>) -> std::result::Result<(Val, Val), String> {
        let view = view::build(m, Need::ALL, &view::Want::All, death);
        let scope = guard::enter(self.timeout);
        let mut outputs = self.run(view.clone());
        let made = match (outputs.next(), outputs.next()) {
            (Some(Ok(made)), None) => Ok(made),
            (Some(Err(e)), _) | (_, Some(Err(e))) => Err(e),
            (None, _) => Err("it gives nothing; to leave messages out use --filter".to_owned()),
            (Some(Ok(_)), Some(Ok(_))) => Err("it gives more than one output".to_owned()),
        };
        drop(outputs);
        match scope.tripped() {
            Some(why) => Err(reason(why, self.timeout)),
            None => made.map(|made| (view, made)),
        }
    }

    /// Top-level fields that it assigns or deletes, where that is plain from its text.
    pub fn assigned(&self) -> &[String] {
        &self.compiled.assigned
    }

    /// The outputs for one message as JSON, or as they are where they are text and `raw` is set; each followed by `end`.
    ///
    /// # Errors
    /// The text of the jq error, or of the time-out; nothing is written then.
    pub fn print(&self, m: &DeadLetter, raw: bool, end: &[u8], out: &mut Vec<u8>) -> std::result::Result<(), String> {
        let start = out.len();
        let values = self.values(m)?;
        let scope = guard::enter(self.timeout);
        for v in values {
            match &v {
                Val::TStr(s) | Val::BStr(s) if raw => out.extend_from_slice(s),
                v => {
                    if !write_json_within(v, out, MAX_OUTPUT, guard::in_time) {
                        out.truncate(start);
                        return Err(reason(scope.tripped().unwrap_or(Trip::Memory), self.timeout));
                    }
                }
            }
            out.extend_from_slice(end);
        }
        Ok(())
    }

    fn view(&self, m: &DeadLetter, looks: &Looks, death: Option<&Death>) -> Val {
        let view = view::build(m, looks.need, &looks.want, death);
        self.compiled.analysis.watched.look(&view);
        view
    }

    fn run(&self, input: Val) -> impl Iterator<Item = std::result::Result<Val, String>> {
        let ctx = Ctx::<Data>::new(&self.compiled.filter.lut, Vars::new(self.compiled.variables.iter().cloned()));
        self.compiled.filter.id.run((ctx, input)).map(|r| {
            r.map_err(|exn| match exn.get_err() {
                Ok(e) => explain::clipped(&e),
                // Unwound by the guard, which knows why.
                Err(_) => String::new(),
            })
        })
    }

    /// How long it may take over one message.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// What it needs to be built of a message, where its output is used.
    pub fn need(&self) -> Need {
        self.compiled.analysis.output.need
    }

    /// What was probably not meant, as one sentence: an assignment, which as a condition is true of every message, or a
    /// field that no message has.
    pub fn slip(&self) -> Option<String> {
        if self.compiled.assigns {
            return Some(
                "the filter assigns, so it is true of every message; to compare, write == instead of =".to_owned(),
            );
        }
        let name = self.compiled.analysis.watched.first_steps().find(|f| !view::FIELDS.contains(f))?.to_owned();
        let meant = match nearest(&name, view::FIELDS.iter().copied()) {
            Some(near) => format!("did you mean .{near}?"),
            None => format!("for a part of the body write .body.{name}"),
        };
        Some(format!("a message has no field {name}, only {}; {meant}", view::FIELDS.join(", ")))
    }

    /// Paths that must not be missing everywhere (`.body.total`; those written with `?` or before `//` are not among them).
    pub fn paths(&self) -> Vec<String> {
        self.compiled.analysis.watched.all()
    }

    /// Of these, the paths that no message judged so far had. Empty while nothing has been judged.
    pub fn absent_paths(&self) -> Vec<String> {
        self.compiled.analysis.watched.absent()
    }
}

fn reason(why: Trip, timeout: Duration) -> String {
    match why {
        Trip::Time => format!("it ran longer than {} (--filter-timeout)", shown(timeout)),
        Trip::Depth => "it calls itself too deep, or nests a value too deep".to_owned(),
        Trip::Memory => "it builds more than fits the memory it may have".to_owned(),
    }
}

fn shown(d: Duration) -> String {
    if d.subsec_millis() == 0 { format!("{} s", d.as_secs()) } else { format!("{} ms", d.as_millis()) }
}
