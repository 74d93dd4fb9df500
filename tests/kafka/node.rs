//! A node of its own, of a cluster of its own or a second one of another: it can be killed without harm to other tests.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::cluster::Cluster;
use crate::servers;

/// Runs until it is dropped.
pub struct Node {
    at: tempfile::TempDir,
    joins: Option<std::path::PathBuf>,
    cluster: Option<Cluster>,
}

impl Node {
    /// None where this machine is not the one that starts the brokers.
    pub fn start() -> Option<Node> {
        Node::new(None)
    }

    /// A second broker of that node's cluster.
    pub fn join(other: &Node) -> Node {
        Node::new(Some(other.at.path())).expect("the first one was started here")
    }

    fn new(joins: Option<&Path>) -> Option<Node> {
        servers::var("DLQ_TEST_KAFKA_CONTROL")?;
        let at = tempfile::tempdir().expect("a folder");
        let mut node = Node { at, joins: joins.map(Path::to_path_buf), cluster: None };
        node.control("start");
        let told = node.script("env").output().expect("run the script");
        let told = String::from_utf8(told.stdout).expect("text");
        let url = told.lines().find_map(|l| l.strip_prefix("export DLQ_TEST_KAFKA_URL=")).expect("its address");
        node.cluster = Some(Cluster::at(url.to_owned()));
        Some(node)
    }

    fn script(&self, what: &str) -> Command {
        let mut command = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/brokers/kafka.sh"));
        command.arg(what).env("DLQ_BROKERS_RUN", self.at.path()).env("DLQ_KAFKA_HEAP", "256m");
        // One that is gone is known to be rather sooner than by default.
        command.env("DLQ_KAFKA_SETTINGS", "broker.session.timeout.ms=6000\nbroker.heartbeat.interval.ms=500");
        self.joins.iter().for_each(|other| _ = command.env("DLQ_KAFKA_JOIN", other));
        command
    }

    pub fn control(&self, what: &str) {
        let done = self.script(what).stdout(Stdio::null()).status().expect("run the script");
        assert!(done.success(), "{what}");
    }

    /// The number of its process.
    pub fn process(&self) -> String {
        std::fs::read_to_string(self.at.path().join("kafka/server.pid")).expect("its number").trim().to_owned()
    }

    pub fn cluster(&self) -> &Cluster {
        self.cluster.as_ref().expect("started")
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // Its topics go with it.
        self.cluster.take().into_iter().for_each(std::mem::forget);
        self.control("stop");
    }
}
