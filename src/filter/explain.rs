//! What is wrong with a program, where, and what was probably meant.

use std::fmt::Write as _;

use jaq_core::compile::Undefined;
use jaq_core::load::{lex, parse, span};

use super::functions;
use crate::broker::{Error, Kind, nearest};
use crate::message::view::FIELDS;

/// The longest part of a program line that is shown.
const SHOWN: usize = 76;

/// There is nothing in it.
pub fn empty() -> Error {
    Error::new(Kind::Usage, "the jq program is empty").hint("for all messages leave it out, or write true")
}

/// The text has parts that are no jq at all.
pub fn lexing(source: &str, errors: Vec<lex::Error<&str>>) -> Error {
    let Some((expect, rest)) = errors.into_iter().next() else { return empty() };
    let at = span(source, rest).start;
    let found = rest.chars().next();
    let hint = match (&expect, found) {
        (lex::Expect::Token, Some('\'')) => "jq strings stand in double quotes: \"text\"".to_owned(),
        (lex::Expect::Token, Some('&')) => "jq writes `and`".to_owned(),
        (lex::Expect::Token, Some(')' | ']' | '}')) => "it closes nothing that is open".to_owned(),
        (lex::Expect::Token, Some('“' | '”' | '‘' | '’')) => "these are typographic quotes: use \"".to_owned(),
        (lex::Expect::Delim(_), _) => return at_place(source, at, &format!("expected a {}", expect.as_str()), None),
        _ => return at_place(source, at, &format!("expected a {}", expect.as_str()), shell(source, at)),
    };
    let what = format!("`{}` is not jq", found.unwrap_or_default());
    at_place(source, at, &what, Some(hint))
}

/// The words do not make a program.
pub fn parsing(source: &str, errors: Vec<(parse::Expect<&str>, Option<&str>)>) -> Error {
    let Some((expect, found)) = errors.into_iter().next() else { return empty() };
    let expected = match &expect {
        parse::Expect::Nothing => "the end of the expression".to_owned(),
        parse::Expect::Just(s) => format!("`{s}`"),
        parse::Expect::Term => "a value or a path".to_owned(),
        e => e.as_str().to_owned(),
    };
    match found {
        None => {
            let end = source.trim_end().len();
            at_place(source, end, &format!("expected {expected}, but it ends here"), shell(source, end))
        }
        Some(token) => {
            let hint = match token {
                "||" => Some("jq writes `or`".to_owned()),
                "===" => Some("jq compares with `==`".to_owned()),
                t if t.starts_with('"') || t.starts_with(|c: char| c.is_ascii_alphanumeric()) => {
                    Some("two values follow each other: is there an operator missing, or a quote?".to_owned())
                }
                _ => shell(source, span(source, token).start),
            };
            let shown: String = token.chars().take(20).collect();
            at_place(source, span(source, token).start, &format!("expected {expected}, found `{shown}`"), hint)
        }
    }
}

/// Names that stand for nothing.
pub fn undefined(source: &str, variables: &[String], errors: Vec<(&str, Undefined)>) -> Error {
    // Names of the rewriting are always there, so what is missing is a slice of the source.
    let inside =
        |name: &str| (source.as_ptr().addr()..=source.as_ptr().addr() + source.len()).contains(&name.as_ptr().addr());
    let Some((name, what)) = errors.into_iter().find(|(name, _)| inside(name)) else {
        return Error::new(Kind::Other, "the jq library does not compile");
    };
    let at = span(source, name).start;
    match what {
        Undefined::Var => {
            let hint = if name == "$ENV" || name == "$__prog_args" {
                "a program cannot read the environment; pass a value with --arg NAME VALUE".to_owned()
            } else {
                match nearest(name, variables.iter().map(String::as_str)) {
                    Some(near) => format!("did you mean {near}?"),
                    None => format!("give it with --arg {} VALUE", &name[1..]),
                }
            };
            at_place(source, at, &format!("there is no variable {name}"), Some(hint))
        }
        Undefined::Filter(arity) => undefined_function(source, at, name, arity),
        what => at_place(source, at, &format!("there is no {} {name}", what.as_str()), None),
    }
}

