//! Moving everything, as it is, by the broker itself.

use async_trait::async_trait;

use super::{Address, Result};

/// What is to be moved where.
#[derive(Clone, Debug, Default)]
pub struct RemoteMove {
    /// To one place; `None`: each message where it came from.
    pub to: Option<Address>,
    /// At most so many a second.
    pub rate: Option<f64>,
}

/// How far it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RemoteProgress {
    /// Messages moved, as far as the broker counts.
    pub moved: u64,
    /// Of so many.
    pub of: Option<u64>,
    /// Whether it goes on.
    pub state: RemoteState,
}

/// Whether it goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum RemoteState {
    /// It does.
    #[default]
    Running,
    /// Everything was moved.
    Done,
    /// It was cancelled; what was moved by then stays moved.
    Cancelled,
    /// It broke off, for this reason.
    Failed(String),
}

/// A move the broker carries out by itself.
#[async_trait]
pub trait RemoteMoving: Send {
    /// What it does differently, a sentence each, for the plan.
    fn notes(&self) -> Vec<String>;
    /// Starts it.
    async fn start(&mut self) -> Result<()>;
    /// Takes up the same move, begun before and still going on; false where none is.
    async fn take_up(&mut self) -> Result<bool>;
    /// How far it is.
    async fn progress(&mut self) -> Result<RemoteProgress>;
    /// Asks for it to end. It ends a while later.
    async fn cancel(&mut self) -> Result<()>;
}
