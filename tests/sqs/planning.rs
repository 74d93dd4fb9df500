//! What a plan and `can-i` tell of the queue a message would go to.

use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::Value;

use crate::queues::{Letter, Queues};
use crate::sandbox::Sandbox;

fn because<'a>(may: &'a Value, about: &str) -> &'a str {
    let found = may.as_array().unwrap().iter().find(|f| f["about"] == about);
    found.unwrap_or_else(|| panic!("no {about} in {may:#}"))["because"].as_str().unwrap()
}

#[test]
fn size_kind_and_retention_of_the_destination_are_told() {
    let Some(q) = Queues::open() else { return };
    let s = Sandbox::new();
    let dead = q.queue("dead", &[]);
    let to = q.queue("to.fifo", &[(QueueAttributeName::MessageRetentionPeriod, "7200")]);
    q.send(&dead, &[Letter::new("a"), Letter::new("b")]);
    let (from, there) = (q.address(&dead), q.address(&to));
    let ran = s.run(&["replay", &from, "--to", &there, "--dry-run", "-o", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let plan = &ran.json()["plan"];
    let may = &plan["destination_may"];
    assert!(because(may, "size").contains("takes messages of up to"), "{may:#}");
    assert!(because(may, "repeats").contains("within 5 minutes"), "{may:#}");
    assert!(because(may, "permission to send").contains("is told by trying"), "{may:#}");
    let none = q.address("none");
    let ran = s.run(&["replay", &from, "--to", &none, "--dry-run"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("stopped by  the destination: "), "{}", ran.stderr);
    let can = s.run(&["can-i", "move", &from, "--to", &there, "-o", "json"]);
    assert_eq!(can.code, 3, "{}", can.stdout());
    assert!(because(&can.json(), "repeats").contains("to.fifo"), "{}", can.stdout());
}
