//! Formats: records in, bytes out. Nothing here prints.

pub mod archive;
pub mod check;
pub mod depth;
pub mod detail;
pub mod history;
pub mod human;
pub mod json;
pub mod listing;
pub mod partitions;
pub mod raw;
pub mod spark;
pub mod stats;
mod summary;
pub mod table;
pub mod watch;
mod writer;

pub use summary::Summary;
pub use writer::Writer;

/// `-o`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// A table on a terminal; in a pipe messages are jsonl and summaries stay text.
    #[default]
    Auto,
    /// Aligned columns, or text.
    Table,
    /// JSON to read: one array, indented.
    Json,
    /// One JSON object a line.
    Jsonl,
    /// Exact archive lines, which `file:` reads back.
    Archive,
    /// The payload bytes alone, a newline after each.
    Raw,
    /// Of `check`: the verdict for people.
    #[value(hide = true)]
    Text,
    /// Of `check`: a Nagios plugin's line with perfdata.
    #[value(hide = true)]
    Nagios,
    /// Of `check`: metrics.
    #[value(hide = true)]
    Prometheus,
    /// Of `check`: a test case a queue, in XML.
    #[value(hide = true)]
    Junit,
    /// Of `check`: annotations of a workflow's log.
    #[value(hide = true)]
    Github,
}

impl Format {
    /// It is one of `check`'s own.
    pub fn is_verdict(self) -> bool {
        matches!(self, Format::Text | Format::Nagios | Format::Prometheus | Format::Junit | Format::Github)
    }

    /// What `auto` means here; never gives `Auto`.
    #[must_use]
    pub fn resolve(self, stdout_tty: bool, is_summary: bool) -> Format {
        match self {
            Format::Auto if stdout_tty || is_summary => Format::Table,
            Format::Auto => Format::Jsonl,
            other => other,
        }
    }
}

/// What a format needs to know of the place its bytes go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// A terminal: control bytes must not get there, in whatever format.
    pub tty: bool,
    /// Colours.
    pub colour: bool,
    /// It shows UTF-8.
    pub utf8: bool,
    /// Columns.
    pub width: u16,
}

impl Look {
    /// No terminal, no colour: bytes as they are.
    pub const PLAIN: Look = Look { tty: false, colour: false, utf8: true, width: crate::ui::PIPE_WIDTH };

    /// Whether data beyond ASCII can be shown as it is. A pipe takes it in any locale; a terminal of another locale does not.
    pub fn data_utf8(&self) -> bool {
        self.utf8 || !self.tty
    }

    /// What stands for text that was cut.
    pub fn ellipsis(&self) -> &'static str {
        if self.utf8 { "…" } else { "..." }
    }
}

/// A report in the format asked for: JSON, a JSON line, or else text.
pub fn report(summary: &Summary, value: &serde_json::Value, format: Format, look: &Look) -> Vec<u8> {
    let compact = || value.to_string().into_bytes();
    let mut out = Vec::new();
    match format {
        Format::Json => json::pretty(&compact(), look, &mut out),
        Format::Jsonl => json::compact(&compact(), look, &mut out),
        _ => return summary.render(look).into_bytes(),
    }
    out.push(b'\n');
    out
}

#[cfg(test)]
mod tests;
