//! What a change will do, for the plan: how many messages, and the first few as a diff.

use serde::Serialize;
use similar::TextDiff;

use super::{Changes, Patch};
use crate::death::Death;
use crate::message::DeadLetter;
use crate::message::view::{Need, view, write_pretty};

/// Messages whose differences are shown.
pub const SHOWN: usize = 3;
/// Lines of one difference that are shown.
const LINES: usize = 40;
/// Of the selected messages.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Preview {
    /// So many will be different.
    pub changed: u64,
    /// So many stay as they are.
    pub unchanged: u64,
    /// The first few that will be different.
    pub examples: Vec<Difference>,
}

/// One message before and after.
#[derive(Clone, Debug, Serialize)]
pub struct Difference {
    /// Its id.
    pub id: String,
    /// Unified, of the parts that can be changed, as JSON over several lines.
    pub diff: String,
}

impl Changes {
    /// The difference this makes to a message, which is told for the first few.
    pub fn difference(&self, m: &DeadLetter, death: Option<&Death>) -> Option<String> {
        self.patched(m, self.patch(m, death).ok()?)
    }

    /// The same where it is known what is to be changed; `None` where the message stays as it is.
    pub fn patched(&self, m: &DeadLetter, patch: Patch) -> Option<String> {
        let mut after = m.clone();
        self.apply(patch, &mut after).then(|| diff(m, &after))
    }
}

impl Preview {
    /// Adds one message, and where it is among the first, what will be different.
    pub fn add(&mut self, id: &str, changed: bool, diff: Option<String>) {
        if !changed {
            self.unchanged += 1;
            return;
        }
        self.changed += 1;
        if let Some(diff) = diff.filter(|_| self.examples.len() < SHOWN) {
            self.examples.push(Difference { id: id.to_owned(), diff });
        }
    }
}

fn diff(before: &DeadLetter, after: &DeadLetter) -> String {
    let [before, after] = [before, after].map(text);
    let diff = TextDiff::from_lines(&before, &after);
    let all = diff.unified_diff().context_radius(1).to_string();
    let mut lines: Vec<&str> = all.lines().filter(|l| !l.starts_with("@@") && !l.starts_with("\\ ")).collect();
    let more = lines.len().saturating_sub(LINES);
    lines.truncate(LINES);
    let mut text = lines.join("\n");
    if more > 0 {
        text.push_str(&format!("\n… and {more} more lines"));
    }
    text
}

/// The parts that can be changed.
fn text(m: &DeadLetter) -> String {
    let mut need = Need::NONE;
    ["key", "headers", "properties", "body"].into_iter().for_each(|part| need.add(part));
    let mut out = Vec::new();
    write_pretty(&view(m, need), &mut out);
    String::from_utf8(out).unwrap_or_default()
}
