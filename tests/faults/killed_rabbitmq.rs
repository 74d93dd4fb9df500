//! RabbitMQ: at least once, and what may be there twice is named.

use crate::figures::Figures;
use crate::killed::Killing;
use crate::load;
use crate::on_rabbitmq::{arrived, bodies_of, fill};
use crate::rabbit::Broker;
use crate::sandbox::Sandbox;

const KILLS: u64 = 28;
const A_ROUND: usize = 12_000;

fn killed(kind: &'static str) {
    let Some(b) = Broker::open("43") else { return };
    let mut figures = Figures::default();
    let mut round = 0;
    while figures.kills < KILLS {
        let verb = ["replay", "move"][round % 2];
        let (from, to) = (b.queue(&format!("from.{round}"), kind, &[]), b.queue(&format!("to.{round}"), kind, &[]));
        let bodies = load::bodies(round, A_ROUND);
        fill(&b, &from, &bodies);
        let s = Sandbox::new();
        let (source, place) = (b.address(&from), b.address(&to));
        let ids = bodies_of(&s, &source);
        let to_place: &[&str] = if verb == "replay" { &["--to", &place] } else { &[&place] };
        let args = [&[verb, source.as_str()], to_place].concat();
        let killing = Killing { sandbox: &s, args, run: "nightly", within: 60..700 };
        figures.kills += killing.kill(KILLS / 2);
        let ran = killing.finish();
        let what = format!("{kind}, round {round}, {verb}: {}", ran.stderr);
        b.settled(&from, 0);
        let there = arrived(&b, &to);
        figures.add(&what, &load::count(bodies), &there, &load::named(&s, "nightly", &ids));
        round += 1;
    }
    figures.print(&format!("RabbitMQ, {kind} queues"), 4000);
}

#[test]
fn rabbitmq_classic_loses_nothing_and_names_what_may_be_doubled() {
    killed("classic");
}

#[test]
fn rabbitmq_quorum_loses_nothing_and_names_what_may_be_doubled() {
    killed("quorum");
}
