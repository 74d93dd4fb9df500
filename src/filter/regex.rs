//! `test`, `match` and their kin with patterns that are compiled once a thread, not once a message.

use std::cell::RefCell;
use std::rc::Rc;

use ::regex::bytes::{Captures, Regex, RegexBuilder};
use jaq_json::Val;
use jaq_std::ValT;

use super::functions::{Cv, Error};

/// Patterns kept; a program that makes a new one for each message does not fill memory with them.
const KEPT: usize = 32;

thread_local! {
    static CACHE: RefCell<Vec<Rc<Compiled>>> = const { RefCell::new(Vec::new()) };
    #[cfg(test)]
    static COMPILED: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

struct Compiled {
    pattern: Box<str>,
    flags: Box<str>,
    global: bool,
    skip_empty: bool,
    regex: Regex,
}

fn compile(pattern: &str, flags: &str) -> Result<Compiled, Error> {
    #[cfg(test)]
    COMPILED.with(|n| n.set(n.get() + 1));
    let mut b = RegexBuilder::new(pattern);
    let (mut global, mut skip_empty) = (false, false);
    for flag in flags.chars() {
        match flag {
            'g' => global = true,
            'n' => skip_empty = true,
            'i' => _ = b.case_insensitive(true),
            'm' => _ = b.multi_line(true),
            's' => _ = b.dot_matches_new_line(true),
            'l' => _ = b.swap_greed(true),
            'x' => _ = b.ignore_whitespace(true),
            'p' => _ = b.multi_line(true).dot_matches_new_line(true),
            c => return Err(Error::str(format_args!("invalid regex flag: {c}"))),
        }
    }
    let regex = b.build().map_err(|e| Error::str(format_args!("invalid regex: {}", one_line(&e))))?;
    Ok(Compiled { pattern: pattern.into(), flags: flags.into(), global, skip_empty, regex })
}

/// The reason is the last line of what the parser says; the rest draws the pattern.
fn one_line(e: &::regex::Error) -> String {
    let text = e.to_string();
    text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
}

fn compiled(pattern: &str, flags: &str) -> Result<Rc<Compiled>, Error> {
    CACHE.with_borrow_mut(|kept| {
        if let Some(i) = kept.iter().position(|c| *c.pattern == *pattern && *c.flags == *flags) {
            if i > 0 {
                kept[..=i].rotate_right(1);
            }
            return Ok(Rc::clone(&kept[0]));
        }
        let new = Rc::new(compile(pattern, flags)?);
        kept.truncate(KEPT - 1);
        kept.insert(0, Rc::clone(&new));
        Ok(new)
    })
}

fn arguments(cv: &mut Cv<'_>) -> Result<Rc<Compiled>, Error> {
    let flags = cv.0.pop_var();
    let pattern = cv.0.pop_var();
    compiled(str_of(&pattern)?, str_of(&flags)?)
}

fn str_of(v: &Val) -> Result<&str, Error> {
    std::str::from_utf8(v.try_as_utf8_bytes()?).map_err(Error::str)
}

/// `test($re; $flags)`, without building what matched.
pub fn test(mut cv: Cv<'_>) -> Result<Val, Error> {
    let re = arguments(&mut cv)?;
    let s = cv.1.try_as_utf8_bytes()?;
    let yes = if re.skip_empty { re.regex.find_iter(s).any(|m| !m.is_empty()) } else { re.regex.is_match(s) };
    Ok(Val::from(yes))
}

/// The natives behind `match`, `capture`, `scan`, `sub`, `split`: matches, what lies between them, or both, in order.
pub fn parts(mut cv: Cv<'_>, between: bool, matches: bool) -> Result<Val, Error> {
    let re = arguments(&mut cv)?;
    let input = &cv.1;
    let s = input.try_as_utf8_bytes()?;
    let mut out = Vec::new();
    let mut chars = Chars { s, ascii: s.is_ascii(), byte: 0, count: 0 };
    let mut end = 0;
    for found in re.regex.captures_iter(s) {
        let whole = found.get_match();
        if re.skip_empty && whole.is_empty() {
            continue;
        }
        if between {
            out.push(input.as_sub_str(&s[end..whole.start()]));
            end = whole.end();
        }
        if matches {
            out.push(groups(&re.regex, &found, &mut chars, input)?);
        }
        if !re.global {
            break;
        }
    }
    if between {
        out.push(input.as_sub_str(&s[end..]));
    }
    Ok(out.into_iter().collect())
}

fn groups(re: &Regex, found: &Captures<'_>, chars: &mut Chars<'_>, input: &Val) -> Result<Val, Error> {
    use jaq_core::ValT as _;
    let start = chars.at(found.get_match().start());
    let from = found.get_match().start();
    let group = |(m, name): (Option<::regex::bytes::Match<'_>>, Option<&str>)| {
        let m = m?;
        let offset = start + chars.between(from, m.start());
        let mut fields = vec![
            ("offset", Val::from(offset)),
            ("length", Val::from(chars.between(m.start(), m.end()))),
            ("string", input.as_sub_str(m.as_bytes())),
        ];
        fields.extend(name.map(|n| ("name", Val::from(n.to_owned()))));
        Some(Val::from_map(fields.into_iter().map(|(k, v)| (Val::from(k.to_owned()), v))))
    };
    found.iter().zip(re.capture_names()).filter_map(group).collect()
}

/// Positions in characters. Matches come in order, so counting goes on from the last one.
struct Chars<'a> {
    s: &'a [u8],
    ascii: bool,
    byte: usize,
    count: usize,
}

