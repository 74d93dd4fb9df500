//! `dlq resume [RUN]`.

use clap::{CommandFactory, Parser};

use super::change::What;
use super::session::Session;
use crate::broker::address::hide_argument;
use crate::broker::{Error, HAZARDS, Kind, Result};
use crate::cli::{self, Cli};
use crate::exit::Exit;
use crate::journal::{Journal, Locks, Record, Standing};
use crate::output::human;
use crate::state::StateDir;

/// Finish a run that was cut off.
///
/// It is done as it was begun: the same messages, to the same place. What is known to have arrived is removed without being
/// sent again where a message can be told from its equals; what may have arrived is sent again and named in the report.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The run, by its own name or that of --run; without it the one that was cut off
    #[arg(value_name = "RUN")]
    pub run: Option<String>,
    /// Give the run up instead: nothing is sent, and the queue can be worked on by others
    #[arg(long)]
    pub abandon: bool,
    /// Answer the plan's question with yes; nothing else
    #[arg(short, long, help_heading = "Safety")]
    pub yes: bool,
    #[command(flatten)]
    pub(crate) accept: cli::Accept,
    #[command(flatten)]
    pub(crate) pace: cli::Pace,
}

/// What may differ from one attempt to the next.
pub(super) struct Anew<'a> {
    pub(super) yes: bool,
    pub(super) accept: &'a [String],
    pub(super) pace: &'a cli::Pace,
}

/// Takes a run up again, or gives it up.
///
/// # Errors
/// No such run, more than one, or one that a guard stopped and that was not accepted.
pub async fn run(args: &Args, session: &Session) -> Result<Exit> {
    let state = StateDir::locate()?;
    let none = || {
        Error::new(Kind::NotFound, format!("no run is recorded in {}", state.path().display()))
            .hint("DLQ_STATE_DIR names another folder; dlq history lists the runs of one")
    };
    let journal = Journal::existing(&state)?.ok_or_else(none)?;
    let record = match &args.run {
        Some(name) => journal.find(name)?.ok_or_else(|| unknown(name))?,
        None => {
            let Some(one) = only_one(&journal)? else {
                session.ui.notice(&nothing(&journal)?);
                return Ok(Exit::Done);
            };
            journal.find(one.run.as_str())?.unwrap_or(one)
        }
    };
    if record.is_done() {
        session.ui.notice(&done(&record));
        return Ok(Exit::Done);
    }
    if args.abandon {
        return abandon(&state, &journal, &record, session);
    }
    drop(journal);
    take_up(&record, &Anew { yes: args.yes, accept: &args.accept.accept, pace: &args.pace }, session).await
}

fn unknown(name: &str) -> Error {
    Error::new(Kind::NotFound, format!("there is no run {name:?}")).hint("dlq history lists the runs there were")
}

/// What is said where no run was cut off: one that was stopped ended by itself, and goes on only by its name.
fn nothing(journal: &Journal) -> Result<String> {
    let text = "no run was cut off: there is nothing to finish";
    let last = journal.latest(1)?.pop();
    Ok(match last.as_ref().map(|r| (r, &r.standing)) {
        Some((Record { run, verb, source, .. }, Standing::Ended { outcome, .. }))
            if outcome != "done" && outcome != "abandoned" =>
        {
            format!(
                "{text}; the last one, {verb} from {source}, ended as {outcome}: to go on with it, dlq resume {run}"
            )
        }
        _ => text.to_owned(),
    })
}

/// The run that was cut off, where that is one.
fn only_one(journal: &Journal) -> Result<Option<Record>> {
    let mut open = journal.open_runs()?;
    match open.len() {
        0 | 1 => Ok(open.pop()),
        n => {
            let names: Vec<String> = open.iter().map(|r| format!("{} ({} from {})", r.run, r.verb, r.source)).collect();
            let text = format!("{} were cut off: {}", human::counted(n as u64, "run"), names.join(", "));
            Err(Error::new(Kind::Usage, text).hint("name the one to finish: dlq resume RUN"))
        }
    }
}