fn undefined_function(source: &str, at: usize, name: &str, arity: usize) -> Error {
    let before = &source[..at];
    let names = functions::names();
    let arities: Vec<String> = names.iter().filter(|(n, _)| *n == name).map(|(_, a)| a.to_string()).collect();
    if !arities.is_empty() {
        let s = if arities == ["1"] { "" } else { "s" };
        let what = format!("{name} takes {} argument{s}, not {arity}", arities.join(" or "));
        return at_place(source, at, &what, Some("arguments are parted by semicolons: f(a; b)".to_owned()));
    }
    let dashed = before
        .strip_suffix('-')
        .and_then(|b| b.rsplit(|c: char| !(c.is_ascii_alphanumeric() || "_-.".contains(c))).next());
    let hint = match dashed.and_then(|d| d.rsplit_once('.')) {
        Some((path, head)) if !head.is_empty() => {
            let tail: String =
                source[at..].chars().take_while(|c| c.is_ascii_alphanumeric() || "_-".contains(*c)).collect();
            format!("a name with dashes is written {}[\"{head}-{tail}\"]", if path.is_empty() { "." } else { path })
        }
        _ if ["env", "input", "inputs", "input_line_number", "input_filename"].contains(&name) => {
            "a program sees one message and nothing else".to_owned()
        }
        _ if FIELDS.contains(&name) => format!("write .{name}"),
        _ if arity == 0 => match nearest(name, FIELDS.iter().copied()) {
            Some(near) => format!("did you mean .{near}? {}", fields()),
            None => match nearest(name, names.iter().map(|(n, _)| *n)) {
                Some(near) => format!("did you mean {near}?"),
                None => format!("for text write \"{name}\", for a part of the body .body.{name}; {}", fields()),
            },
        },
        _ => match nearest(name, names.iter().map(|(n, _)| *n)) {
            Some(near) => format!("did you mean {near}?"),
            None => fields(),
        },
    };
    let args =
        if arity == 0 { String::new() } else { format!(" with {arity} argument{}", if arity == 1 { "" } else { "s" }) };
    at_place(source, at, &format!("there is no function {name}{args}"), Some(hint))
}

fn fields() -> String {
    format!("the fields of a message are .{}", FIELDS.join(", ."))
}

/// In double quotes the shell takes `$name` and inner quotes out of a program before we see it.
fn shell(source: &str, at: usize) -> Option<String> {
    let cut = source[..at].trim_end();
    let open = cut.ends_with(['=', '<', '>', '+', '*', '/', '(', '[', ':', ',', ';', '|']) || cut.is_empty();
    open.then(|| {
        "if it stood in double quotes, the shell may have taken a part out of it: use single quotes".to_owned()
    })
}

/// The message, the line it is in, and a caret under the column.
fn at_place(source: &str, at: usize, what: &str, hint: Option<String>) -> Error {
    let start = source[..at].rfind('\n').map_or(0, |i| i + 1);
    let line = source[start..].lines().next().unwrap_or_default();
    let column = source[start..at].chars().count();
    let mut text = String::from("the jq program is wrong at ");
    if source.trim_end().contains('\n') {
        write!(text, "line {}, ", source[..start].matches('\n').count() + 1).expect("strings take all");
    }
    writeln!(text, "column {}: {what}", column + 1).expect("strings take all");
    // A long line is shown around the place.
    let from = if column > SHOWN - 10 { column - SHOWN / 2 } else { 0 };
    let part: String = line.chars().skip(from).take(SHOWN).map(|c| if c == '\t' { ' ' } else { c }).collect();
    let left = if from > 0 { "…" } else { "" };
    let right = if line.chars().count() > from + SHOWN { "…" } else { "" };
    let under = " ".repeat(column - from + left.chars().count());
    write!(text, "  {left}{part}{right}\n  {under}^").expect("strings take all");
    let e = Error::new(Kind::Usage, text);
    match hint {
        Some(h) => e.hint(h),
        None => e,
    }
}

/// The text of an error on one message, which may hold the whole message: its head and its tail.
#[derive(Default)]
struct Clip {
    head: String,
    tail: String,
    cut: bool,
    taken: usize,
}

const HEAD: usize = 160;
const TAIL: usize = 80;
const ENDLESS: usize = 16 << 20;

impl std::fmt::Write for Clip {
    fn write_str(&mut self, s: &str) -> std::fmt::Result {
        for c in s.chars() {
            if self.head.len() < HEAD && self.tail.is_empty() {
                self.head.push(c);
            } else {
                self.tail.push(c);
            }
        }
        if self.tail.len() > 4 * TAIL {
            self.shorten();
        }
        self.taken += s.len();
        // Values share their parts: the text of a small one can be endless.
        if self.taken > ENDLESS { Err(std::fmt::Error) } else { Ok(()) }
    }
}

impl Clip {
    fn shorten(&mut self) {
        let mut from = self.tail.len() - TAIL;
        while !self.tail.is_char_boundary(from) {
            from += 1;
        }
        self.tail.drain(..from);
        self.cut = true;
    }

