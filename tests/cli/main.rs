//! What a user sees: standard output, standard error and exit code of each call, pinned together.

mod bad_input;
mod changing;
mod generated;
mod looking;
#[path = "../support/sandbox.rs"]
mod sandbox;