fn abandon(state: &StateDir, journal: &Journal, record: &Record, session: &Session) -> Result<Exit> {
    // One that is going on keeps what it needs to be taken up again.
    let _locks = (record.verb != What::Copy.verb())
        .then(|| Locks::take(state, &record.places, &record.source, &record.run))
        .transpose()?;
    let open = journal.open_sends(&record.run)?;
    journal.abandon(&record.run)?;
    if open > 0 {
        session.ui.warn(&format!(
            "run {} is given up: {} may have been sent already and will be sent again by whatever run comes next",
            record.run,
            human::counted(open, "message")
        ));
    } else {
        session.ui.notice(&format!("run {} is given up", record.run));
    }
    Ok(Exit::Done)
}

/// What is said of a run that has nothing left to do.
pub(super) fn done(record: &Record) -> String {
    let at = match &record.standing {
        Standing::Ended { at, .. } => format!(" since {at:.0}"),
        Standing::Open => String::new(),
    };
    format!("run {} is done{at}: {}", record.run, human::counted(record.moved(), "message"))
}

/// Does what the run was begun for, as the same run.
///
/// # Errors
/// Whatever ends it before anything was begun.
pub(super) async fn take_up(record: &Record, anew: &Anew<'_>, session: &Session) -> Result<Exit> {
    accepted(record, anew.accept)?;
    copies_again(record, anew.accept)?;
    let words = std::iter::once("dlq".to_owned()).chain(record.arguments.iter().cloned());
    let mut cli = Cli::try_parse_from(words).map_err(|_| {
        Error::new(Kind::Usage, format!("the command line of run {} is not understood any more", record.run))
            .hint("it was begun by another version of dlq; finish it with that, or give it up with --abandon")
    })?;
    std::env::set_current_dir(&record.folder).map_err(|e| {
        Error::new(Kind::Usage, format!("the folder {} that run {} was begun in is gone", record.folder, record.run))
            .because(e)
    })?;
    let Some(change) = cli.verb.changing_mut() else {
        return Err(Error::new(Kind::Usage, format!("a {} cannot be taken up again", record.verb)));
    };
    change.select = record.select.clone();
    change.select.limit = left_of(record.select.limit, record);
    if record.verb != What::Copy.verb() {
        change.select.scan_limit = left_of(record.select.scan_limit, record);
    }
    change.resumes = Some(record.run.clone());
    change.safety.yes = anew.yes;
    change.safety.accept.accept.extend_from_slice(anew.accept);
    let pace = &mut change.pace;
    *pace = cli::Pace {
        rate: anew.pace.rate.clone().or(pace.rate.take()),
        concurrency: anew.pace.concurrency.or(pace.concurrency),
        max_failures: anew.pace.max_failures.or(pace.max_failures),
        hold_while_backlog: anew.pace.hold_while_backlog.or(pace.hold_while_backlog),
        failed_to: anew.pace.failed_to.clone().or(pace.failed_to.take()),
        on_failure: anew.pace.on_failure.or(pace.on_failure),
    };
    if cli.verb.queue() == Some("-") {
        let text = format!("run {} read from standard input, which cannot be read again", record.run);
        return Err(Error::new(Kind::Unsupported, text).hint("begin anew, and give it up with dlq resume --abandon"));
    }
    let Record { run, verb, source, started, unfinished, .. } = record;
    let so_far = human::counted(record.moved(), "message");
    let mut text = format!("taking up run {run}: {verb} from {source}, begun {started:.0}, {so_far} so far");
    if *unfinished > 0 {
        let open = human::counted(*unfinished, "message");
        text.push_str(&format!(
            "; {open} may have been sent: what can be told apart is not sent again, the rest is named"
        ));
    }
    session.ui.notice(&text);
    Box::pin(super::verb(&cli.verb, session)).await
}

/// What is left of `--limit` or `--scan-limit`. Those that have arrived and were not removed are met once more, and not sent; what
/// was read and stayed is met once more as well, and is of the same so many.
fn left_of(limit: Option<u64>, record: &Record) -> Option<u64> {
    limit.map(|most| most.saturating_add(record.open_arrived).saturating_sub(record.moved()))
}

