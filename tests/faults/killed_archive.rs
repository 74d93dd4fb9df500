//! Archives: what was written and what was taken out, whenever it is killed.

use std::collections::BTreeMap;
use std::io::Write;

use crate::figures::Figures;
use crate::killed::Killing;
use crate::load::{self, Arrived};
use crate::sandbox::Sandbox;

const A_ROUND: usize = 30_000;

/// Archive lines with these bodies. Each has an id of its own, but for twins: of the equal ones half were pasted in again, line
/// and all, as when an archive is concatenated with itself.
pub fn fill(s: &Sandbox, name: &str, bodies: &[String]) -> BTreeMap<String, String> {
    let mut file = std::io::BufWriter::new(std::fs::File::create(s.path(name)).unwrap());
    let mut ids = BTreeMap::new();
    for (n, body) in bodies.iter().enumerate() {
        let own = if n % 20 == 0 { body.clone() } else { n.to_string() };
        let id = format!("{:032x}", xxhash_rust::xxh3::xxh3_128(own.as_bytes()));
        let queue = "sqs://us-east-1/orders-dead";
        let line = serde_json::json!({
            "v": 1, "line": id, "id": id, "queue": queue, "payload": body, "headers": [["kind", "text", "order"]],
        });
        writeln!(file, "{line}").unwrap();
        ids.insert(id, body.clone());
    }
    file.flush().unwrap();
    ids
}

pub fn arrived(s: &Sandbox, name: &str) -> Vec<Arrived> {
    let print = r#"[(.body | tojson), .headers["dlq-replay"]]"#;
    let ran = s.run(&["filter", &format!("file:{name}"), "true", "--print", print, "-o", "jsonl", "-q"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let one = |line: &str| {
        let (body, mark): (String, Option<String>) = serde_json::from_str(line).unwrap();
        Arrived { body, mark: mark.as_deref().and_then(load::mark_id) }
    };
    ran.stdout().lines().map(one).collect()
}

#[test]
fn archives_lose_nothing_and_name_what_may_be_doubled() {
    let mut figures = Figures::default();
    let mut round = 0;
    while figures.kills < 50 {
        let s = Sandbox::new();
        let bodies = load::bodies(round, A_ROUND);
        let ids = fill(&s, "dead.ndjson", &bodies);
        let place = ["file:to.ndjson", "file:to.ndjson.zst"][round % 2];
        let args = match round % 4 {
            0 | 3 => vec!["replay", "file:dead.ndjson", "--to", place],
            _ => vec!["move", "file:dead.ndjson", place],
        };
        let killing = Killing { sandbox: &s, args, run: "nightly", within: 10..500 };
        figures.kills += killing.kill(17);
        let ran = killing.finish();
        let what = format!("archive, round {round}: {}", ran.stderr);
        let left = s.run(&["depth", "file:dead.ndjson", "-o", "json"]);
        assert_eq!(left.json()[0]["ready"], 0, "{what}");
        let there = arrived(&s, place.trim_start_matches("file:"));
        figures.add(&what, &load::count(bodies), &there, &load::named(&s, "nightly", &ids));
        round += 1;
    }
    figures.print("archive to archive", 8192);
}
