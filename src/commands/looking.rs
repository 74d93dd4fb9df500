//! What `inspect`, `filter` and `sample` share: printing what a look selects, and saying how the look ended.

use std::ops::ControlFlow;
use std::sync::Arc;

use jiff::Timestamp;

use super::expiring::Expiring;
use super::session::{Opening, Session};
use crate::broker::{Delivery, Error, Kind, Result, ScanRequest, Source};
use crate::cli;
use crate::exit::Exit;
use crate::filter::Program;
use crate::message::DeadLetter;
use crate::output::{Format, Look, Writer, archive, human, json, raw};
use crate::replay::{Failure, Looked, Page, look_with};
use crate::select::{Judged, Selection, Verdict};

/// Failures of `--print` that are shown with their text.
const SHOWN: usize = 3;

/// How messages are printed.
pub struct Printing {
    format: Format,
    look: Look,
    print: Option<Program>,
    delimiter: Vec<u8>,
    single: bool,
}

/// Printing that failed on single messages.
#[derive(Default)]
pub struct Unprinted {
    /// How many.
    pub count: u64,
    /// The first few, with id and text.
    pub examples: Vec<Failure>,
}

impl Unprinted {
    /// Adds what failed behind this.
    pub fn merge(&mut self, behind: Unprinted) {
        self.count += behind.count;
        let room = SHOWN - self.examples.len();
        self.examples.extend(behind.examples.into_iter().take(room));
    }

    pub fn add(&mut self, m: &DeadLetter, error: String) {
        self.count += 1;
        if self.examples.len() < SHOWN {
            self.examples.push(Failure { id: m.id.to_string(), error });
        }
    }
}

impl Printing {
    /// From the flags. `single`: messages are shown in full.
    ///
    /// # Errors
    /// `Usage`.
    pub fn new(session: &Session, args: &cli::Print, select: &cli::Select, single: bool) -> Result<Printing> {
        let look = session.ui.look();
        let format = match session.format.resolve(look.tty, false) {
            // Values are no rows: on a terminal too they are lines.
            Format::Table if args.print.is_some() => Format::Jsonl,
            Format::Archive if args.print.is_some() => {
                let text = "--print makes values, and -o archive writes whole messages: they do not go together";
                return Err(Error::new(Kind::Usage, text));
            }
            format => format,
        };
        if format != Format::Raw && (args.null || args.delimiter.is_some()) {
            return Err(Error::new(Kind::Usage, "-0 and --delimiter are for -o raw"));
        }
        let print = args.print.as_deref().map(|p| super::selecting::program(p, select)).transpose()?;
        let delimiter = match (&args.delimiter, args.null) {
            (Some(text), _) => unescape(text)?,
            (None, true) => vec![0],
            (None, false) => vec![b'\n'],
        };
        Ok(Printing { format, look, print, delimiter, single })
    }

    /// Whether each message can be printed without those before it.
    fn separate(&self) -> bool {
        matches!(self.format, Format::Jsonl | Format::Raw | Format::Archive) && !self.single
    }

    /// A writer for messages one after the other.
    pub fn writer(&self) -> Writer {
        let writer = Writer::new(self.format, self.look, Timestamp::now()).delimiter(self.delimiter.clone());
        if self.single { writer.single() } else { writer }
    }

    /// Writes one message, or what `--print` makes of it, through a writer.
    pub fn through(&self, writer: &mut Writer, m: &DeadLetter, out: &mut Vec<u8>, unprinted: &mut Unprinted) {
        match &self.print {
            None => {
                if let Err(e) = writer.message(m, out) {
                    unprinted.add(m, e.to_string());
                }
            }
            Some(program) => match program.values(m) {
                Ok(values) => values.iter().for_each(|v| writer.value(v, out)),
                Err(e) => unprinted.add(m, e),
            },
        }
    }

