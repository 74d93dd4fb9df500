//! `dlq inspect Q`.

use crate::cli;

/// Show messages without taking them.
///
/// Shows the first 20 unless -n or --id says otherwise, and says so. With one --id, all of that message.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The queue
    #[arg(value_name = "QUEUE")]
    pub queue: String,
    #[command(flatten)]
    pub select: cli::Select,
    #[command(flatten)]
    pub print: cli::Print,
    #[command(flatten)]
    pub accept: cli::Accept,
    #[command(flatten)]
    pub connection: cli::Connection,
}