/// A run that was stopped by a guard stays stopped until its reason is accepted.
fn accepted(record: &Record, accept: &[String]) -> Result<()> {
    let Standing::Ended { at, outcome, stopped_by: Some(by) } = &record.standing else { return Ok(()) };
    let Some(hazard) = HAZARDS.iter().find(|h| *h == by).filter(|_| outcome == "guard") else { return Ok(()) };
    if accept.iter().any(|a| a == hazard) {
        return Ok(());
    }
    let text = format!("run {} was stopped at {at:.0} by {hazard} and stays stopped", record.run);
    let again = format!("dlq resume {} --accept {hazard}", record.run);
    Err(Error::new(Kind::Hazard(hazard), text).hint(format!("see dlq history {}; then go on with {again}", record.run)))
}

/// Of a copy no send is written down: nobody knows which messages have arrived.
fn copies_again(record: &Record, accept: &[String]) -> Result<()> {
    let ended = matches!(record.standing, Standing::Ended { .. });
    let none_arrived = ended && record.moved() + record.total("indeterminate") == 0;
    if record.verb != What::Copy.verb() || none_arrived || accept.iter().any(|a| a == "duplicates") {
        return Ok(());
    }
    let (run, to) = (&record.run, record.destination.as_deref().unwrap_or("its destination"));
    let text = format!(
        "run {run} is a copy, of which it is not written down what has arrived: everything would be copied once more, and \
         be in {to} twice"
    );
    Err(Error::new(Kind::Hazard("duplicates"), text).hint(format!(
        "copy anew to another place and give this one up: dlq resume {run} --abandon; to go on all the same, add --accept \
         duplicates"
    )))
}

/// Whether two command lines ask for the same, pace, output and answers aside; the flag that differs.
///
/// # Errors
/// `Usage`, with the flag.
pub(super) fn agree(record: &Record, now: &[String]) -> Result<()> {
    let (before, now) = (asked(&record.arguments), asked(now));
    let differs = before.iter().chain(&now).find(|(flag, values)| {
        !(before.contains(&((*flag).clone(), (*values).clone())) && now.contains(&((*flag).clone(), (*values).clone())))
    });
    let Some((flag, _)) = differs else { return Ok(()) };
    let name = record.name.as_deref().unwrap_or(record.run.as_str());
    let text = format!("run {name:?} was begun with other arguments: {flag} differs");
    Err(Error::new(Kind::Usage, text)
        .hint("only pace, output and answers may differ from call to call; another task wants another --run NAME"))
}

/// What may differ between calls, by its heading in the help.
const FREE: &[&str] = &["Pace", "Output", "Safety"];

/// The arguments given, by name.
fn asked(arguments: &[String]) -> Vec<(String, Vec<String>)> {
    let mut command = Cli::command();
    // Headings of global flags are known to the verbs only after this.
    command.build();
    let words = std::iter::once("dlq".to_owned()).chain(arguments.iter().cloned());
    let Ok(matches) = command.clone().try_get_matches_from(words) else { return vec![] };
    let Some((verb, matches)) = matches.subcommand() else { return vec![] };
    let Some(command) = command.find_subcommand(verb) else { return vec![] };
    let mut all = vec![("the verb".to_owned(), vec![command.get_name().to_owned()])];
    for arg in command.get_arguments() {
        let id = arg.get_id().as_str();
        let free = arg.get_help_heading().is_some_and(|h| FREE.contains(&h));
        if free || matches.value_source(id) != Some(clap::parser::ValueSource::CommandLine) {
            continue;
        }
        let name = arg.get_long().map_or_else(|| id.to_uppercase(), |long| format!("--{long}"));
        let values = matches.get_raw(id).into_iter().flatten();
        // Passwords may have been taken out of what is compared with.
        all.push((name, values.map(|v| hide_argument(&v.to_string_lossy())).collect()));
    }
    all.sort();
    all
}
