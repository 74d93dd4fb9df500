//! `dlq purge Q`.

use crate::cli;

/// Remove messages, after writing them to an archive.
///
/// Removes what the archive holds and no more. Without a selection it wants --all.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The queue
    #[arg(value_name = "QUEUE")]
    pub queue: String,
    /// Every message of the queue
    #[arg(long)]
    pub all: bool,
    /// Where to write the messages first; the default is a new file in this folder
    #[arg(long, value_name = "file:PATH", conflicts_with = "no_backup")]
    pub backup: Option<String>,
    /// Write no archive: what is removed is gone
    #[arg(long)]
    pub no_backup: bool,
    #[command(flatten)]
    pub select: cli::Select,
    #[command(flatten)]
    pub pace: cli::Pace,
    #[command(flatten)]
    pub safety: cli::Safety,
    #[command(flatten)]
    pub connection: cli::Connection,
}
