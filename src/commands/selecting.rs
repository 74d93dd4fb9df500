//! From selection flags to a [`Selection`].

use std::collections::{BTreeSet, HashSet};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jaq_json::Val;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::broker::{Error, Kind, Result};
use crate::cli;
use crate::filter::Program;
use crate::output::human;
use crate::select::{Ids, Selection, times};
use crate::ui::Ui;

/// `--filter-timeout` where it was not given.
const FILTER_TIMEOUT: Duration = Duration::from_secs(5);

/// Compiles and reads everything a selection needs, before any queue is opened. `expression` is the one that stood behind
/// the queue. `queue` is what was typed there: it and `--ids-from` cannot both be standard input.
///
/// # Errors
/// `Usage`, or a file that cannot be read.
pub fn selection(args: &cli::Select, expression: Option<&str>, queue: &str, ui: &Ui) -> Result<Selection> {
    if queue == "-" && args.ids_from.as_deref() == Some(Path::new("-")) {
        return Err(Error::new(Kind::Usage, "the queue and --ids-from cannot both be standard input"));
    }
    let from_file = args.filter_file.as_deref().map(|path| read(path, "the filter file")).transpose()?;
    let source = expression.or(args.filter.as_deref()).or(from_file.as_deref());
    let program = source.map(|source| program(source, args)).transpose()?;
    if let Some(slip) = program.as_ref().and_then(Program::slip) {
        ui.warn(&slip);
    }
    let (now, zone) = (Timestamp::now(), TimeZone::system());
    let time = |t: &String| times::parse(t, now, &zone);
    let since = args.since.as_ref().map(time).transpose()?;
    let until = args.until.as_ref().map(time).transpose()?;
    if let (Some(since), Some(until)) = (since, until)
        && since >= until
    {
        let text = format!("--since ({since}) is not before --until ({until}): nothing could be selected");
        return Err(Error::new(Kind::Usage, text));
    }
    said(since, until, ui);
    Ok(Selection {
        program,
        since,
        until,
        ids: ids(args)?,
        cause: args.cause.clone(),
        limit: args.limit,
        scan_limit: args.scan_limit,
    })
}

/// Compiles one expression with the variables of the command line.
///
/// # Errors
/// `Usage`.
pub fn program(source: &str, args: &cli::Select) -> Result<Program> {
    Program::compile(source, &variables(args)?, args.filter_timeout.unwrap_or(FILTER_TIMEOUT))
}

fn said(since: Option<Timestamp>, until: Option<Timestamp>, ui: &Ui) {
    let window = match (since, until) {
        (None, None) => return,
        (Some(s), None) => format!("since {s:.0}"),
        (None, Some(u)) => format!("until {u:.0}"),
        (Some(s), Some(u)) => format!("from {s:.0} until {u:.0}"),
    };
    ui.notice(&format!("{window}, by the time of death, or where that is not known by the message's own time"));
}

fn variables(args: &cli::Select) -> Result<Vec<(String, Val)>> {
    let mut variables = vec![];
    for pair in args.arg.chunks_exact(2) {
        variables.push((pair[0].clone(), Val::utf8_str(pair[1].clone().into_bytes())));
    }
    for pair in args.argjson.chunks_exact(2) {
        let bad = |e: &dyn std::fmt::Display| {
            Error::new(Kind::Usage, format!("--argjson {}: {:?} is not JSON: {e}", pair[0], pair[1]))
        };
        // jaq reads more than JSON; what is typed here should be JSON everywhere.
        serde_json::from_str::<serde_json::Value>(&pair[1]).map_err(|e| bad(&e))?;
        let value = jaq_json::read::parse_single(pair[1].as_bytes()).map_err(|e| bad(&e))?;
        variables.push((pair[0].clone(), value));
    }
    if let Some((name, _)) = variables.iter().find(|(name, _)| !is_name(name)) {
        let text = format!("{name:?} cannot be the name of a variable");
        return Err(Error::new(Kind::Usage, text).hint("letters, digits and _ are allowed; write it without $"));
    }
    let mut names = HashSet::new();
    if let Some((name, _)) = variables.iter().find(|(name, _)| name == "ARGS" || !names.insert(name)) {
        let text = match name.as_str() {
            "ARGS" => "$ARGS holds all variables, and cannot be one of them".to_owned(),
            name => format!("the variable ${name} is given twice"),
        };
        return Err(Error::new(Kind::Usage, text).hint("give each of --arg and --argjson a name of its own"));
    }
    Ok(variables)
}

fn is_name(s: &str) -> bool {
    s.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && s.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn ids(args: &cli::Select) -> Result<Option<Ids>> {
    let mut ids: HashSet<String> = args.id.iter().cloned().collect();
    if let Some(path) = &args.ids_from {
        let text = read(path, "the list of ids")?;
        // A list written with `-o json` has quotes; ids themselves have none. Windows begins files with a mark.
        let text = text.trim_start_matches('\u{feff}');
        ids.extend(text.lines().map(|l| l.trim().trim_matches('"')).filter(|l| !l.is_empty()).map(str::to_owned));
    } else if ids.is_empty() {
        return Ok(None);
    }
    Ok(Some(ids.into_iter().collect()))
}

/// The flag whose file says something else than it did when `then` was understood. A file that is gone says nothing: what it
/// said is known.
pub fn rewritten(args: &cli::Select, then: &cli::Select) -> Option<&'static str> {
    let on_disk = |path: &&PathBuf| path.as_path() != Path::new("-");
    if let Some(path) = args.filter_file.as_ref().filter(on_disk)
        && let Ok(text) = std::fs::read_to_string(path)
        && then.filter.as_ref().is_some_and(|before| *before != text)
    {
        return Some("--filter-file");
    }
    args.ids_from.as_ref().filter(on_disk)?;
    let now: BTreeSet<String> = ids(args).ok()??.iter().map(str::to_owned).collect();
    (now != then.id.iter().cloned().collect()).then_some("--ids-from")
}

/// Ids that are named when no message had them.
const NAMED: usize = 5;

/// Says which ids no message had, after a look that went to the end of what it was allowed.
pub fn say_missing(selection: &Selection, read: u64, ui: &Ui) {
    let missing = selection.ids.as_ref().map(Ids::missing).unwrap_or_default();
    if missing.is_empty() {
        return;
    }
    let more = if missing.len() > NAMED { ", …" } else { "" };
    ui.warn(&format!(
        "{} asked for {} in none of the {} read: {}{more}",
        human::counted(missing.len() as u64, "id"),
        if missing.len() == 1 { "was" } else { "were" },
        human::counted(read, "message"),
        missing[..missing.len().min(NAMED)].join(", "),
    ));
}

fn read(path: &Path, what: &str) -> Result<String> {
    let mut text = String::new();
    let result = if path == Path::new("-") {
        std::io::stdin().lock().read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|mut f| f.read_to_string(&mut text))
    };
    result.map_err(|e| Error::new(Kind::Usage, format!("{what} {} cannot be read", path.display())).because(e))?;
    Ok(text)
}
