//! The clap tree and the shared flag groups; no I/O.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::broker::HAZARDS;
use crate::commands;
use crate::output::Format;
use crate::replay::RunId;
use crate::ui::{Colour, LogFormat};

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

const ADDRESSES: &str = "\
A queue is written as one address:
  amqp://[USER[:PASS]@]HOST[:PORT]/[VHOST/]QUEUE   a RabbitMQ queue or stream (amqps:// for TLS)
  sqs://[REGION/]NAME, its URL, or its ARN         an SQS queue, standard or FIFO
  kafka://HOST[:PORT][,HOST...]/TOPIC              a Kafka topic
  nats://HOST[:PORT]/STREAM                        a JetStream stream; with -X consumer=C what that one gave up on
  file:PATH[.zst]                                  a dead-letter archive
  -                                                an archive on standard input or output
  NAME, CLUSTER/QUEUE                              a queue, or a cluster, named in the configuration file

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 partly done or an outcome is unknown, 4 this queue cannot do that,
5 no match (filter -e), 6 stopped by a guard, 130/143 stopped by Ctrl-C or SIGTERM after finishing what was in flight.";

/// Look at, filter, sample, copy, replay and purge dead-letter queues, with the same verbs on every broker.
#[derive(Debug, Parser)]
#[command(name = "dlq", version, styles = STYLES, after_help = ADDRESSES, max_term_width = 100)]
#[command(arg_required_else_help = true, disable_help_subcommand = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
    /// How to say it.
    #[command(flatten)]
    pub output: Output,
}

/// The verbs, in the order of the help.
#[derive(Debug, Subcommand)]
#[allow(clippy::large_enum_variant, reason = "there is one, and it is never moved about")]
#[allow(missing_docs, reason = "a comment would take the place of the long help, which is that of their arguments")]
pub enum Verb {
    #[command(about = "Show messages without taking them")]
    Inspect(commands::inspect::Args),
    #[command(about = "Stream all messages for which a jq expression is true, like grep")]
    Filter(commands::filter::Args),
    #[command(about = "Take a uniform random sample in one pass")]
    Sample(commands::sample::Args),
    #[command(about = "Group messages by why they died, or by any expression")]
    Stats(commands::stats::Args),
    #[command(
        about = "Put messages back to work: where each came from, or to one place; remove it once that is confirmed"
    )]
    #[command(visible_alias = "redrive")]
    Replay(commands::replay::Args),
    #[command(about = "Copy messages as they are: export, import, duplicate")]
    Copy(commands::copy::Args),
    #[command(about = "Copy messages as they are, and remove each once its copy is confirmed")]
    Move(commands::relocate::Args),
    #[command(about = "Remove messages, after writing them to an archive")]
    Purge(commands::purge::Args),
    #[command(about = "Finish a run that was cut off")]
    Resume(commands::resume::Args),
    #[command(about = "What runs there were, and how they ended")]
    History(commands::history::Args),
    #[command(about = "How many messages there are, how old, and how far that can be trusted")]
    Depth(commands::depth::Args),
    #[command(about = "Whether queues are as they should be: a verdict for monitoring and CI")]
    Check(commands::check::Args),
    #[command(about = "Whether a verb could be used on a queue, before a message is read")]
    CanI(commands::can_i::Args),
    #[command(about = "Find the dead-letter queues of a cluster, an account or a folder, by its topology")]
    List(commands::list::Args),
    #[command(about = "Watch depth, age and growth, wait until a condition holds, run a command when one is crossed")]
    Watch(commands::watch::Args),
    #[command(about = "Names of queues and clusters: what they mean, and whether they can be reached")]
    Config(commands::config::Args),
    #[command(about = "Print the completion script of a shell")]
    Completions(commands::completions::Args),
    #[command(about = "Print the manual page")]
    Man(commands::man::Args),
}

impl Verb {
    /// What a verb that changes something was told, whichever it is.
    pub fn changing_mut(&mut self) -> Option<&mut Changing> {
        match self {
            Verb::Replay(args) => Some(&mut args.change),
            Verb::Copy(args) => Some(&mut args.change),
            Verb::Move(args) => Some(&mut args.copy.change),
            Verb::Purge(args) => Some(&mut args.change),
            _ => None,
        }
    }

