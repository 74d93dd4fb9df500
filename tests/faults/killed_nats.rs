//! NATS: nothing lost and, within the time in which the destination tells repeats, nothing there twice.

use std::collections::BTreeMap;

use serde_json::json;

use crate::figures::Figures;
use crate::jetstream::Server;
use crate::killed::Killing;
use crate::load::{self, Arrived};
use crate::sandbox::Sandbox;

const KILLS: u64 = 50;

/// A stream that is full and one that is empty.
pub struct Round {
    pub dead: String,
    pub to: String,
    pub bodies: Vec<String>,
    /// By sequence.
    pub ids: BTreeMap<String, String>,
}

impl Round {
    pub fn new(server: &Server, what: &str, n: usize, many: usize) -> Round {
        let name = |side: &str| format!("{what}_{side}_{}_{n}", std::process::id());
        let (dead, to) = (name("DEAD"), name("TO"));
        for stream in [&dead, &to] {
            server.make(json!({ "name": stream, "subjects": [stream.to_lowercase()] }));
        }
        let bodies = load::bodies(n, many);
        server.publish_all(&dead.to_lowercase(), &bodies);
        let ids = (1u64..).zip(&bodies).map(|(seq, body)| (seq.to_string(), body.clone())).collect();
        Round { dead, to, bodies, ids }
    }

    pub fn arrived(&self, server: &Server) -> Vec<Arrived> {
        let mark = |headers: &str| load::mark_id(headers.split("dlq-replay: ").nth(1)?);
        let one = |m: &crate::jetstream::Received| Arrived {
            body: String::from_utf8_lossy(&m.body).into_owned(),
            mark: mark(&m.headers),
        };
        server.contents(&self.to).iter().map(one).collect()
    }
}

#[test]
fn nats_loses_and_doubles_nothing() {
    let Some(server) = Server::shared() else { return };
    let mut figures = Figures::default();
    let mut n = 0;
    while figures.kills < KILLS {
        let round = Round::new(&server, "KILLED", n, 12_000);
        let s = Sandbox::new();
        let (source, place) = (server.address(&round.dead), server.address(&round.to));
        let args = match n % 2 {
            0 => vec!["replay", &source, "--to", &place],
            _ => vec!["move", &source, &place],
        };
        let killing = Killing { sandbox: &s, args, run: "nightly", within: 40..500 };
        figures.kills += killing.kill(KILLS / 2);
        let ran = killing.finish();
        let what = format!("NATS, round {n}: {}", ran.stderr);
        let there = round.arrived(&server);
        assert_eq!(server.count(&round.dead), 0, "{what}");
        figures.add(&what, &load::count(round.bodies), &there, &load::named(&s, "nightly", &round.ids));
        assert_eq!(figures.doubled, 0, "{what}");
        for stream in [round.dead, round.to] {
            server.api(&format!("STREAM.DELETE.{stream}"), &json!({}));
        }
        n += 1;
    }
    figures.print("NATS, streams", 0);
}
