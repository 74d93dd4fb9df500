//! The resolved set: which records of a topic were replayed, moved or purged. A log cannot lose one record, so that is noted
//! in a compacted topic of the same cluster: a bitmap for each block of offsets of each partition.

mod codec;
mod local;
mod looks;
mod set;
mod state;
mod went;

pub(super) use local::Kept;
pub(super) use looks::Looks;
pub(super) use set::Offsets;
pub(super) use state::{HELD_BACK, State, or_local, transactional_id};
pub(super) use went::Went;
