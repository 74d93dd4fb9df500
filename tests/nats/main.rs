//! NATS with the real binary, on the server all tests share and on servers of a test's own.
#![allow(missing_docs, clippy::unwrap_used)]

mod canary;
mod cutting;
mod given_up;
#[path = "../support/jetstream.rs"]
mod jetstream;
mod logins;
mod looking;
mod own;
mod renumbered;
mod replaying;
mod restart;
#[path = "../support/sandbox.rs"]
#[allow(unused_macros, reason = "a part of it is used here")]
mod sandbox;
#[path = "../support/servers.rs"]
mod servers;

use sandbox::Ran;
use serde_json::Value;

/// A name for a stream of this run.
fn unique(what: &str) -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static MADE: AtomicU32 = AtomicU32::new(0);
    format!("T_{what}_{}_{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed))
}

/// The lines of `-o jsonl`.
fn rows(ran: &Ran) -> Vec<Value> {
    ran.stdout().lines().map(|l| serde_json::from_str(l).unwrap()).collect()
}
