//! `dlq move Q Q2`.

use super::change::What;
use super::copy;
use super::session::Session;
use crate::broker::Result;
use crate::exit::Exit;

/// Copy messages as they are, and remove each once its copy is confirmed.
///
/// Nothing is stripped, changed or marked.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct Args {
    #[command(flatten)]
    pub(crate) copy: copy::Args,
}

/// Sends, removes and reports.
///
/// # Errors
/// Whatever ends it before anything was begun.
pub async fn run(args: &Args, session: &Session) -> Result<Exit> {
    copy::verbatim(What::Move, &args.copy, session).await
}
