//! What a user sees: standard output, standard error and exit code of each call, pinned together.

mod altering;
mod bad_input;
mod changing;
mod finding;
mod generated;
mod looking;
mod naming;
mod runs;
#[path = "../support/sandbox.rs"]
mod sandbox;
#[path = "../support/servers.rs"]
mod servers;
mod shells;
mod terminal;
