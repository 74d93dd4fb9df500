//! A screen of our own that is drawn anew again and again. When it is left the terminal is as it was found.

use std::io::Write;

use super::{Data, Ui, lock, visible};
use crate::broker::Result;

/// Another screen than the one with what was there before, without a cursor.
const ENTER: &[u8] = b"\x1b[?1049h\x1b[?25l";
const LEAVE: &[u8] = b"\x1b[?25h\x1b[?1049l";
/// Talk that is kept until the screen is left; what came before that is lost.
const KEPT: usize = 64 << 10;

/// The screen, until it is dropped. What is said meanwhile is shown by whoever draws, and stays behind on the terminal.
pub struct Screen(Ui);

impl Ui {
    /// Enters it. To be asked for only where standard output is a terminal that can move its cursor.
    ///
    /// # Errors
    /// As [`Data::write`].
    pub fn screen(&self) -> Result<Screen> {
        *lock(&self.0.live) = Some(Vec::new());
        let screen = Screen(self.clone());
        raw(self, ENTER)?;
        Ok(screen)
    }

    /// Keeps what is said while the screen is in the way. False where it is not.
    pub(super) fn held_back(&self, bytes: &[u8]) -> bool {
        if !self.0.terminal.stderr_tty {
            return false;
        }
        match &mut *lock(&self.0.live) {
            None => false,
            Some(said) => {
                said.extend_from_slice(bytes);
                if said.len() > KEPT {
                    let from = said.len() - KEPT / 2;
                    let line = said[from..].iter().position(|b| *b == b'\n').map_or(from, |at| from + at + 1);
                    said.drain(..line);
                }
                true
            }
        }
    }

    /// Gives the terminal back, and says what was kept.
    pub(super) fn leave_screen(&self) {
        let Some(said) = lock(&self.0.live).take() else { return };
        {
            let mut out = lock(&self.0.out);
            _ = out.write_all(LEAVE).and_then(|()| out.flush());
        }
        if !said.is_empty() {
            self.print_err(&said);
        }
    }
}

fn raw(ui: &Ui, bytes: &[u8]) -> Result<()> {
    let mut data = Data::new(ui.clone());
    data.write(bytes)?;
    data.finish()
}

impl Screen {
    /// Columns and rows as they are now.
    pub fn size(&self) -> (u16, u16) {
        let size = terminal_size::terminal_size().map(|(w, h)| (w.0.max(1), h.0.max(1)));
        size.unwrap_or((self.0.0.terminal.width, 24))
    }

    /// Draws these lines, which must fit, over what was there.
    ///
    /// # Errors
    /// As [`Data::write`].
    pub fn draw(&self, lines: &[String]) -> Result<()> {
        let mut frame = b"\x1b[H".to_vec();
        for (at, line) in lines.iter().enumerate() {
            if at > 0 {
                frame.extend_from_slice(b"\r\n");
            }
            frame.extend_from_slice(line.as_bytes());
            frame.extend_from_slice(b"\x1b[K");
        }
        frame.extend_from_slice(b"\x1b[J");
        raw(&self.0, &frame)
    }

    /// The last lines that were said, without their colours.
    pub fn said(&self, most: usize) -> Vec<String> {
        let said = lock(&self.0.0.live).clone().unwrap_or_default();
        let text = String::from_utf8_lossy(&said).into_owned();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(most)..].iter().map(|l| visible::line(&plain(l)).into_owned()).collect()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.0.leave_screen();
    }
}

/// Without the sequences that colour it.
fn plain(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        if c == '\x1b' {
            // Ours are all ESC [ … m.
            chars.by_ref().find(|c| *c == 'm');
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::{Colour, Options, Terminal};

    #[test]
    fn what_is_said_meanwhile_is_kept_and_the_terminal_is_given_back() {
        let terminal = Terminal::from_parts((true, true, true), Some(80), Colour::Never, &|_| None);
        let (ui, captured) = Ui::captured(Options::default(), terminal, "");
        let screen = ui.screen().expect("a screen");
        screen.draw(&["one".into(), "two".into()]).expect("drawn");
        ui.notice("something happened");
        assert_eq!(captured.stderr(), "");
        assert_eq!(screen.said(3), ["note: something happened"]);
        drop(screen);
        assert_eq!(captured.stderr(), "note: something happened\n");
        let out = String::from_utf8(captured.stdout()).expect("text");
        assert!(out.starts_with("\x1b[?1049h\x1b[?25l") && out.ends_with("\x1b[?25h\x1b[?1049l"), "{out:?}");
        assert!(out.contains("\x1b[Hone\x1b[K\r\ntwo\x1b[K\x1b[J"), "{out:?}");
    }

    #[test]
    fn colours_are_taken_off() {
        assert_eq!(plain("\x1b[1;33mwarning:\x1b[0m careful"), "warning: careful");
    }
}
