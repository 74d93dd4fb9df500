//! `dlq filter` beside jq and jaq, over one archive and with one condition.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::figures::Series;
use super::process::{seconds, version};
use super::table::{Row, Table};
use super::{DLQ, Result, Setting, messages, say};

/// Times the speed of jq that is aimed at.
const TARGET: f64 = 5.0;

/// The same question to an archive line, and to a body alone.
const OF_LINE: &str = "select(.payload|fromjson|.total > 98)";
const OF_BODY: &str = "select(.total > 98)";

struct Contender {
    name: String,
    command: Command,
    out: PathBuf,
    /// It prints archive lines.
    lines: bool,
    took: Series,
}

pub fn measure(setting: &Setting) -> Result<Table> {
    let lines = setting.scaled(300_000);
    let [archive, bodies] = ["filter.ndjson", "bodies.ndjson"].map(|name| setting.path(name));
    let size = messages::archive(lines, &archive, Some(&bodies))?;
    let queue = format!("file:{}", archive.display());
    let mut contenders = vec![];
    let mut add = |name: &str, lines: bool, program: &str, args: &[&str]| {
        let mut command = Command::new(program);
        command.args(args);
        let out = setting.path(&format!("out-{}", contenders.len()));
        contenders.push(Contender { name: name.to_owned(), command, out, lines, took: Series::default() });
    };
    add("dlq filter -o archive", true, DLQ, &["filter", &queue, ".body.total > 98", "-q", "-o", "archive"]);
    add("dlq filter (views)", false, DLQ, &["filter", &queue, ".body.total > 98", "-q"]);
    for peer in ["jq", "jaq"] {
        if version(peer).is_some() {
            let (archive, bodies) = (archive.to_string_lossy(), bodies.to_string_lossy());
            add(&format!("{peer}, archive lines"), true, peer, &["-c", OF_LINE, &archive]);
            add(&format!("{peer}, bodies alone"), false, peer, &["-c", OF_BODY, &bodies]);
        }
    }
    for round in 0..setting.rounds {
        for c in &mut contenders {
            c.took.push(seconds(&mut c.command, &c.out)?);
        }
        say(&format!("filter, round {}", round + 1));
    }
    agree(&contenders)?;

    let mut table = Table::new(format!("Filter, archive of {lines} lines of {size} bytes, '.body.total > 98'"));
    for c in &contenders {
        table.row(Row { what: c.name.clone(), figures: Some(&c.took), unit: (2, "s"), ..Row::default() });
    }
    for c in contenders.iter().skip(2) {
        let ratio = contenders[0].took.times_faster_than(&c.took);
        let met = ratio.median() >= TARGET;
        let target = c.name.starts_with("jq, archive").then(|| (format!("{TARGET} × jq"), met));
        table.row(Row { what: format!("dlq filter beside {}", c.name), ratio: Some(ratio), target, ..Row::default() });
    }
    if contenders.len() == 2 {
        table.note("neither jq nor jaq is on the PATH: there is nothing to compare with");
    }
    table.note(format!("the same {} lines were selected by all", count(&contenders[0].out)?));
    Ok(table)
}

/// All have selected the same, by the ids in archive lines where those are printed, else as many.
fn agree(contenders: &[Contender]) -> Result {
    let first = ids(&contenders[0].out)?;
    if first.is_empty() {
        return Err("nothing was selected".into());
    }
    for c in contenders {
        let selected = count(&c.out)?;
        if selected != first.len() || c.lines && ids(&c.out)? != first {
            let (name, ours) = (&contenders[0].name, first.len());
            return Err(format!(
                "{} selected {selected} messages, {name} {ours}; or others, or in another order",
                c.name
            )
            .into());
        }
    }
    Ok(())
}

fn count(path: &Path) -> Result<usize> {
    Ok(std::fs::read(path)?.iter().filter(|b| **b == b'\n').count())
}

fn ids(path: &Path) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(path)?;
    let id = |line| Ok(serde_json::from_str::<serde_json::Value>(line)?["id"].as_str().unwrap_or_default().to_owned());
    text.lines().map(id).collect()
}