impl Chars<'_> {
    fn at(&mut self, byte: usize) -> usize {
        self.count += self.between(self.byte, byte);
        self.byte = byte;
        self.count
    }

    fn between(&self, from: usize, to: usize) -> usize {
        if self.ascii {
            return to - from;
        }
        let part = |c: std::str::Utf8Chunk<'_>| c.valid().chars().count() + usize::from(!c.invalid().is_empty());
        self.s[from..to].utf8_chunks().map(part).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::tests::outputs;

    #[test]
    fn a_pattern_is_compiled_once_for_any_number_of_messages() {
        let program = r#"(.body | test("^o[rs]der-[0-9]+$")) and (.body | test("ORDER"; "i"))"#;
        let p = crate::filter::Program::compile(program, &[], std::time::Duration::from_secs(5)).unwrap();
        let before = COMPILED.with(|n| n.get());
        for i in 0..500 {
            assert_eq!(p.truth(&crate::filter::tests::message(&format!("order-{i}"))), crate::filter::Truth::Yes);
        }
        assert_eq!(COMPILED.with(|n| n.get()) - before, 2);
    }

    #[test]
    fn the_cache_is_bounded() {
        for i in 0..10 * KEPT {
            compiled(&format!("x{i}"), "").unwrap();
        }
        assert_eq!(CACHE.with_borrow(|c| c.len()), KEPT);
    }

    #[test]
    fn means_what_jq_means() {
        for (program, expected) in [
            (r#""foo bar foo" | [match("foo"; "g").offset]"#, "[0,8]"),
            (r#""aé日b" | match("日") | [.offset, .length, .string]"#, r#"[2,1,"日"]"#),
            (r#""xyz" | capture("(?<a>x)(?<b>y)")"#, r#"{"a":"x","b":"y"}"#),
            (r#""ab12cd" | [scan("[a-z]+")]"#, r#"["ab","cd"]"#),
            (r#""a,b, c" | [splits(", *")]"#, r#"["a","b","c"]"#),
            (r#""abc" | sub("(?<x>b)"; "[\(.x)]")"#, r#""a[b]c""#),
            (r#""aXbxc" | gsub("x"; "-"; "i")"#, r#""a-b-c""#),
            (r#""abc" | [test("B"), test("B"; "i"), test("a.c"; "x")]"#, "[false,true,true]"),
            (r#""" | [test(""), test(""; "n")]"#, "[true,false]"),
            (r#""ba" | match("(?:(b)|(a))+") | [.captures[].string]"#, r#"["b","a"]"#),
            (r#""a\nb" | [test("a.b"), test("a.b"; "s"), test("^b"), test("^b"; "m")]"#, "[false,true,false,true]"),
        ] {
            assert_eq!(outputs(program), Ok(vec![expected.to_owned()]), "{program}");
        }
        assert!(outputs(r#""a" | test("(")"#).unwrap_err().contains("invalid regex: unclosed group"));
        assert!(outputs(r#""a" | test("a"; "q")"#).unwrap_err().contains("invalid regex flag: q"));
        assert!(outputs("1 | test(\"a\")").unwrap_err().contains("cannot use 1 as string"));
    }
}
