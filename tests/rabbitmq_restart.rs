//! The broker stops, or is killed, and starts again under a replay. A test program of its own: nothing else runs beside it.
#![allow(missing_docs, clippy::unwrap_used)]
#![allow(dead_code, reason = "helpers of other test crates are shared")]

#[path = "faults/figures.rs"]
mod figures;
#[path = "faults/load.rs"]
mod load;
#[path = "faults/on_rabbitmq.rs"]
mod on_rabbitmq;
#[path = "rabbitmq/broker.rs"]
mod rabbit;
#[path = "support/sandbox.rs"]
mod sandbox;
#[path = "support/servers.rs"]
mod servers;

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use figures::Figures;
use on_rabbitmq::{arrived, bodies_of, fill};
use rabbit::{Broker, KINDS};
use sandbox::Sandbox;

/// How the broker goes down and comes up. It is started again, however the test ends.
struct Control {
    program: String,
    down: &'static str,
    up: &'static str,
}

impl Control {
    fn tell(&self, what: &str) {
        let done = Command::new(&self.program).arg(what).stdout(Stdio::null()).stderr(Stdio::null()).status();
        assert!(done.is_ok_and(|status| status.success()) || std::thread::panicking(), "{what}");
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.tell(self.up);
    }
}

#[test]
fn a_broker_that_goes_down_under_a_replay_costs_nothing_and_every_double_is_named() {
    let stopping = ("DLQ_TEST_RABBITMQ_43_CTL", "stop_app", "start_app", "RabbitMQ, stopped and started");
    let killing = ("DLQ_TEST_RABBITMQ_43_NODE", "kill", "start", "RabbitMQ, killed and started");
    for (variable, down, up, what) in [stopping, killing] {
        let Some(program) = servers::var(variable) else { return };
        down_and_up(&Control { program, down, up }, what);
    }
}

/// A classic queue that is killed forgets acknowledgements it has answered: those messages are back, and nothing tells them from
/// others. Quorum queues keep their word.
fn forgets(control: &Control, kind: &str) -> bool {
    control.down == "kill" && kind == "classic"
}

fn down_and_up(control: &Control, what: &str) {
    let mut figures = Figures::default();
    let mut forgotten = Figures::default();
    for kind in KINDS {
        let figures = if forgets(control, kind) { &mut forgotten } else { &mut figures };
        let s = Sandbox::new();
        let (from, to, ids, bodies) = {
            let Some(b) = Broker::open("43") else { return };
            let (from, to) = (b.keep(kind, "from"), b.keep(kind, "to"));
            let bodies = load::bodies(0, 24_000);
            fill(&b, &from, &bodies);
            let ids = bodies_of(&s, &b.address(&from));
            (from, to, ids, bodies)
        };
        let address = |queue: &str| {
            let server = servers::server("43").unwrap();
            format!("{}/{queue}?management={}", server.url, server.management)
        };
        let (source, place) = (address(&from), address(&to));
        let args = ["replay", &source, "--to", &place, "-y", "--run", "nightly", "--timeout", "5s", "-o", "json"];
        for _ in 0..2 {
            let mut command = s.command();
            command.args(args).args(["--rate", "500/s"]).stdin(Stdio::null());
            let run = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
            std::thread::sleep(Duration::from_millis(1400));
            control.tell(control.down);
            figures.kills += 1;
            let began = Instant::now();
            let ran = run.wait_with_output().unwrap();
            assert!(began.elapsed() < Duration::from_secs(60), "{kind}: took {:?}", began.elapsed());
            let said = String::from_utf8_lossy(&ran.stderr);
            assert!(matches!(ran.status.code(), Some(1 | 3)), "{kind}: {:?} {said}", ran.status);
            if forgets(control, kind) {
                assert!(said.contains("can bring back messages that were removed"), "{said}");
            }
            control.tell(control.up);
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
        let b = Broker::open("43").unwrap();
        assert_eq!(b.ready(&from), 0, "{kind}");
        let there = arrived(&b, &to);
        let named = if forgets(control, kind) {
            load::count(there.iter().map(|a| a.body.clone()))
        } else {
            load::named(&s, "nightly", &ids)
        };
        figures.add(kind, &load::count(bodies), &there, &named);
        b.forget(&[from, to]);
    }
    figures.print(what, 4000);
    if forgotten.kills > 0 {
        forgotten.print("RabbitMQ, classic queue, killed and started; named: all, since nothing tells them", 4000);
    }
}
