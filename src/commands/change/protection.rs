//! Queues that the configuration protects: what removes from them wants their name.

use super::{Change, Session};
use crate::broker::{Address, Error, Kind, Result};

/// What answers the question of this change: `None` is the usual yes or no, `Some` a name that must be typed.
///
/// # Errors
/// `Guard`: `--confirm` names something else, or `--yes` stands alone where a name is wanted.
pub(super) fn wanted(change: &Change<'_>, queue: &Address, session: &Session) -> Result<Option<String>> {
    let safety = &change.args.safety;
    let protected = session.config.protection(queue).filter(|_| change.what.removes());
    if let Some(confirmed) = &safety.confirm {
        let named = protected.unwrap_or(change.queue);
        if confirmed != named {
            let text = format!("--confirm {confirmed} names another queue than the one at hand, {named}");
            return Err(Error::new(Kind::Guard, text).hint("nothing was touched"));
        }
        return Ok(None);
    }
    let Some(name) = protected else { return Ok(None) };
    if safety.yes && !safety.dry_run {
        let text = format!(
            "{queue} is protected (queue {name} of the configuration): --yes alone does not {} it",
            change.what.verb()
        );
        return Err(Error::new(Kind::Guard, text).hint(format!("to go on, add --confirm {name}")));
    }
    Ok(Some(name.to_owned()))
}
