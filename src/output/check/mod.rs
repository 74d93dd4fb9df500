//! Verdicts, in the formats that monitoring and CI read. Pure.

mod github;
mod json;
mod junit;
mod nagios;
mod none;
mod prometheus;
mod text;

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::{Format, Look, human};
use crate::select::stats::Group;

pub use none::none;

/// A verdict, with the number a Nagios plugin exits with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
#[repr(u8)]
pub enum Status {
    /// No threshold is reached.
    #[default]
    Ok = 0,
    /// `--warn` is.
    Warning = 1,
    /// Another is.
    Critical = 2,
    /// It cannot be said.
    Unknown = 3,
}

impl Status {
    /// The word of the plugin convention.
    pub fn word(self) -> &'static str {
        match self {
            Status::Ok => "OK",
            Status::Warning => "WARNING",
            Status::Critical => "CRITICAL",
            Status::Unknown => "UNKNOWN",
        }
    }

    fn weight(self) -> u8 {
        match self {
            Status::Ok => 0,
            Status::Warning => 1,
            Status::Unknown => 2,
            Status::Critical => 3,
        }
    }

    /// The worse of two: OK, WARNING, UNKNOWN, CRITICAL.
    #[must_use]
    pub fn worse(self, other: Status) -> Status {
        if other.weight() > self.weight() { other } else { self }
    }
}

/// A common cause.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cause {
    /// As `death.cause`; `None` where none is known.
    pub cause: Option<String>,
    /// How many of those looked at.
    pub count: u64,
    /// In words.
    pub what: String,
    /// The id of one.
    pub example: String,
}

impl Cause {
    /// Of a group of messages.
    pub fn of(group: Group) -> Cause {
        let death = group.death.as_ref();
        let why = death.and_then(|d| d.class.clone().or_else(|| d.reason.clone()));
        let origin = death.and_then(|d| d.origin.as_ref()).and_then(|o| o.queue.clone());
        let what = [why, origin.map(|o| format!("in {o}"))].into_iter().flatten().collect::<Vec<_>>().join(" ");
        Cause {
            cause: Some(group.name).filter(|name| !name.is_empty()),
            count: group.count,
            what: if what.is_empty() { "no cause known".to_owned() } else { what },
            example: group.example,
        }
    }
}

/// What is said of one queue.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Verdict {
    /// As it is shown everywhere.
    pub queue: String,
    /// The worst of its reasons.
    pub status: Status,
    /// As `depth` has it.
    pub ready: Option<u64>,
    /// As `depth` has it.
    pub in_flight: Option<u64>,
    /// What thresholds were compared with: what is ready, or unresolved on a log, or died since `--since`.
    pub count: Option<u64>,
    /// Of the oldest message.
    pub oldest_age_seconds: Option<i64>,
    /// Messages more than at the count that was compared with.
    pub growth: Option<i64>,
    /// How long before that was.
    pub growth_seconds: Option<i64>,
    /// The commonest, where they were asked for.
    pub causes: Option<Vec<Cause>>,
    /// Why it is not OK, a clause each.
    pub reasons: Vec<String>,
    /// What else there is to know, a clause each.
    pub notes: Vec<String>,
}

impl Verdict {
    /// OK until there is a reason.
    pub fn new(queue: String) -> Verdict {
        Verdict { queue, ..Verdict::default() }
    }

    /// Adds a reason for something worse than OK.
    pub fn reason(&mut self, status: Status, text: impl Into<String>) {
        self.status = self.status.worse(status);
        self.reasons.push(text.into());
    }

    /// In one clause: why it is not OK, or what there is.
    fn summary(&self) -> String {
        if !self.reasons.is_empty() {
            return self.reasons.join("; ");
        }
        let count =
            self.count.map_or_else(|| "an unknown number of messages".to_owned(), |n| human::counted(n, "message"));
        match self.oldest_age_seconds {
            Some(age) => {
                format!("{count}, the oldest {} old", human::duration(Duration::from_secs(age.unsigned_abs())))
            }
            None => count,
        }
    }
}

/// The thresholds that formats repeat beside the figures.
#[derive(Clone, Copy, Debug, Default)]
pub struct Thresholds {
    /// Messages.
    pub warn: Option<u64>,
    /// Messages.
    pub crit: Option<u64>,
    /// Of the oldest.
    pub max_age: Option<Duration>,
    /// Messages.
    pub max_growth: Option<u64>,
}

/// Everything a run of `check` says.
#[derive(Clone, Debug)]
pub struct Report {
    /// One a queue.
    pub verdicts: Vec<Verdict>,
    /// When it began.
    pub started: Timestamp,
    /// What was compared with.
    pub thresholds: Thresholds,
}

impl Report {
    /// The worst.
    pub fn status(&self) -> Status {
        self.verdicts.iter().fold(Status::Ok, |worst, v| worst.worse(v.status))
    }

    /// In one of the formats of `check`.
    pub fn render(&self, format: Format, look: &Look) -> Vec<u8> {
        match format {
            Format::Json | Format::Jsonl => json::render(self, format, look),
            Format::Nagios => nagios::render(self).into_bytes(),
            Format::Prometheus => prometheus::render(self).into_bytes(),
            Format::Junit => junit::render(self),
            Format::Github => github::render(self).into_bytes(),
            _ => text::render(self).into_bytes(),
        }
    }

    /// `DLQ CRITICAL - …`, one line.
    fn headline(&self) -> String {
        let status = self.status();
        let head = format!("DLQ {} - ", status.word());
        let text = match self.verdicts.as_slice() {
            [one] => format!("{}: {}", one.queue, one.summary()),
            all => {
                let total = human::counted(all.len() as u64, "queue");
                let worst: Vec<&Verdict> = all.iter().filter(|v| v.status == status).collect();
                match (status, worst.first()) {
                    (Status::Ok, _) | (_, None) => format!("{total} checked"),
                    (_, Some(v)) => {
                        let more = if worst.len() > 1 { ", …" } else { "" };
                        format!("{} of {total}: {}: {}{more}", worst.len(), v.queue, v.summary())
                    }
                }
            }
        };
        format!("{head}{}", one_line(&text))
    }

    /// Behind the first line: the queues that are not OK, where there are several, with causes and notes.
    fn details(&self, all: bool) -> Vec<String> {
        let mut lines = vec![];
        for v in &self.verdicts {
            if self.verdicts.len() > 1 && (all || v.status != Status::Ok) {
                lines.push(one_line(&format!("{} {}: {}", v.status.word(), v.queue, v.summary())));
            }
            for c in v.causes.iter().flatten() {
                let name = c.cause.as_ref().map_or_else(String::new, |name| format!("{name} "));
                lines.push(one_line(&format!("  {} × {name}{}, such as {}", human::count(c.count), c.what, c.example)));
            }
            lines.extend(v.notes.iter().map(|n| one_line(&format!("  {n}"))));
        }
        lines
    }
}

/// What comes from a broker or a message must not begin a line of its own, nor perfdata.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>().replace('|', "¦")
}

#[cfg(test)]
mod tests;
