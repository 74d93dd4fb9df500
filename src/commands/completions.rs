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

/// Where a queue stands, names of the configuration are offered beside what the generated function offers. The network is
/// never asked.
const BASH: &str = r#"
_dlq_names() {
    local cur="${COMP_WORDS[COMP_CWORD]}" prev="${COMP_WORDS[COMP_CWORD-1]}" name
    _dlq "$@"
    case "$prev" in
        --to) COMPREPLY=() ;;
        -*) return 0 ;;
    esac
    if [[ $COMP_CWORD -lt 2 || "$cur" == -* ]]; then return 0; fi
    case "${COMP_WORDS[1]}" in QUEUE_VERBS) ;; *) return 0 ;; esac
    while IFS= read -r name; do
        if [[ "$name" == "$cur"* ]]; then COMPREPLY+=("$name"); fi
    done < <("${COMP_WORDS[0]}" config names 2>/dev/null)
    if [[ ${#COMPREPLY[@]} -eq 1 && "${COMPREPLY[0]}" == */ ]]; then compopt -o nospace 2>/dev/null; fi
    return 0
}
complete -F _dlq_names -o bashdefault -o default dlq
"#;

const ZSH: &str = r#"
(( $+functions[_dlq_names] )) ||
_dlq_names() {
    local -a names
    names=(${(f)"$(${words[1]} config names 2>/dev/null)"})
    compadd -S '' -- ${(M)names:#*/}
    compadd -- ${names:#*/}
    _files
}
"#;

const FISH: &str = r#"
complete -c dlq -n "__fish_seen_subcommand_from QUEUE_VERBS" -a "(dlq config names 2>/dev/null)"
complete -c dlq -n "__fish_seen_subcommand_from replay redrive" -l to -r -a "(dlq config names 2>/dev/null)"
"#;

/// The script, as it is also committed under `completions/`.
pub fn script(shell: Shell) -> Vec<u8> {
    let mut out = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "dlq", &mut out);
    let verbs = queue_verbs();
    let text = String::from_utf8_lossy(&out);
    match shell {
        Shell::Bash => format!("{text}{}", BASH.replace("QUEUE_VERBS", &verbs.join("|"))).into_bytes(),
        Shell::Fish => format!("{text}{}", FISH.replace("QUEUE_VERBS", &verbs.join(" "))).into_bytes(),
        Shell::Zsh => zsh(&text).into_bytes(),
        _ => out,
    }
}

/// The verbs that take a queue, aliases among them.
fn queue_verbs() -> Vec<String> {
    let cli = Cli::command();
    let takes = |c: &&clap::Command| c.get_positionals().any(is_queue);
    let verbs = cli.get_subcommands().filter(takes);
    verbs.flat_map(|c| std::iter::once(c.get_name()).chain(c.get_visible_aliases()).map(str::to_owned)).collect()
}

fn is_queue(argument: &clap::Arg) -> bool {
    argument.get_value_names().is_some_and(|names| names.iter().any(|n| n == "QUEUE" || n == "TO"))
}

/// The generator leaves files where it knows nothing better.
fn zsh(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + ZSH.len());
    for line in text.lines() {
        if line.starts_with("if [ \"$funcstack[1]\"") {
            out.push_str(ZSH.trim_start());
            out.push('\n');
        }
        let word = line.trim_start_matches(['\'', '*', ':']);
        let queue = line.starts_with('\'') && ["queue -- ", "queues -- ", "to -- "].iter().any(|w| word.starts_with(w));
        if queue || line.contains(":QUEUE:_default") {
            out.push_str(&line.replacen(":_default", ":_dlq_names", 1));
        } else {
            out.push_str(line);
        }
        out.push('\n');
    }
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
