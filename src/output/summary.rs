//! A plan or a report in a few aligned lines.

use unicode_width::UnicodeWidthStr;

use super::Look;
use crate::ui::colour::Style;
use crate::ui::visible::{self, Breaks};

/// Title, labelled values, and sentences to mind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    title: String,
    rows: Vec<(String, Vec<String>)>,
    notes: Vec<String>,
}

impl Summary {
    /// The title is one clause: `replay of 41 messages`.
    pub fn new(title: impl Into<String>) -> Summary {
        Summary { title: title.into(), ..Summary::default() }
    }

    /// One labelled value.
    pub fn row(&mut self, label: impl Into<String>, value: impl Into<String>) -> &mut Self {
        self.rows.push((label.into(), vec![value.into()]));
        self
    }

    /// A label with a value a line; nothing where there are no values.
    pub fn list(&mut self, label: impl Into<String>, values: impl IntoIterator<Item = String>) -> &mut Self {
        let values: Vec<_> = values.into_iter().collect();
        if !values.is_empty() {
            self.rows.push((label.into(), values));
        }
        self
    }

    /// A sentence that stands below: a hazard, a guarantee.
    pub fn note(&mut self, text: impl Into<String>) -> &mut Self {
        self.notes.push(text.into());
        self
    }

    /// As text. Nothing is cut: on a terminal long values go on below themselves, in a pipe each stays on its line.
    pub fn render(&self, look: &Look) -> String {
        let show = |text: &str| visible::escape(text, Breaks::Show, look.data_utf8()).into_owned();
        let mut out = String::new();
        if !self.title.is_empty() {
            out.push_str(&Style::Head.paint(&show(&self.title), look.colour));
            out.push('\n');
        }
        let labels: Vec<String> = self.rows.iter().map(|(l, _)| show(l)).collect();
        let widest = labels.iter().map(|l| l.width()).max().unwrap_or(0);
        for (label, (_, values)) in labels.iter().zip(&self.rows) {
            let mut head =
                format!("  {}{}  ", Style::Name.paint(label, look.colour), " ".repeat(widest - label.width()));
            for value in values {
                for line in wrap(&show(value), look, widest + 4) {
                    out.push_str(format!("{head}{line}").trim_end());
                    out.push('\n');
                    head = " ".repeat(widest + 4);
                }
            }
        }
        for note in &self.notes {
            let mut head = Style::Warn.paint("  ! ", look.colour);
            for line in wrap(&show(note), look, 4) {
                out.push_str(&format!("{head}{line}\n"));
                head = "    ".into();
            }
        }
        out
    }
}

/// Breaks at spaces, so that each line fits beside an indent. A longer word stays whole, for it may be an id to copy.
fn wrap(text: &str, look: &Look, indent: usize) -> Vec<String> {
    let room = usize::from(look.width).saturating_sub(indent).max(16);
    if !look.tty || text.width() <= room {
        return vec![text.to_owned()];
    }
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in text.split(' ') {
        let width = word.width();
        if used > 0 && used + 1 + width > room {
            lines.push(String::new());
            used = 0;
        }
        let line = lines.len() - 1;
        if used > 0 {
            lines[line].push(' ');
            used += 1;
        }
        lines[line].push_str(word);
        used += width;
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Summary {
        let mut s = Summary::new("replay of 41 messages");
        s.row("from", "amqp://localhost/orders.dlq\x1b[2J")
            .list("to", ["orders (40)".to_owned(), "payments (1)".to_owned()])
            .list("left out", [])
            .row("guarantee", "at least once: a message leaves only after its new home has confirmed it")
            .note("other consumers do not see the messages meanwhile");
        s
    }

    #[test]
    fn in_a_pipe_each_value_stays_on_its_line() {
        assert_eq!(
            sample().render(&Look::PLAIN),
            "replay of 41 messages\n  \
               from       amqp://localhost/orders.dlq\\x1b[2J\n  \
               to         orders (40)\n             \
                          payments (1)\n  \
               guarantee  at least once: a message leaves only after its new home has confirmed it\n  \
               ! other consumers do not see the messages meanwhile\n"
        );
    }

    #[test]
    fn on_a_terminal_it_fits_or_breaks_at_spaces() {
        for width in [0, 1, 40, 80] {
            let text = sample().render(&Look { tty: true, width, ..Look::PLAIN });
            assert!(text.contains("amqp://localhost/orders.dlq\\x1b[2J"), "{text}");
            assert_eq!(text.split_whitespace().collect::<Vec<_>>(), {
                let plain = sample().render(&Look::PLAIN);
                plain.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
            });
            if width == 40 {
                assert!(text.lines().filter(|l| !l.contains("amqp")).all(|l| l.width() <= 40), "{text}");
            }
        }
    }

    #[test]
    fn colours_only_where_asked_for() {
        assert!(!sample().render(&Look::PLAIN).contains('\x1b'));
        assert!(sample().render(&Look { colour: true, ..Look::PLAIN }).starts_with("\x1b[1mreplay"));
    }
}
