//! `dlq replay` beside sqsmover and a boto3 script, from one queue to another of one ElasticMQ: near, and 20 ms away.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::distance;
use super::elasticmq::{ENVIRONMENT, ElasticMq};
use super::figures::Series;
use super::process::{peak, seconds};
use super::table::{Row, Table};
use super::{DLQ, Result, Setting, messages, say};

/// Messages of a replay.
const MANY: u64 = 20_000;
/// One way.
const LATE: Duration = Duration::from_millis(20);
/// Times sqsmover's speed that is aimed at: near, and away.
const TARGETS: [f64; 2] = [4.0, 30.0];
/// Most memory of a replay, in MiB.
const MOST: f64 = 48.0;
/// Workers of the boto3 script.
const WORKERS: [&str; 2] = ["1", "16"];

/// One of those that move messages.
struct Contender {
    name: String,
    /// Of the messages, such a part is given to it when the server is away: it would take minutes otherwise.
    away: f64,
    command: fn(&Ends<'_>, &str) -> Command,
    argument: &'static str,
}

/// Where the server is, and the queues.
struct Ends<'a> {
    endpoint: &'a str,
    from: &'a str,
    to: &'a str,
}

impl Ends<'_> {
    /// The URL of a queue through the endpoint.
    fn url(&self, queue: &str) -> String {
        format!("{}/000000000000/{queue}", self.endpoint)
    }
}

fn dlq(ends: &Ends<'_>, _: &str) -> Command {
    let mut command = Command::new(DLQ);
    command.args(["replay", &ends.url(ends.from), "--to", &ends.url(ends.to), "--yes", "-q"]);
    command
}

fn sqsmover(ends: &Ends<'_>, _: &str) -> Command {
    let mut command = Command::new("sqsmover");
    command.args(["-s", ends.from, "-d", ends.to, "-e", ends.endpoint, "-r", "us-east-1"]);
    command
}

fn boto3(ends: &Ends<'_>, workers: &str) -> Command {
    let mut command = Command::new("python3");
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers/move.py"));
    command.args([ends.endpoint, &ends.url(ends.from), &ends.url(ends.to), workers]);
    command
}

fn contenders(table: &mut Table) -> Vec<Contender> {
    let runs = |program: &str, args: &[&str]| {
        let ran = Command::new(program).args(args).stdin(Stdio::null()).output();
        ran.is_ok_and(|o| o.status.success())
    };
    let mut all = vec![Contender { name: "dlq replay".into(), away: 1.0, command: dlq, argument: "" }];
    if runs("sqsmover", &["--help"]) {
        all.push(Contender { name: "sqsmover".into(), away: 0.05, command: sqsmover, argument: "" });
    } else {
        table.note("sqsmover is not on the PATH (go install github.com/mercury2269/sqsmover): not compared");
    }
    if runs("python3", &["-c", "import boto3"]) {
        for (workers, away) in WORKERS.into_iter().zip([0.05, 0.25]) {
            let name = format!("boto3, {workers} at a time");
            all.push(Contender { name, away, command: boto3, argument: workers });
        }
    } else {
        table.note("python3 cannot import boto3: benches/peers/move.py is not compared");
    }
    all
}

