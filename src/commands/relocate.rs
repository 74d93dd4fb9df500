//! `dlq move Q Q2`.

use crate::cli;

/// Copy messages as they are, and remove each once its copy is confirmed.
///
/// Nothing is stripped, changed or marked.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The queue to read
    #[arg(value_name = "QUEUE")]
    pub queue: String,
    /// The queue or archive to write
    #[arg(value_name = "TO")]
    pub to: String,
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
