//! `dlq replay Q [--to Q2]`.

use super::change::{self, Change, Replaying, To, What};
use super::session::Session;
use crate::broker::{Error, Kind, Result};
use crate::cli;
use crate::exit::Exit;
use crate::message::unwrap;
use crate::replay::plan_file::{PlanFile, Treatment};

/// Put messages back to work: send each where it came from, or to one place; remove it once that is confirmed.
///
/// What the broker and frameworks noted about the death is taken off, and one header, dlq-replay, is left. What fails stays
/// in the dead-letter queue and is named in the report.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The dead-letter queue; with --plan it may be left out
    #[arg(value_name = "QUEUE", required_unless_present = "plan")]
    pub queue: Option<String>,
    /// Send everything to this queue instead of each message's own origin
    #[arg(long, value_name = "QUEUE")]
    pub to: Option<String>,
    /// Send everything to this topic of the same cluster instead of each message's own origin
    #[arg(long, value_name = "TOPIC", conflicts_with_all = ["to", "to_option"])]
    pub to_topic: Option<String>,
    /// Leave messages that have been replayed so often already [default: 3]
    #[arg(long, value_name = "N")]
    pub max_replays: Option<u32>,
    /// Keep the headers in which frameworks noted the death
    #[arg(long)]
    pub keep_death_headers: bool,
    /// Send what is inside such an envelope instead of the envelope; what is in none goes as it is
    #[arg(long, value_name = "ENVELOPE", value_parser = unwrap::ENVELOPES.iter().map(|e| e.name).collect::<Vec<_>>())]
    pub unwrap: Option<String>,
    /// Let the broker move everything as it is, where it can (the move task of SQS)
    #[arg(long)]
    pub server_side: bool,
    /// On Kafka: in the order of the original offsets, which retry topics scramble; all is read and sorted on disk first
    #[arg(long, value_name = "ORDER", value_parser = ["origin"])]
    pub order: Option<String>,
    /// On Kafka: to the partition a record had, instead of by its key
    #[arg(long)]
    pub keep_partition: bool,
    /// On Kafka: with the time a record had, instead of now
    #[arg(long)]
    pub keep_timestamps: bool,
    #[command(flatten)]
    pub(crate) alter: cli::Alter,
    #[command(flatten)]
    pub(crate) canary: cli::Canary,
    #[command(flatten)]
    pub(crate) change: cli::Changing,
    #[command(flatten)]
    pub(crate) to_connection: cli::ToConnection,
}

/// Replays so often, where nothing else is said.
const MAX_REPLAYS: u32 = 3;

/// Replays.
///
/// # Errors
/// Whatever ends it before anything was begun.
pub async fn run(args: &Args, session: &Session) -> Result<Exit> {
    let plan = args.change.plan.plan.as_deref().map(PlanFile::read).transpose()?;
    if plan.is_some() {
        told_by_the_plan(args)?;
    }
    let treatment = plan.as_ref().map_or_else(|| of_arguments(args), |p| p.treatment.clone());
    let to_topic = treatment.to_topic.clone();
    let queue = args.queue.clone().or_else(|| plan.as_ref().map(|p| p.source.clone())).unwrap_or_default();
    let named = session.config.queue_named(&queue);
    let of_plan = plan.as_ref().and_then(|p| p.destination.as_ref());
    let of_name = named.and_then(|q| q.to.as_ref()).map(|to| &to.value).filter(|_| plan.is_none());
    let to = args.to.as_ref().or(of_plan).or(of_name);
    let (mut changing, mut to_option) = (args.change.clone(), args.to_connection.to_option.clone());
    changing.select.arg.clone_from(&treatment.arg);
    changing.select.argjson.clone_from(&treatment.argjson);
    for (asked, name) in [(treatment.keep_partition, "keep-partition"), (treatment.keep_timestamps, "keep-timestamps")]
    {
        if asked {
            let options =
                if to.is_some() && to_topic.is_none() { &mut to_option } else { &mut changing.connection.option };
            options.push((name.to_owned(), "true".to_owned()));
        }
    }
    changing.connection.option.extend(treatment.order.iter().map(|order| ("order".to_owned(), order.clone())));
    if changing.pace.rate.is_none() {
        changing.pace.rate = named.and_then(|q| q.rate.as_ref()).map(|rate| rate.value.clone());
    }
    let to = match (to, to_topic) {
        (_, Some(topic)) if args.to.is_none() => {
            To::Place(session.address(&queue, &changing.connection)?.beside(&topic)?)
        }
        (Some(to), _) => To::Place(session.place(to, &to_option)?),
        (None, _) if args.to_connection.to_option.is_empty() => To::Origins,
        (None, _) => {
            return Err(Error::new(Kind::Usage, "--to-X is for the destination that --to names, and there is no --to"));
        }
    };
    let change = Change {
        what: What::Replay,
        queue: &queue,
        to,
        args: &changing,
        replay: Some(Replaying { treatment, edit: args.alter.edit, canary: args.canary.clone() }),
        plan,
        whole: false,
        server_side: args.server_side,
    };
    change::run(&change, session).await
}

/// What the arguments say is to be done to the messages.
fn of_arguments(args: &Args) -> Treatment {
    Treatment {
        max_replays: args.max_replays.unwrap_or(MAX_REPLAYS),
        keep_death_headers: args.keep_death_headers,
        unwrap: args.unwrap.clone(),
        keep_partition: args.keep_partition,
        keep_timestamps: args.keep_timestamps,
        order: args.order.clone(),
        to_topic: args.to_topic.clone(),
        map: args.alter.map.clone(),
        arg: args.change.select.arg.clone(),
        argjson: args.change.select.argjson.clone(),
        set_header: args.alter.set_header.clone(),
        drop_header: args.alter.drop_header.clone(),
    }
}

/// Refuses what the plan has settled.
fn told_by_the_plan(args: &Args) -> Result<()> {
    let (alter, select) = (&args.alter, &args.change.select);
    let given = [
        ("--to-topic", args.to_topic.is_some()),
        ("--max-replays", args.max_replays.is_some()),
        ("--keep-death-headers", args.keep_death_headers),
        ("--unwrap", args.unwrap.is_some()),
        ("--server-side", args.server_side),
        ("--keep-partition", args.keep_partition),
        ("--keep-timestamps", args.keep_timestamps),
        ("--order", args.order.is_some()),
        ("--map", alter.map.is_some()),
        ("--edit", alter.edit),
        ("--set-header", !alter.set_header.is_empty()),
        ("--drop-header", !alter.drop_header.is_empty()),
        ("--arg", !select.arg.is_empty() || !select.argjson.is_empty()),
    ];
    match given.iter().find(|(_, given)| *given) {
        None => Ok(()),
        Some((flag, _)) => {
            let text = format!("--plan and {flag} contradict each other: the plan says what is done");
            Err(Error::new(Kind::Usage, text).hint("make a plan with other arguments"))
        }
    }
}
