//! JetStream streams, of both kinds of retention in which messages wait.

use std::sync::atomic::{AtomicU32, Ordering};

use dlq::message::Value;
use serde_json::json;

use super::fixture::Fixture;
use super::jetstream::Server;

pub struct Streams {
    server: Server,
    retention: &'static str,
    run: String,
    made: AtomicU32,
}

/// A fixture for one kind of retention; none where no server is running, unless it is required.
pub fn streams(retention: &'static str) -> Option<Streams> {
    let server = Server::shared()?;
    let run = format!("{retention}_{:x}", std::time::SystemTime::UNIX_EPOCH.elapsed().expect("after 1970").as_nanos());
    Some(Streams { server, retention, run, made: AtomicU32::new(0) })
}

impl Streams {
    fn name(&self, n: u32) -> String {
        format!("CONFORM_{}_{n}", self.run)
    }
}

impl Fixture for Streams {
    fn empty_queue(&self) -> String {
        let name = self.name(self.made.fetch_add(1, Ordering::Relaxed));
        let config = json!({ "name": name, "subjects": [format!("conform.{name}")], "retention": self.retention });
        self.server.make(config);
        self.server.address(&name)
    }

    fn absent_queue(&self) -> String {
        self.server.address(&format!("ABSENT_{}", self.run))
    }

    fn carries(&self, value: &Value) -> bool {
        matches!(value, Value::Text(b) if std::str::from_utf8(b).is_ok_and(|t| !t.contains(['\r', '\n'])))
    }

    fn sink_creates(&self) -> bool {
        false
    }
}

impl Drop for Streams {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        for n in 0..self.made.load(Ordering::Relaxed) {
            self.server.api(&format!("STREAM.DELETE.{}", self.name(n)), &json!({}));
        }
    }
}
