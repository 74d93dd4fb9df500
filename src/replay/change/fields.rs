//! Headers, properties and tables compared name by name: only what reads differently is written anew.

use jaq_json::{Map, Val};

use super::values;
use crate::message::{Fields, Value};

/// One difference.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Edit {
    /// Every field of that name gives way to one.
    Set(String, Value),
    /// Every field of that name goes.
    Drop(String),
}

impl Edit {
    pub(super) fn name(&self) -> &str {
        match self {
            Edit::Set(name, _) | Edit::Drop(name) => name,
        }
    }

    /// Whether anything is different now.
    pub(super) fn apply(self, fields: &mut Fields) -> bool {
        match self {
            Edit::Set(name, value) => {
                fields.set(&name, value);
                true
            }
            Edit::Drop(name) => !fields.remove_if(|n, _| n == name).is_empty(),
        }
    }
}

/// How to get from `before`, which reads as `seen`, to what reads as `made`.
pub(super) fn edits(before: &Fields, seen: &Map, made: &Map) -> Result<Vec<Edit>, String> {
    let mut edits = Vec::new();
    for key in seen.keys().filter(|k| !made.contains_key(*k)) {
        edits.push(Edit::Drop(name(key)?));
    }
    for (key, v) in made {
        let name = name(key)?;
        if let Some(old) = seen.get(key)
            && values::same(old, v)?
        {
            continue;
        }
        let value = values::value(v, before.last(&name)).map_err(|e| format!("{name}: {e}"))?;
        edits.push(Edit::Set(name, value));
    }
    Ok(edits)
}

fn name(key: &Val) -> Result<String, String> {
    let bytes = values::text(key).ok_or("a name must be text")?;
    match std::str::from_utf8(&bytes) {
        Ok("") => Err("a name cannot be empty".to_owned()),
        Ok(name) => Ok(name.to_owned()),
        Err(e) => Err(e.to_string()),
    }
}
