//! `dlq replay Q [--to Q2]`.

use super::change::{self, Change, Replaying, To, What};
use super::session::Session;
use crate::broker::{Address, Error, Kind, Result};
use crate::cli;
use crate::exit::Exit;
use crate::message::unwrap;

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
    /// Send what is inside such an envelope instead of the envelope; what is in none goes as it is
    #[arg(long, value_name = "ENVELOPE", value_parser = unwrap::ENVELOPES.iter().map(|e| e.name).collect::<Vec<_>>())]
    pub unwrap: Option<String>,
    /// Let the broker move everything as it is, where it can (the move task of SQS)
    #[arg(long)]
    pub server_side: bool,
    /// On Kafka: to the partition a record had, instead of by its key
    #[arg(long)]
    pub keep_partition: bool,
    /// On Kafka: with the time a record had, instead of now
    #[arg(long)]
    pub keep_timestamps: bool,
    #[command(flatten)]
    pub(crate) change: cli::Changing,
    #[command(flatten)]
    pub(crate) to_connection: cli::ToConnection,
}

/// Replays.
///
/// # Errors
/// Whatever ends it before anything was begun.
pub async fn run(args: &Args, session: &Session) -> Result<Exit> {
    let (mut changing, mut to_option) = (args.change.clone(), args.to_connection.to_option.clone());
    for (asked, name) in [(args.keep_partition, "keep-partition"), (args.keep_timestamps, "keep-timestamps")] {
        if asked {
            let options = if args.to.is_some() { &mut to_option } else { &mut changing.connection.option };
            options.push((name.to_owned(), "true".to_owned()));
        }
    }
    let to = match &args.to {
        Some(to) => To::Place(Address::parse(to, &to_option)?),
        None if args.to_connection.to_option.is_empty() => To::Origins,
        None => {
            return Err(Error::new(Kind::Usage, "--to-X is for the destination that --to names, and there is no --to"));
        }
    };
    let change = Change {
        what: What::Replay,
        queue: &args.queue,
        to,
        args: &changing,
        replay: Some(Replaying {
            keep_death_headers: args.keep_death_headers,
            max_replays: args.max_replays,
            unwrap: args.unwrap.as_deref().and_then(unwrap::named),
        }),
        whole: false,
        server_side: args.server_side,
    };
    change::run(&change, session).await
}
