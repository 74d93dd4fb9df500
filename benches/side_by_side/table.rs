//! One table a section.

use std::fmt;

use comfy_table::TableStyle;

use super::figures::Series;

/// Rows of figures under a title.
pub struct Table {
    title: String,
    table: comfy_table::Table,
    notes: Vec<String>,
}

/// A row: what was measured, and how it compares.
#[derive(Default)]
pub struct Row<'a> {
    pub what: String,
    pub figures: Option<&'a Series>,
    /// Digits behind the point, and unit.
    pub unit: (usize, &'a str),
    /// Beside the row it is compared with.
    pub ratio: Option<Series>,
    /// The target in words, and whether it was met.
    pub target: Option<(String, bool)>,
}

impl Table {
    pub fn new(title: impl Into<String>) -> Table {
        let mut table = comfy_table::Table::new();
        table.load_style(TableStyle::new()).set_header(["", "median", "min–max", "ratio, pair by pair", "target"]);
        Table { title: title.into(), table, notes: vec![] }
    }

    pub fn row(&mut self, row: Row<'_>) {
        let (digits, unit) = row.unit;
        let number = |n: f64| format!("{n:.digits$}");
        let (median, range) = row.figures.map_or_else(Default::default, |s| {
            (format!("{} {unit}", number(s.median())), format!("{}–{}", number(s.min()), number(s.max())))
        });
        let ratio =
            row.ratio.map_or_else(String::new, |r| format!("{:.2} × ({:.2}–{:.2})", r.median(), r.min(), r.max()));
        let target = row
            .target
            .map_or_else(String::new, |(text, met)| format!("{text}: {}", if met { "met" } else { "MISSED" }));
        self.table.add_row([row.what, median, range, ratio, target]);
    }

    /// A sentence under the table.
    pub fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.title)?;
        for line in self.table.to_string().lines() {
            writeln!(f, " {}", line.trim_end())?;
        }
        self.notes.iter().try_for_each(|n| writeln!(f, "  {n}"))
    }
}
