//! What the parser of the command line says, and what the slip may have been.

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::broker::address::without_passwords;
use crate::exit::Exit;
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
    ui.usage(&without_passwords(&coloured(ui.terminal().colour_err)), hint(e).as_deref());
    Exit::Usage
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
            _ => return None,
        },
        _ => return None,
    };
    Some(text.to_owned())
}
