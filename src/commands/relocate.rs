//! `dlq move Q Q2`.

use super::change::{self, Change, To, What};
use super::session::Session;
use crate::broker::{Address, Result};
use crate::cli;
use crate::exit::Exit;

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
    pub(crate) select: cli::Select,
    #[command(flatten)]
    pub(crate) pace: cli::Pace,
    #[command(flatten)]
    pub(crate) safety: cli::Safety,
    #[command(flatten)]
    pub(crate) connection: cli::Connection,
    #[command(flatten)]
    pub(crate) to_connection: cli::ToConnection,
}

/// Sends and reports.
///
/// # Errors
/// Whatever ends it before anything was begun.
pub async fn run(args: &Args, session: &Session) -> Result<Exit> {
    let change = Change {
        what: What::Move,
        queue: &args.queue,
        to: To::Place(Address::parse(&args.to, &args.to_connection.to_option)?),
        select: &args.select,
        pace: &args.pace,
        safety: &args.safety,
        connection: &args.connection,
        replay: None,
        whole: false,
    };
    change::run(&change, session).await
}
