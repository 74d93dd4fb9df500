//! `dlq` beside its peers, in one run: `cargo bench`, or `cargo bench -- filter start` for some of it. See benches/README.md.

mod alone;
mod archive;
mod broker;
mod depth;
mod distance;
mod elasticmq;
mod figures;
mod filter;
mod frames;
mod journal;
mod kafka;
mod machine;
mod memory;
mod messages;
mod process;
mod replay;
mod shovel;
mod sqs;
mod start;
mod table;

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use table::Table;

/// Whatever went wrong, for people.
type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

/// The command that is measured, built with the optimisations of a release.
const DLQ: &str = env!("CARGO_BIN_EXE_dlq");

/// What measures a section.
type Measure = fn(&Setting) -> Result<Table>;

/// The sections: a name and a table each.
const SECTIONS: [(&str, Measure); 9] = [
    ("start", start::measure),
    ("depth", depth::measure),
    ("filter", filter::measure),
    ("memory", memory::measure),
    ("archive", archive::measure),
    ("replay", replay::measure),
    ("journal", journal::measure),
    ("kafka", kafka::measure),
    ("sqs", sqs::measure),
];

/// What the sections share.
struct Setting {
    /// Rounds of each comparison.
    rounds: usize,
    /// Messages moved, lines filtered and so on are these shares of what they normally are.
    share: f64,
    /// Where archives are written; removed at the end.
    folder: tempfile::TempDir,
}

impl Setting {
    fn scaled(&self, normally: u64) -> u64 {
        ((normally as f64 * self.share) as u64).max(100)
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    // `cargo test --all-targets` runs this too, without the flag that `cargo bench` adds.
    if !args.iter().any(|a| a == "--bench") {
        say("left out: these are measurements; cargo bench runs them");
        return ExitCode::SUCCESS;
    }
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            say(&format!("failed: {e}"));
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[String]) -> Result {
    let (mut wanted, mut rounds, mut share) = (Vec::new(), 5, 1.0);
    let mut args = args.iter().filter(|a| *a != "--bench");
    while let Some(arg) = args.next() {
        let mut number = || args.next().ok_or_else(|| format!("{arg} wants a number"));
        match arg.as_str() {
            "--rounds" => rounds = number()?.parse::<usize>()?.max(1),
            "--share" => share = number()?.parse()?,
            name => match SECTIONS.iter().find(|(n, _)| *n == name) {
                Some(section) => wanted.push(section),
                None => {
                    let names = SECTIONS.map(|(n, _)| n).join(", ");
                    return Err(format!("{name} is no section; there are {names}; --rounds N and --share 0.1").into());
                }
            },
        }
    }
    if wanted.is_empty() {
        wanted = SECTIONS.iter().collect();
    }
    let folder = tempfile::tempdir_in(Path::new(env!("CARGO_TARGET_TMPDIR")))?;
    let setting = Setting { rounds, share, folder };
    print(&format!("{}\n", machine::line()))?;
    for (name, measure) in wanted {
        say(&format!("measuring: {name}"));
        print(&format!("\n{}", measure(&setting)?))?;
    }
    Ok(())
}

/// To standard output, where the results go.
fn print(text: &str) -> Result {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

/// To standard error, where everything else goes.
fn say(text: &str) {
    // Nobody is left to be told when standard error is closed.
    let _ = writeln!(std::io::stderr(), "{text}");
}
