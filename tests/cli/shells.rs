//! The completion scripts in the shells they are for: names of the configuration are offered, and no broker is asked.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use crate::sandbox::Sandbox;
use crate::servers::skipped;

/// Two queues and a cluster of this port.
fn named(port: u16) -> Sandbox {
    let s = Sandbox::new();
    std::fs::create_dir_all(s.path("config/dlq")).expect("a folder");
    let text = format!(
        "[cluster.prod]\naddress = \"amqp://127.0.0.1:{port}\"\n\
         [queue.orders]\naddress = \"prod/orders.dlq\"\n\
         [queue.payments]\naddress = \"kafka://127.0.0.1:{port}/payments.DLT\"\n"
    );
    s.write("config/dlq/config.toml", &text);
    std::fs::create_dir(s.path("functions")).expect("a folder");
    std::fs::create_dir(s.path("archives")).expect("a folder");
    for (shell, name) in [("zsh", "functions/_dlq"), ("fish", "dlq.fish"), ("bash", "dlq.bash")] {
        s.write(name, s.run(&["completions", shell]).stdout());
    }
    s
}

/// `shell ARGS`, where `dlq` is the binary under test; `None`, in sight, where there is no such shell.
fn shell(s: &Sandbox, shell: &str, args: &[&str]) -> Option<Vec<String>> {
    let binary = Path::new(env!("CARGO_BIN_EXE_dlq")).parent().expect("a folder").display().to_string();
    let mut command = Command::new(shell);
    command.args(args).current_dir(s.path("archives")).stdin(std::process::Stdio::null()).env_clear();
    command.env("PATH", format!("{binary}:/usr/local/bin:/usr/bin:/bin")).env("LANG", "C.UTF-8").env("TERM", "xterm");
    command.env("HOME", s.state()).env("XDG_CONFIG_HOME", s.path("config"));
    let output = match command.output() {
        Ok(output) => output,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            skipped(&format!("{shell} is not installed"));
            return None;
        }
        Err(e) => panic!("{shell}: {e}"),
    };
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let mut lines: Vec<String> = text.lines().map(|l| l.split('\t').next().unwrap_or(l).to_owned()).collect();
    lines.sort();
    Some(lines)
}

/// What is to be offered behind each of these lines; files are offered beside it by some.
const LINES: [(&str, &[&str]); 9] = [
    ("dlq depth ord", &["orders"]),
    ("dlq depth p", &["payments", "prod/"]),
    ("dlq -q check --crit 5 ord", &["orders"]),
    ("dlq depth --age ord", &["orders"]),
    ("dlq replay --to pay", &["payments"]),
    ("dlq copy orders pay", &["payments"]),
    ("dlq can-i replay ord", &["orders"]),
    ("dlq list p", &["prod"]),
    ("dlq config show p", &["payments", "prod/"]),
];

fn offers(ask: impl Fn(&Sandbox, &str) -> Option<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("set");
    let s = named(listener.local_addr().expect("an address").port());
    for (line, wanted) in LINES {
        let Some(offered) = ask(&s, line) else { return };
        assert_eq!(offered, wanted, "{line}");
    }
    let offered = ask(&s, "dlq completions ").expect("the shell is there");
    assert!(!offered.contains(&"orders".to_owned()), "{offered:?}");
    let asked = listener.accept().map_err(|e| e.kind());
    assert!(matches!(asked, Err(std::io::ErrorKind::WouldBlock)), "a broker was asked: {asked:?}");
}

#[test]
fn zsh() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cli/shells/capture.zsh");
    let ask =
        |s: &Sandbox, line: &str| shell(s, "zsh", &["-f", script, &s.path("functions").display().to_string(), line]);
    offers(ask);
    // Behind the scheme, files.
    let s = named(1);
    s.write("archives/old.ndjson", "");
    if let Some(offered) = ask(&s, "dlq depth file:o") {
        assert_eq!(offered, ["old.ndjson"]);
    }
}

#[test]
fn fish() {
    let ask = |s: &Sandbox, line: &str| {
        let script = s.path("dlq.fish").display().to_string();
        shell(s, "fish", &["--no-config", "-c", "source $argv[1]; complete -C $argv[2]", &script, line])
    };
    offers(ask);
}

#[test]
fn bash() {
    const SCRIPT: &str = "source \"$1\"; words=($2); [[ $2 == *' ' ]] && words+=(''); COMP_WORDS=(\"${words[@]}\"); \
        COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _dlq_names dlq \"${COMP_WORDS[COMP_CWORD]}\" \"${COMP_WORDS[COMP_CWORD-1]}\"; \
        printf '%s\\n' \"${COMPREPLY[@]}\"";
    let ask = |s: &Sandbox, line: &str| {
        shell(s, "bash", &["-c", SCRIPT, "bash", &s.path("dlq.bash").display().to_string(), line])
    };
    offers(ask);
}
