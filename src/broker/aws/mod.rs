//! What the backends on Amazon's services share: configuration by the official default chain, who we are, and errors.
//!
//! Nothing of it runs before an address of theirs is opened.

pub mod config;
pub mod error;
mod given;
pub mod lines;
pub mod partition;
mod principal;

pub use config::{Aws, ENVIRONMENT, OPTIONS, Place, connect};