    /// The queue such a verb reads, as typed.
    pub fn queue(&self) -> Option<&str> {
        match self {
            Verb::Replay(args) => args.queue.as_deref(),
            Verb::Copy(args) => Some(&args.queue),
            Verb::Move(args) => Some(&args.copy.queue),
            Verb::Purge(args) => Some(&args.queue),
            _ => None,
        }
    }

    /// `--yes`, or `--confirm`.
    pub fn yes(&self) -> bool {
        match self {
            Verb::Replay(args) => args.change.safety.answers(),
            Verb::Copy(args) => args.change.safety.answers(),
            Verb::Move(args) => args.copy.change.safety.answers(),
            Verb::Purge(args) => args.change.safety.answers(),
            Verb::Resume(args) => args.yes,
            _ => false,
        }
    }
}

/// How to say it: flags of every verb.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct Output {
    /// How to print messages and reports
    #[arg(short, long, global = true, value_name = "FORMAT", default_value = "auto")]
    pub output: Format,
    /// Print nothing but data and errors
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Say more
    #[arg(short, long, global = true)]
    pub verbose: bool,
    /// When to colour
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: Colour,
    /// How to write plan, progress, notices and errors on standard error
    #[arg(long, global = true, value_name = "FORMAT", default_value = "text")]
    pub log_format: LogFormat,
    /// Longest wait for any one answer of a broker (10s, 2m; 30s where nothing is said)
    #[arg(long, global = true, value_name = "DURATION", value_parser = duration)]
    pub timeout: Option<Duration>,
}

/// How messages are printed.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Output")]
pub struct Print {
    /// Print what this jq expression gives for each message instead of the message (with -o raw: strings without quotes)
    #[arg(long, value_name = "JQ")]
    pub print: Option<String>,
    /// With -o raw: what follows each payload (\n, \t, \0 and \\ are understood)
    #[arg(long, value_name = "TEXT", conflicts_with = "null")]
    pub delimiter: Option<String>,
    /// With -o raw: a NUL byte after each payload, for bodies that contain newlines
    #[arg(short = '0', long = "null")]
    pub null: bool,
}

/// Options of the connection to the queue that is read.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Connection")]
pub struct Connection {
    /// An option of the queue's connection, as ?NAME=VALUE on its address would be
    #[arg(short = 'X', value_name = "NAME=VALUE", value_parser = pair)]
    pub option: Vec<(String, String)>,
    /// Read such options from a file, one NAME=VALUE a line
    #[arg(short = 'F', value_name = "FILE")]
    pub option_file: Option<PathBuf>,
    /// Only these partitions of a topic: 3, 0-3 or 0-3,7
    #[arg(long, value_name = "LIST")]
    pub partitions: Option<String>,
}

/// Which messages.
#[derive(Clone, Debug, Default, PartialEq, Args, serde::Serialize, serde::Deserialize)]
#[command(next_help_heading = "Selection")]
#[serde(default)]
pub struct Select {
    /// Only messages for which this jq expression is true
    #[arg(short, long, value_name = "JQ")]
    pub filter: Option<String>,
    /// The same, read from a file
    #[arg(long, value_name = "FILE", conflicts_with = "filter")]
    pub filter_file: Option<PathBuf>,
    /// Set $NAME to a string in every expression
    #[arg(long, num_args = 2, value_names = ["NAME", "VALUE"], action = clap::ArgAction::Append)]
    pub arg: Vec<String>,
    /// Set $NAME to a JSON value in every expression
    #[arg(long, num_args = 2, value_names = ["NAME", "JSON"], action = clap::ArgAction::Append)]
    pub argjson: Vec<String>,
    /// Longest an expression may take for one message
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = duration)]
    pub filter_timeout: Option<Duration>,
    /// Exit 3 when an expression failed on any message
    #[arg(long)]
    pub strict: bool,
    /// Only messages that died (or, where that is not known, were created) at or after this time: 2h, 14:30, RFC 3339
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub since: Option<String>,
    /// Only messages from before this time
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub until: Option<String>,
    /// Only the message with this id (repeatable)
    #[arg(long, value_name = "ID")]
    pub id: Vec<String>,
    /// Only messages whose ids are in this file, one a line; - is standard input
    #[arg(long, value_name = "FILE")]
    pub ids_from: Option<PathBuf>,
    /// Only messages whose death.cause, or death.reason, begins with this
    #[arg(long, value_name = "CAUSE")]
    pub cause: Option<String>,
    /// At most so many messages selected
    #[arg(short = 'n', long, value_name = "N", value_parser = at_least_one)]
    pub limit: Option<u64>,
    /// At most so many messages read
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub scan_limit: Option<u64>,
    /// Count archive lines that cannot be read, and go on
    #[arg(long)]
    pub skip_bad_lines: bool,
    /// The seal of the plan on file, once it was read.
    #[arg(skip)]
    pub plan: Option<String>,
}

