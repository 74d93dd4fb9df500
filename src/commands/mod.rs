//! One file a verb: its arguments, whose doc comments are its help, and one run function.

pub mod change;
pub mod completions;
pub mod copy;
pub mod depth;
pub mod filter;
pub mod inspect;
mod looking;
pub mod man;
pub mod purge;
pub mod relocate;
pub mod replay;
pub mod sample;
mod selecting;
mod session;
pub mod stats;
mod usage;

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
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => return usage::said(&e, &Ui::new(Options::default(), Terminal::detect(Colour::Auto))),
    };
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
        Exit::of(e.kind())
    })
}

fn run(cli: &Cli, ui: &Ui) -> Result<Exit> {
    match &cli.verb {
        Verb::Completions(args) => return completions::run(args, ui),
        Verb::Man(args) => return man::run(args, ui),
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

async fn verb(verb: &Verb, session: &Session) -> Result<Exit> {
    match verb {
        Verb::Inspect(args) => inspect::run(args, session).await,
        Verb::Filter(args) => filter::run(args, session).await,
        Verb::Sample(args) => sample::run(args, session).await,
        Verb::Stats(args) => stats::run(args, session).await,
        Verb::Replay(args) => replay::run(args, session).await,
        Verb::Copy(args) => copy::run(args, session).await,
        Verb::Move(args) => relocate::run(args, session).await,
        Verb::Purge(args) => purge::run(args, session).await,
        Verb::Depth(args) => depth::run(args, session).await,
        Verb::Completions(args) => completions::run(args, &session.ui),
        Verb::Man(args) => man::run(args, &session.ui),
    }
}
