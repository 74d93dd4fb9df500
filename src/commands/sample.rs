//! `dlq sample Q -n N`.

use crate::cli;

/// Take a uniform random sample in one pass.
///
/// Every selected message has the same chance. With --by, N messages of each group. Says how much of the queue was seen.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The queue
    #[arg(value_name = "QUEUE")]
    pub queue: String,
    /// Sample each group evenly; a group is what this jq expression gives
    #[arg(long, value_name = "JQ")]
    pub by: Option<String>,
    /// The same seed gives the same sample of the same queue
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    #[command(flatten)]
    pub select: cli::Select,
    #[command(flatten)]
    pub print: cli::Print,
    #[command(flatten)]
    pub accept: cli::Accept,
    #[command(flatten)]
    pub connection: cli::Connection,
}
