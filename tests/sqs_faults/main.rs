//! What goes wrong on SQS, against a service in this process: nothing is lost, the report is right, the exit code is right.
#![allow(missing_docs, clippy::unwrap_used)]

mod bench;
#[path = "../support/fake_aws/mod.rs"]
mod fake_aws;
mod fifo;
mod limits;
mod looking;
mod moving;
mod purging;
mod receives;
mod refusals;
mod removals;
#[path = "../support/sandbox.rs"]
mod sandbox;
mod sends;
mod server_side;
mod stopping;
mod topics;
