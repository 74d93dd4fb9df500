//! The difference between the view of a message and the one it is to have.

use bytes::Bytes;
use jaq_json::{Map, Val};

use super::fields::{self, Edit};
use super::values;
use crate::message::view::{FIELDS, body_is_json};
use crate::message::{DeadLetter, Fields, MARK_HEADER, Payload};

/// Parts of a view that tell of a message and are not of it.
pub const UNTOUCHABLE: &[&str] = &[
    "id",
    "queue",
    "position",
    "time",
    "size",
    "claim_check",
    "unwrapped",
    "death",
    "deliveries",
    "replays",
    "resolved",
];

/// What a destination takes of what an edit can make.
#[derive(Clone, Copy, Debug, Default)]
pub struct Taker {
    /// See [`crate::broker::SinkCapabilities::tombstones`].
    pub tombstones: bool,
    /// See [`crate::broker::SinkCapabilities::properties`].
    pub properties: Option<&'static [&'static str]>,
}

/// What is to be changed; the rest stays as it is stored.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Patch {
    body: Option<Payload>,
    key: Option<Option<Bytes>>,
    headers: Vec<Edit>,
    properties: Vec<Edit>,
}

impl Patch {
    /// Nothing is.
    pub fn is_empty(&self) -> bool {
        self == &Patch::default()
    }

    /// Changes a message; whether anything of it is different now.
    pub fn apply(self, m: &mut DeadLetter) -> bool {
        let mut changed = self.body.is_some() || self.key.is_some();
        if let Some(body) = self.body {
            m.payload = body;
        }
        if let Some(key) = self.key {
            m.key = key;
        }
        for edit in self.headers {
            changed |= edit.apply(&mut m.headers);
        }
        for edit in self.properties {
            changed |= edit.apply(&mut m.properties);
        }
        changed
    }
}

/// From `seen`, the view of `m`, to `made`.
pub(super) fn between(m: &DeadLetter, seen: &Val, made: &Val, taker: &Taker) -> Result<Patch, String> {
    let (Val::Obj(seen), Val::Obj(made)) = (seen, made) else {
        return Err(
            "the expression must give the whole message: write .body = …, which keeps the rest, rather than .body"
                .into(),
        );
    };
    let part = |o: &Map, name: &str| o.get(&Val::from(name.to_owned())).cloned();
    for name in UNTOUCHABLE {
        let unchanged = match (part(seen, name), part(made, name)) {
            (None, None) => true,
            (Some(a), Some(b)) => values::same(&a, &b)?,
            (Some(_), None) => return Err(format!("{name} is missing: {KEEP}")),
            (None, Some(_)) => false,
        };
        if !unchanged {
            return Err(format!("{name} cannot be changed, only body, key, headers and properties"));
        }
    }
    if let Some(key) = made.keys().find(|k| !FIELDS.iter().any(|f| **k == Val::from((*f).to_owned()))) {
        let key = String::from_utf8_lossy(&values::json(key)?).into_owned();
        return Err(format!("a message has no field {key}; a part of the body is .body{}", dotted(&key)));
    }
    let needed = |name: &str| part(made, name).ok_or_else(|| format!("{name} is missing: {KEEP}"));
    let mut patch = Patch::default();
    let (before, after) = (part(seen, "body").unwrap_or_default(), needed("body")?);
    if !values::same(&before, &after)? {
        patch.body = Some(body(m, &after, taker).map_err(|e| format!("body: {e}"))?);
    }
    patch.key = key(part(seen, "key"), part(made, "key"))?;
    patch.headers = fields("headers", &m.headers, seen, &needed("headers")?)?;
    if patch.headers.iter().any(|e| e.name() == MARK_HEADER && matches!(e, Edit::Set(..))) {
        return Err(format!("the header {MARK_HEADER} is the mark of the replay itself"));
    }
    // The mark is made anew whether it is there or not.
    patch.headers.retain(|e| e.name() != MARK_HEADER);
    patch.properties = fields("properties", &m.properties, seen, &needed("properties")?)?;
    if let Some(known) = taker.properties {
        let other = patch.properties.iter().find(|e| !known.contains(&e.name()) && matches!(e, Edit::Set(..)));
        if let Some(edit) = other {
            let name = edit.name();
            return Err(match known {
                [] => format!("the destination has no properties, so {name} cannot be set"),
                known => format!("the property {name} cannot be set there, only {}", known.join(", ")),
            });
        }
        // What is not sent anyway cannot go.
        patch.properties.retain(|e| known.contains(&e.name()));
    }
    Ok(patch)
}

const KEEP: &str = "write .body = …, which keeps the rest of the message";

/// `.name` for a name in quotes.
fn dotted(quoted: &str) -> String {
    let name = quoted.trim_matches('"');
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if plain && !name.is_empty() { format!(".{name}") } else { format!("[{quoted}]") }
}

fn fields(what: &str, before: &Fields, seen: &Map, made: &Val) -> Result<Vec<Edit>, String> {
    let Some(Val::Obj(seen)) = seen.get(&Val::from(what.to_owned())) else { return Ok(vec![]) };
    let Val::Obj(made) = made else { return Err(format!("{what} must stay an object")) };
    fields::edits(before, seen, made).map_err(|e| format!("{what}: {e}"))
}

fn key(seen: Option<Val>, made: Option<Val>) -> Result<Option<Option<Bytes>>, String> {
    let made = made.filter(|v| !matches!(v, Val::Null));
    match (&seen, &made) {
        (None, None) => return Ok(None),
        (Some(a), Some(b)) if values::same(a, b)? => return Ok(None),
        _ => {}
    }
    let Some(made) = made else { return Ok(Some(None)) };
    match values::text(&made).or_else(|| values::base64(&made)) {
        Some(bytes) => Ok(Some(Some(bytes))),
        None => Err("key must be text or {\"base64\": …}".into()),
    }
}

/// JSON stays JSON, text stays text. `null` is a tombstone, `{"base64": …}` bytes, unless the body was JSON of that form.
fn body(m: &DeadLetter, made: &Val, taker: &Taker) -> Result<Payload, String> {
    if matches!(made, Val::Null) {
        return match taker.tombstones {
            true => Ok(Payload::Absent),
            false => Err("it cannot be null: the destination has no messages without a payload".into()),
        };
    }
    let was_json = body_is_json(m.payload.as_bytes());
    if let Some(bytes) = values::base64(made).filter(|_| !was_json) {
        return Ok(Payload::Bytes(bytes));
    }
    match values::text(made).filter(|_| !was_json) {
        Some(text) => Ok(Payload::Bytes(text)),
        None => Ok(Payload::Bytes(values::json(made)?.into())),
    }
}
