//! A fake broker that fails at every possible step and knows the truth about every message.

pub mod again;
pub mod mover;
pub mod scenario;
pub mod sink;
pub mod source;
pub mod world;
