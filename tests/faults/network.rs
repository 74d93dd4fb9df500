//! A network that is cut in the middle of a frame, falls silent, or is slow: between `dlq` and the queue, the destination, or
//! both. It never hangs, says that it is not done, and the run is finished once the network is back.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::cluster::cluster;
use crate::figures::Figures;
use crate::jetstream::Server;
use crate::load::{self, Arrived, Count};
use crate::proxy::{Fault, Proxy};
use crate::queues::Queues;
use crate::rabbit::Broker;
use crate::sandbox::{Ran, Sandbox};
use crate::{killed_kafka, killed_nats, killed_sqs, on_rabbitmq};

/// However the network fails, a run ends within twenty times `--timeout`: for what is in flight, for what is given back, and
/// for the tries in between.
const TIMEOUT: &str = "3s";
const BOUND: Duration = Duration::from_secs(60);

/// What is behind the faulty network.
const SIDES: [[bool; 2]; 3] = [[true, false], [false, true], [true, true]];

struct Trial<'a> {
    what: String,
    sandbox: &'a Sandbox,
    args: Vec<&'a str>,
    proxy: &'a Proxy,
    fault: Fault,
}

impl Trial<'_> {
    fn run(&self) -> Ran {
        // What is slow is to be waited for.
        let timeout = if self.fault == Fault::Slow { "20s" } else { TIMEOUT };
        let began = Instant::now();
        let ran = self
            .sandbox
            .run(&[&self.args[..], &["-y", "--run", "nightly", "--timeout", timeout, "-o", "json"]].concat());
        assert!(began.elapsed() < BOUND, "{}: took {:?}", self.what, began.elapsed());
        ran
    }

    /// Runs into the fault, and then to the end.
    fn play(&self) {
        let ran = self.run();
        assert!(self.proxy.has_struck(), "{}: it was over too soon: {}", self.what, ran.stderr);
        let right: &[i32] = if self.fault == Fault::Slow { &[0] } else { &[1, 3] };
        assert!(right.contains(&ran.code), "{}: exit {}: {}", self.what, ran.code, ran.stderr);
        self.proxy.heal();
        for _ in 0..20 {
            let ran = self.run();
            if ran.code == 0 {
                return;
            }
            // What the connection held is not back at once.
            assert!([1, 3, 6].contains(&ran.code), "{}: exit {}: {}", self.what, ran.code, ran.stderr);
            std::thread::sleep(Duration::from_millis(500));
        }
        panic!("{}: it is not done", self.what);
    }

    fn judge(&self, sent: &Count, there: &[Arrived], ids: &BTreeMap<String, String>) {
        let mut named = load::named(self.sandbox, "nightly", ids);
        // Reports name them as well, where the journal could be written after the fact.
        named.retain(|_, n| *n > 0);
        Figures::default().add(&self.what, sent, there, &named);
    }
}

fn via(address: &str, server: &str, proxy: &Proxy, yes: bool) -> String {
    if yes { address.replace(server, &format!("127.0.0.1:{}", proxy.port)) } else { address.to_owned() }
}

#[test]
fn rabbitmq_behind_a_bad_network() {
    let Some(b) = Broker::open("43") else { return };
    let server = b.server.url.rsplit_once('@').unwrap().1.to_owned();
    for (n, (fault, sides)) in [Fault::Cut, Fault::Silent, Fault::Slow]
        .into_iter()
        .flat_map(|fault| SIDES.map(|sides| (fault, sides)))
        .enumerate()
    {
        let kind = ["quorum", "classic"][n % 2];
        let (from, to) = (b.queue(&format!("from.{n}"), kind, &[]), b.queue(&format!("to.{n}"), kind, &[]));
        let bodies = load::bodies(n, 4000);
        on_rabbitmq::fill(&b, &from, &bodies);
        let s = Sandbox::new();
        let ids = on_rabbitmq::bodies_of(&s, &b.address(&from));
        let proxy = Proxy::new(&server, fault, 60_000 + 20_000 * n);
        let source = via(&b.address(&from), &server, &proxy, sides[0]);
        let place = via(&b.address(&to), &server, &proxy, sides[1]);
        let args = vec!["replay", &source, "--to", &place];
        let trial = Trial { what: format!("{kind}, {fault:?}, {sides:?}"), sandbox: &s, args, proxy: &proxy, fault };
        trial.play();
        b.settled(&from, 0);
        trial.judge(&load::count(bodies), &on_rabbitmq::arrived(&b, &to), &ids);
    }
}

