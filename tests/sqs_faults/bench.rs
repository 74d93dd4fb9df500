//! A dead-letter queue with its source on a fake service, the command, and what must hold whatever went wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::fake_aws::{Fake, Message, REGION, queue};
use crate::sandbox::{Ran, Sandbox};

pub const DEAD: &str = "orders-dlq";
pub const SOURCE: &str = "orders";

pub struct Bench {
    pub fake: Fake,
    pub sandbox: Sandbox,
    /// Ids and bodies that were in the dead-letter queue at the beginning.
    all: BTreeMap<String, String>,
}

impl Bench {
    /// `orders` and its dead-letter queue, both standard, with so many dead messages.
    pub fn new(n: usize) -> Bench {
        Bench::between(SOURCE, DEAD, n)
    }

    pub fn between(source: &str, dead: &str, n: usize) -> Bench {
        let fake = Fake::start();
        fake.queue(source);
        fake.queue(dead);
        fake.redrive(source, dead, 3);
        let mut sandbox = Sandbox::new();
        sandbox.environment = environment(&fake);
        let mut bench = Bench { fake, sandbox, all: BTreeMap::new() };
        if n > 0 {
            bench.fake.fill(dead, n, Some(source));
            bench.remember(dead);
        }
        bench
    }

    /// What is in the dead-letter queue now is what must not be lost.
    pub fn remember(&mut self, dead: &str) {
        self.all = self.fake.messages(dead).into_iter().map(|m| (m.id, m.body)).collect();
    }

    pub fn dead(&mut self, messages: impl IntoIterator<Item = Message>) {
        for m in messages {
            self.fake.put(DEAD, m.died_in(&crate::fake_aws::arn(SOURCE)));
        }
        self.remember(DEAD);
    }

    pub fn run(&self, args: &[&str]) -> Ran {
        self.sandbox.run(args)
    }

    pub fn command(&self) -> Command {
        self.sandbox.command()
    }

    /// A replay of everything to its origin, with its report.
    pub fn replay(&self, more: &[&str]) -> (Ran, Value) {
        let dead = format!("sqs://{DEAD}");
        let ran = self.run(&[&["replay", dead.as_str(), "--yes", "-o", "json"], more].concat());
        let report = ran.json();
        (ran, report)
    }

    /// Whatever went wrong: every message is in one of the two queues, what is in the dead-letter queue is not held any more,
    /// what is in both or twice is named, the report adds up, and the exit code is 0 only if all went well.
    pub fn holds(&self, ran: &Ran, report: &Value) {
        self.holds_between(SOURCE, DEAD, ran, report);
    }

    pub fn holds_between(&self, source: &str, dead: &str, ran: &Ran, report: &Value) {
        let visible = self.fake.visible(dead);
        let (here, there) = (self.fake.messages(dead), self.fake.bodies(source));
        assert_eq!(visible, here.len(), "what stays is given back: {}", ran.stderr);
        self.nothing_lost(&here, &there, ran, report);
    }

    /// The same where giving back was made to fail.
    pub fn holds_later(&self, ran: &Ran, report: &Value) {
        self.fake.later(Duration::from_secs(43_200));
        self.holds(ran, report);
    }

    fn nothing_lost(&self, here: &[Message], there: &[String], ran: &Ran, report: &Value) {
        let ids: BTreeSet<_> = here.iter().map(|m| m.id.as_str()).collect();
        let listed = report["possible_duplicates"].as_array().unwrap();
        let listed: BTreeSet<_> = listed.iter().map(|v| v.as_str().unwrap()).collect();
        let (mut lost, mut untold) = (vec![], vec![]);
        for (id, body) in &self.all {
            let copies = there.iter().filter(|b| *b == body).count() + usize::from(ids.contains(id.as_str()));
            if copies == 0 {
                lost.push(id);
            }
            if copies > 1 && !listed.contains(id.as_str()) {
                untold.push(id);
            }
        }
        assert!(lost.is_empty(), "lost {lost:?}: {report:#}");
        assert!(untold.is_empty(), "twice, and not named {untold:?}: {report:#}");
        let n = |name: &str| count(report, name);
        assert_eq!(
            n("selected"),
            n("replayed") + n("failed") + n("indeterminate") + n("not_removed") + n("skipped"),
            "{report:#}"
        );
        let well = n("replayed") == self.all.len() && listed.is_empty();
        // What was not seen is no failure, but it must be said.
        let seen = report["coverage"]["complete"] == true;
        assert_eq!(ran.code == 0, well || !seen && ran.code == 0, "exit {}: {}\n{report:#}", ran.code, ran.stderr);
    }
}

/// What an on-call engineer's shell would have.
pub fn environment(fake: &Fake) -> Vec<(String, String)> {
    let endpoint = fake.endpoint();
    [
        ("AWS_ENDPOINT_URL", endpoint.as_str()),
        ("AWS_REGION", REGION),
        ("AWS_ACCESS_KEY_ID", "AKIAFAKE"),
        ("AWS_SECRET_ACCESS_KEY", "fake"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ]
    .map(|(k, v)| (k.to_owned(), v.to_owned()))
    .into()
}

pub fn count(report: &Value, name: &str) -> usize {
    usize::try_from(report[name].as_u64().unwrap_or_else(|| panic!("no {name} in {report:#}"))).unwrap()
}

/// Texts of everything that went wrong, in one.
pub fn errors(report: &Value) -> String {
    let texts = report["errors"].as_array().unwrap().iter().map(|e| e["error"].as_str().unwrap());
    texts.chain(report["error"].as_str()).collect::<Vec<_>>().join("\n")
}

/// A message with so many attributes, of all types.
pub fn with_attributes(n: usize) -> Message {
    let m = Message::new(&format!("{{\"order\":{n}}}"));
    (0..n).fold(m, |m, i| match i % 5 {
        0 => m.with(&format!("a{i}"), "String", "text"),
        1 => m.with(&format!("a{i}"), "Number", "1.50"),
        2 => m.with(&format!("a{i}"), "Binary", vec![0, 0xff, 7]),
        3 => m.with(&format!("a{i}"), "String.email", "a@b.example"),
        _ => m.with(&format!("a{i}"), "Binary.png", vec![0x89]),
    })
}

/// The attributes of a message without the mark.
pub fn unmarked(m: &Message) -> queue::Attributes {
    let mut all = m.attributes.clone();
    all.remove("dlq-replay");
    all
}
