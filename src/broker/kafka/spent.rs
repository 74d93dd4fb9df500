//! Messages that were sent, for their memory: it is taken on one thread and would be given back on another, at a price.

use std::sync::{Arc, Mutex};

use super::held::lock;
use crate::message::DeadLetter;

/// So many are kept at most.
const MOST: usize = 4000;
/// And with room for so many headers: what is larger is given back.
const HEADERS: usize = 64;

/// Empty messages, in their boxes.
#[derive(Clone, Default)]
#[expect(clippy::vec_box, reason = "the boxes are what is used again")]
pub(super) struct Spent(Arc<Mutex<Vec<Box<DeadLetter>>>>);

impl Spent {
    /// Some of them, at most so many.
    #[expect(clippy::vec_box, reason = "the boxes are what is used again")]
    pub(super) fn take(&self, most: usize) -> Vec<Box<DeadLetter>> {
        let mut all = lock(&self.0);
        let from = all.len().saturating_sub(most);
        all.split_off(from)
    }

    /// Takes what is in these, and keeps them.
    #[expect(clippy::vec_box, reason = "the boxes are what is used again")]
    pub(super) fn give(&self, mut spent: Vec<Box<DeadLetter>>) {
        spent.retain_mut(|m| {
            let small = m.headers.len() <= HEADERS;
            m.clear();
            small
        });
        let mut all = lock(&self.0);
        spent.truncate(MOST.saturating_sub(all.len()));
        all.append(&mut spent);
    }
}
