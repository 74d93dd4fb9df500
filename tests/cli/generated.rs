//! Files made from the definition of the command line are the ones that are committed.

use clap_complete::Shell;

/// Compares, or rewrites where `DLQ_REGENERATE` is set.
fn same(name: &str, made: &[u8]) {
    let path = format!("{}/completions/{name}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("DLQ_REGENERATE").is_some() {
        std::fs::write(&path, made).expect("write");
    }
    let committed = std::fs::read(&path).unwrap_or_default();
    assert!(
        committed == made,
        "completions/{name} differs from what the program prints; make it anew with DLQ_REGENERATE=1 cargo test --test cli"
    );
}

#[test]
fn completions() {
    for (shell, name) in [
        (Shell::Bash, "dlq.bash"),
        (Shell::Zsh, "_dlq"),
        (Shell::Fish, "dlq.fish"),
        (Shell::PowerShell, "_dlq.ps1"),
        (Shell::Elvish, "dlq.elv"),
    ] {
        same(name, &dlq::commands::completions::script(shell));
    }
}

#[test]
fn manual_page() {
    same("dlq.1", &dlq::commands::man::page().expect("a page"));
}

#[test]
fn what_the_command_prints_is_the_same() {
    let s = crate::sandbox::Sandbox::new();
    assert_eq!(s.run(&["completions", "zsh"]).stdout, dlq::commands::completions::script(Shell::Zsh));
    assert_eq!(s.run(&["man"]).stdout, dlq::commands::man::page().expect("a page"));
}

#[test]
fn the_help_of_a_verb_is_all_of_it() {
    use clap::CommandFactory;
    let s = crate::sandbox::Sandbox::new();
    for verb in dlq::cli::Cli::command().get_subcommands() {
        let long = verb.get_long_about().unwrap_or_else(|| panic!("{} has none", verb.get_name())).to_string();
        let (short, rest) = long.split_once("\n\n").unwrap_or_else(|| panic!("{}: {long}", verb.get_name()));
        let shown = s.run(&[verb.get_name(), "--help"]).stdout().split_whitespace().collect::<Vec<_>>().join(" ");
        for part in [short, rest] {
            let part = part.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(shown.contains(&part), "{}: {shown}", verb.get_name());
        }
    }
}
