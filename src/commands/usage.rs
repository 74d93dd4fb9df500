//! What the parser of the command line says, and what the slip may have been.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, ValueEnum};

use crate::broker::address::hide;
use crate::cli::Cli;
use crate::exit::Exit;
use crate::output::Format;
use crate::ui::Ui;

/// Prints help, version or a usage error, and gives the exit code.
pub fn said(e: &clap::Error, ui: &Ui) -> Exit {
    let text = e.render();
    let coloured = |colour: bool| if colour { text.ansi().to_string() } else { text.to_string() };
    if !e.use_stderr() {
        let mut data = ui.data();
        let written = data.write(coloured(ui.terminal().colour).as_bytes()).and_then(|()| data.finish());
        return written.map_or_else(|e| Exit::of(e.kind()), |()| Exit::Done);
    }
    ui.usage(&hide(&coloured(ui.terminal().colour_err)), hint(e).as_deref());
    Exit::Usage
}

/// The format a command line of `check`, wrong as it is, asks for; `None` where it is of another verb.
pub fn of_check(args: impl IntoIterator<Item = std::ffi::OsString>) -> Option<Format> {
    let args: Vec<_> = args.into_iter().collect();
    let found = Cli::command().ignore_errors(true).try_get_matches_from(&args).ok()?;
    found.subcommand().filter(|(name, _)| *name == "check")?;
    // The parser gives up at the first slip, and what is asked for may stand behind it.
    let words: Vec<_> = args.iter().filter_map(|a| a.to_str()).collect();
    let behind = |at: usize| words.get(at + 1).copied();
    let asked = words.iter().enumerate().filter_map(|(at, word)| match word.strip_prefix("--output") {
        Some("") => behind(at),
        Some(rest) => rest.strip_prefix('='),
        None if *word == "-o" => behind(at),
        None => word.strip_prefix("-o").map(|rest| rest.strip_prefix('=').unwrap_or(rest)),
    });
    Some(asked.filter_map(|name| Format::from_str(name, false).ok()).next_back().unwrap_or_default())
}

/// What is wrong, without what the parser adds below it, and without secrets.
pub fn first_line(e: &clap::Error) -> String {
    let text = hide(&e.render().to_string());
    // A list of what is missing is below a colon.
    let mut lines = text.lines().take_while(|l| !l.trim().is_empty()).map(str::trim);
    let first = lines.next().unwrap_or_default();
    let first = first.strip_prefix("error: ").unwrap_or(first);
    std::iter::once(first).chain(lines).collect::<Vec<_>>().join(" ")
}

fn context(e: &clap::Error, kind: ContextKind) -> Option<&str> {
    match e.get(kind)? {
        ContextValue::String(s) => Some(s),
        _ => None,
    }
}

/// Habits of other tools.
fn hint(e: &clap::Error) -> Option<String> {
    let argument = context(e, ContextKind::InvalidArg).unwrap_or_default();
    let value = context(e, ContextKind::InvalidValue).unwrap_or_default();
    let text = match e.kind() {
        ErrorKind::InvalidValue if argument.starts_with("--output") => match value {
            "beginning" | "end" | "stored" => {
                "-o is the output format here; reading always begins at the oldest message"
            }
            _ => return None,
        },
        ErrorKind::UnknownArgument => match argument {
            "-b" | "-t" | "-C" | "-L" => "a queue is one address here: kafka://BROKER/TOPIC, amqp://HOST/QUEUE",
            "-c" => "to print compact JSON, add -o jsonl; to limit the number of messages, add -n N",
            "-r" => "to print strings without quotes, add -o raw",
            "--force" => {
                "to answer the plan's question with yes, add --yes; a named danger is accepted with --accept NAME"
            }
            _ if !argument.starts_with('-') => {
                "a jq expression that selects is given with --filter, another place to send to with --to or as the second argument"
            }
            _ => return None,
        },
        _ => return None,
    };
    Some(text.to_owned())
}