    /// The same for formats in which messages stand alone.
    fn alone(&self, m: &DeadLetter, out: &mut Vec<u8>, unprinted: &mut Unprinted) {
        match (&self.print, self.format) {
            (None, Format::Raw) => raw::message(m, &self.delimiter, &self.look, out),
            (None, Format::Archive) => {
                if let Err(e) = archive::write(m, &self.look, out) {
                    unprinted.add(m, e.to_string());
                }
            }
            (None, _) => {
                json::message(m, &self.look, out);
                out.push(b'\n');
            }
            (Some(program), format) => match program.values(m) {
                Ok(values) => {
                    for v in &values {
                        if format == Format::Raw {
                            raw::value(v, &self.delimiter, &self.look, out);
                        } else {
                            json::value(v, &self.look, out);
                            out.push(b'\n');
                        }
                    }
                }
                Err(e) => unprinted.add(m, e),
            },
        }
    }
}

/// `\n`, `\t`, `\r`, `\0` and `\\`.
fn unescape(text: &str) -> Result<Vec<u8>> {
    let mut out = vec![];
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        out.push(match chars.next() {
            Some('n') => b'\n',
            Some('t') => b'\t',
            Some('r') => b'\r',
            Some('0') => 0,
            Some('\\') => b'\\',
            other => {
                let what = other.map_or_else(|| "a \\ at its end".to_owned(), |c| format!("\\{c}"));
                return Err(Error::new(Kind::Usage, format!("--delimiter has {what}"))
                    .hint("it understands \\n, \\t, \\r, \\0 and \\\\"));
            }
        });
    }
    Ok(out)
}

/// Opens the queue a look is for, and says what looking costs.
///
/// # Errors
/// Whatever is wrong with the address or the queue.
pub async fn open(session: &Session, queue: &str, args: &cli::Looking) -> Result<Arc<dyn Source>> {
    let opening = Opening { accept: &args.accept.accept, skip_bad_lines: args.select.skip_bad_lines, exclusive: false };
    let mut connection = args.connection.clone();
    for (asked, name) in [(args.newest, "newest"), (args.include_resolved, "include-resolved")] {
        if asked {
            connection.option.push((name.to_owned(), "true".to_owned()));
        }
    }
    let source = session.source(queue, &connection, opening).await?;
    session.say_costs(&*source);
    source.capabilities().advice().iter().for_each(|advice| session.ui.notice(advice));
    Ok(source)
}

/// What the threads make of a batch.
enum Made {
    /// Bytes of the selected messages, where each ends, and what could not be printed up to there.
    Bytes(Vec<u8>, Vec<usize>, Unprinted),
    /// The selected messages themselves.
    Messages(Vec<DeadLetter>),
}

