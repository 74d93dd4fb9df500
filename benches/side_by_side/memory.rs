//! Whether memory grows with the queue.

use std::process::Command;

use super::figures::Series;
use super::messages;
use super::process::peak;
use super::table::{Row, Table};
use super::{DLQ, Result, Setting};

/// A hundred times the lines, and less than this times the memory: the short archive ends before every batch is in use.
const FLAT: f64 = 2.0;
const MOST: f64 = 64.0;

const VERBS: [(&str, &[&str]); 3] = [
    ("filter Q '.body.total > 98'", &["filter", "QUEUE", ".body.total > 98", "-q"]),
    ("inspect Q -n 20 -f '.body.number == -1'", &["inspect", "QUEUE", "-n", "20", "-f", ".body.number == -1", "-q"]),
    ("sample Q -n 100", &["sample", "QUEUE", "-n", "100", "-q"]),
];

pub fn measure(setting: &Setting) -> Result<Table> {
    let lines = [10_000, setting.scaled(1_000_000)];
    let mut queues = vec![];
    for n in lines {
        let path = setting.path(&format!("memory-{n}"));
        messages::archive(n, &path, None)?;
        queues.push((format!("file:{}", path.display()), path));
    }
    let mut table = Table::new("Most memory resident at once");
    let out = setting.path("out");
    for (what, args) in VERBS {
        let mut peaks = [Series::default(), Series::default()];
        for _ in 0..setting.rounds.min(3) {
            for (series, (queue, _)) in peaks.iter_mut().zip(&queues) {
                let args: Vec<&str> = args.iter().map(|a| if *a == "QUEUE" { queue } else { *a }).collect();
                series.push(peak(Command::new(DLQ).args(args), &out)?);
            }
        }
        let [short, long] = peaks;
        let growth = short.map(f64::recip).times_faster_than(&long.map(f64::recip)).map(f64::recip);
        let met = long.max() < MOST && growth.median() < FLAT;
        let target = Some((format!("under {MOST} MiB and under {FLAT} ×"), met));
        let unit = (1, "MiB");
        let row =
            Row { what: format!("dlq {what}, {} lines", lines[0]), figures: Some(&short), unit, ..Row::default() };
        table.row(row);
        let what = format!("dlq {what}, {} lines", lines[1]);
        table.row(Row { what, figures: Some(&long), unit, ratio: Some(growth), target });
    }
    for (_, path) in queues {
        std::fs::remove_file(path)?;
    }
    Ok(table)
}
