//! Tables that fit: which columns there is room for, how wide each is, and cells cut to that with a mark.

use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Table, TableStyle, Width};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::colour::Style;
use super::visible::{self, Breaks};
use crate::output::Look;

/// Blanks between two columns.
const GAP: u16 = 2;

/// One column.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its head.
    pub head: &'static str,
    /// Numbers stand right.
    pub right: bool,
    /// Useless when narrower.
    pub least: u16,
    /// Never wider.
    pub most: u16,
    /// Where there is no room for all, the lowest goes first.
    pub rank: u8,
}

impl Column {
    /// A column of text, at least as wide as its head.
    pub const fn text(head: &'static str, least: u16, most: u16, rank: u8) -> Column {
        Column { head, right: false, least, most, rank }
    }

    /// A column of numbers, which are never cut: `least` is widened to what there is.
    pub const fn number(head: &'static str, rank: u8) -> Column {
        Column { head, right: true, least: u16::MAX, most: u16::MAX, rank }
    }
}

/// Columns with their widths, once and for all rows.
#[derive(Clone, Debug)]
pub struct Layout {
    columns: Vec<Column>,
    /// `None`: no room.
    widths: Vec<Option<u16>>,
    look: Look,
    cut: bool,
}

impl Layout {
    /// Fits columns to what the first rows hold and to the width there is. The last column takes the room that is left.
    pub fn fit(columns: &[Column], rows: &[Vec<String>], look: &Look) -> Layout {
        let room = look.width.max(1);
        let mut layout =
            Layout { columns: columns.to_vec(), widths: vec![None; columns.len()], look: *look, cut: false };
        let wanted: Vec<u16> = (0..columns.len()).map(|i| layout.wanted(i, rows, room)).collect();
        let least: Vec<u16> = columns.iter().zip(&wanted).map(|(c, w)| c.least.min(*w)).collect();
        let mut shown: Vec<usize> = (0..columns.len()).collect();
        let needs = |shown: &[usize], of: &[u16]| -> u32 {
            shown.iter().map(|i| u32::from(of[*i])).sum::<u32>()
                + u32::from(GAP) * (shown.len().saturating_sub(1)) as u32
        };
        while shown.len() > 1 && needs(&shown, &least) > u32::from(room) {
            let lowest = shown.iter().copied().min_by_key(|i| columns[*i].rank);
            shown.retain(|i| Some(*i) != lowest);
        }
        let mut widths = wanted;
        let mut over = needs(&shown, &widths).saturating_sub(u32::from(room));
        while over > 0 {
            // The widest gives first; the only column left must give whatever its least is.
            let spare = |i: &usize| widths[*i] > if shown.len() == 1 { 1 } else { least[*i] };
            let Some(widest) = shown.iter().copied().filter(spare).max_by_key(|i| widths[*i]) else { break };
            widths[widest] -= 1;
            over -= 1;
        }
        let free = u32::from(room).saturating_sub(needs(&shown, &widths));
        if let (Some(last), Some(column)) = (shown.last(), columns.last())
            && *last == columns.len() - 1
            && !column.right
        {
            let grown = u32::from(widths[*last]) + free;
            widths[*last] = u16::try_from(grown).unwrap_or(room).min(column.most.max(widths[*last]));
        }
        for i in shown {
            layout.widths[i] = Some(widths[i]);
        }
        layout
    }

    fn wanted(&self, i: usize, rows: &[Vec<String>], room: u16) -> u16 {
        let column = &self.columns[i];
        let cells = rows.iter().filter_map(|r| r.get(i)).map(|c| self.shown(c).width());
        let widest = cells.chain([column.head.width()]).max().unwrap_or(1);
        u16::try_from(widest).unwrap_or(u16::MAX).min(column.most.max(column.head.len() as u16)).min(room).max(1)
    }

    fn shown(&self, cell: &str) -> String {
        visible::escape(cell, Breaks::Show, self.look.data_utf8()).into_owned()
    }

    /// The heads, as one line.
    pub fn head(&self) -> String {
        let heads: Vec<String> = self.columns.iter().map(|c| c.head.to_owned()).collect();
        // Heads that had to be cut say nothing about the data.
        let line = self.clone().rows(&[heads]);
        format!("{}\n", Style::Head.paint(line.trim_end_matches('\n'), self.look.colour))
    }

    /// One line a row.
    pub fn rows(&mut self, rows: &[Vec<String>]) -> String {
        if rows.is_empty() {
            return String::new();
        }
        let mut table = Table::new();
        table.load_style(TableStyle::new()).set_content_arrangement(ContentArrangement::Disabled);
        for row in rows {
            let mut cells = Vec::with_capacity(self.columns.len());
            for (i, width) in self.widths.iter().enumerate() {
                let Some(width) = width else { continue };
                let cell = self.shown(row.get(i).map_or("", String::as_str));
                let (text, cut) = clip(&cell, usize::from(*width), &self.look);
                self.cut |= cut;
                cells.push(text);
            }
            table.add_row(cells);
        }
        let shown = self.columns.iter().zip(&self.widths).filter_map(|(c, w)| Some((c, (*w)?)));
        let last = self.widths.iter().flatten().count().saturating_sub(1);
        for (at, (column, width)) in shown.enumerate() {
            let Some(out) = table.column_mut(at) else { continue };
            let gap = if at == last { 0 } else { GAP };
            out.set_padding((0, gap)).set_constraint(ColumnConstraint::Absolute(Width::Fixed(width + gap)));
            if column.right {
                out.set_cell_alignment(CellAlignment::Right);
            }
        }
        table.lines().map(|line| format!("{}\n", line.trim_end())).collect()
    }

