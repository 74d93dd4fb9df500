//! `dlq can-i VERB Q`.

use clap::ValueEnum;
use jiff::Timestamp;
use serde_json::json;

use super::session::{Opening, Session};
use super::{expiring, purge};
use crate::broker::capability::{Lease, Removal};
use crate::broker::{Ability, Address, Answer, Depth, Error, Finding, Kind, Load, Result, Source};
use crate::cli;
use crate::exit::Exit;
use crate::output::{Format, human, json as formatted};
use crate::ui::table::{self, Column};

const SENDING: &str = "sending";
const WHERE: &str = "where to";
/// Origins that are looked at.
const NAMED: usize = 8;

/// Whether a verb could be used on a queue, as far as that is known without reading a message.
///
/// Tells what is for it, what is against it, and what nobody says short of trying. Exits 0 where nothing is against it and
/// everything is known, 1 where something is or messages would come to harm, 3 where something is not known.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The verb
    #[arg(value_name = "VERB")]
    pub verb: Wanted,
    /// The queue
    #[arg(value_name = "QUEUE")]
    pub queue: String,
    /// Where messages would go, for replay, copy and move
    #[arg(long, value_name = "QUEUE")]
    pub to: Option<String>,
    #[command(flatten)]
    pub(crate) accept: cli::Accept,
    #[command(flatten)]
    pub(crate) connection: cli::Connection,
    #[command(flatten)]
    pub(crate) to_connection: cli::ToConnection,
}

/// A verb that may be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs, reason = "they are the verbs")]
pub enum Wanted {
    Inspect,
    Filter,
    Sample,
    Stats,
    #[value(alias = "redrive")]
    Replay,
    Copy,
    Move,
    Purge,
    Depth,
    Check,
    Watch,
}

impl Wanted {
    fn ability(self) -> Ability {
        match self {
            Wanted::Depth | Wanted::Check | Wanted::Watch => Ability::Count,
            Wanted::Replay | Wanted::Move | Wanted::Purge => Ability::Remove,
            _ => Ability::Look,
        }
    }
}

/// Asks and prints.
///
/// # Errors
/// A wrong address; standard output cannot be written. A queue that cannot be opened is a finding.
pub async fn run(args: &Args, session: &Session) -> Result<Exit> {
    let address = session.address(&args.queue, &args.connection)?;
    // As a replay takes it.
    let named = session.config.queue_named(&args.queue).and_then(|q| q.to.as_ref()).map(|to| &to.value);
    let place = match args.to.as_ref().or(named.filter(|_| args.verb == Wanted::Replay)) {
        Some(to) => Some(session.place(to, &args.to_connection.to_option)?),
        None if args.verb == Wanted::Purge => Some(purge::backup(&address)?),
        None => None,
    };
    let ability = args.verb.ability();
    let context = session.context(Opening { accept: &args.accept.accept, ..Opening::default() });
    let (mut found, load) = match session.open(&address, &context).await {
        Ok(source) => of(&*source, ability, args.verb == Wanted::Replay && place.is_none(), session).await,
        Err(e) if matches!(e.kind(), Kind::Usage | Kind::Stopped { .. }) => return Err(e),
        Err(e) => (vec![Finding::no("reaching it", with_hint(&e))], Load::at_most(None)),
    };
    match &place {
        Some(to) => found.extend(destination(to, session, load).await),
        None if matches!(args.verb, Wanted::Copy | Wanted::Move) => {
            found.push(Finding::unknown(WHERE, "no destination is named: --to QUEUE looks at it too"));
        }
        None => {}
    }
    print(&found, session)?;
    Ok(match found.iter().map(|f| f.answer).collect::<Vec<_>>() {
        all if all.contains(&Answer::No) || all.contains(&Answer::Harm) => Exit::Failed,
        all if all.contains(&Answer::Unknown) => Exit::Partly,
        _ => Exit::Done,
    })
}

/// `to_origins`: each message goes where it came from.
async fn of(source: &dyn Source, ability: Ability, to_origins: bool, session: &Session) -> (Vec<Finding>, Load) {
    let who = source.principal().map_or_else(String::new, |who| format!(", as {who}"));
    let capabilities = source.capabilities();
    let mut found = vec![Finding::yes("reaching it", format!("it answers{who}; kind: {}", capabilities.kind))];
    let depth = source.depth().await;
    found.push(match &depth {
        Ok(depth) => counted(depth),
        Err(e) => Finding::no("counting", with_hint(e)),
    });
    if ability == Ability::Remove {
        found.push(removal(source));
        if let Some(name) = session.config.protection(source.address()) {
            found.push(Finding::yes("protection", format!("it is protected: --confirm {name} is wanted")));
        }
    }
    if ability != Ability::Count {
        let costs = capabilities.notices();
        found.push(match (capabilities.look_hazard(), costs.is_empty()) {
            (None, _) | (_, true) => Finding::yes("what a look costs", "nothing"),
            _ => Finding::yes("what a look costs", costs.join("; ")),
        });
        if let Lease::Session { longest: Some(longest) } = capabilities.lease {
            let longest = human::duration(longest);
            found.push(Finding::yes("how long it may be held", format!("a consumer may hold a message for {longest}")));
        }
    }
    // Some know it only once they were asked.
    let can = source.can(ability).await;
    let depth = depth.ok();
    if let Some(kept) = source.retention() {
        found.push(expiring::without_a_look(kept, depth.as_ref().and_then(|d| d.oldest), Timestamp::now()));
    }
    found.extend(can);
    let load = Load::at_most(depth.as_ref().and_then(Depth::waiting));
    if to_origins {
        found.extend(origins(source, load).await);
    }
    (found, load)
}