/// Named dangers.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Safety")]
pub struct Accept {
    /// Accept a danger by the name that a refusal printed (repeatable)
    #[arg(long, value_name = "HAZARD", value_parser = hazard)]
    pub accept: Vec<String>,
}

/// Guards of everything that changes something.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Safety")]
pub struct Safety {
    /// Show the plan and stop: nothing is changed
    #[arg(long)]
    pub dry_run: bool,
    /// Answer the plan's question with yes; nothing else
    #[arg(short, long)]
    pub yes: bool,
    /// Answer the question of a protected queue: its name
    #[arg(long, value_name = "NAME")]
    pub confirm: Option<String>,
    /// Named dangers.
    #[command(flatten)]
    pub accept: Accept,
}

impl Safety {
    /// The plan's question is answered already.
    pub fn answers(&self) -> bool {
        self.yes || self.confirm.is_some()
    }
}

/// Everything a verb that looks takes besides its queue.
#[derive(Clone, Debug, Default, Args)]
pub struct Looking {
    /// With -n N: the newest N messages of a topic or stream instead of the oldest
    #[arg(long, help_heading = "Selection")]
    pub newest: bool,
    /// Also what is resolved on a log: replayed, moved or purged before
    #[arg(long, help_heading = "Selection")]
    pub include_resolved: bool,
    /// Which messages.
    #[command(flatten)]
    pub select: Select,
    /// How they are printed.
    #[command(flatten)]
    pub print: Print,
    /// Named dangers.
    #[command(flatten)]
    pub accept: Accept,
    /// Options of the queue.
    #[command(flatten)]
    pub connection: Connection,
}

/// Everything a verb that changes something takes besides its queues.
#[derive(Clone, Debug, Default, Args)]
pub struct Changing {
    /// Which messages.
    #[command(flatten)]
    pub select: Select,
    /// How fast.
    #[command(flatten)]
    pub pace: Pace,
    /// Guards.
    #[command(flatten)]
    pub safety: Safety,
    /// What is kept of the run.
    #[command(flatten)]
    pub record: Recorded,
    /// Options of the queue.
    #[command(flatten)]
    pub connection: Connection,
    /// The run that is taken up again.
    #[arg(skip)]
    pub resumes: Option<RunId>,
    /// A plan on file.
    #[command(flatten)]
    pub plan: Plan,
}

/// What is kept of a run.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Record")]
pub struct Recorded {
    /// Call the run NAME: begun if there is none of that name, taken up again if it was cut off, nothing if it is done
    #[arg(long, value_name = "NAME", value_parser = run_name)]
    pub run: Option<String>,
    /// Keep no record of the run: after a crash nobody can say what was sent, and it cannot be taken up again
    #[arg(long, conflicts_with = "run")]
    pub no_journal: bool,
}

/// A plan that is written down, and acted on later.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Plan")]
pub struct Plan {
    /// Write the plan to this file, with the ids of the messages, and stop: nothing is changed
    #[arg(long, value_name = "FILE", conflicts_with = "plan")]
    pub plan_out: Option<PathBuf>,
    /// Act on exactly the messages of this plan
    #[arg(long, value_name = "FILE")]
    pub plan: Option<PathBuf>,
    /// With --plan: refuse one that is older
    #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = duration)]
    pub plan_max_age: Option<Duration>,
}

