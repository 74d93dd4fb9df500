//! Moving messages safely: the engine behind `replay`, `move`, `copy` and `purge`, and the loop behind every look.

mod backlog;
pub mod discard;
mod engine;
pub mod look;
pub mod pace;
mod pipeline;
pub mod plan;
mod prepare;
mod publish_then_settle;
pub mod report;
pub mod route;
pub mod run;
pub mod tally;
mod way;

pub use discard::Discard;
pub use engine::{Job, OnFailure, Silent, Watch, run};
pub use look::{Looked, Page, look, look_with};
pub use pace::Rate;
pub use plan::PlanFacts;
pub use prepare::Treatment;
pub use publish_then_settle::PublishThenSettle;
pub use run::RunId;
pub use tally::{Capped, Failure, Skip, Stopped, Tally};

/// Lists in results and reports hold so many entries; the rest are counted.
pub const LISTED: usize = 100;
