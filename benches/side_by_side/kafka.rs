//! `dlq` beside kcat on one topic: reading, filtering, and sending all of it to another.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use tokio::runtime::Runtime;

use super::figures::Series;
use super::process::{peak, seconds};
use super::table::{Row, Table};
use super::{DLQ, Result, Setting, messages, say};

const PARTITIONS: i32 = 4;
const ALONE: &str = "the library alone";
const ALONE_ONCE: &str = "the library alone, in transactions";
const LONGEST: Duration = Duration::from_secs(60);
/// Times kcat.
const READING: f64 = 1.5;
const FILTERING: f64 = 8.0;
const PLAIN: f64 = 1.5;
const ONCE: f64 = 1.2;
/// MiB.
const MOST_READING: f64 = 96.0;
const MOST_REPLAYING: f64 = 160.0;

pub fn measure(setting: &Setting) -> Result<Table> {
    let cluster = Cluster::open()?;
    let many = setting.scaled(1_000_000);
    let stamp = SystemTime::UNIX_EPOCH.elapsed()?.as_nanos();
    let topic = |what: &str, round: usize| format!("bench.{what}.{stamp:x}.{round}");
    let size = (0..1000).map(|n| messages::short_body(n).len()).sum::<usize>() / 1000;
    let mut table = Table::new(format!("Kafka, {many} records of {size} bytes in {PARTITIONS} partitions"));
    let kcat = Command::new("kcat").arg("-V").stdin(Stdio::null()).output().is_ok_and(|o| o.status.success());
    if !kcat {
        table.note("kcat is not on the PATH: there is nothing to compare with");
    }

    let from = topic("from", 0);
    cluster.topic(&from)?;
    cluster.fill(&from, many)?;
    let (out, queue) = (setting.path("out"), cluster.queue(&from));
    let everything = (many + 1).to_string();
    let read = ["inspect", &queue, "-n", &everything, "-o", "raw", "-q"];
    let filter = ["filter", &queue, ".body.total > 98", "-q", "-o", "raw"];
    let their_read = format!("exec kcat -C -b {} -t {from} -o beginning -e -q", cluster.server);
    let their_filter = format!("{} | jq -c 'select(.total > 98)'", their_read.trim_start_matches("exec "));
    let mut reading = None;
    for (what, ours, theirs, target, peer) in [
        ("inspect -o raw", &read[..], &their_read, READING, "kcat -C -e"),
        ("filter -o raw", &filter[..], &their_filter, FILTERING, "kcat | jq"),
    ] {
        let (mut a, mut b) = (Series::default(), Series::default());
        for round in 0..=setting.rounds {
            let ours = seconds(Command::new(DLQ).args(ours), &out)?;
            let lines = count_lines(&out)?;
            let theirs = if kcat { seconds(&mut shell(theirs), &setting.path("their-out"))? } else { f64::NAN };
            if kcat && count_lines(&setting.path("their-out"))? != lines {
                return Err(format!("{what}: dlq and {peer} do not print as many lines").into());
            }
            say(&format!("kafka, {what}, round {round}: dlq {ours:.2} s, {peer} {theirs:.2} s"));
            if round > 0 {
                a.push(ours);
                b.push(theirs);
            }
        }
        compared(&mut table, what, &a, kcat.then_some((peer, &b)), target);
        // No filter is faster than reading.
        if let Some(reading) = reading.replace(a).filter(|_| kcat) {
            let ratio = Some(reading.times_faster_than(&b));
            let what = format!("reading alone, of {peer}");
            table.row(Row { what, figures: Some(&reading), unit: (2, "s"), ratio, ..Row::default() });
        }
    }

    let (mut plain, mut once, mut theirs) = (Series::default(), Series::default(), Series::default());
    let (mut bare, mut bare_once) = (Series::default(), Series::default());
    for round in 0..=setting.rounds {
        let [copied, replayed, piped, passed, committed] =
            ["copied", "replayed", "piped", "passed", "committed"].map(|what| topic(what, round));
        for to in [&copied, &replayed, &piped, &passed, &committed] {
            cluster.topic(to)?;
        }
        let source = topic("source", round);
        cluster.topic(&source)?;
        cluster.fill(&source, many)?;
        let queue = cluster.queue(&source);
        let copy = seconds(Command::new(DLQ).args(["copy", &queue, &cluster.queue(&copied), "--yes", "-q"]), &out)?;
        let their = format!(
            "set -o pipefail; kcat -C -b {s} -t {source} -o beginning -e -q | kcat -P -b {s} -t {piped}",
            s = cluster.server
        );
        let pipe = if kcat { seconds(&mut shell(&their), &out)? } else { f64::NAN };
        let by_library = |to, in_transactions| {
            super::alone::copied(&config(&cluster.server), &source, to, PARTITIONS, many, in_transactions)
        };
        let (alone, alone_once) = (by_library(&passed, false)?, by_library(&committed, true)?);
        let to = cluster.queue(&replayed);
        let replay = seconds(Command::new(DLQ).args(["replay", &queue, "--to", &to, "--yes", "-q"]), &out)?;
        for (what, to) in [("copy", &copied), ("replay", &replayed), (ALONE, &passed), (ALONE_ONCE, &committed)] {
            let there = cluster.count(to)?;
            if there != many {
                return Err(format!("{what}: of {many} records {there} arrived").into());
            }
        }
        say(&format!(
            "kafka, round {round}: copy {copy:.2} s, replay {replay:.2} s, kcat | kcat {pipe:.2} s, library alone {alone:.2} s, in \
             transactions {alone_once:.2} s"
        ));
        if round > 0 {
            plain.push(copy);
            once.push(replay);
            theirs.push(pipe);
            bare.push(alone);
            bare_once.push(alone_once);
        }
        for gone in [&source, &copied, &replayed, &piped, &passed, &committed] {
            cluster.delete(gone)?;
        }
    }
    let peer = kcat.then_some(("kcat | kcat", &theirs));
    compared(&mut table, "copy (no transactions)", &plain, peer, PLAIN);
    compared(&mut table, "replay (exactly once)", &once, peer, ONCE);
    for (what, alone) in [(ALONE, &bare), (ALONE_ONCE, &bare_once)] {
        let ratio = kcat.then(|| alone.times_faster_than(&theirs));
        table.row(Row { what: what.into(), figures: Some(alone), unit: (2, "s"), ratio, ..Row::default() });
    }

    memory(setting, &cluster, &mut table, &from, many)?;
    cluster.delete(&from)?;
    Ok(table)
}

