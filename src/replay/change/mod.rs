//! Changing messages on their way: `--map`, `--edit`, `--set-header` and `--drop-header`. What is not touched stays as it was.

mod edits;
mod fields;
mod patch;
pub mod preview;
#[cfg(test)]
mod tests;
mod values;

use std::borrow::Cow;
use std::sync::Arc;

use jaq_json::Val;

use crate::broker::{Error, Kind, Result, SinkCapabilities};
use crate::death::Death;
use crate::filter::Program;
use crate::message::unwrap::Inner;
use crate::message::{DeadLetter, MARK_HEADER, Value};
pub use edits::Edits;
pub use patch::{Patch, Taker, UNTOUCHABLE};

/// What a replay changes. An empty one changes nothing.
#[derive(Clone, Default)]
pub struct Changes {
    /// `--map`, or what came out of `--edit`.
    pub by: Option<By>,
    /// `--set-header NAME=VALUE`, in order.
    pub set: Vec<(String, String)>,
    /// `--drop-header NAME`.
    pub drop: Vec<String>,
    /// What the destination takes.
    pub taker: Taker,
}

/// Where a changed view comes from.
#[derive(Clone)]
pub enum By {
    /// The expression gives it.
    Map(Arc<Program>),
    /// It was written in an editor.
    Edits(Arc<Edits>),
}

impl std::fmt::Debug for Changes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let by = match self.by {
            None => "nothing",
            Some(By::Map(_)) => "map",
            Some(By::Edits(_)) => "edits",
        };
        f.debug_struct("Changes").field("by", &by).field("set", &self.set).field("drop", &self.drop).finish()
    }
}

impl Taker {
    /// What this sink takes.
    pub fn of(capabilities: &SinkCapabilities) -> Taker {
        Taker { tombstones: capabilities.tombstones, properties: capabilities.properties }
    }
}

impl Changes {
    /// Nothing is changed.
    pub fn is_none(&self) -> bool {
        self.by.is_none() && self.set.is_empty() && self.drop.is_empty()
    }

    /// Evaluating it takes long enough for another thread.
    pub(super) fn evaluates(&self) -> bool {
        matches!(self.by, Some(By::Map(_)))
    }

    /// What is changed: the message, or where it is taken out of an envelope what is inside.
    pub fn base<'a>(&self, m: &'a DeadLetter, inner: Option<&Inner>) -> Cow<'a, DeadLetter> {
        let Some(inner) = inner.filter(|_| !self.is_none()) else { return Cow::Borrowed(m) };
        let mut unwrapped = m.clone();
        inner.clone().replace(&mut unwrapped);
        Cow::Owned(unwrapped)
    }

    /// What is to be changed in a message, found out before anything is taken off it.
    ///
    /// # Errors
    /// `Rejected`: the expression failed on it, or touched what cannot be changed.
    pub fn patch(&self, m: &DeadLetter, death: Option<&Death>) -> Result<Patch> {
        match &self.by {
            None => Ok(Patch::default()),
            Some(By::Edits(edits)) => edits.take(&m.id),
            Some(By::Map(program)) => {
                let (seen, made) = program
                    .map(m, death)
                    .map_err(|e| Error::new(Kind::Rejected, format!("--map failed on it: {e}")))?;
                self.compare(m, &seen, &made).map_err(|e| e.during("applying --map"))
            }
        }
    }

    /// The parts in which a changed view differs from the one it was made of.
    ///
    /// # Errors
    /// `Rejected`, with the part that cannot be changed.
    pub fn compare(&self, m: &DeadLetter, seen: &Val, made: &Val) -> Result<Patch> {
        patch::between(m, seen, made, &self.taker).map_err(|e| Error::new(Kind::Rejected, e))
    }

    /// Changes a message; whether anything of it is different now.
    pub fn apply(&self, patch: Patch, m: &mut DeadLetter) -> bool {
        let mut changed = patch.apply(m);
        if !self.drop.is_empty() {
            let gone = m.headers.remove_if(|name, _| self.drop.iter().any(|d| d == name) && name != MARK_HEADER);
            changed |= !gone.is_empty();
        }
        for (name, text) in &self.set {
            let before = m.headers.last(name);
            let value = values::typed(text, before);
            changed |= before != Some(&value) || m.headers.iter().filter(|(n, _)| n == name).count() > 1;
            m.headers.set(name, value);
        }
        changed
    }
}

/// Reads the arguments of `--set-header`.
///
/// # Errors
/// `Usage` for a name that is empty or the program's own.
pub fn header_names<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<()> {
    for name in names {
        if name.is_empty() {
            return Err(Error::new(Kind::Usage, "a header has a name").hint("write NAME=VALUE"));
        }
        if name == MARK_HEADER {
            let text = format!("{MARK_HEADER} is the mark of the replay itself, and is not to be changed");
            return Err(Error::new(Kind::Usage, text));
        }
    }
    Ok(())
}

/// The text of a value, for messages that name one.
fn shown(v: &Value) -> &'static str {
    match v {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Text(_) | Value::ShortText(_) => "text",
        Value::Bytes(_) => "bytes",
        Value::Time(_) => "a time",
        Value::Array(_) => "an array",
        Value::Table(_) => "a table",
        Value::Labelled(_, v) => shown(v),
        _ => "a number",
    }
}