    fn finish(mut self) -> String {
        if self.tail.len() > TAIL {
            self.shorten();
        }
        format!("{}{}{}", self.head, if self.cut { " … " } else { "" }, self.tail)
    }
}

/// The text of an error, of a length that can be shown.
pub fn clipped(e: &functions::Error) -> String {
    let mut clip = Clip::default();
    if write!(clip, "{e}").is_err() {
        clip.cut = true;
    }
    let text = clip.finish();
    // What a program says with `error("text")` comes as JSON.
    serde_json::from_str::<String>(&text).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::filter::Program;

    fn refused(source: &str) -> (String, String) {
        let variables = [("limit".to_owned(), jaq_json::Val::from(1usize))];
        let Err(e) = Program::compile(source, &variables, Duration::from_secs(1)) else { panic!("{source} compiles") };
        assert_eq!(e.kind(), Kind::Usage, "{source}: {e}");
        (e.to_string(), e.get_hint().unwrap_or_default().to_owned())
    }

    #[test]
    fn points_at_the_place() {
        let (text, _) = refused(".body.total > ) 4");
        assert_eq!(text, "the jq program is wrong at column 15: `)` is not jq\n  .body.total > ) 4\n                ^");
        let (text, _) = refused(".id and\n  (.body.x | tset(\"a\"))");
        assert!(text.contains("line 2, column 14: there is no function tset with 1 argument\n"), "{text}");
        assert!(text.ends_with("\n    (.body.x | tset(\"a\"))\n               ^"), "{text}");
        let long = format!("{} | zzz | {}", ".id".repeat(60), ".id".repeat(60));
        let (text, _) = refused(&long);
        let lines: Vec<_> = text.lines().collect();
        let caret = lines[2].chars().position(|c| c == '^').unwrap();
        assert_eq!(lines[1].chars().skip(caret).take(3).collect::<String>(), "zzz");
        assert!(lines[1].starts_with("  …") && lines[1].ends_with('…'));
    }

    #[test]
    fn says_what_was_probably_meant() {
        for (source, in_text, in_hint) in [
            ("body.total > 4", "there is no function body", "write .body"),
            ("heders", "there is no function heders", "did you mean .headers?"),
            ("total > 4", "there is no function total", ".body.total"),
            ("total > 4", "there is no function total", "the fields of a message are .id, .queue, .position"),
            (".body | selct(.a)", "no function selct with 1 argument", "did you mean select?"),
            ("test(\"a\"; \"b\"; \"c\")", "test takes 1 or 2 arguments, not 3", "semicolons"),
            (".x > $limt", "there is no variable $limt", "did you mean $limit?"),
            (".x > $other", "there is no variable $other", "--arg other VALUE"),
            ("$ENV.HOME", "there is no variable $ENV", "cannot read the environment"),
            ("env.HOME", "there is no function env", "sees one message"),
            ("input", "there is no function input", "sees one message"),
            (".headers.x-request-id == 1", "no function request", ".headers[\"x-request-id\"]"),
            ("'.body'", "`'` is not jq", "double quotes"),
            (".a && .b", "`&`", "`and`"),
            (".a || .b", "found `||`", "`or`"),
            (".body.id == ", "expected a value or a path, but it ends here", "single quotes"),
            (".a \"b\"", "found `\"b\"`", "operator missing"),
            ("(.a", "expected a closing parenthesis", ""),
            (".a == \"x", "expected a closing quote", ""),
            ("if .a then .b", "else or end", ""),
            ("import \"a\" as a; a::f", "cannot import modules", "def name"),
            ("  ", "the jq program is empty", "true"),
            ("break $x", "there is no label $x", ""),
            ("a::b", "there is no module a", ""),
        ] {
            let (text, hint) = refused(source);
            assert!(text.contains(in_text), "{source}: {text}");
            assert!(hint.contains(in_hint), "{source}: hint {hint}");
        }
        assert!(refused(&"(".repeat(1000)).0.contains("nests deeper"));
        assert!(refused(&format!("1{}", "+1".repeat(1000))).0.contains("nests deeper"));
        assert!(refused(&" .".repeat(40_000)).0.contains("longer than 32 KiB"));
    }

    #[test]
    fn the_text_of_an_error_is_short_and_unquoted() {
        let v = jaq_json::Val::from("é".repeat(10_000));
        let text = clipped(&functions::Error::typ(v, "number"));
        assert!(text.len() < HEAD + TAIL + 10, "{}", text.len());
        assert!(text.starts_with("cannot use \"éé") && text.contains(" … ") && text.ends_with("é\" as number"));
        assert_eq!(clipped(&functions::Error::str("no \"stock\"")), "no \"stock\"");
    }
}
