//! What a plan and `can-i` tell of permissions and limits, at the queue and at the destination.

use std::time::{Duration, Instant};

use lapin::ExchangeKind;
use lapin::types::AMQPValue;
use serde_json::Value;

use crate::broker::{Broker, text};
use crate::plans::{answer, plan_of, says};
use crate::sandbox::Sandbox;

fn long(n: i32) -> AMQPValue {
    AMQPValue::LongInt(n)
}

/// Asks until the API has its counts, which takes it a few seconds.
fn told(s: &Sandbox, args: &[&str], wanted: impl Fn(&Value) -> bool) -> Value {
    let began = Instant::now();
    loop {
        let ran = s.run(&[args, &["--dry-run", "-o", "json"]].concat());
        let plan = plan_of(&ran);
        if wanted(&plan) {
            return plan;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{plan:#}");
        std::thread::sleep(Duration::from_millis(300));
    }
}

#[test]
fn a_queue_that_drops_its_oldest_is_warned_of_and_does_so() {
    let Some(b) = Broker::open("43") else { return };
    let s = Sandbox::new();
    for kind in ["classic", "quorum"] {
        let dead = b.queue(&format!("dead.{kind}"), kind, &[]);
        let small = b.queue(&format!("small.{kind}"), kind, &[("x-max-length", long(3))]);
        b.fill(&dead, 5);
        b.fill(&small, 2);
        let (from, to) = (b.address(&dead), b.address(&small));
        let args = ["replay", &from, "--to", &to];
        let line = format!("queue {small} takes 1 of 5 messages (max-length 3), then DROPS its oldest for each more");
        let plan = told(&s, &args, |plan| says(&plan["harm"], &line));
        assert_eq!(answer(&plan["destination_may"], "room"), "harm");
        assert_eq!(answer(&plan["destination_may"], "permission to write"), "yes");
        assert_eq!(plan["stopped_by"], serde_json::json!([]));
        let asked = s.run(&args);
        assert_eq!(asked.code, 6, "{}", asked.stderr);
        assert!(asked.stderr.contains("harm") && asked.stderr.contains(&line), "{}", asked.stderr);
        assert_eq!(told(&s, &[&args[..], &["-n", "1"]].concat(), |_| true)["harm"], serde_json::json!([]));
        let can = s.run(&["can-i", "replay", &from, "--to", &to, "-o", "json"]);
        assert_eq!(
            (answer(&can.json(), "room"), can.code),
            (&"unknown".into(), 3),
            "it may be fewer: {}",
            can.stdout()
        );
        // It is as was said.
        b.settled(&dead, 5);
        let ran = s.run(&[&args[..], &["-y"]].concat());
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        assert!(ran.stderr.contains(&line), "with --yes too: {}", ran.stderr);
        assert_eq!(b.bodies(&small), ["2", "3", "4"]);
        // What goes on to somewhere is not lost.
        let kept = [("x-max-length", long(3)), ("x-dead-letter-exchange", text(""))];
        let kept = b.queue(&format!("kept.{kind}"), kind, &kept);
        b.fill(&dead, 5);
        let to = b.address(&kept);
        told(&s, &["replay", &from, "--to", &to], |plan| says(&plan["harm"], "then dead-letters its oldest"));
    }
}

#[test]
fn a_queue_that_refuses_is_told_of_unless_a_consumer_may_make_room() {
    let Some(b) = Broker::open("43") else { return };
    let s = Sandbox::new();
    let dead = b.queue("dead", "quorum", &[]);
    let full = [("x-max-length-bytes", long(4)), ("x-overflow", text("reject-publish"))];
    let full = b.queue("full", "classic", &full);
    b.fill(&dead, 6);
    let (from, to) = (b.address(&dead), b.address(&full));
    let args = ["replay", &from, "--to", &to];
    let line = format!("queue {full} takes bodies of 4 B (max-length-bytes 4), then refuses");
    let plan = told(&s, &args, |plan| says(&plan["stopped_by"], &line));
    assert_eq!(answer(&plan["destination_may"], "room"), "no");
    // Four bodies of one byte fit.
    told(&s, &[&args[..], &["-n", "4"]].concat(), |plan| answer(&plan["destination_may"], "room") == "yes");
    let o = lapin::options::BasicConsumeOptions::default();
    let consume = b.channel.basic_consume(full.as_str().into(), "c".into(), o, Default::default());
    let consumer = b.runtime.block_on(consume).unwrap();
    let plan = told(&s, &args, |plan| answer(&plan["destination_may"], "room") == "unknown");
    assert_eq!(plan["stopped_by"], serde_json::json!([]), "consumers may make room");
    drop(consumer);
}

#[test]
fn where_messages_go_back_to_is_looked_at_as_well() {
    let Some(b) = Broker::open("43") else { return };
    let s = Sandbox::new();
    let dead = b.queue("dead", "quorum", &[]);
    let dlx =
        [("x-dead-letter-exchange", text("")), ("x-dead-letter-routing-key", text(&dead)), ("x-max-length", long(4))];
    let work = b.queue("work", "quorum", &dlx);
    let exchange = b.exchange("jobs", ExchangeKind::Topic);
    b.bind(&work, &exchange, "a.*");
    for n in 0..3 {
        b.publish(&exchange, "a.b", crate::broker::persistent(), n.to_string().as_bytes());
    }
    b.reject(&work, 3);
    b.settled(&dead, 3);
    let other = b.queue("other", "quorum", &[("x-max-length", long(2))]);
    b.bind(&other, &exchange, "#");
    let from = b.address(&dead);
    let plan =
        told(&s, &["replay", &from], |plan| says(&plan["harm"], &format!("queue {other} takes 2 of 3 messages")));
    let may = &plan["places"][0]["may"];
    assert_eq!(answer(may, "permission to write"), "yes", "{plan:#}");
    assert!(!says(&plan["harm"], &work), "it has room for three: {plan:#}");
    let can = s.run(&["can-i", "replay", &from, "-o", "json"]);
    let names_it = |f: &Value| f["because"].as_str().unwrap().contains(&work);
    assert!(can.json().as_array().unwrap().iter().any(names_it), "{}", can.stdout());
}

#[test]
fn two_ways_into_one_queue_are_weighed_together() {
    let Some(b) = Broker::open("43") else { return };
    let s = Sandbox::new();
    let dead = b.queue("dead", "classic", &[]);
    let dlx = [("x-dead-letter-exchange", text("")), ("x-dead-letter-routing-key", text(&dead))];
    let work = b.queue("work", "classic", &dlx);
    let exchange = b.exchange("jobs", ExchangeKind::Topic);
    b.bind(&work, &exchange, "a.*");
    for n in 0..6 {
        let key = ["a.b", "a.c"][n % 2];
        b.publish(&exchange, key, crate::broker::persistent(), n.to_string().as_bytes());
    }
    b.reject(&work, 6);
    b.settled(&dead, 6);
    let small = b.queue("small", "classic", &[("x-max-length", long(4))]);
    b.bind(&small, &exchange, "#");
    let from = b.address(&dead);
    // Three of one key fit, and three of the other: not both.
    let line = format!("queue {small} takes 4 of 6 messages (max-length 4), then DROPS its oldest for each more");
    let plan = told(&s, &["replay", &from], |plan| says(&plan["harm"], &line));
    assert_eq!(plan["places"].as_array().unwrap().len(), 2, "{plan:#}");
    assert_eq!(plan["harm"].as_array().unwrap().len(), 1, "said once: {plan:#}");
    let four = told(&s, &["replay", &from, "-n", "4"], |_| true);
    assert_eq!(four["harm"], serde_json::json!([]), "{four:#}");
}

#[test]
fn without_a_look_the_origins_of_the_topology_are_told_of() {
    let Some(b) = Broker::open("43") else { return };
    let s = Sandbox::new();
    let dead = b.queue("dead", "classic", &[]);
    let full = [
        ("x-dead-letter-exchange", text("")),
        ("x-dead-letter-routing-key", text(&dead)),
        ("x-max-length", long(1)),
        ("x-overflow", text("reject-publish")),
    ];
    let work = b.queue("work", "classic", &full);
    b.fill(&work, 1);
    b.fill(&dead, 3);
    let from = b.address(&dead);
    let line = format!("queue {work} is full (max-length 1): it refuses");
    told(&s, &["replay", &from], |plan| says(&plan["stopped_by"], &line));
    let ran = s.run(&["replay", &from, "-y"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    for told in [&line, &format!("places      {work}, by topology (queue {work}, no consumers)")] {
        assert!(ran.stderr.contains(told.as_str()), "{told}: {}", ran.stderr);
    }
    b.settled(&dead, 3);
}

/// A user of a test's own, gone when dropped.
pub struct User<'a> {
    ctl: String,
    pub name: String,
    b: &'a Broker,
}

impl User<'_> {
    pub fn new<'a>(b: &'a Broker, tag: &str) -> Option<User<'a>> {
        let ctl = crate::servers::var("DLQ_TEST_RABBITMQ_43_CTL")?;
        let user = User { ctl, name: b.name("user"), b };
        user.run(&["add_user", &user.name, "s3cret"]);
        user.run(&["set_user_tags", &user.name, tag]);
        user.allow("write", ".*");
        Some(user)
    }

    fn run(&self, args: &[&str]) {
        let done = std::process::Command::new(&self.ctl).args(args).output().unwrap();
        assert!(done.status.success(), "{args:?}: {}", String::from_utf8_lossy(&done.stderr));
    }

    pub fn allow(&self, what: &str, pattern: &str) {
        let of = |name: &str| if name == what { pattern.to_owned() } else { ".*".to_owned() };
        self.run(&["set_permissions", &self.name, "^$", &of("write"), &of("read")]);
    }

    pub fn address(&self, queue: &str) -> String {
        self.b.address(queue).replace("guest:guest", &format!("{}:s3cret", self.name))
    }
}