/// What a replay changes on the way.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Change on the way")]
pub struct Alter {
    /// Change each message: the jq expression gets it and gives it back, with another body, key, headers or properties
    #[arg(long, value_name = "JQ", conflicts_with = "edit")]
    pub map: Option<String>,
    /// Change the selected messages, 20 at most, in $VISUAL or $EDITOR
    #[arg(long, conflicts_with = "plan_out")]
    pub edit: bool,
    /// Set a header (repeatable)
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    pub set_header: Vec<(String, String)>,
    /// Take a header off (repeatable)
    #[arg(long, value_name = "NAME")]
    pub drop_header: Vec<String>,
}

/// A few messages first.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Canary")]
pub struct Canary {
    /// Replay so many first, spread over the causes, and go on only where they were consumed and none came back
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub canary: Option<u64>,
    /// How long to wait for what becomes of them; where the broker tells, the default is what a failing message takes
    #[arg(long, value_name = "DURATION", value_parser = duration, requires = "canary")]
    pub canary_wait: Option<Duration>,
    /// After the replay wait so long, and tell how many came back and why (exit 3 where any did, or it cannot be told)
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub watch_return: Option<Duration>,
}

/// Options of the connection to the destination.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Connection")]
pub struct ToConnection {
    /// An option of the destination's connection
    #[arg(long = "to-X", value_name = "NAME=VALUE", value_parser = pair)]
    pub to_option: Vec<(String, String)>,
}

/// Pace and failures of everything that sends.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Pace")]
pub struct Pace {
    /// At most so many messages: 500, 500/s, 500/m, 10000/h
    #[arg(long, value_name = "N[/UNIT]")]
    pub rate: Option<String>,
    /// At most so many messages sent and not yet confirmed
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub concurrency: Option<u64>,
    /// Stop when more messages than this have failed (exit 6)
    #[arg(long, value_name = "N")]
    pub max_failures: Option<u64>,
    /// Send nothing while more messages than this wait at the destination (of a Kafka group: its lag)
    #[arg(long, value_name = "N")]
    pub hold_while_backlog: Option<u64>,
    /// Write what fails to this archive, as it was; it stays in the queue all the same
    #[arg(long, value_name = "file:PATH")]
    pub failed_to: Option<String>,
    /// What a failed message does to those behind it; the default is hold-lane where order has a meaning, else skip
    #[arg(long, value_name = "WHAT")]
    pub on_failure: Option<OnFailure>,
}

/// `--on-failure`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OnFailure {
    /// Those of the same lane wait
    HoldLane,
    /// The others go on
    Skip,
    /// Everything stops
    Stop,
}

fn pair(s: &str) -> Result<(String, String), String> {
    match s.split_once('=') {
        Some((k, v)) if !k.is_empty() => Ok((k.to_owned(), v.to_owned())),
        _ => Err("options are written NAME=VALUE".into()),
    }
}

fn run_name(s: &str) -> Result<String, String> {
    let fits = |c: char| c.is_alphanumeric() || "._-+:@/".contains(c);
    if !s.is_empty() && s.len() <= 100 && s.chars().all(fits) {
        return Ok(s.to_owned());
    }
    Err("a run is named with letters, digits and . _ - + : @ /, a hundred at most".into())
}

fn hazard(s: &str) -> Result<String, String> {
    if HAZARDS.contains(&s) {
        return Ok(s.to_owned());
    }
    Err(format!("there is no danger of that name: a refusal prints the name to accept ({})", HAZARDS.join(", ")))
}

fn at_least_one(s: &str) -> Result<u64, String> {
    match s.parse() {
        Ok(0) => Err("0 would select nothing: give 1 or more, or leave the flag out for no limit".into()),
        Ok(n) => Ok(n),
        Err(_) => Err("a whole number of messages is expected, such as 100".into()),
    }
}

/// `10s`, `2m`, `1h30m`, `500ms`.
///
/// # Errors
/// The forms there are.
pub fn duration(s: &str) -> Result<Duration, String> {
    let bad = || "a duration is written 500ms, 10s, 2m or 1h30m".to_owned();
    if s.starts_with(['-', '+']) {
        return Err(bad());
    }
    let span: jiff::SignedDuration = s.parse().map_err(|_| bad())?;
    match Duration::try_from(span) {
        Ok(d) if !d.is_zero() => Ok(d),
        Ok(_) => Err("a duration of zero would never let anything happen: give 1ms or more".into()),
        Err(_) => Err(bad()),
    }
}
