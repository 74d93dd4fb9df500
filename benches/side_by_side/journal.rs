//! What the journal costs: the same replay with it and without, between two queues of RabbitMQ and between two archives.

use std::process::Command;
use std::time::Duration;

use super::broker::Broker;
use super::figures::Series;
use super::process::seconds;
use super::replay::moved;
use super::table::{Row, Table};
use super::{DLQ, Result, Setting, messages, say};

/// Of the speed without it, which is aimed at.
const TARGET: f64 = 0.9;

pub fn measure(setting: &Setting) -> Result<Table> {
    let broker = Broker::open()?;
    let many = setting.scaled(100_000);
    let mut table = Table::new(format!("Replay with the journal and without, {many} messages"));
    for what in ["classic", "quorum", "archive"] {
        let (mut with, mut without) = (Series::default(), Series::default());
        // The first round warms up and is not counted; who comes first changes from round to round.
        for round in 0..=setting.rounds {
            let mut took = [0.0; 2];
            for turn in [round % 2, 1 - round % 2] {
                let more = ["-q", "--no-journal"][turn];
                took[turn] = match what {
                    "archive" => archives(setting, many, more)?,
                    kind => moved(&broker, kind, many, &|from, to| queues(setting, &broker, from, to, more))?,
                };
                std::thread::sleep(Duration::from_millis(200));
            }
            say(&format!("{what}, round {round}: {:.2} s with it, {:.2} s without", took[0], took[1]));
            if round > 0 {
                with.push(took[0]);
                without.push(took[1]);
            }
        }
        let ratio = with.times_faster_than(&without);
        let met = ratio.median() >= TARGET;
        let rate = |s: &Series| s.map(|seconds| many as f64 / seconds / 1e3);
        let (unit, target) = ((1, "k/s"), Some((format!("{TARGET} × without"), met)));
        let row = format!("{what}: with the journal");
        table.row(Row { what: row, figures: Some(&rate(&with)), unit, ratio: Some(ratio), target });
        let row = format!("{what}: --no-journal");
        table.row(Row { what: row, figures: Some(&rate(&without)), unit, ..Row::default() });
    }
    table.note(
        "The state directory is on the disk of the build. Archives: no broker and no network to hide its cost behind.",
    );
    broker.close()?;
    Ok(table)
}

fn queues(setting: &Setting, broker: &Broker, from: &str, to: &str, more: &str) -> Result<f64> {
    let mut command = Command::new(DLQ);
    let [from, to] = [from, to].map(|queue| format!("{}/{queue}", broker.url));
    command.args(["replay", &from, "--to", &to, "--yes", "-X", &format!("management={}", broker.management)]);
    seconds(command.arg(more), &setting.path("out"))
}

fn archives(setting: &Setting, many: u64, more: &str) -> Result<f64> {
    let (from, to) = (setting.path("from.ndjson"), setting.path("to.ndjson"));
    messages::archive(many, &from, None)?;
    let (source, place) = (format!("file:{}", from.display()), format!("file:{}", to.display()));
    let mut command = Command::new(DLQ);
    let took = seconds(command.args(["replay", &source, "--to", &place, "--yes", more]), &setting.path("out"))?;
    let stored = std::fs::read(&to)?.iter().filter(|b| **b == b'\n').count() as u64;
    if stored != many {
        return Err(format!("{stored} of {many} messages arrived").into());
    }
    std::fs::remove_file(from)?;
    std::fs::remove_file(to)?;
    Ok(took)
}
