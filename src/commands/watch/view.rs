//! Where readings are shown: a live table on a terminal, lines elsewhere, objects for programs.

use jiff::Timestamp;

use super::condition::Condition;
use crate::broker::{Error, Kind, Result};
use crate::commands::session::Session;
use crate::output::watch::{self, Watched};
use crate::output::{Format, Look, human, json};
use crate::ui::{Screen, Ui, table};

/// What is said is shown below the table, the last of it.
const SAID: usize = 3;

/// One of the three.
pub enum View {
    /// A table that is drawn anew.
    Live {
        /// What it is drawn on.
        screen: Screen,
        /// What it is about.
        head: String,
    },
    /// A line a change.
    Lines,
    /// An object a reading.
    Objects,
}

impl View {
    /// The one that is asked for, or fits where standard output goes.
    ///
    /// # Errors
    /// `Usage` for a format that readings do not have.
    pub fn open(session: &Session, wanted: Option<&Condition>) -> Result<View> {
        let tty = session.ui.look().tty;
        match session.format.resolve(tty, true) {
            Format::Jsonl => Ok(View::Objects),
            Format::Table if tty && !session.ui.terminal().dumb => {
                let until = wanted.map_or_else(String::new, |w| format!(" until {w}"));
                Ok(View::Live { screen: session.ui.screen()?, head: format!("watching{until}; Ctrl-C ends it") })
            }
            Format::Table => Ok(View::Lines),
            _ => Err(Error::new(Kind::Usage, "readings are printed as a table, or with -o jsonl as one object each")
                .hint("leave -o out, or write -o jsonl")),
        }
    }

    /// Whether a reading is to be printed by itself.
    pub fn wants(&self, worth_a_line: bool) -> bool {
        match self {
            View::Live { .. } => false,
            View::Lines => worth_a_line,
            View::Objects => true,
        }
    }

    /// Prints the newest reading of a queue.
    ///
    /// # Errors
    /// `ClosedPipe`, or what else keeps standard output from taking it.
    pub fn print(&self, row: &Watched, now: Timestamp, ui: &Ui) -> Result<()> {
        let mut out = Vec::new();
        match self {
            View::Live { .. } => return Ok(()),
            View::Lines => out.extend_from_slice(watch::line(row, now).as_bytes()),
            View::Objects => {
                json::compact(watch::value(row, now).to_string().as_bytes(), &ui.look(), &mut out);
                out.push(b'\n');
            }
        }
        let mut data = ui.data();
        data.write(&out)?;
        data.finish()
    }

    /// Draws the table of now, where it is live.
    ///
    /// # Errors
    /// As [`View::print`].
    pub fn draw(&self, rows: &[Watched], ui: &Ui) -> Result<()> {
        let View::Live { screen, head } = self else { return Ok(()) };
        let (width, height) = screen.size();
        let look = Look { width, ..ui.look() };
        screen.draw(&frame(rows, head, &screen.said(SAID), usize::from(height), &look))
    }

    /// Gives the terminal back and leaves the last table on it.
    ///
    /// # Errors
    /// As [`View::print`].
    pub fn close(self, rows: &[Watched], ui: &Ui) -> Result<()> {
        let View::Live { screen, .. } = self else { return Ok(()) };
        let width = screen.size().0;
        drop(screen);
        if rows.iter().all(|r| r.last.is_none()) {
            return Ok(());
        }
        let table = watch::render(rows, Timestamp::now(), &Look { width, ..ui.look() });
        let mut data = ui.data();
        data.write(table.as_bytes())?;
        data.finish()
    }
}

/// Lines that fit the screen.
fn frame(rows: &[Watched], head: &str, said: &[String], height: usize, look: &Look) -> Vec<String> {
    let now = Timestamp::now();
    let clip = |text: &str| table::clip(text, usize::from(look.width), look).0;
    let mut lines = vec![clip(&format!("{}  {head}", human::time(now)))];
    // The head of the table, and what was said, come first where there is little room.
    let room = height.saturating_sub(lines.len() + 1 + said.len()).max(1);
    let shown = if rows.len() > room { room.saturating_sub(1).max(1) } else { rows.len() };
    lines.extend(watch::render(&rows[..shown], now, look).lines().map(str::to_owned));
    if shown < rows.len() {
        lines.push(clip(&format!("there is no room for {} more", rows.len() - shown)));
    }
    lines.extend(said.iter().map(|l| clip(l)));
    lines.truncate(height.max(1));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_fits_every_screen() {
        let rows: Vec<Watched> = (0..30).map(|n| Watched::new(format!("amqp://host/queue.{n}"))).collect();
        let said = ["warning: something".to_owned()];
        for width in [1, 10, 40, 120] {
            for height in [1, 2, 5, 24, 60] {
                let look = Look { tty: true, colour: false, utf8: true, width };
                let lines = frame(&rows, "watching; Ctrl-C ends it", &said, height, &look);
                assert!(lines.len() <= height && !lines.is_empty(), "{width}x{height}");
                assert!(lines.iter().all(|l| l.chars().count() <= usize::from(width)), "{lines:?}");
            }
        }
        let look = Look { tty: true, colour: false, utf8: true, width: 80 };
        assert!(frame(&rows, "", &said, 10, &look).iter().any(|l| l == "there is no room for 24 more"));
    }
}
