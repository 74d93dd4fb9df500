//! From archive to archive: what the engine and the archive cost without a broker. Reported; there is no target.

use std::process::Command;

use super::figures::Series;
use super::process::seconds;
use super::table::{Row, Table};
use super::{DLQ, Result, Setting, messages};

pub fn measure(setting: &Setting) -> Result<Table> {
    let lines = setting.scaled(100_000);
    let mut table = Table::new(format!("From one archive to another, {lines} messages"));
    for verb in ["copy", "move", "replay"] {
        let mut rates = Series::default();
        for _ in 0..setting.rounds {
            let (from, to) = (setting.path("from.ndjson"), setting.path("to.ndjson"));
            messages::archive(lines, &from, None)?;
            let (source, place) = (format!("file:{}", from.display()), format!("file:{}", to.display()));
            let mut command = Command::new(DLQ);
            command.args([verb, &source]);
            if verb == "replay" {
                command.arg("--to");
            }
            command.args([place.as_str(), "--yes", "-q"]);
            let took = seconds(&mut command, &setting.path("out"))?;
            let stored = std::fs::read(&to)?.iter().filter(|b| **b == b'\n').count() as u64;
            if stored != lines {
                return Err(format!("dlq {verb}: {stored} of {lines} messages arrived").into());
            }
            rates.push(lines as f64 / took / 1e3);
            for path in [from, to] {
                std::fs::remove_file(path)?;
            }
        }
        table.row(Row { what: format!("dlq {verb}"), figures: Some(&rates), unit: (1, "k/s"), ..Row::default() });
    }
    Ok(table)
}
