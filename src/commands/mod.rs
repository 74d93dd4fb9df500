//! One file a verb: its arguments, whose doc comments are its help, and one run function.

pub mod can_i;
pub mod change;
pub mod check;
pub mod completions;
pub mod config;
pub mod copy;
pub mod depth;
mod expiring;
pub mod filter;
mod glance;
pub mod history;
pub mod inspect;
pub mod list;
mod looking;
pub mod man;
mod probing;
pub mod purge;
pub mod relocate;
pub mod replay;
pub mod resume;
pub mod sample;
mod selecting;
mod session;
pub mod stats;
mod usage;
pub mod watch;

use clap::Parser;

use crate::broker::{Error, Kind, Result};
use crate::cli::{Cli, Verb};
use crate::exit::Exit;
use crate::ui::{Colour, Options, Terminal, Ui};
use session::Session;

/// Room for the deepest jq evaluation that is let through.
const STACK: usize = 16 << 20;

/// Runs the command line of this process.
pub fn main() -> Exit {
    let mut cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => {
            let ui = Ui::new(Options::default(), Terminal::detect(Colour::Auto));
            let exit = usage::said(&e, &ui);
            let check = if exit == Exit::Done { None } else { usage::of_check(std::env::args_os()) };
            return check.map_or(exit, |format| check::without_verdict(&usage::first_line(&e), format, &ui));
        }
    };
    if let Some(change) = cli.verb.changing_mut() {
        // A plan that is written down is for later.
        change.safety.dry_run |= change.plan.plan_out.is_some();
    }
    let options = Options {
        quiet: cli.output.quiet,
        verbose: cli.output.verbose,
        log: cli.output.log_format,
        yes: cli.verb.yes(),
    };
    let ui = Ui::new(options, Terminal::detect(cli.output.color));
    if options.verbose {
        crate::ui::libraries::show(&ui);
    }
    run(&cli, &ui).unwrap_or_else(|e| {
        ui.error(&e);
        // Whatever keeps a check from its verdict, the verdict is not known.
        match cli.verb {
            Verb::Check(_) => check::without_verdict(&e.to_string(), cli.output.output, &ui),
            _ => Exit::of(e.kind()),
        }
    })
}

fn run(cli: &Cli, ui: &Ui) -> Result<Exit> {
    if cli.output.output.is_verdict() && !matches!(cli.verb, Verb::Check(_)) {
        let text = "text, nagios, prometheus, junit and github are formats of dlq check";
        return Err(Error::new(Kind::Usage, text).hint("here -o is auto, table, json, jsonl, archive or raw"));
    }
    match &cli.verb {
        Verb::Completions(args) => return completions::run(args, ui),
        Verb::Man(args) => return man::run(args, ui),
        Verb::Config(config::Args { what: config::What::Names { clusters } }) => return config::names(*clusters, ui),
        _ => {}
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_stack_size(STACK)
        .build()
        .map_err(|e| Error::new(Kind::Other, "threads cannot be started").because(e))?;
    let session = Session::new(ui.clone(), &cli.output)?;
    let exit = runtime.block_on(verb(&cli.verb, &session));
    // An expression that ran into its time limit may still hold a thread; nothing waits for it.
    runtime.shutdown_background();
    exit
}

pub(crate) async fn verb(verb: &Verb, session: &Session) -> Result<Exit> {
    match verb {
        Verb::Inspect(args) => inspect::run(args, session).await,
        Verb::Filter(args) => filter::run(args, session).await,
        Verb::Sample(args) => sample::run(args, session).await,
        Verb::Stats(args) => stats::run(args, session).await,
        Verb::Replay(args) => replay::run(args, session).await,
        Verb::Copy(args) => copy::run(args, session).await,
        Verb::Move(args) => relocate::run(args, session).await,
        Verb::Purge(args) => purge::run(args, session).await,
        Verb::Resume(args) => resume::run(args, session).await,
        Verb::History(args) => history::run(args, session),
        Verb::Depth(args) => depth::run(args, session).await,
        Verb::Check(args) => check::run(args, session).await,
        Verb::CanI(args) => can_i::run(args, session).await,
        Verb::List(args) => list::run(args, session).await,
        Verb::Watch(args) => watch::run(args, session).await,
        Verb::Config(args) => config::run(args, session).await,
        Verb::Completions(args) => completions::run(args, &session.ui),
        Verb::Man(args) => man::run(args, &session.ui),
    }
}