/// What is resident at most, here and with a tenth of the records.
fn memory(setting: &Setting, cluster: &Cluster, table: &mut Table, all: &str, many: u64) -> Result {
    let out = setting.path("out");
    for (share, from) in [(10, None), (1, Some(all))] {
        let few = format!("{all}.few");
        let from = from.unwrap_or(few.as_str());
        if share > 1 {
            cluster.topic(&few)?;
            cluster.fill(&few, many / share)?;
        }
        let to = format!("{all}.to.{share}");
        cluster.topic(&to)?;
        let (queue, to_queue) = (cluster.queue(from), cluster.queue(&to));
        let reading = peak(Command::new(DLQ).args(["filter", &queue, ".body.total > 98", "-q"]), &out)?;
        let replaying = peak(Command::new(DLQ).args(["replay", &queue, "--to", &to_queue, "--yes", "-q"]), &out)?;
        for (what, figure, most) in [("filter", reading, MOST_READING), ("replay", replaying, MOST_REPLAYING)] {
            let mut one = Series::default();
            one.push(figure);
            let target = Some((format!("under {most} MiB"), figure < most));
            let what = format!("memory of dlq {what}, {} records", many / share);
            table.row(Row { what, figures: Some(&one), unit: (1, "MiB"), target, ..Row::default() });
        }
        cluster.delete(&to)?;
        if share > 1 {
            cluster.delete(&few)?;
        }
    }
    Ok(())
}

fn compared(table: &mut Table, what: &str, ours: &Series, theirs: Option<(&str, &Series)>, target: f64) {
    let unit = (2, "s");
    let ratio = theirs.map(|(_, theirs)| ours.times_faster_than(theirs));
    let goal = ratio.as_ref().zip(theirs).map(|(r, (peer, _))| (format!("{target} × {peer}"), r.median() >= target));
    table.row(Row { what: format!("dlq {what}"), figures: Some(ours), unit, ratio, target: goal });
    if let Some((peer, theirs)) = theirs {
        table.row(Row { what: peer.to_owned(), figures: Some(theirs), unit, ..Row::default() });
    }
}

