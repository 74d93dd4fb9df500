//! `dlq check Q…`: the verdict for monitoring and CI.

mod asking;
mod growth;
mod judging;
mod looking;

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio::time::Instant;

use super::session::Session;
use crate::broker::{Error, Kind, Result};
use crate::cli;
use crate::exit::Exit;
use crate::output::Format;
use crate::output::check::{self, Report, Status};
use crate::select::times;
use crate::ui::Ui;
use growth::Growth;

/// Whether queues are as they should be, as a Nagios plugin says it: for monitoring and CI.
///
/// Exits 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN; whatever is no verdict, a typing error included, is 3. A threshold is reached
/// at its number or above. Reaching --crit, --max-age or --max-growth, or not being empty, is CRITICAL; reaching --warn is
/// WARNING. A queue that cannot be read, or a figure that a threshold needs and the broker does not tell, is UNKNOWN. Of several
/// queues the worst decides, in the order OK, WARNING, UNKNOWN, CRITICAL.
///
/// -o is text, nagios, json, jsonl, prometheus, junit or github here; where nothing is said it is text on a terminal, else nagios.
/// All of it ends within --timeout, --for and --over aside.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The queues
    #[arg(value_name = "QUEUE", required_unless_present = "all_named")]
    pub queues: Vec<String>,
    /// Every queue that has a name in the configuration
    #[arg(long)]
    pub all_named: bool,
    /// WARNING at so many messages or more
    #[arg(long, value_name = "N", help_heading = "Thresholds", value_parser = reachable)]
    pub warn: Option<u64>,
    /// CRITICAL at so many messages or more
    #[arg(long, value_name = "N", help_heading = "Thresholds", value_parser = reachable)]
    pub crit: Option<u64>,
    /// CRITICAL where the oldest message is of this age or older: 90m, 2h, 3d
    #[arg(long, value_name = "DURATION", help_heading = "Thresholds", value_parser = span)]
    pub max_age: Option<Duration>,
    /// CRITICAL where so many more messages came in that time, against what earlier runs kept: 100/h, 20/15m
    #[arg(long, value_name = "N/DURATION", help_heading = "Thresholds")]
    pub max_growth: Option<Growth>,
    /// Measure growth over this time, now, instead of against earlier runs
    #[arg(long, value_name = "DURATION", help_heading = "Thresholds", requires = "max_growth", value_parser = span)]
    pub over: Option<Duration>,
    /// CRITICAL where there is any message, held by a consumer or delayed ones included
    #[arg(long, help_heading = "Thresholds")]
    pub expect_empty: bool,
    /// With --expect-empty: ask again and again for so long, for brokers that count late
    #[arg(long = "for", value_name = "DURATION", help_heading = "Thresholds", requires = "expect_empty", value_parser = span)]
    pub lasting: Option<Duration>,
    /// Count only messages that died at or after this time: 2h, 14:30, RFC 3339. This looks at messages
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, help_heading = "Thresholds")]
    pub since: Option<String>,
    /// Name the commonest causes in queues that are not OK, and a message of each. This looks at messages
    #[arg(long)]
    pub causes: bool,
    #[command(flatten)]
    pub(crate) accept: cli::Accept,
    #[command(flatten)]
    pub(crate) connection: cli::Connection,
}

/// What is asked of every queue.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Thresholds {
    pub warn: Option<u64>,
    pub crit: Option<u64>,
    pub max_age: Option<Duration>,
    pub max_growth: Option<Growth>,
    pub expect_empty: bool,
    pub since: Option<Timestamp>,
}

impl Thresholds {
    fn any(&self) -> bool {
        self.warn.is_some()
            || self.crit.is_some()
            || self.max_age.is_some()
            || self.max_growth.is_some()
            || self.expect_empty
    }

    /// Nothing above this number of messages changes a verdict.
    fn most(&self) -> u64 {
        let counts = [self.warn, self.crit, self.expect_empty.then_some(1)];
        counts.into_iter().flatten().max().unwrap_or(0)
    }

