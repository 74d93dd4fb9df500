//! `dlq copy Q Q2`.

use super::change::{self, Change, To, What};
use super::session::Session;
use crate::broker::Result;
use crate::cli;
use crate::exit::Exit;

/// Copy messages as they are: export, import, duplicate.
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
    pub(crate) change: cli::Changing,
    #[command(flatten)]
    pub(crate) to_connection: cli::ToConnection,
}

/// Sends and reports.
///
/// # Errors
/// Whatever ends it before anything was begun.
pub async fn run(args: &Args, session: &Session) -> Result<Exit> {
    verbatim(What::Copy, args, session).await
}

/// A copy, or a move, which differs by the removal alone.
pub(super) async fn verbatim(what: What, args: &Args, session: &Session) -> Result<Exit> {
    let change = Change {
        what,
        queue: &args.queue,
        to: To::Place(session.place(&args.to, &args.to_connection.to_option)?),
        args: &args.change,
        replay: None,
        plan: change::plan_of(&args.change)?,
        whole: false,
        server_side: false,
    };
    change::run(&change, session).await
}
