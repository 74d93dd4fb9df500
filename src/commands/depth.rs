//! `dlq depth Q…`.

use crate::cli;

/// How many messages there are, how old, and how far that can be trusted.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The queues
    #[arg(value_name = "QUEUE", required = true)]
    pub queues: Vec<String>,
    #[command(flatten)]
    pub connection: cli::Connection,
}
