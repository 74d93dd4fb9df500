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
    local cur="${COMP_WORDS[COMP_CWORD]}" prev="${COMP_WORDS[COMP_CWORD-1]}" verb="" at name more=""
    _dlq "$@"
    for ((at = 1; at < COMP_CWORD; at++)); do
        case "${COMP_WORDS[at]}" in VERBS) verb="${COMP_WORDS[at]}"; break ;; esac
    done
    if [[ -z "$verb" || "$cur" == -* ]]; then return 0; fi
    case "$prev" in
        --to) COMPREPLY=() ;;
        VALUED | : | =) return 0 ;;
    esac
    case "$verb" in
        list) more=--clusters ;;
        can-i) if ((at + 1 == COMP_CWORD)); then return 0; fi ;;
        config)
            case " ${COMP_WORDS[*]:at+1:COMP_CWORD-at-1} " in *" show "* | *" check "*) ;; *) return 0 ;; esac ;;
    esac
    while IFS= read -r name; do
        if [[ "$name" == "$cur"* ]]; then COMPREPLY+=("$name"); fi
    done < <("${COMP_WORDS[0]}" config names $more 2>/dev/null)
    if [[ ${#COMPREPLY[@]} -eq 1 && "${COMPREPLY[0]}" == */ ]]; then compopt -o nospace 2>/dev/null; fi
    return 0
}
complete -F _dlq_names -o bashdefault -o default dlq
"#;

/// What is typed is kept, since `_arguments` puts the verb in its place.
const ZSH_COMMAND: &str = "    local dlq_command=\"${words[1]}\"\n";

const ZSH: &str = r#"
(( $+functions[_dlq_offered] )) ||
_dlq_offered() {
    local flag="$1" more="$2"
    local -a names
    shift 2
    if compset -P 'file:'; then
        _files "$@"
        return
    fi
    names=(${(f)"$(_call_program names "$dlq_command config names $flag" 2>/dev/null)"} $more)
    compadd "$@" -S '' -- ${(M)names:#*[/:]}
    compadd "$@" -- ${names:#*[/:]}
}

(( $+functions[_dlq_names] )) ||
_dlq_names() {
    _dlq_offered '' file: "$@"
}

(( $+functions[_dlq_named] )) ||
_dlq_named() {
    _dlq_offered '' '' "$@"
}

(( $+functions[_dlq_clusters] )) ||
_dlq_clusters() {
    _dlq_offered --clusters file: "$@"
}
"#;

const FISH: &str = r#"
complete -c dlq -n "__fish_seen_subcommand_from VERBS" -a "(dlq config names 2>/dev/null)"
complete -c dlq -n "__fish_seen_subcommand_from list" -a "(dlq config names --clusters 2>/dev/null)"
complete -c dlq -n "__fish_seen_subcommand_from config; and __fish_seen_subcommand_from show check" -a "(dlq config names 2>/dev/null)"
complete -c dlq -n "__fish_seen_subcommand_from replay redrive can-i" -l to -r -a "(dlq config names 2>/dev/null)"
"#;

/// The script, as it is also committed under `completions/`.
pub fn script(shell: Shell) -> Vec<u8> {
    let mut out = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "dlq", &mut out);
    let text = String::from_utf8_lossy(&out);
    match shell {
        Shell::Bash => {
            let verbs = [queue_verbs(), vec!["list".to_owned(), "config".to_owned()]].concat();
            let more = BASH.replace("VERBS", &verbs.join(" | ")).replace("VALUED", &valued().join(" | "));
            format!("{text}{more}").into_bytes()
        }
        Shell::Fish => format!("{text}{}", FISH.replace("VERBS", &queue_verbs().join(" "))).into_bytes(),
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

/// The flags of any verb behind which a value stands that is no queue.
fn valued() -> Vec<String> {
    let cli = Cli::command();
    let all = cli.get_subcommands().flat_map(clap::Command::get_arguments).chain(cli.get_arguments());
    let flags = all.filter(|a| a.get_action().takes_values() && !is_queue(a));
    let names = flags.flat_map(|a| {
        let (long, short) = (a.get_long().map(|l| format!("--{l}")), a.get_short().map(|s| format!("-{s}")));
        long.into_iter().chain(short)
    });
    names.collect::<std::collections::BTreeSet<_>>().into_iter().collect()
}

/// The generator leaves files where it knows nothing better.
fn zsh(text: &str) -> String {
    const OURS: [(&str, &str); 5] = [
        ("queue -- ", ":_dlq_names"),
        ("queues -- ", ":_dlq_names"),
        ("to -- ", ":_dlq_names"),
        ("names -- ", ":_dlq_named"),
        ("cluster -- ", ":_dlq_clusters"),
    ];
    let mut out = String::with_capacity(text.len() + ZSH.len());
    for line in text.lines() {
        if line.starts_with("if [ \"$funcstack[1]\"") {
            out.push_str(ZSH.trim_start());
            out.push('\n');
        }
        let word = line.trim_start_matches(['\'', '*', ':']);
        let ours = OURS.iter().find(|(begin, _)| line.starts_with('\'') && word.starts_with(begin)).map(|(_, by)| *by);
        match ours.or(line.contains(":QUEUE:_default").then_some(":_dlq_names")) {
            Some(by) => out.push_str(&line.replacen(":_default", by, 1)),
            None => out.push_str(line),
        }
        out.push('\n');
        if line == "_dlq() {" {
            out.push_str(ZSH_COMMAND);
        }
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
