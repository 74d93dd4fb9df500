//! From figures to a verdict. Pure.

use super::Thresholds;
use super::growth::Change;
use crate::broker::{Accuracy, Depth};
use crate::output::check::{Status, Verdict};
use crate::output::human;

/// The count that thresholds are compared with.
pub(super) struct Count {
    /// `None`: not known, for this reason.
    pub messages: std::result::Result<u64, String>,
    /// There may be fewer: the number is an upper bound.
    pub at_most: bool,
    /// There may be more, for this reason.
    pub more: Option<String>,
}

impl Count {
    /// As the broker counts.
    pub(super) fn of(depth: &Depth) -> Count {
        Count {
            messages: depth.waiting().ok_or_else(|| "the broker does not say how many there are".to_owned()),
            at_most: depth.accuracy == Accuracy::UpperBound,
            more: (depth.accuracy == Accuracy::LowerBound).then(|| "the broker tells of a part of them".to_owned()),
        }
    }
}

pub(super) fn count(verdict: &mut Verdict, of: &Count, t: &Thresholds) {
    if t.warn.is_none() && t.crit.is_none() {
        return;
    }
    let n = match &of.messages {
        Ok(n) => *n,
        Err(why) => return verdict.reason(Status::Unknown, why),
    };
    let since = if t.since.is_some() { " died since" } else { "" };
    let text = |limit: u64| {
        let upto = if of.at_most { "up to " } else { "" };
        format!("{upto}{}{since}, {limit} or more", human::counted(n, "message"))
    };
    match (t.crit.filter(|c| n >= *c), t.warn.filter(|w| n >= *w), &of.more) {
        (Some(crit), ..) => verdict.reason(Status::Critical, text(crit)),
        (None, _, Some(more)) if t.crit.is_some() || t.warn.is_some_and(|w| n < w) => {
            verdict.reason(Status::Unknown, format!("{}{since} or more: {more}", human::counted(n, "message")));
        }
        (None, Some(warn), _) => verdict.reason(Status::Warning, text(warn)),
        (None, None, _) => {}
    }
}

pub(super) fn empty(verdict: &mut Verdict, of: &Count, depth: &Depth, since: bool) {
    let n = match &of.messages {
        Ok(n) => *n,
        Err(why) => return verdict.reason(Status::Unknown, why),
    };
    let (held, delayed) = if since { (0, 0) } else { (depth.in_flight.unwrap_or(0), depth.delayed.unwrap_or(0)) };
    if n + held + delayed > 0 {
        let mut text = format!("not empty: {}", human::counted(n, "message"));
        for (n, what) in [(held, "held by consumers"), (delayed, "delayed")] {
            if n > 0 {
                text.push_str(&format!(", {} {what}", human::count(n)));
            }
        }
        verdict.reason(Status::Critical, text);
    } else if let Some(more) = &of.more {
        verdict.reason(Status::Unknown, format!("perhaps not empty: {more}"));
    }
}

pub(super) fn age(verdict: &mut Verdict, waiting: Option<u64>, why_not: Option<String>, t: &Thresholds) {
    let Some(limit) = t.max_age else { return };
    match verdict.oldest_age_seconds {
        Some(age) if age >= i64::try_from(limit.as_secs()).unwrap_or(i64::MAX) => {
            let age = human::duration(std::time::Duration::from_secs(age.unsigned_abs()));
            verdict.reason(Status::Critical, format!("the oldest is {age} old, {} or more", human::duration(limit)));
        }
        None if waiting == Some(0) => {}
        Some(_) if why_not.is_none() => {}
        _ => {
            let why = why_not.unwrap_or_else(|| "the broker does not tell it".to_owned());
            verdict.reason(Status::Unknown, format!("the age of the oldest is not known: {why}"));
        }
    }
}

pub(super) fn growth(verdict: &mut Verdict, change: Result<Option<Change>, String>, all: bool, t: &Thresholds) {
    let Some(limit) = t.max_growth else { return };
    match change {
        Ok(Some(change)) => {
            (verdict.growth, verdict.growth_seconds) = (Some(change.messages), Some(change.seconds));
            if change.reaches(limit, all) {
                let over = human::duration(std::time::Duration::from_secs(change.seconds.unsigned_abs()));
                let within = human::duration(limit.within);
                verdict.reason(
                    Status::Critical,
                    format!(
                        "{} more in {over}, as fast as {} in {within}",
                        human::counted(change.messages.unsigned_abs(), "message"),
                        limit.most
                    ),
                );
            }
        }
        Ok(None) => verdict.reason(
            Status::Unknown,
            "growth is not known: this is the first count that was kept; the next run compares with it",
        ),
        Err(why) => verdict.reason(Status::Unknown, format!("growth is not known: {why}")),
    }
}
