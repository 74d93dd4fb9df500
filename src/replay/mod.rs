//! Moving messages safely: the engine behind `replay`, `move`, `copy` and `purge`, and the loop behind every look.

mod aside;
mod backlog;
mod books;
pub mod canary;
pub mod change;
pub mod discard;
mod engine;
mod hold;
pub mod look;
pub mod pace;
mod pipeline;
pub mod plan;
pub mod plan_file;
mod prepare;
mod publish_then_settle;
pub mod report;
pub mod route;
pub mod run;
pub mod tally;
mod way;

pub use aside::Aside;
pub use books::Books;
pub use change::Changes;
pub use discard::Discard;
pub use engine::{Job, OnFailure, Silent, Watch, run};
pub use hold::{HoldWhile, cannot_hold};
pub use look::{Looked, Page, look, look_with};
pub use pace::Rate;
pub use plan::PlanFacts;
pub use prepare::{Outlook, Treatment, Trial};
pub use publish_then_settle::PublishThenSettle;
pub use run::RunId;
pub use tally::{Capped, Failure, Skip, Stopped, Tally};

/// Lists in results and reports hold so many entries; the rest are counted.
pub const LISTED: usize = 100;
