//! Runs that are stopped by a guard, named, and taken up again.

use lapin::types::AMQPValue;

use crate::broker::{Broker, text};
use crate::sandbox::Sandbox;

#[test]
fn a_guard_stays_shut_until_it_is_accepted() {
    let Some(b) = Broker::open("43") else { return };
    let s = Sandbox::new();
    let q = b.queue("q", "classic", &[]);
    b.fill(&q, 6);
    let full =
        b.queue("full", "classic", &[("x-max-length", AMQPValue::LongInt(0)), ("x-overflow", text("reject-publish"))]);
    let (from, to) = (b.address(&q), b.address(&full));
    let args = ["replay", &from, "--to", &to, "-y", "--max-failures", "0", "--run", "n", "-o", "json"];
    let ran = s.run(&args);
    assert_eq!(ran.code, 6, "{}", ran.stderr);
    assert_eq!(ran.json()["stopped_by"], "max-failures");
    let again = s.run(&args);
    assert_eq!(again.code, 6, "{}", again.stderr);
    assert!(
        again.stderr.contains("stays stopped") && again.stderr.contains("--accept max-failures"),
        "{}",
        again.stderr
    );
    let history = s.run(&["history", "n", "-o", "json"]).json();
    assert_eq!(history["messages"][0]["kind"], "failed", "{history}");
    assert_eq!(history["attempts"], 1);
    // It is stopped, not cut off: another run may begin.
    let other = s.run(&["replay", &from, "--to", &to, "-n", "1", "-y", "-q"]);
    assert_eq!(other.code, 1, "{}", other.stderr);

    b.runtime.block_on(b.channel.queue_delete(full.clone().into(), Default::default())).unwrap();
    let o = lapin::options::QueueDeclareOptions { durable: true, ..Default::default() };
    b.runtime.block_on(b.channel.queue_declare(full.clone().into(), o, Default::default())).unwrap();
    let ran = s.run(&["resume", "n", "--accept", "max-failures", "-y", "-o", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(ran.json()["replayed"], 6);
    b.settled(&full, 6);
    assert_eq!(s.run(&args).code, 0, "done");
}

#[test]
fn what_a_move_could_not_send_is_on_record_with_what_it_had_died_of() {
    let Some(b) = Broker::open("43") else { return };
    let s = Sandbox::new();
    let dead = b.queue("dead", "classic", &[]);
    let dlx = [("x-dead-letter-exchange", text("")), ("x-dead-letter-routing-key", text(&dead))];
    let work = b.queue("work", "classic", &dlx);
    b.fill(&work, 2);
    b.reject(&work, 2);
    b.settled(&dead, 2);
    let full =
        b.queue("full", "classic", &[("x-max-length", AMQPValue::LongInt(0)), ("x-overflow", text("reject-publish"))]);
    let (from, to) = (b.address(&dead), b.address(&full));
    let causes = s.run(&["filter", &from, "true", "--print", ".death.cause", "-o", "raw"]);
    let ran = s.run(&["move", &from, &to, "-y", "--run", "n"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    let history = s.run(&["history", "n", "-o", "json"]).json();
    let told: Vec<_> = history["messages"].as_array().unwrap().iter().map(|m| m["cause"].as_str().unwrap()).collect();
    assert_eq!(told, causes.stdout().lines().collect::<Vec<_>>(), "{history:#}");
}