impl Drop for User<'_> {
    fn drop(&mut self) {
        _ = std::process::Command::new(&self.ctl).args(["delete_user", &self.name]).output();
    }
}

#[test]
fn whether_we_may_write_there_is_told_to_an_administrator() {
    let Some(b) = Broker::open("43") else { return };
    let s = Sandbox::new();
    let (dead, to) = (b.queue("dead", "classic", &[]), b.queue("to", "classic", &[]));
    let exchange = b.exchange("topics", ExchangeKind::Topic);
    b.bind(&to, &exchange, "#");
    b.fill(&dead, 2);
    let Some(user) = User::new(&b, "administrator") else { return };
    let replay = |more: &[&str]| {
        let (from, to) = (user.address(&dead), user.address(&to));
        s.run(&[&["replay", &from, "--to", &to, "--dry-run", "-o", "json"], more].concat())
    };
    assert_eq!(answer(&plan_of(&replay(&[]))["destination_may"], "permission to write"), "yes");
    // An empty pattern is one that matches nothing.
    for none in ["^other$", ""] {
        user.allow("write", none);
        let plan = plan_of(&replay(&[]));
        let line = format!("user {} may write to what matches {none:?}, not the default exchange", user.name);
        assert!(says(&plan["stopped_by"], &line), "{plan:#}");
        let ran = s.run(&["replay", &user.address(&dead), "--to", &user.address(&to), "-y"]);
        assert_eq!(ran.code, 1, "and so it is: {}", ran.stderr);
    }
    user.allow("write", "^amq.default$");
    assert_eq!(answer(&plan_of(&replay(&[]))["destination_may"], "permission to write"), "yes");
    let there = format!("exchange={exchange}");
    let place = replay(&["--to-X", &there, "--to-X", "routing-key=a.b"]);
    assert!(says(&plan_of(&place)["stopped_by"], &format!("not exchange {exchange}")), "{}", place.stdout());
    user.allow("write", ".*");
    user.run(&["set_topic_permissions", &user.name, &exchange, "^b", ".*"]);
    let key = |key: &str| plan_of(&replay(&["--to-X", &there, "--to-X", &format!("routing-key={key}")]));
    assert!(says(&key("a.b")["stopped_by"], "with keys like \"^b\""));
    assert_eq!(answer(&key("b.c")["destination_may"], "permission for the routing key"), "yes");
    let to_a = s.run(
        &[
            &["replay", &user.address(&dead), "--to", &user.address(&to), "-y", "--to-X", &there][..],
            &["--to-X", "routing-key=a.b"],
        ]
        .concat(),
    );
    assert_eq!(to_a.code, 1, "and so it is: {}", to_a.stderr);
    // Others are not told, which stops nothing.
    user.run(&["set_user_tags", &user.name, "management"]);
    let plan = plan_of(&replay(&[]));
    assert_eq!(answer(&plan["destination_may"], "permission to write"), "unknown");
    assert_eq!(answer(&plan["may"], "permission to read"), "unknown");
    assert_eq!(plan["stopped_by"], serde_json::json!([]));
    let bare = s.run(&["replay", &b.bare(&dead), "--to", &b.bare(&to), "--dry-run", "-o", "json"]);
    assert_eq!(answer(&plan_of(&bare)["destination_may"], "room"), "unknown");
    b.settled(&dead, 2);
}