#[test]
fn sqs_behind_a_bad_network() {
    let Some(q) = Queues::open() else { return };
    let server = q.endpoint.trim_start_matches("http://").to_owned();
    // Each takes a while: what a lost answer took is hidden, and an empty queue is asked again.
    let trials = [
        (Fault::Cut, [true, false]),
        (Fault::Cut, [false, true]),
        (Fault::Silent, [true, false]),
        (Fault::Silent, [false, true]),
        (Fault::Slow, [true, true]),
    ];
    for (n, (fault, sides)) in trials.into_iter().enumerate() {
        let (from, to) = (q.queue(&format!("from-{n}"), &[]), q.queue(&format!("to-{n}"), &[]));
        let bodies = load::bodies(n, 600);
        let ids = killed_sqs::fill(&q, &from, n, &bodies);
        let s = Sandbox::new();
        let proxy = Proxy::new(&server, fault, 60_000);
        let source = via(&q.address(&from), &server, &proxy, sides[0]);
        let place = via(&q.address(&to), &server, &proxy, sides[1]);
        let args = vec!["replay", &source, "--to", &place, "-X", "visibility=4"];
        let trial = Trial { what: format!("SQS, {fault:?}, {sides:?}"), sandbox: &s, args, proxy: &proxy, fault };
        trial.play();
        assert_eq!(q.counts(&from), (0, 0), "{}", trial.what);
        trial.judge(&load::count(bodies), &killed_sqs::arrived(&q, &to), &ids);
    }
}

#[test]
fn kafka_behind_a_bad_network() {
    let Some(cluster) = cluster() else { return };
    let server = cluster.url.trim_start_matches("kafka://").to_owned();
    for (n, fault) in [Fault::Cut, Fault::Silent, Fault::Slow].into_iter().enumerate() {
        let (topic, origin) = (cluster.topic(3, &[]), cluster.topic(3, &[]));
        let bodies = load::bodies(n, 20_000);
        killed_kafka::fill(&cluster, &topic, &origin, &bodies);
        // Where nobody answers for long, a commit stays unknown until the next attempt, and is named.
        let ids: BTreeMap<String, String> = cluster
            .read(&topic)
            .iter()
            .map(|r| (format!("{}:{}", r.partition, r.offset), r.text().to_owned()))
            .collect();
        let s = Sandbox::new();
        let proxy = Proxy::new(&server, fault, 1_500_000);
        let (source, state) =
            (via(&cluster.address(&topic), &server, &proxy, true), format!("state-topic={}", cluster.name()));
        let args = vec!["replay", &source, "-X", &state];
        let trial = Trial { what: format!("Kafka, {fault:?}"), sandbox: &s, args, proxy: &proxy, fault };
        trial.play();
        let there = cluster.read(&origin);
        let there: Vec<Arrived> =
            there.iter().map(|r| Arrived { body: r.text(), mark: killed_kafka::mark(r) }).collect();
        // Whatever was unknown on the way: once each.
        assert_eq!(there.len(), 20_000, "{}", trial.what);
        trial.judge(&load::count(bodies), &there, &ids);
    }
}

#[test]
fn nats_behind_a_bad_network() {
    let Some(server) = Server::shared() else { return };
    let place_of = server.url.trim_start_matches("nats://").to_owned();
    for (n, (fault, sides)) in [Fault::Cut, Fault::Silent, Fault::Slow]
        .into_iter()
        .flat_map(|fault| SIDES.map(|sides| (fault, sides)))
        .enumerate()
    {
        let round = killed_nats::Round::new(&server, "NETWORK", n, 4000);
        let s = Sandbox::new();
        let proxy = Proxy::new(&place_of, fault, 200_000);
        let source = via(&server.address(&round.dead), &place_of, &proxy, sides[0]);
        let place = via(&server.address(&round.to), &place_of, &proxy, sides[1]);
        let args = vec!["replay", &source, "--to", &place];
        let trial = Trial { what: format!("NATS, {fault:?}, {sides:?}"), sandbox: &s, args, proxy: &proxy, fault };
        trial.play();
        let there = round.arrived(&server);
        // What was sent again was told from what is new.
        assert_eq!((there.len(), server.count(&round.dead)), (4000, 0), "{}", trial.what);
        trial.judge(&load::count(round.bodies), &there, &round.ids);
    }
}
