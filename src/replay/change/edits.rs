//! What came out of an editor, by message.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::Patch;
use crate::broker::{Error, Kind, Result};

/// A patch for each message. Of equal messages, which share an id, each takes one.
#[derive(Default)]
pub struct Edits(Mutex<HashMap<String, Vec<Patch>>>);

impl Edits {
    /// The next one for this id.
    ///
    /// # Errors
    /// `Rejected` where none is left: the message was not there when they were made.
    pub fn take(&self, id: &str) -> Result<Patch> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let next = all.get_mut(id).and_then(|patches| (!patches.is_empty()).then(|| patches.remove(0)));
        next.ok_or_else(|| Error::new(Kind::Rejected, "it came after the others had been edited"))
    }
}

impl FromIterator<(String, Patch)> for Edits {
    fn from_iter<I: IntoIterator<Item = (String, Patch)>>(patches: I) -> Self {
        let mut all: HashMap<String, Vec<Patch>> = HashMap::new();
        for (id, patch) in patches {
            all.entry(id).or_default().push(patch);
        }
        Edits(Mutex::new(all))
    }
}
