//! How long it takes to start and end.

use std::process::Command;

use super::figures::Series;
use super::process::{seconds, version};
use super::table::{Row, Table};
use super::{DLQ, Result, Setting};

const TIMES: usize = 50;

pub fn measure(setting: &Setting) -> Result<Table> {
    let out = setting.path("version");
    let (mut ours, mut theirs) = (Series::default(), Series::default());
    let jq = version("jq").is_some();
    for _ in 0..TIMES {
        ours.push(1e3 * seconds(Command::new(DLQ).arg("--version"), &out)?);
        if jq {
            theirs.push(1e3 * seconds(Command::new("jq").arg("--version"), &out)?);
        }
    }
    let mut table = Table::new(format!("Start-up, {TIMES} times"));
    let met = ours.median() < 10.0;
    table.row(Row {
        what: "dlq --version".into(),
        figures: Some(&ours),
        unit: (1, "ms"),
        target: Some(("under 10 ms".into(), met)),
        ..Row::default()
    });
    if jq {
        table.row(Row { what: "jq --version".into(), figures: Some(&theirs), unit: (1, "ms"), ..Row::default() });
    }
    Ok(table)
}