    /// True when a cell did not fit.
    pub fn cut(&self) -> bool {
        self.cut
    }

    /// Heads of the columns there was no room for.
    pub fn hidden(&self) -> Vec<&'static str> {
        self.columns.iter().zip(&self.widths).filter(|(_, w)| w.is_none()).map(|(c, _)| c.head).collect()
    }

    /// What a reader must know of what is not shown, a sentence each.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.cut {
            notes.push(format!("cells that end in {} are cut; -o json shows them whole", self.look.ellipsis()));
        }
        let hidden = self.hidden();
        if !hidden.is_empty() {
            notes.push(format!("no room for {}; -o json shows everything", hidden.join(", ")));
        }
        notes
    }
}

/// A whole table at once.
pub fn render(columns: &[Column], rows: &[Vec<String>], look: &Look) -> (String, Vec<String>) {
    let mut layout = Layout::fit(columns, rows, look);
    let text = format!("{}{}", layout.head(), layout.rows(rows));
    (text, layout.notes())
}

/// At most `width` columns of visible text, and whether anything was cut off.
pub fn clip(text: &str, width: usize, look: &Look) -> (String, bool) {
    // Marks without a width of their own can be piled up without end.
    let piled = text.len() > 4096 || text.chars().count() > 4 * width.max(8);
    if text.width() <= width && !piled {
        return (text.to_owned(), false);
    }
    let mark = if look.ellipsis().width() <= width { look.ellipsis() } else { "" };
    let room = width - mark.width();
    let (mut kept, mut used) = (String::new(), 0);
    for c in text.chars().take(4 * width.max(8)) {
        used += c.width().unwrap_or(0);
        if used > room {
            break;
        }
        kept.push(c);
    }
    // A sequence may be wider than its characters one by one.
    while kept.width() > room {
        kept.pop();
    }
    kept.push_str(mark);
    (kept, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 4] = [
        Column::text("ID", 4, 12, 9),
        Column::number("SIZE", 1),
        Column::text("ORIGIN", 6, 20, 5),
        Column::text("BODY", 8, u16::MAX, 8),
    ];

    fn rows() -> Vec<Vec<String>> {
        let row = |cells: [&str; 4]| cells.map(str::to_owned).to_vec();
        vec![
            row(["3:1047", "414 B", "orders", "{\"total\":42,\"note\":\"\x1b[31mred\"}"]),
            row(["3:1048", "4.1 kB", "a queue of a very long name", "日本語のとても長い本文がここにあります\nとても"]),
        ]
    }

    fn look(width: u16, utf8: bool) -> Look {
        Look { tty: true, colour: false, utf8, width }
    }

    #[test]
    fn fits_and_shows_control_bytes() {
        let (text, notes) = render(&COLUMNS, &rows(), &look(70, true));
        assert_eq!(
            text,
            "ID        SIZE  ORIGIN                BODY\n\
             3:1047   414 B  orders                {\"total\":42,\"note\":\"\\x1b[31mred…\n\
             3:1048  4.1 kB  a queue of a very l…  日本語のとても長い本文がここに…\n"
        );
        assert_eq!(notes, ["cells that end in … are cut; -o json shows them whole"]);
    }

    #[test]
    fn a_narrow_terminal_loses_columns_and_is_told() {
        let (text, notes) = render(&COLUMNS, &rows(), &look(24, true));
        assert_eq!(text, "ID      ORIGIN  BODY\n3:1047  orders  {\"total…\n3:1048  a que…  日本語…\n");
        assert_eq!(notes[1], "no room for SIZE; -o json shows everything");
    }

    #[test]
    fn ascii_where_the_terminal_knows_no_more() {
        let (text, _) = render(&COLUMNS, &rows(), &look(70, false));
        assert!(text.is_ascii(), "{text}");
        assert!(text.contains("..."));
    }

    #[test]
    fn every_width_works_and_none_is_exceeded() {
        for width in 0..130 {
            for utf8 in [true, false] {
                let (text, _) = render(&COLUMNS, &rows(), &look(width, utf8));
                assert_eq!(text.lines().count(), 3, "{width}: {text}");
                for line in text.lines() {
                    assert!(line.width() <= usize::from(width.max(1)), "{width}: {line}");
                }
            }
        }
    }

    #[test]
    fn piled_up_marks_are_cut() {
        let (text, cut) = clip(&format!("a{}", "\u{301}".repeat(1000)), 10, &look(10, true));
        assert!(cut && text.chars().count() < 50);
    }
}