/// Prints everything a look selects, in order.
///
/// # Errors
/// Standard output cannot be written; the scan is closed all the same.
pub async fn print_selected(
    session: &Session,
    source: &dyn Source,
    selection: &Arc<Selection>,
    request: ScanRequest,
    printing: Printing,
    total: Option<u64>,
) -> Result<(Looked, Unprinted)> {
    let printing = Arc::new(printing);
    let maker = Arc::clone(&printing);
    let (retention, now) = (source.retention(), Timestamp::now());
    let work = move |judged: Judged| {
        let mut expiring = Expiring::default();
        if let Some(retention) = retention {
            let selected = judged.batch.deliveries.iter().zip(&judged.verdicts).filter(|(_, v)| **v == Verdict::Yes);
            selected.for_each(|(d, _)| expiring.note(d.message.time, retention, now));
        }
        (make(&maker, judged), expiring)
    };
    let mut expiring = Expiring::default();
    let progress = session.ui.progress(total, "looking");
    let (mut data, mut writer) = (session.ui.data(), printing.writer());
    let (mut unprinted, mut written) = (Unprinted::default(), Ok(()));
    let each = |page: Page<(Made, Expiring)>| {
        progress.inc(page.read);
        expiring.add(&page.made.1);
        let within = usize::try_from(page.selected).unwrap_or(usize::MAX);
        written = match page.made.0 {
            Made::Bytes(bytes, ends, failed) => {
                unprinted.merge(failed);
                let end = if within == 0 { 0 } else { ends.get(within - 1).copied().unwrap_or(bytes.len()) };
                data.write(&bytes[..end])
            }
            Made::Messages(messages) => {
                let mut out = vec![];
                for m in messages.iter().take(within) {
                    printing.through(&mut writer, m, &mut out, &mut unprinted);
                }
                data.write(&out)
            }
        };
        if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    let looked = look_with(source, selection, request, &session.stop, work, each).await;
    progress.finish();
    written?;
    let mut rest = vec![];
    let notes = if printing.separate() { vec![] } else { writer.finish(&mut rest) };
    data.write(&rest)?;
    data.finish()?;
    notes.iter().for_each(|n| session.ui.notice(n));
    expiring.say(&session.ui);
    Ok((looked, unprinted))
}

fn make(printing: &Printing, judged: Judged) -> Made {
    let selected = judged.batch.deliveries.into_iter().zip(judged.verdicts).filter(|(_, v)| *v == Verdict::Yes);
    let selected = selected.map(|(Delivery { message, .. }, _)| *message);
    if !printing.separate() {
        return Made::Messages(selected.collect());
    }
    let (mut bytes, mut ends, mut unprinted) = (vec![], vec![], Unprinted::default());
    for m in selected {
        printing.alone(&m, &mut bytes, &mut unprinted);
        ends.push(bytes.len());
    }
    Made::Bytes(bytes, ends, unprinted)
}

/// Says how a look ended, and gives its exit code.
pub fn ended(session: &Session, selection: &Selection, looked: &Looked, unprinted: &Unprinted, strict: bool) -> Exit {
    let ui = &session.ui;
    for path in selection.program.iter().flat_map(Program::absent_paths) {
        let n = human::counted(looked.read, "message");
        ui.warn(&format!(
            "{path} was in none of the {n} read: in jq it is null there, and null is less than any number"
        ));
    }
    let failed = [
        (looked.filter_errors, &looked.filter_error_examples, "the expression failed on", "not selected"),
        (unprinted.count, &unprinted.examples, "printing failed for", "selected and not shown"),
    ];
    for (count, examples, what, so) in failed {
        failures(session, count, examples, what, so);
    }
    looked.closed.notices.iter().for_each(|n| ui.notice(n));
    if looked.closed.bad_lines > 0 {
        ui.warn(&format!("{} could not be read and were left out", human::counted(looked.closed.bad_lines, "line")));
    }
    if let Some(n) = looked.closed.unseen.filter(|n| *n > 0) {
        ui.notice(&format!("{} held by consumers, not seen", human::counted(n, "message")));
    }
    if let Some(cut) = &looked.closed.cut {
        ui.warn(&format!("not everything was seen: {cut}"));
    }
    let mut exit = Exit::Done;
    // What was asked for and is not in the output is missing there, whatever the expression meant.
    if unprinted.count > 0 || strict && (looked.filter_errors > 0 || looked.closed.bad_lines > 0) {
        exit = Exit::Partly;
    }
    if looked.closed.cut.is_some() && !looked.limited {
        exit = Exit::Partly;
    }
    if let Some(e) = &looked.unclosed {
        ui.error(e);
        exit = Exit::Partly;
    }
    if let Some(e) = &looked.error {
        ui.error(e);
        exit = Exit::of(e.kind());
    }
    if looked.stopped {
        exit = session.stopped();
    }
    exit
}

fn failures(session: &Session, count: u64, examples: &[Failure], what: &str, so: &str) {
    if count > 0 {
        let were = if count == 1 { "was" } else { "were" };
        session.ui.warn(&format!("{what} {}, which {were} {so}", human::counted(count, "message")));
        for Failure { id, error } in examples {
            session.ui.warn(&format!("{id}: {error}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delimiters_are_unescaped() {
        assert_eq!(unescape(r"a\n\0\\").expect("good"), b"a\n\0\\");
        assert!(unescape(r"\x").is_err());
        assert!(unescape("\\").is_err());
    }
}
