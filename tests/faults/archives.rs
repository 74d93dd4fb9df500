//! Archives of a test's own, and what of them is where afterwards.

use std::collections::BTreeMap;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::figures::Figures;
use crate::killed_archive;
use crate::load::{self, Arrived};
use crate::sandbox::Sandbox;

/// `dead.ndjson` and what is known of it.
pub struct Dead {
    pub s: Sandbox,
    pub bodies: Vec<String>,
    pub ids: BTreeMap<String, String>,
}

impl Dead {
    pub fn new(many: usize) -> Dead {
        let s = Sandbox::new();
        let bodies = load::bodies(0, many);
        let ids = killed_archive::fill(&s, "dead.ndjson", &bodies);
        Dead { s, bodies, ids }
    }

    pub fn start(&self, args: &[&str]) -> Child {
        let mut command = self.s.command();
        command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    }

    /// Waits until something has arrived.
    pub fn begun(&self, place: &str) {
        let began = Instant::now();
        while std::fs::metadata(self.s.path(place)).map_or(0, |m| m.len()) < 5000 {
            assert!(began.elapsed() < Duration::from_secs(60), "nothing arrives");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub fn left(&self) -> u64 {
        self.s.run(&["depth", "file:dead.ndjson", "-o", "json"]).json()[0]["ready"].as_u64().unwrap()
    }

    /// All of it is at the destination, and what is there twice is named.
    pub fn all_arrived(&self, what: &str, place: &str, run: &str) -> Figures {
        let there: Vec<Arrived> = killed_archive::arrived(&self.s, place);
        let mut figures = Figures::default();
        let named = load::named(&self.s, run, &self.ids);
        figures.add(what, &load::count(self.bodies.clone()), &there, &named);
        figures
    }
}