pub fn measure(setting: &Setting) -> Result<Table> {
    let server = ElasticMq::open()?;
    let many = setting.scaled(MANY);
    let size = (0..1000).map(|n| messages::short_body(n).len()).sum::<usize>() / 1000;
    let mut table = Table::new(format!("Replay on ElasticMQ, {many} messages of {size} bytes with an attribute"));
    let contenders = contenders(&mut table);
    let host = server.url.split_once("://").map_or(server.url.as_str(), |(_, host)| host).to_owned();
    let away = format!("http://{}", distance::proxy(&server.runtime, host, LATE)?);
    for (where_, endpoint, target) in [("near", &server.url, TARGETS[0]), ("20 ms away", &away, TARGETS[1])] {
        let is_away = where_ != "near";
        let mut rates: Vec<Series> = contenders.iter().map(|_| Series::default()).collect();
        // Away it is the waiting that is measured, and that is the same in every round.
        let rounds = if is_away { setting.rounds.min(2) } else { setting.rounds };
        for round in 0..=rounds {
            for (contender, series) in contenders.iter().zip(&mut rates) {
                let share = if is_away { contender.away } else { 1.0 } / if round == 0 { 10.0 } else { 1.0 };
                let n = ((many as f64 * share) as u64).max(100);
                let took = moved(&server, setting, contender, endpoint, n)?;
                say(&format!("{where_}, round {round}: {} {n} in {took:.2} s", contender.name));
                // The first, short round warms the server up and is not counted.
                if round > 0 {
                    series.push(n as f64 / took / 1e3);
                }
            }
        }
        for (at, (contender, rate)) in contenders.iter().zip(&rates).enumerate() {
            let mut row = Row {
                what: format!("{where_}: {}", contender.name),
                figures: Some(rate),
                unit: (2, "k/s"),
                ..Row::default()
            };
            if at == 0 && contenders.len() > 1 && contenders[1].name == "sqsmover" {
                let ratio = rate.map(f64::recip).times_faster_than(&rates[1].map(f64::recip));
                let met = ratio.median() >= target;
                row.target = Some((format!("{target} × sqsmover"), met));
                row.ratio = Some(ratio);
            }
            table.row(row);
        }
    }
    memory(&server, setting, &mut table, many)?;
    table.note("Each is the whole process. Away, sqsmover and one boto3 worker are given a twentieth of the messages, sixteen a quarter.");
    table.note("Amazon's own move task is capped at 500 messages/s.");
    Ok(table)
}

/// Whether memory grows with the queue.
fn memory(server: &ElasticMq, setting: &Setting, table: &mut Table, many: u64) -> Result {
    let [few, all] = [many / 10, many].map(|n| -> Result<Series> {
        let mut peaks = Series::default();
        for _ in 0..setting.rounds.min(3) {
            let ends = queues(server, n)?;
            let at = Ends { endpoint: &server.url, from: &ends.0, to: &ends.1 };
            peaks.push(peak(environment(&mut dlq(&at, "")), &setting.path("out"))?);
            emptied(server, &ends, n)?;
        }
        Ok(peaks)
    });
    let (few, all) = (few?, all?);
    let unit = (1, "MiB");
    table.row(Row { what: format!("memory: {} messages", many / 10), figures: Some(&few), unit, ..Row::default() });
    let ratio = few.map(f64::recip).times_faster_than(&all.map(f64::recip)).map(f64::recip);
    let met = all.max() < MOST;
    let target = Some((format!("under {MOST} MiB"), met));
    table.row(Row { what: format!("memory: {many} messages"), figures: Some(&all), unit, ratio: Some(ratio), target });
    Ok(())
}

fn environment(command: &mut Command) -> &mut Command {
    command.envs(ENVIRONMENT)
}

/// New queues, the first of them filled; their names.
fn queues(server: &ElasticMq, n: u64) -> Result<(String, String)> {
    let stamp = std::time::UNIX_EPOCH.elapsed()?.as_nanos();
    let [from, to] = ["from", "to"].map(|end| format!("bench-{end}-{stamp:x}"));
    server.queue(&to, 0)?;
    server.queue(&from, n)?;
    Ok((from, to))
}

/// All must be in the second queue, and nothing in the first.
fn emptied(server: &ElasticMq, (from, to): &(String, String), n: u64) -> Result {
    let [from, to] = [from, to].map(|queue| format!("{}/000000000000/{queue}", server.url));
    let (left, arrived) = (server.count(&from)?, server.count(&to)?);
    server.delete(&from)?;
    server.delete(&to)?;
    if (left, arrived) != (0, n) {
        return Err(format!("of {n} messages {arrived} arrived and {left} stayed").into());
    }
    Ok(())
}

/// One move between new queues: seconds.
fn moved(server: &ElasticMq, setting: &Setting, contender: &Contender, endpoint: &str, n: u64) -> Result<f64> {
    let ends = queues(server, n)?;
    let at = Ends { endpoint, from: &ends.0, to: &ends.1 };
    let took = seconds(environment(&mut (contender.command)(&at, contender.argument)), &setting.path("out"));
    emptied(server, &ends, n).map_err(|e| format!("{}: {e}", contender.name))?;
    took
}