fn counted(depth: &Depth) -> Finding {
    match depth.waiting() {
        Some(n) => Finding::yes("counting", human::counted(n, "message")),
        None => Finding::unknown("counting", "the broker does not say how many there are"),
    }
}

fn removal(source: &dyn Source) -> Finding {
    match source.capabilities().removal {
        Removal::None => {
            Finding::no("removing", format!("a message of a {} cannot be removed", source.capabilities().kind))
        }
        Removal::MarkAndTrim => Finding::yes("removing", "messages are marked, and deleted where all before them are"),
        Removal::Each | Removal::Logged => Finding::yes("removing", "messages are removed one by one"),
    }
}

/// Where messages go that name no place themselves, and what is for and against sending there.
async fn origins(source: &dyn Source, load: Load) -> Vec<Finding> {
    let origins = match source.origins().await {
        Ok(origins) if origins.is_empty() => {
            let text = "the topology names no origin: each message must name its own, or --to one place";
            return vec![Finding::unknown(WHERE, text)];
        }
        Ok(origins) => origins,
        Err(e) => return vec![Finding::unknown(WHERE, e.to_string())],
    };
    let count = human::counted(origins.len() as u64, "origin");
    let mut found = vec![Finding::yes(WHERE, format!("the topology names {count}"))];
    match source.home().await {
        Ok(sink) => {
            for origin in origins.iter().take(NAMED) {
                match sink.check(Some(origin)).await {
                    Ok(()) => found.extend(sink.can(Some(origin), load).await),
                    Err(e) => found.push(Finding::no(SENDING, with_hint(&e))),
                }
            }
            // What it cannot let go of is no finding about sending.
            _ = sink.leave().await;
        }
        Err(e) => found.push(Finding::no(SENDING, with_hint(&e))),
    }
    found
}

async fn destination(to: &Address, session: &Session, load: Load) -> Vec<Finding> {
    if let Some(can) = to.backend.can_create {
        let mut found = vec![Finding::yes(SENDING, format!("{to} is an archive, which is made when it is written to"))];
        found.extend(can(to, load).await);
        return found;
    }
    let trying = async {
        let sink = session.sink(to).await?;
        let checked = sink.check(None).await;
        let most = sink.capabilities().max_message;
        let found = if checked.is_ok() { sink.can(None, load).await } else { vec![] };
        sink.leave().await?;
        checked.map(|()| (most, found))
    };
    match trying.await {
        Ok((most, found)) => {
            let there = match most {
                Some(most) => format!("{to} takes messages of up to {}", human::bytes(most)),
                None => format!("{to} is there"),
            };
            std::iter::once(Finding::yes(SENDING, there)).chain(found).collect()
        }
        Err(e) => vec![Finding::no(SENDING, with_hint(&e))],
    }
}

fn with_hint(e: &Error) -> String {
    e.get_hint().map_or_else(|| e.to_string(), |hint| format!("{e} ({hint})"))
}

fn print(found: &[Finding], session: &Session) -> Result<()> {
    let look = session.ui.look();
    let mut out = vec![];
    match session.format.resolve(look.tty, true) {
        Format::Json => {
            formatted::pretty(json!(found).to_string().as_bytes(), &look, &mut out);
            out.push(b'\n');
        }
        Format::Jsonl => {
            for finding in found {
                formatted::compact(json!(finding).to_string().as_bytes(), &look, &mut out);
                out.push(b'\n');
            }
        }
        _ => {
            let columns = [
                Column::text("ABOUT", 12, 32, 9),
                Column::text("ANSWER", 6, 8, 8),
                Column::text("BECAUSE", 16, 160, 4),
            ];
            let word = |answer| match answer {
                Answer::Yes => "yes",
                Answer::No => "no",
                Answer::Harm => "harm",
                Answer::Unknown => "unknown",
            };
            let cells: Vec<_> =
                found.iter().map(|f| vec![f.about.to_owned(), word(f.answer).to_owned(), f.because.clone()]).collect();
            let (text, notes) = table::render(&columns, &cells, &look);
            out.extend_from_slice(text.as_bytes());
            notes.iter().for_each(|n| session.ui.notice(n));
        }
    }
    let mut data = session.ui.data();
    data.write(&out)?;
    data.finish()
}
