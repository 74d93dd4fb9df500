//! `dlq completions SHELL`.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::broker::Result;
use crate::cli::Cli;
use crate::exit::Exit;
use crate::ui::Ui;

/// Print the completion script of a shell.
///
/// For bash: dlq completions bash > /etc/bash_completion.d/dlq
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which shell
    pub shell: Shell,
}

/// The script, as it is also committed under `completions/`.
pub fn script(shell: Shell) -> Vec<u8> {
    let mut out = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "dlq", &mut out);
    out
}

/// Prints it.
///
/// # Errors
/// Standard output cannot be written.
pub fn run(args: &Args, ui: &Ui) -> Result<Exit> {
    let mut data = ui.data();
    data.write(&script(args.shell))?;
    data.finish()?;
    Ok(Exit::Done)
}
