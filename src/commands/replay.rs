//! `dlq replay Q [--to Q2]`.

use crate::cli;

/// Put messages back to work: send each where it came from, or to one place; remove it once that is confirmed.
///
/// What the broker and frameworks noted about the death is taken off, and one header, dlq-replay, is left. What fails stays
/// in the dead-letter queue and is named in the report.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The dead-letter queue
    #[arg(value_name = "QUEUE")]
    pub queue: String,
    /// Send everything to this queue instead of each message's own origin
    #[arg(long, value_name = "QUEUE")]
    pub to: Option<String>,
    /// Leave messages that have been replayed so often already
    #[arg(long, value_name = "N", default_value = "3")]
    pub max_replays: u32,
    /// Keep the headers in which frameworks noted the death
    #[arg(long)]
    pub keep_death_headers: bool,
    #[command(flatten)]
    pub select: cli::Select,
    #[command(flatten)]
    pub pace: cli::Pace,
    #[command(flatten)]
    pub safety: cli::Safety,
    #[command(flatten)]
    pub connection: cli::Connection,
    #[command(flatten)]
    pub to_connection: cli::ToConnection,
}
