//! Exit codes, and the one place that turns a kind of failure into a heading and a code.

use crate::broker::error::Kind;
use crate::output::check::Status;

/// How the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum Exit {
    /// Done, or nothing to do.
    Done = 0,
    /// Failed.
    Failed = 1,
    /// Wrong usage or configuration.
    Usage = 2,
    /// Partly done, or an outcome is unknown.
    Partly = 3,
    /// This broker or queue cannot do that.
    Cannot = 4,
    /// `filter -e`: no match.
    NoMatch = 5,
    /// Stopped by a guard.
    Guard = 6,
    /// Stopped by Ctrl-C after finishing what was in flight.
    Interrupted = 130,
    /// Stopped by SIGTERM after finishing what was in flight.
    Terminated = 143,
}

impl Exit {
    /// As a Nagios plugin exits.
    pub fn verdict(status: Status) -> Exit {
        match status {
            Status::Ok => Exit::Done,
            Status::Warning => Exit::Failed,
            Status::Critical => Exit::Usage,
            Status::Unknown => Exit::Partly,
        }
    }

    /// The code of an error that ended everything.
    pub fn of(kind: Kind) -> Exit {
        match kind {
            Kind::Usage => Exit::Usage,
            Kind::Unsupported => Exit::Cannot,
            Kind::Hazard(_) | Kind::Held | Kind::Guard | Kind::Unfinished => Exit::Guard,
            Kind::Indeterminate => Exit::Partly,
            Kind::ClosedPipe => Exit::Done,
            Kind::Stopped { terminated: false } => Exit::Interrupted,
            Kind::Stopped { terminated: true } => Exit::Terminated,
            _ => Exit::Failed,
        }
    }
}

/// The word an error of this kind is headed with.
pub fn heading(kind: Kind) -> &'static str {
    match kind {
        Kind::Usage => "usage error",
        Kind::NotFound => "not found",
        Kind::Denied => "denied",
        Kind::Unreachable => "unreachable",
        Kind::Tls => "not trusted",
        Kind::Unsupported => "cannot",
        Kind::Hazard(_) | Kind::Guard | Kind::Unfinished => "refused",
        Kind::Held => "in use",
        Kind::Corrupt => "bad data",
        Kind::Indeterminate => "unknown outcome",
        Kind::Stopped { .. } => "stopped",
        Kind::FilterTimeout | Kind::Timeout => "timed out",
        _ => "error",
    }
}
