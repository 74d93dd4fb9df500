//! A RabbitMQ of a test's own: it can be killed without harm to other tests.

use std::process::{Command, Stdio};

use crate::servers::{self, Server};

/// Runs until it is dropped.
pub struct Node {
    at: tempfile::TempDir,
    told: String,
}

impl Node {
    /// RabbitMQ 4.3; none where this machine is not the one that starts the brokers.
    pub fn start() -> Option<Node> {
        servers::var("DLQ_TEST_RABBITMQ_43_NODE")?;
        let mut node = Node { at: tempfile::tempdir().unwrap(), told: String::new() };
        node.control("start");
        node.told = String::from_utf8(node.script("env").output().unwrap().stdout).unwrap();
        Some(node)
    }

    fn script(&self, what: &str) -> Command {
        let mut command = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/brokers/rabbitmq.sh"));
        command.args([what, "4.3"]).env("DLQ_BROKERS_RUN", self.at.path());
        command
    }

    /// `start`, `stop`, or `kill`.
    pub fn control(&self, what: &str) {
        done(self.script(what), what);
    }

    /// A command of `rabbitmqctl`.
    pub fn ctl(&self, what: &str) {
        let mut command = self.script("ctl");
        command.arg(what);
        done(command, what);
    }

    pub fn server(&self) -> Server {
        let value = |name: &str| {
            let start = format!("export DLQ_TEST_RABBITMQ_43_{name}=");
            self.told.lines().find_map(|line| line.strip_prefix(&start)).unwrap().to_owned()
        };
        Server { url: value("URL"), management: value("MANAGEMENT") }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.control("stop");
    }
}

fn done(mut command: Command, what: &str) {
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    assert!(status.success() || std::thread::panicking(), "{what}");
}
