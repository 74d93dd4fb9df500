//! One writer for whatever format was asked for, message by message.

use jaq_json::Val;
use jiff::Timestamp;

use super::{Format, Look, archive, detail, json, raw, table};
use crate::broker::Result;
use crate::message::DeadLetter;
use crate::ui::table::Layout;

/// Rows a table waits for before its widths are fixed.
const SAMPLE: usize = 100;

/// Turns messages, and what `--print` made of them, into bytes. [`Writer::finish`] must be called on every path, also after
/// a failure: it is what makes the JSON whole.
pub struct Writer {
    format: Format,
    look: Look,
    now: Timestamp,
    delimiter: Vec<u8>,
    single: bool,
    written: u64,
    /// The JSON array has its bracket and an element.
    begun: bool,
    waiting: Vec<Vec<String>>,
    layout: Option<Layout>,
}

impl Writer {
    /// `format` must be resolved; ages are counted from `now`.
    pub fn new(format: Format, look: Look, now: Timestamp) -> Writer {
        let (delimiter, waiting) = (vec![b'\n'], Vec::new());
        Writer { format, look, now, delimiter, single: false, written: 0, begun: false, waiting, layout: None }
    }

    /// What follows each record of `-o raw`, instead of a newline.
    #[must_use]
    pub fn delimiter(mut self, delimiter: impl Into<Vec<u8>>) -> Writer {
        self.delimiter = delimiter.into();
        self
    }

    /// Messages are shown in full: a table becomes a page a message, and JSON is no array.
    #[must_use]
    pub fn single(mut self) -> Writer {
        self.single = true;
        self
    }

    /// How many records were taken.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// One message.
    ///
    /// # Errors
    /// `Rejected` where the format cannot hold it; nothing is written then.
    pub fn message(&mut self, m: &DeadLetter, out: &mut Vec<u8>) -> Result<()> {
        self.written += 1;
        match self.format {
            Format::Table | Format::Auto if self.single => {
                if self.written > 1 {
                    out.push(b'\n');
                }
                out.extend_from_slice(detail::render(m, self.now, &self.look).as_bytes());
            }
            Format::Archive => archive::write(m, &self.look, out)?,
            Format::Raw => raw::message(m, &self.delimiter, &self.look, out),
            Format::Json => {
                let mut compact = Vec::new();
                json::message(m, &Look::PLAIN, &mut compact);
                self.element(&compact, out);
            }
            Format::Jsonl => {
                json::message(m, &self.look, out);
                out.push(b'\n');
            }
            // Messages have no verdict: such formats end before a queue is opened.
            _ => {
                self.waiting.push(table::row(m, self.now));
                if self.layout.is_some() || self.waiting.len() >= SAMPLE {
                    self.settle(out);
                }
            }
        }
        Ok(())
    }

    /// One value of `--print`. There is no table or archive of those, so they become a JSON line there.
    pub fn value(&mut self, v: &Val, out: &mut Vec<u8>) {
        self.written += 1;
        match self.format {
            Format::Raw => raw::value(v, &self.delimiter, &self.look, out),
            Format::Json => {
                let mut compact = Vec::new();
                json::value(v, &Look::PLAIN, &mut compact);
                self.element(&compact, out);
            }
            _ => {
                json::value(v, &self.look, out);
                out.push(b'\n');
            }
        }
    }

    /// One element of the JSON array, from compact JSON.
    pub(super) fn element(&mut self, compact: &[u8], out: &mut Vec<u8>) {
        if self.single {
            json::pretty(compact, &self.look, out);
            return out.push(b'\n');
        }
        out.extend_from_slice(if self.begun { b",\n  " } else { b"[\n  " });
        self.begun = true;
        json::pretty_at(compact, 1, &self.look, out);
    }

    /// Gives out the rows that wait for company. To be called when the next message may take its time.
    pub fn settle(&mut self, out: &mut Vec<u8>) {
        if self.waiting.is_empty() {
            return;
        }
        let layout = self.layout.get_or_insert_with(|| {
            let layout = Layout::fit(&table::columns(self.look.width), &self.waiting, &self.look);
            out.extend_from_slice(layout.head().as_bytes());
            layout
        });
        out.extend_from_slice(layout.rows(&self.waiting).as_bytes());
        self.waiting.clear();
    }

    /// The end. Gives what a reader must know of what was cut or left out, a sentence each.
    #[must_use = "what was cut must be said"]
    pub fn finish(mut self, out: &mut Vec<u8>) -> Vec<String> {
        self.settle(out);
        if self.format == Format::Json && !self.single {
            out.extend_from_slice(if self.begun { b"\n]\n" } else { b"[]\n" });
        }
        self.layout.map_or_else(Vec::new, |l| l.notes())
    }
}