    /// Nothing below it does.
    fn least(&self) -> Option<u64> {
        let counts = [self.warn, self.crit, self.expect_empty.then_some(1)];
        counts.into_iter().flatten().min()
    }
}

/// Measures, judges and reports.
///
/// # Errors
/// `Usage`; everything that is wrong with a queue is in the verdict.
pub async fn run(args: &Args, session: &Session) -> Result<Exit> {
    let started = Timestamp::now();
    let thresholds = thresholds(args, started)?;
    let format = format(session)?;
    let mut asking = asking::Asking::new(args, session, thresholds)?;
    let deadline =
        Instant::now() + session.timeout() + args.lasting.unwrap_or_default() + args.over.unwrap_or_default();
    let mut verdicts = asking.verdicts(deadline).await;
    if session.stop.is_cancelled() {
        return Err(Error::new(Kind::Stopped { terminated: false }, "stopped: there is no verdict"));
    }
    if !thresholds.any() {
        for verdict in &mut verdicts {
            verdict.reason(
                Status::Unknown,
                "no threshold was given: --warn, --crit, --max-age, --max-growth or --expect-empty",
            );
        }
    }
    let report = Report { verdicts, started, thresholds: thresholds.shown() };
    let out = report.render(format, &session.ui.look());
    let mut data = session.ui.data();
    data.write(&out)?;
    data.finish()?;
    Ok(Exit::verdict(report.status()))
}

/// Says on standard output too that there is no verdict, and why: monitoring reads that alone.
pub(crate) fn without_verdict(why: &str, format: Format, ui: &Ui) -> Exit {
    let mut data = ui.data();
    // Where it cannot be written there is nobody to tell; the exit code says it all the same.
    let _ = data.write(&check::none(why, format, &ui.look())).and_then(|()| data.finish());
    Exit::verdict(Status::Unknown)
}

impl Thresholds {
    fn shown(&self) -> check::Thresholds {
        check::Thresholds {
            warn: self.warn,
            crit: self.crit,
            max_age: self.max_age,
            max_growth: self.max_growth.map(|g| g.most),
        }
    }
}

fn thresholds(args: &Args, now: Timestamp) -> Result<Thresholds> {
    if let (Some(warn), Some(crit)) = (args.warn, args.crit)
        && warn > crit
    {
        let text = format!("--warn {warn} is above --crit {crit}: it could never be WARNING");
        return Err(Error::new(Kind::Usage, text));
    }
    let since = args.since.as_ref().map(|t| times::parse(t, now, &TimeZone::system())).transpose()?;
    // Nothing can have died since: the verdict would always be OK.
    if let (Some(typed), Some(_)) = (&args.since, since.filter(|since| *since > now)) {
        return Err(Error::new(Kind::Usage, format!("--since {typed} lies ahead")));
    }
    Ok(Thresholds {
        warn: args.warn,
        crit: args.crit,
        max_age: args.max_age,
        max_growth: args.max_growth,
        expect_empty: args.expect_empty,
        since,
    })
}

fn format(session: &Session) -> Result<Format> {
    match session.format {
        Format::Auto if session.ui.look().tty => Ok(Format::Text),
        Format::Auto => Ok(Format::Nagios),
        format if format.is_verdict() || matches!(format, Format::Json | Format::Jsonl) => Ok(format),
        _ => Err(Error::new(Kind::Usage, "check prints text, nagios, json, jsonl, prometheus, junit or github")),
    }
}

fn reachable(s: &str) -> std::result::Result<u64, String> {
    match s.parse() {
        Ok(0) => Err("a threshold of 0 is always reached: give 1 or more, or --expect-empty".into()),
        Ok(n) => Ok(n),
        Err(_) => Err("a whole number of messages is expected, such as 100".into()),
    }
}

/// As `--timeout`, and days.
pub(crate) fn span(s: &str) -> std::result::Result<Duration, String> {
    if let Some(days) = s.strip_suffix('d').and_then(|n| n.parse::<u64>().ok()).filter(|n| *n > 0 && *n < 36_500) {
        return Ok(Duration::from_secs(days * 86_400));
    }
    cli::duration(s).map_err(|e| format!("{e}, or 3d"))
}
