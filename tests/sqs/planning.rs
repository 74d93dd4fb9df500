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

#[test]
fn a_move_by_the_broker_is_planned_like_any_other() {
    let Some(q) = Queues::open() else { return };
    let s = Sandbox::new();
    let dead = q.queue("dead", &[]);
    let source = q.source("orders", &dead, 1);
    let other = q.queue("other", &[]);
    q.send(&dead, &[Letter::new("a")]);
    let (from, to) = (q.address(&dead), q.address(&other));
    let plan = |more: &[&str]| {
        let ran = s.run(&[&["replay", &from, "--server-side", "--dry-run", "-o", "json"], more].concat());
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        (ran.json()["plan"].clone(), ran.stderr)
    };
    let (home, said) = plan(&[]);
    assert!(because(&home["may"], "permission").contains("sqs:ReceiveMessage"), "{home:#}");
    let place = &home["places"][0];
    assert_eq!(place["place"], q.arn(&source), "{home:#}");
    assert!(because(&place["may"], "permission to send").contains("is told by trying"), "{home:#}");
    assert!(said.contains(&format!("{}, by topology", q.arn(&source))), "{said}");
    let (there, _) = plan(&["--to", &to]);
    assert!(because(&there["destination_may"], "size").contains("takes messages of up to"), "{there:#}");
    assert_eq!((q.counts(&dead), q.counts(&source), q.counts(&other)), ((1, 0), (0, 0), (0, 0)));
}