#[test]
fn what_ends_by_its_age_is_told() {
    let Some(b) = Broker::open("43") else { return };
    let s = Sandbox::new();
    let ages = [("x-message-ttl", long(600_000)), ("x-expires", long(3_600_000))];
    let (dead, to) = (b.queue("dead", "classic", &ages), b.queue("to", "classic", &[]));
    b.fill(&dead, 1);
    let ran = s.run(&["move", &b.address(&dead), &b.address(&to), "--dry-run"]);
    for line in ["is dropped or dead-lettered 10m after it came here", "is deleted once nobody has used it for 1h"] {
        assert!(ran.stderr.contains("limits") && ran.stderr.contains(line), "{}", ran.stderr);
    }
}

#[test]
fn a_destination_that_is_refused_is_told_in_the_plan() {
    let Some(b) = Broker::open("43") else { return };
    let s = Sandbox::new();
    let dead = b.queue("dead", "classic", &[]);
    b.fill(&dead, 1);
    for more in [&["--dry-run"][..], &["-y"], &[]] {
        let ran = s.run(&[&["replay", &b.address(&dead), "--to", &b.address("none")], more].concat());
        assert_eq!(ran.code, 1, "{}", ran.stderr);
        let plan = ran.stderr.split("not found: ").next().unwrap();
        assert!(plan.contains("stopped by  the destination: no queue 'none'"), "{more:?}: {}", ran.stderr);
        assert!(plan.contains("as          guest"), "{}", ran.stderr);
        assert!(ran.stdout.is_empty());
    }
    assert!(!b.get(&dead, true).unwrap().redelivered, "nobody looked");
}
