//! `dlq filter Q JQ`.

use crate::cli;

/// Stream all messages for which a jq expression is true, like grep.
///
/// The expression sees the message as one JSON object: .body, .headers, .death.reason, .time and so on. It selects the
/// message when its one output is neither false nor null.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The queue
    #[arg(value_name = "QUEUE")]
    pub queue: String,
    /// The jq expression (or give it with --filter or --filter-file)
    #[arg(value_name = "JQ", conflicts_with_all = ["filter", "filter_file"])]
    pub expression: Option<String>,
    /// Exit 5 when no message matches
    #[arg(short = 'e', long)]
    pub exit_status: bool,
    #[command(flatten)]
    pub select: cli::Select,
    #[command(flatten)]
    pub print: cli::Print,
    #[command(flatten)]
    pub accept: cli::Accept,
    #[command(flatten)]
    pub connection: cli::Connection,
}
