//! The broker stops, or is killed, and starts again under a replay.
#![allow(missing_docs, clippy::unwrap_used)]
#![allow(dead_code, reason = "helpers of other test crates are shared")]

#[path = "faults/figures.rs"]
mod figures;
#[path = "faults/load.rs"]
mod load;
#[path = "rabbitmq/node.rs"]
mod node;
#[path = "faults/on_rabbitmq.rs"]
mod on_rabbitmq;
#[path = "rabbitmq/broker.rs"]
mod rabbit;
#[path = "support/sandbox.rs"]
mod sandbox;
#[path = "support/servers.rs"]
mod servers;

use std::process::Stdio;
use std::time::{Duration, Instant};

use figures::Figures;
use node::Node;
use on_rabbitmq::{arrived, bodies_of, fill};
use rabbit::{Broker, KINDS};
use sandbox::Sandbox;

#[test]
fn a_broker_that_stops_under_a_replay_costs_nothing_and_every_double_is_named() {
    let Some(node) = Node::start() else { return };
    let mut figures = Figures::default();
    for kind in KINDS {
        let down_and_up = (|| node.ctl("stop_app"), || node.ctl("start_app"));
        replay(&node, kind, down_and_up, Doubles::Named, &mut figures);
    }
    figures.print("RabbitMQ, stopped and started", 4000);
}

#[test]
fn a_broker_that_is_killed_under_a_replay_costs_nothing_and_every_double_is_named() {
    let Some(node) = Node::start() else { return };
    let down_and_up = (|| node.control("kill"), || node.control("start"));
    let mut figures = Figures::default();
    replay(&node, "quorum", down_and_up, Doubles::Named, &mut figures);
    figures.print("RabbitMQ, quorum queue, killed and started", 4000);
    let mut figures = Figures::default();
    replay(&node, "classic", down_and_up, Doubles::Untold, &mut figures);
    figures.print("RabbitMQ, classic queue, killed and started; named: all, since nothing tells them", 4000);
}

#[derive(Clone, Copy, PartialEq)]
enum Doubles {
    Named,
    /// A classic queue that is killed forgets acknowledgements it has answered: those messages are back, and nothing tells them
    /// from others. Quorum queues keep their word.
    Untold,
}

/// A replay under which the broker goes down and comes up, twice.
fn replay(node: &Node, kind: &str, (down, up): (impl Fn(), impl Fn()), doubles: Doubles, figures: &mut Figures) {
    let s = Sandbox::new();
    let (from, to, ids, bodies) = {
        let b = Broker::at(node.server());
        let (from, to) = (b.keep(kind, "from"), b.keep(kind, "to"));
        let bodies = load::bodies(0, 24_000);
        fill(&b, &from, &bodies);
        let ids = bodies_of(&s, &b.address(&from));
        (from, to, ids, bodies)
    };
    let server = node.server();
    let address = |queue: &str| format!("{}/{queue}?management={}", server.url, server.management);
    let (source, place) = (address(&from), address(&to));
    let args = ["replay", &source, "--to", &place, "-y", "--run", "nightly", "--timeout", "5s", "-o", "json"];
    for _ in 0..2 {
        let mut command = s.command();
        command.args(args).args(["--rate", "500/s"]).stdin(Stdio::null());
        let run = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(1400));
        down();
        figures.kills += 1;
        let began = Instant::now();
        let ran = run.wait_with_output().unwrap();
        assert!(began.elapsed() < Duration::from_secs(60), "{kind}: took {:?}", began.elapsed());
        let said = String::from_utf8_lossy(&ran.stderr);
        assert!(matches!(ran.status.code(), Some(1 | 3)), "{kind}: {:?} {said}", ran.status);
        if doubles == Doubles::Untold {
            assert!(said.contains("can bring back messages that were removed"), "{said}");
        }
        up();
    }
    let began = Instant::now();
    loop {
        let ran = s.run(&args);
        if ran.code == 0 {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(120), "{kind}: exit {}: {}", ran.code, ran.stderr);
        std::thread::sleep(Duration::from_millis(500));
    }
    let b = Broker::at(server);
    assert_eq!(b.ready(&from), 0, "{kind}");
    let there = arrived(&b, &to);
    let named = match doubles {
        Doubles::Named => load::named(&s, "nightly", &ids),
        Doubles::Untold => load::count(there.iter().map(|a| a.body.clone())),
    };
    figures.add(kind, &load::count(bodies), &there, &named);
    b.forget(&[from, to]);
}
