//! What a replay changes on the way: compiled before a queue is opened, fitted to the destination once that is known.

use std::sync::Arc;

use super::{Opened, Replaying};
use crate::broker::{Error, Kind, Result, SinkCapabilities};
use crate::cli;
use crate::commands::selecting;
use crate::replay::change::{By, Changes, Taker, UNTOUCHABLE, header_names};
use crate::replay::{Treatment, plan_file};

/// From the arguments.
///
/// # Errors
/// `Usage` for an expression that is wrong or plainly changes what it cannot, or for a header that cannot be set.
pub(super) fn changes(t: &plan_file::Treatment, select: &cli::Select) -> Result<Changes> {
    header_names(t.set_header.iter().map(|(name, _)| name.as_str()).chain(t.drop_header.iter().map(String::as_str)))?;
    let by = match &t.map {
        None => None,
        Some(source) => {
            let program = selecting::program(source, select)?;
            if let Some(field) = program.assigned().iter().find(|f| UNTOUCHABLE.contains(&f.as_str())) {
                let text = format!("--map changes .{field}, which tells of a message and is not part of it");
                return Err(Error::new(Kind::Usage, text).hint("body, key, headers and properties can be changed"));
            }
            Some(By::Map(Arc::new(program)))
        }
    };
    Ok(Changes { by, set: t.set_header.clone(), drop: t.drop_header.clone(), taker: Taker::default() })
}

/// What there is to refuse of an edit before anything is read.
///
/// # Errors
/// `Guard` without a terminal; `Unsupported` for a run that is taken up again.
pub(super) fn admit_edit(replay: &Replaying, resumes: bool, terminal: bool) -> Result<()> {
    if !replay.edit {
        return Ok(());
    }
    if resumes {
        let text = "what was written in the editor is not kept, so that a run with --edit cannot be taken up again";
        return Err(Error::new(Kind::Unsupported, text).hint("give it up with dlq resume --abandon, and begin anew"));
    }
    if !terminal {
        return Err(Error::new(Kind::Guard, "there is no terminal for an editor")
            .hint("to change messages without one use --map"));
    }
    Ok(())
}

impl Opened<'_> {
    /// The changes of a replay.
    pub(super) fn changes(&self) -> Option<&Arc<Changes>> {
        match &self.treatment {
            Treatment::Replay { changes, .. } if !changes.is_none() => Some(changes),
            _ => None,
        }
    }

    /// Makes the changes ones that this destination takes.
    pub(super) fn fit_changes(&mut self, sink: &SinkCapabilities) {
        if let Treatment::Replay { changes, .. } = &mut self.treatment {
            *changes = Arc::new(Changes { taker: Taker::of(sink), ..(**changes).clone() });
        }
    }
}
