//! NATS: nothing lost and, within the time in which the destination tells repeats, nothing there twice.

use std::collections::BTreeMap;

use serde_json::json;

use crate::figures::Figures;
use crate::jetstream::Server;
use crate::killed::Killing;
use crate::load::{self, Arrived};
use crate::sandbox::Sandbox;

const KILLS: u64 = 30;

#[test]
fn nats_loses_and_doubles_nothing() {
    let Some(server) = Server::shared() else { return };
    let mut figures = Figures::default();
    let mut round = 0;
    while figures.kills < KILLS {
        let name = |what: &str| format!("KILLED_{what}_{}_{round}", std::process::id());
        let (dead, to) = (name("DEAD"), name("TO"));
        server.make(json!({ "name": dead, "subjects": [dead.to_lowercase()] }));
        server.make(json!({ "name": to, "subjects": [to.to_lowercase()] }));
        let bodies = load::bodies(round, 12_000);
        server.publish_all(&dead.to_lowercase(), &bodies);
        let ids: BTreeMap<String, String> =
            (1u64..).zip(&bodies).map(|(seq, body)| (seq.to_string(), body.clone())).collect();
        let s = Sandbox::new();
        let (source, place) = (server.address(&dead), server.address(&to));
        let args = match round % 2 {
            0 => vec!["replay", &source, "--to", &place],
            _ => vec!["move", &source, &place],
        };
        let killing = Killing { sandbox: &s, args, run: "nightly", within: 40..500 };
        figures.kills += killing.kill(KILLS / 2);
        let ran = killing.finish();
        let mark = |headers: &str| load::mark_id(headers.split("dlq-replay: ").nth(1)?);
        let there: Vec<Arrived> = server
            .contents(&to)
            .iter()
            .map(|m| Arrived { body: String::from_utf8_lossy(&m.body).into_owned(), mark: mark(&m.headers) })
            .collect();
        let what = format!("NATS, round {round}: {}", ran.stderr);
        figures.add(&what, &load::count(bodies), &there, &load::named(&s, "nightly", &ids));
        assert_eq!((figures.doubled, server.count(&dead)), (0, 0), "{what}");
        for stream in [dead, to] {
            server.api(&format!("STREAM.DELETE.{stream}"), &json!({}));
        }
        round += 1;
    }
    figures.print("NATS, streams", 0);
}
