//! `dlq replay` beside the shovel plugin, from one queue to another of the same server.

use std::process::Command;
use std::time::{Duration, Instant};

use super::broker::Broker;
use super::figures::Series;
use super::process::seconds;
use super::shovel::Shovels;
use super::table::{Row, Table};
use super::{DLQ, Result, Setting, frames, messages, say};

/// Times the shovel's speed that is aimed at.
const TARGET: f64 = 1.1;
/// What a filled queue still has to write is not to be paid by whoever comes next.
const SETTLE: Duration = Duration::from_millis(500);

type Mover<'a> = &'a dyn Fn(&str, &str) -> Result<f64>;

pub fn measure(setting: &Setting) -> Result<Table> {
    let broker = Broker::open()?;
    let shovels = Shovels::of(&broker);
    let many = setting.scaled(50_000);
    let size = (0..1000).map(|n| messages::body(n).len()).sum::<usize>() / 1000;
    let title = format!("Replay on RabbitMQ {}, {many} messages of {size} bytes", shovels.server()?);
    let mut table = Table::new(title);

    let dlq = |from: &str, to: &str| {
        let mut command = Command::new(DLQ);
        let [from, to] = [from, to].map(|queue| format!("{}/{queue}", broker.url));
        command.args(["replay", &from, "--to", &to, "--yes", "-q", "-X", &format!("management={}", broker.management)]);
        seconds(&mut command, &setting.path("out"))
    };
    let shovel = |from: &str, to: &str| shovels.run(from, to, many);
    let bare = |from: &str, to: &str| frames::copied(&broker, from, to, many);
    for kind in ["classic", "quorum"] {
        let (mut ours, mut theirs, mut least) = (Series::default(), Series::default(), Series::default());
        // The first round warms the server up and is not counted.
        for round in 0..=setting.rounds {
            let a = moved(&broker, kind, many, &dlq)?;
            let b = moved(&broker, kind, many, &shovel)?;
            let c = moved(&broker, kind, many, &bare)?;
            say(&format!("{kind}, round {round}: dlq {a:.2} s, shovel {b:.2} s, frames alone {c:.2} s"));
            if round > 0 {
                ours.push(a);
                theirs.push(b);
                least.push(c);
            }
        }
        let ratio = ours.times_faster_than(&theirs);
        let met = ratio.median() >= TARGET;
        let rate = |s: &Series| s.map(|seconds| many as f64 / seconds / 1e3);
        let unit = (1, "k/s");
        let target = Some((format!("{TARGET} × the shovel"), met));
        let what = format!("{kind}: dlq replay");
        table.row(Row { what, figures: Some(&rate(&ours)), unit, ratio: Some(ratio), target });
        let what = format!("{kind}: shovel");
        table.row(Row { what, figures: Some(&rate(&theirs)), unit, ..Row::default() });
        let (what, ratio) = (format!("{kind}: frames alone"), Some(least.times_faster_than(&theirs)));
        table.row(Row { what, figures: Some(&rate(&least)), unit, ratio, ..Row::default() });
    }
    table.note("dlq: the whole process, over TCP. Shovel: from the request to the last message, within the server.");
    table.note(
        "Frames alone: a client that copies frames and reads none of them, which is the most that TCP has room for.",
    );
    broker.close()?;
    Ok(table)
}

/// One move between new queues, which must then hold all and nothing.
pub fn moved(broker: &Broker, kind: &str, many: u64, mover: Mover<'_>) -> Result<f64> {
    let stamp = std::time::UNIX_EPOCH.elapsed()?.as_nanos();
    let [from, to] = ["from", "to"].map(|end| format!("bench.{kind}.{end}.{stamp:x}"));
    let result = (|| {
        broker.declare(&from, kind)?;
        broker.declare(&to, kind)?;
        broker.fill(&from, many)?;
        std::thread::sleep(SETTLE);
        mover(&from, &to)
    })();
    // Counts are right once the connections of the mover are gone.
    let patience = Instant::now() + Duration::from_secs(2);
    while result.is_ok() && (broker.count(&from)?, broker.count(&to)?) != (0, many) && Instant::now() < patience {
        std::thread::sleep(Duration::from_millis(20));
    }
    let (left, arrived) = (broker.delete(&from)?, broker.delete(&to)?);
    let took = result?;
    if (left, arrived) != (0, many) {
        return Err(format!("{kind}: of {many} messages {arrived} arrived and {left} stayed").into());
    }
    Ok(took)
}
