//! The resolved set: which records of a topic were replayed, moved or purged. A log cannot lose one record, so that is noted
//! in a compacted topic of the same cluster: a bitmap for each block of offsets of each partition.

mod codec;
mod set;
mod state;

pub(super) use set::Offsets;
pub(super) use state::{HELD_BACK, State, transactional_id};
