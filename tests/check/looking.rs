//! What only messages tell: when they died, how old they are, and of what they died.

use serde_json::Value;

use crate::sandbox::Sandbox;
use crate::{Queues, blocking, connect};

use lapin::BasicProperties;
use lapin::options::BasicPublishOptions;
use lapin::types::{AMQPValue, FieldArray, FieldTable};

/// One more message, that died so many seconds ago in `orders`, and says nothing else of time.
fn dead(q: &Queues, n: usize, ago: u64) {
    let at = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs() - ago;
    let mut death = FieldTable::default();
    death.insert("count".into(), AMQPValue::LongLongInt(1));
    death.insert("reason".into(), AMQPValue::LongString("rejected".into()));
    death.insert("queue".into(), AMQPValue::LongString("orders".into()));
    death.insert("time".into(), AMQPValue::Timestamp(at));
    let mut headers = FieldTable::default();
    headers.insert("x-death".into(), AMQPValue::FieldArray(FieldArray::from(vec![AMQPValue::FieldTable(death)])));
    blocking(async {
        let connection = connect(&q.server.url).await;
        let channel = connection.create_channel().await.expect("a channel");
        let (to, how) = (q.names[n].as_str().into(), BasicPublishOptions::default());
        let properties = BasicProperties::default().with_headers(headers);
        let sent = channel.basic_publish("".into(), to, how, b"{}", properties).await.expect("published");
        sent.await.expect("sent");
        connection.close(200, "done".into()).await.expect("closed");
    });
}

fn queue(ran: &crate::sandbox::Ran) -> Value {
    ran.json()["queues"][0].clone()
}

#[test]
fn messages_that_tell_no_time_are_not_taken_for_none() {
    let Some(q) = Queues::new(3) else { return };
    let s = Sandbox::new();
    let check = |n: usize, more: &[&str]| {
        let address = q.address(n);
        s.run(&[&["check", &address, "--accept", "redelivered", "-o", "json"], more].concat())
    };
    let ran = check(2, &["--since", "1h", "--crit", "1"]);
    assert_eq!(ran.code, 3, "{}", ran.stdout());
    assert_eq!(
        queue(&ran)["reasons"][0],
        "0 messages died since or more: 2 messages do not tell when they were created or died"
    );
    let ran = check(2, &["--max-age", "1h"]);
    assert_eq!(ran.code, 3, "{}", ran.stdout());
    assert!(ran.stdout().contains("the oldest is not known: 2 messages do not tell"), "{}", ran.stdout());
    // An empty queue has none, whatever is asked.
    assert_eq!(check(0, &["--since", "1h", "--crit", "1"]).code, 0);
    assert_eq!(check(0, &["--max-age", "1h"]).code, 0);
    dead(&q, 2, 7200);
    assert_eq!(check(2, &["--max-age", "1h"]).code, 2, "one of them is known to be old");
    let ran = check(2, &["--max-age", "3h"]);
    assert_eq!(ran.code, 3, "the others may be older: {}", ran.stdout());
}

#[test]
fn how_long_a_message_has_been_dead_is_its_age_where_nothing_else_is_told() {
    let Some(q) = Queues::new(1) else { return };
    let s = Sandbox::new();
    dead(&q, 0, 60);
    dead(&q, 0, 7200);
    let address = q.address(0);
    let check = |more: &[&str]| s.run(&[&["check", &address, "--accept", "redelivered", "-o", "json"], more].concat());
    let ran = check(&["--max-age", "2h"]);
    let age = queue(&ran)["oldest_age_seconds"].as_i64().expect("an age");
    assert!(ran.code == 2 && (7200..7260).contains(&age), "{}", ran.stdout());
    assert_eq!(check(&["--max-age", "3h"]).code, 0);
    let ran = check(&["--since", "1h", "--crit", "5"]);
    assert_eq!((ran.code, &queue(&ran)["count"]), (0, &1.into()), "{}", ran.stdout());
    // `depth --age` looks under the same conditions, and says where it may not.
    let ran = s.run(&["depth", &address, "--age", "--accept", "redelivered", "-o", "json"]);
    let age = ran.json()[0]["oldest_age_seconds"].as_i64().expect("an age");
    assert!((7200..7260).contains(&age), "{}", ran.stdout());
    let ran = s.run(&["depth", &address, "--age", "-o", "json"]);
    assert_eq!((ran.code, &ran.json()[0]["oldest"]), (0, &Value::Null), "{}", ran.stderr);
    assert!(ran.stderr.contains("the age of the oldest is not known: that takes a look"), "{}", ran.stderr);
    assert!(ran.stderr.contains("--accept redelivered"), "{}", ran.stderr);
}

#[test]
fn growth_is_measured_over_a_while_as_well() {
    let Some(q) = Queues::new(1) else { return };
    let (s, address) = (Sandbox::new(), q.address(0));
    let quiet = s.run(&["check", &address, "--max-growth", "3/m", "--over", "1s", "-o", "json"]);
    assert_eq!((quiet.code, &queue(&quiet)["growth"]), (0, &0.into()), "{}", quiet.stdout());
    let grown = std::thread::scope(|threads| {
        let check = threads.spawn(|| s.run(&["check", &address, "--max-growth", "3/m", "--over", "10s", "-o", "json"]));
        std::thread::sleep(std::time::Duration::from_secs(4));
        dead(&q, 0, 1);
        check.join().expect("a verdict")
    });
    // One in ten seconds is six in a minute.
    assert_eq!((grown.code, &queue(&grown)["growth"]), (2, &1.into()), "{}", grown.stdout());
    assert_eq!(std::fs::read_dir(s.state()).expect("a folder").count(), 0, "nothing is kept for that");
}

#[test]
fn a_run_that_goes_on_asking_is_compared_with_earlier_ones_alone() {
    let Some(q) = Queues::new(1) else { return };
    let (s, address) = (Sandbox::new(), q.address(0));
    let lasting = ["check", &address, "--expect-empty", "--for", "1s", "--max-growth", "3/m", "-o", "json"];
    let first = s.run(&lasting);
    assert_eq!((first.code, &queue(&first)["growth"]), (3, &Value::Null), "{}", first.stdout());
    assert_eq!((s.run(&lasting).code, s.run(&[&lasting[..], &["--over", "1s"]].concat()).code), (0, 0));
}
