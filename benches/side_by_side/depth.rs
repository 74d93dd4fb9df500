//! Counting: one queue beside kcat and the command line of AWS, and fifty queues of one broker beside one.

use std::process::{Command, Stdio};
use std::time::SystemTime;

use super::broker::Broker;
use super::elasticmq::ElasticMq;
use super::figures::Series;
use super::kafka::Cluster;
use super::process::{seconds, version};
use super::table::{Row, Table};
use super::{DLQ, Result, Setting, say};

const MANY: usize = 50;
/// Rounds; each takes a fraction of a second.
const TIMES: usize = 15;
/// Fifty queues take at most so many times what one takes.
const FIFTY: f64 = 3.0;
/// `depth` takes at most so many times what `kcat -L` takes.
const KCAT: f64 = 1.2;
/// The command line of AWS takes at least so many times what `depth` takes.
const AWS: f64 = 5.0;
/// Version 1 of that command line reads the second name of the region alone.
const ENVIRONMENT: [(&str, &str); 4] = [
    ("AWS_ACCESS_KEY_ID", "bench"),
    ("AWS_SECRET_ACCESS_KEY", "bench"),
    ("AWS_REGION", "us-east-1"),
    ("AWS_DEFAULT_REGION", "us-east-1"),
];

pub fn measure(setting: &Setting) -> Result<Table> {
    let stamp = format!("{:x}", SystemTime::UNIX_EPOCH.elapsed()?.as_nanos());
    let name = |n: usize| format!("bench-{stamp}-{n}");
    let mut table = Table::new(format!("Counting, whole process, {TIMES} times"));

    let cluster = Cluster::open()?;
    for n in 0..MANY {
        cluster.topic(&name(n))?;
    }
    let all: Vec<String> = (0..MANY).map(|n| cluster.queue(&name(n))).collect();
    let kcat = Command::new("kcat").arg("-V").stdin(Stdio::null()).output().is_ok_and(|o| o.status.success());
    let mut theirs = Command::new("kcat");
    theirs.args(["-L", "-b", &cluster.server, "-t", &name(0)]);
    beside(setting, &mut table, "Kafka", &all[0], kcat.then_some(("kcat -L", &mut theirs)), 1.0 / KCAT)?;
    fifty(setting, &mut table, "Kafka", &all)?;
    for n in 0..MANY {
        cluster.delete(&name(n))?;
    }

    let server = ElasticMq::open()?;
    let urls = (0..MANY).map(|n| server.queue(&name(n), 0)).collect::<Result<Vec<_>>>()?;
    let all: Vec<String> = (0..MANY).map(|n| format!("{}/000000000000/{}", server.url, name(n))).collect();
    let aws = version("aws").is_some();
    let mut theirs = Command::new("aws");
    theirs.envs(ENVIRONMENT).args(["--endpoint-url", &server.url, "sqs", "get-queue-attributes"]);
    theirs.args(["--attribute-names", "All", "--queue-url", &all[0]]);
    beside(setting, &mut table, "SQS", &all[0], aws.then_some(("aws sqs", &mut theirs)), AWS)?;
    fifty(setting, &mut table, "SQS", &all)?;
    for url in &urls {
        server.delete(url)?;
    }

    let server = Broker::open()?;
    for n in 0..MANY {
        server.declare(&name(n), "classic")?;
    }
    let all: Vec<String> =
        (0..MANY).map(|n| format!("{}/{}?management={}", server.url, name(n), server.management)).collect();
    beside(setting, &mut table, "RabbitMQ", &all[0], None, 1.0)?;
    fifty(setting, &mut table, "RabbitMQ", &all)?;
    for n in 0..MANY {
        server.delete(&name(n))?;
    }
    server.close()?;
    for (there, what) in [(kcat, "kcat"), (aws, "aws")] {
        if !there {
            table.note(format!("{what} is not on the PATH: there is nothing to compare with"));
        }
    }
    Ok(table)
}

fn command(queues: &[String]) -> Command {
    let mut command = Command::new(DLQ);
    command.envs(ENVIRONMENT).args(["check", "--crit", "1000000", "-q"]).args(queues);
    command
}

/// `depth` of one queue, beside another program.
fn beside(
    setting: &Setting,
    table: &mut Table,
    broker: &str,
    queue: &str,
    mut peer: Option<(&str, &mut Command)>,
    target: f64,
) -> Result {
    let (out, mut ours, mut theirs) = (setting.path("out"), Series::default(), Series::default());
    for _ in 0..TIMES {
        ours.push(1e3 * seconds(Command::new(DLQ).envs(ENVIRONMENT).args(["depth", queue, "-q"]), &out)?);
        if let Some((_, command)) = &mut peer {
            theirs.push(1e3 * seconds(command, &out)?);
        }
    }
    let unit = (0, "ms");
    let ratio = peer.is_some().then(|| ours.times_faster_than(&theirs));
    let goal =
        ratio.as_ref().zip(peer.as_ref()).map(|(r, (name, _))| (format!("{target:.2} × {name}"), r.median() >= target));
    table.row(Row { what: format!("{broker}, depth of one"), figures: Some(&ours), unit, ratio, target: goal });
    if let Some((name, _)) = peer {
        table.row(Row { what: name.to_owned(), figures: Some(&theirs), unit, ..Row::default() });
    }
    say(&format!("{broker}: depth of one measured"));
    Ok(())
}

/// `check` of one and of fifty, turn by turn.
fn fifty(setting: &Setting, table: &mut Table, broker: &str, queues: &[String]) -> Result {
    let (out, mut one, mut all) = (setting.path("out"), Series::default(), Series::default());
    for _ in 0..TIMES {
        one.push(1e3 * seconds(&mut command(&queues[..1]), &out)?);
        all.push(1e3 * seconds(&mut command(queues), &out)?);
    }
    let (unit, ratio) = ((0, "ms"), all.times_faster_than(&one));
    let met = ratio.median() >= 1.0 / FIFTY;
    table.row(Row { what: format!("{broker}, check of one"), figures: Some(&one), unit, ..Row::default() });
    let target = Some((format!("{:.2} × one", 1.0 / FIFTY), met));
    table.row(Row {
        what: format!("{broker}, check of {MANY}"),
        figures: Some(&all),
        unit,
        ratio: Some(ratio),
        target,
    });
    say(&format!("{broker}: check of {MANY} measured"));
    Ok(())
}
