//! The README's incident, in its commands.

use crate::queues::{Letter, Queues, attribute};
use crate::sandbox::Sandbox;

#[test]
fn copy_once_analyse_the_file_replay_by_ids() {
    let Some(q) = Queues::open() else { return };
    let s = Sandbox::new();
    let dead = q.queue("dead", &[]);
    let source = q.source("orders", &dead, 1);
    let letters: Vec<Letter> = (0..120)
        .map(|n| {
            let class = ["Timeout", "NoStock", "BadAddress"][n % 3];
            Letter::new(format!("{{\"order\":{n}}}")).with("error", attribute("String", class))
        })
        .collect();
    q.send(&source, &letters);
    q.let_die(&source, &dead, 120);
    let queue = q.address(&dead);

    let ran = s.run(&["depth", &queue, "-o", "json"]);
    let depth = &ran.json()[0];
    assert_eq!(
        (&depth["ready"], &depth["accuracy"], &depth["oldest"]),
        (&120.into(), &"approximate".into(), &serde_json::Value::Null)
    );

    let ran = s.run(&["copy", &queue, "file:incident.ndjson", "--yes"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(q.counts(&dead), (120, 0));
    let received = |q: &Queues| {
        let some = q.receive(&dead, 0);
        some[0].attributes.as_ref().unwrap()[&"ApproximateReceiveCount".into()].parse::<u64>().unwrap()
    };
    let before = received(&q);
    for _ in 0..3 {
        let ran =
            s.run(&["filter", "file:incident.ndjson", ".headers.error == \"Timeout\"", "--print", ".id", "-o", "raw"]);
        assert_eq!((ran.code, ran.lines()), (0, 40), "{}", ran.stderr);
        s.write("ids", ran.stdout());
    }
    let ran = s.run(&["sample", "file:incident.ndjson", "-n", "2", "--by", ".headers.error", "-o", "jsonl"]);
    assert_eq!(ran.lines(), 6, "{}", ran.stderr);
    assert!(received(&q) <= before + 1, "the file is read, not the queue");

    let ran = s.run(&["replay", &queue, "--ids-from", "ids", "--dry-run", "-o", "json"]);
    assert_eq!((ran.code, &ran.json()["selected"]), (0, &40.into()), "{}", ran.stderr);
    let ran = s.run(&["replay", &queue, "--ids-from", "ids", "--rate", "200/s", "--yes", "-o", "json"]);
    let report = ran.json();
    assert_eq!((ran.code, &report["replayed"], &report["remaining"]), (0, &40.into(), &80.into()), "{report}");
    let back = q.drain(&source);
    assert_eq!(back.len(), 40);
    assert!(back.iter().all(|m| m.message_attributes().unwrap()["error"].string_value() == Some("Timeout")));
    assert_eq!(q.counts(&dead), (80, 0));
}
