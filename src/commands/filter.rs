//! `dlq filter Q JQ`.

use std::sync::Arc;

use super::looking::{Printing, ended, print_selected};
use super::selecting;
use super::session::{Opening, Session};
use crate::broker::address::without_passwords;
use crate::broker::{Error, Kind, Result, ScanRequest, registry};
use crate::cli;
use crate::exit::Exit;
use crate::output::human;

/// Stream all messages for which a jq expression is true, like grep.
///
/// The expression sees the message as one JSON object: .body, .headers, .death.reason, .time and so on. It selects the
/// message when its one output is neither false nor null.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The queue
    #[arg(value_name = "QUEUE")]
    pub queue: String,
    /// The jq expression (or give it with --filter or --filter-file)
    #[arg(value_name = "JQ", conflicts_with_all = ["filter", "filter_file"])]
    pub expression: Option<String>,
    /// Exit 5 when no message matches
    #[arg(short = 'e', long)]
    pub exit_status: bool,
    #[command(flatten)]
    pub(crate) select: cli::Select,
    #[command(flatten)]
    pub(crate) print: cli::Print,
    #[command(flatten)]
    pub(crate) accept: cli::Accept,
    #[command(flatten)]
    pub(crate) connection: cli::Connection,
}

/// Streams them.
///
/// # Errors
/// Whatever keeps the queue from being opened or standard output from being written.
pub async fn run(args: &Args, session: &Session) -> Result<Exit> {
    if let Some(expression) = args.expression.as_deref()
        && registry::of_address(expression).is_ok()
        && expression != "-"
    {
        let expression = without_passwords(expression);
        return Err(Error::new(Kind::Usage, format!("{expression} stands where the jq expression belongs"))
            .hint("the queue comes first, then the expression: dlq filter QUEUE JQ"));
    }
    let selection = selecting::selection(&args.select, args.expression.as_deref(), &args.queue, &session.ui)?;
    if selection.program.is_none() {
        return Err(Error::new(Kind::Usage, "filter needs a jq expression")
            .hint("for example: dlq filter QUEUE '.death.reason == \"rejected\"'; for all messages: true"));
    }
    let printing = Printing::new(session, &args.print, &args.select, false)?;
    let selection = Arc::new(selection);
    let opening =
        Opening { accept: &args.accept.accept, skip_bad_lines: args.select.skip_bad_lines, ..Opening::default() };
    let source = session.source(&args.queue, &args.connection, opening).await?;
    session.say_costs(&*source);
    let request = ScanRequest { takes: false, at_most: None, again: false };
    let (looked, unprinted) = print_selected(session, &*source, &selection, request, printing, None).await?;
    let exit = ended(session, &selection, &looked, &unprinted, args.select.strict);
    selecting::say_missing(&selection, looked.read, &session.ui);
    session.ui.detail(&format!("{} of {} selected", human::count(looked.selected), human::count(looked.read)));
    Ok(match exit {
        Exit::Done if args.exit_status && looked.selected == 0 => Exit::NoMatch,
        exit => exit,
    })
}