fn shell(line: &str) -> Command {
    let mut command = Command::new("bash");
    command.args(["-c", line]);
    command
}

fn count_lines(path: &Path) -> Result<usize> {
    Ok(std::fs::read(path)?.iter().filter(|b| **b == b'\n').count())
}

/// A running broker.
pub struct Cluster {
    /// `127.0.0.1:9092`.
    pub server: String,
    admin: AdminClient<DefaultClientContext>,
    runtime: Runtime,
}

impl Cluster {
    /// The one the environment names, or the one that tests/brokers/kafka.sh starts.
    pub fn open() -> Result<Cluster> {
        let url = match std::env::var("DLQ_TEST_KAFKA_URL") {
            Ok(url) => url,
            Err(_) => started()?,
        };
        let server = url.trim_start_matches("kafka://").trim_end_matches('/').to_owned();
        let admin = config(&server).create()?;
        Ok(Cluster { server, admin, runtime: Runtime::new()? })
    }

    pub fn queue(&self, topic: &str) -> String {
        format!("kafka://{}/{topic}", self.server)
    }

    pub fn topic(&self, name: &str) -> Result {
        let topic = NewTopic::new(name, PARTITIONS, TopicReplication::Fixed(1));
        let made = self.runtime.block_on(self.admin.create_topics([&topic], &AdminOptions::new()))?;
        for one in made {
            one.map_err(|(name, e)| format!("{name}: {e}"))?;
        }
        Ok(())
    }

    pub fn delete(&self, name: &str) -> Result {
        self.runtime.block_on(self.admin.delete_topics(&[name], &AdminOptions::new()))?;
        Ok(())
    }

    /// The first `many` records, keyed, to all partitions.
    fn fill(&self, topic: &str, many: u64) -> Result {
        let producer: BaseProducer =
            config(&self.server).set("linger.ms", "20").set("queue.buffering.max.kbytes", "65536").create()?;
        for n in 0..many {
            let (key, body) = (format!("k{}", n % 10_007), messages::short_body(n));
            let mut record = BaseRecord::to(topic).key(&key).payload(&body);
            while let Err((e, back)) = producer.send(record) {
                if e != KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull) {
                    return Err(e.into());
                }
                producer.poll(Duration::from_millis(10));
                record = back;
            }
            if n % 1000 == 0 {
                producer.poll(Duration::ZERO);
            }
        }
        producer.flush(LONGEST)?;
        match self.count(topic)? {
            there if there == many => Ok(()),
            there => Err(format!("{topic} has {there} of {many} records").into()),
        }
    }

    /// Committed records there, read to the end.
    fn count(&self, topic: &str) -> Result<u64> {
        let reader: BaseConsumer = config(&self.server)
            .set("group.id", "bench")
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            .set("fetch.queue.backoff.ms", "2")
            .create()?;
        let mut all = rdkafka::TopicPartitionList::new();
        for partition in 0..PARTITIONS {
            all.add_partition_offset(topic, partition, rdkafka::Offset::Beginning)?;
        }
        reader.assign(&all)?;
        let (mut records, mut ended) = (0, 0);
        while ended < PARTITIONS {
            match reader.poll(LONGEST).ok_or("the topic fell silent")? {
                Ok(_) => records += 1,
                Err(KafkaError::PartitionEOF(_)) => ended += 1,
                Err(e) => return Err(e.into()),
            }
        }
        Ok(records)
    }
}

fn config(server: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", server);
    config
}

fn started() -> Result<String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/brokers/kafka.sh");
    say("DLQ_TEST_KAFKA_URL is not set: tests/brokers/kafka.sh start and stop the server of the tests");
    let run = |command: &str| -> Result<String> {
        let said = Command::new(&script).arg(command).stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
        let told = String::from_utf8(said.stdout)?;
        if said.status.success() { Ok(told) } else { Err(format!("kafka.sh {command} failed").into()) }
    };
    run("start")?;
    let told = run("env")?;
    let url = told.lines().find_map(|l| l.strip_prefix("export DLQ_TEST_KAFKA_URL="));
    Ok(url.ok_or("kafka.sh env gave no address")?.to_owned())
}
