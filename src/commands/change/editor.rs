//! `--edit`: the selected messages in the user's own editor.

use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use bytes::Bytes;
use jaq_json::Val;
use tempfile::NamedTempFile;

use super::Opened;
use super::survey::Survey;
use crate::broker::{Error, Kind, Result};
use crate::message::DeadLetter;
use crate::message::view::{self, Need, Want, view};
use crate::replay::Treatment;
use crate::replay::change::preview::Preview;
use crate::replay::change::{By, Changes, Edits, Patch};
use crate::select::{Ids, Selection};

/// Messages that are edited at most.
pub(super) const MOST: usize = 20;

impl Opened<'_> {
    /// Lets the selected messages be edited. False: nothing was changed, so that nothing is to be done.
    ///
    /// # Errors
    /// Too many messages, an editor that failed, or what came back is not what can be sent.
    pub(super) async fn edit(&mut self, survey: &mut Survey) -> Result<bool> {
        let messages = std::mem::take(&mut survey.kept);
        if messages.len() > MOST {
            let text = format!("more than {MOST} messages are selected, which is too many to edit");
            return Err(Error::new(Kind::Usage, text).hint("select fewer, with --id or -n; or change them with --map"));
        }
        if messages.is_empty() {
            return Ok(true);
        }
        let Treatment::Replay { changes, .. } = &self.treatment else { return Ok(true) };
        let seen: Vec<Val> = messages.iter().map(|m| view(m, Need::ALL)).collect();
        let before = document(&seen);
        let (file, after) = self.written(before.clone()).await?;
        if after == before {
            self.session.ui.warn("nothing was changed in the editor, so nothing is sent");
            return Ok(false);
        }
        let patches = patches(&messages, &seen, &after, changes).map_err(|e| kept(e, file))?;
        let mut preview = Preview::default();
        for (m, patch) in messages.iter().zip(&patches) {
            let diff = changes.patched(m, patch.clone());
            preview.add(&m.id, diff.is_some(), diff);
        }
        let ids = messages.iter().map(|m| m.id.to_string());
        let edits: Edits = ids.clone().zip(patches).collect();
        let changes = Changes { by: Some(By::Edits(Arc::new(edits))), ..(**changes).clone() };
        if let Treatment::Replay { changes: of_the_replay, .. } = &mut self.treatment {
            *of_the_replay = Arc::new(changes);
        }
        survey.preview = Some(preview);
        // What comes in meanwhile was not edited.
        let mut counts = std::collections::BTreeMap::new();
        ids.for_each(|id| *counts.entry(id).or_insert(0) += 1);
        self.selection = Arc::new(Selection { ids: Some(Ids::counted(counts)), ..(*self.selection).clone() });
        Ok(true)
    }

    /// What the editor leaves of a document.
    async fn written(&self, before: Vec<u8>) -> Result<(NamedTempFile, Vec<u8>)> {
        let io = |e: std::io::Error| Error::new(Kind::Io, "no file can be made for the editor").because(e);
        let mut file = tempfile::Builder::new().prefix("dlq-edit-").suffix(".json").tempfile().map_err(io)?;
        file.write_all(&before).and_then(|()| file.flush()).map_err(io)?;
        let (program, arguments) = editor()?;
        let mut command = Command::new(&program);
        command.args(arguments).arg(file.path());
        let lent = self.session.signals.lend();
        let status = tokio::task::spawn_blocking(move || command.status()).await;
        drop(lent);
        let status = status.map_err(|e| Error::new(Kind::Other, "waiting for the editor was cut short").because(e))?;
        match status {
            Err(e) => {
                return Err(Error::new(Kind::Usage, format!("the editor {program:?} cannot be started"))
                    .because(e)
                    .hint("VISUAL or EDITOR names another; nothing was sent"));
            }
            Ok(status) if !status.success() => {
                return Err(Error::new(
                    Kind::Guard,
                    format!("the editor {program:?} failed ({status}): nothing was sent"),
                ));
            }
            Ok(_) => {}
        }
        // Many editors write another file and rename it.
        let after = std::fs::read(file.path()).map_err(io)?;
        Ok((file, after))
    }
}

/// `$VISUAL`, `$EDITOR`, or what is always there.
fn editor() -> Result<(String, Vec<String>)> {
    let named = |name: &str| std::env::var(name).ok().filter(|v| !v.trim().is_empty());
    let text = named("VISUAL").or_else(|| named("EDITOR")).unwrap_or_else(|| "vi".to_owned());
    let mut words = shlex::split(&text).unwrap_or_default();
    if words.is_empty() {
        return Err(Error::new(Kind::Usage, format!("{text:?} is no command to start an editor with")));
    }
    Ok((words.remove(0), words))
}

/// One message, or a list of them.
fn document(views: &[Val]) -> Vec<u8> {
    let mut out = Vec::new();
    match views {
        [one] => view::write_pretty(one, &mut out),
        many => view::write_pretty(&many.iter().cloned().collect(), &mut out),
    }
    out.push(b'\n');
    out
}

fn patches(messages: &[DeadLetter], seen: &[Val], after: &[u8], changes: &Changes) -> Result<Vec<Patch>> {
    if let Err(e) = serde_json::from_slice::<serde::de::IgnoredAny>(after) {
        return Err(Error::new(Kind::Usage, "what was written in the editor is not JSON").because(e));
    }
    let made: Vec<Val> = match (view::body(&Bytes::copy_from_slice(after), &Want::All), messages.len()) {
        (one, 1) => vec![one],
        (Val::Arr(many), _) => many.iter().cloned().collect(),
        _ => vec![],
    };
    if made.len() != messages.len() {
        let text = format!("{} went into the editor and {} came out", messages.len(), made.len());
        return Err(Error::new(Kind::Usage, text).hint("to leave messages out use --id or --filter"));
    }
    let each = messages.iter().zip(seen).zip(&made);
    each.map(|((m, seen), made)| {
        let patch = changes.compare(m, seen, made);
        patch.map_err(|e| Error::new(Kind::Usage, format!("message {} cannot be changed like this: {e}", m.id)))
    })
    .collect()
}

/// What was written is somebody's work: it is not thrown away with the error.
fn kept(e: Error, file: NamedTempFile) -> Error {
    match file.keep() {
        Ok((_, path)) => e.hint(format!("nothing was sent; what was written is in {}", Path::new(&path).display())),
        Err(_) => e,
    }
}
