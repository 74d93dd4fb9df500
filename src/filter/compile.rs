//! From text to a program: read, analysed, rewritten with ticks, compiled.

use jaq_core::load::lex::Lexer;
use jaq_core::load::parse::{Def, Parser, Term};
use jaq_core::load::{Arena, File, Loader};
use jaq_core::{Compiler, Filter};
use jaq_json::{Map, Val};

use super::functions::{self, Data};
use super::plain::Plain;
use super::{explain, paths, rewrite};
use crate::broker::{Error, Kind, Result};
use crate::message::view::nesting;

/// Longer programs are refused.
const MAX_SOURCE: usize = 32 << 10;
/// The parser recurses; this is room for any program of that length.
const STACK: usize = 256 << 20;

/// A program, ready to run.
pub struct Compiled {
    pub filter: Filter<Data>,
    pub variables: Vec<Val>,
    pub analysis: paths::Analysis,
    /// The same as a condition, where it is one that needs no interpreter.
    pub plain: Option<Plain>,
    /// It is an assignment, which as a condition is always true.
    pub assigns: bool,
    /// Top-level fields it assigns or deletes.
    pub assigned: Vec<String>,
}

/// Compiles on a thread of its own: parsing recurses as deep as the program nests.
pub fn compile(source: &str, variables: &[(String, Val)]) -> Result<Compiled> {
    if source.len() > MAX_SOURCE {
        return Err(Error::new(Kind::Usage, format!("the jq program is longer than {} KiB", MAX_SOURCE >> 10)));
    }
    if nesting(source.as_bytes()).is_some_and(|n| n > rewrite::MAX_DEPTH) {
        return Err(too_deep());
    }
    std::thread::scope(|s| {
        let thread = std::thread::Builder::new().stack_size(STACK).spawn_scoped(s, || on_big_stack(source, variables));
        let thread =
            thread.map_err(|e| Error::new(Kind::Other, "no thread to compile the jq program on").because(e))?;
        thread.join().unwrap_or_else(|_| Err(Error::new(Kind::Other, "compiling the jq program failed")))
    })
}

fn too_deep() -> Error {
    Error::new(Kind::Usage, format!("the jq program nests deeper than {} levels", rewrite::MAX_DEPTH))
}

fn on_big_stack(source: &str, variables: &[(String, Val)]) -> Result<Compiled> {
    let term = parse(source)?;
    if rewrite::depth(&term) > rewrite::MAX_DEPTH {
        return Err(too_deep());
    }
    let analysis = paths::analyse(&term);
    let assigns = paths::assigns(&term);
    let mut assigned = vec![];
    paths::assigned(&term, &mut assigned);

    let globals = globals(source, variables);
    let plain = Plain::of(&term, &globals);
    let main = Def { name: "__main", args: vec![], body: rewrite::term(term) };
    let defs = functions::definitions().map(|d| rewrite::def(widen(d))).chain([main]);
    let arena = Arena::default();
    let modules = Loader::new(defs)
        .load(&arena, File { code: "__main", path: () })
        .map_err(|_| Error::new(Kind::Other, "the jq library does not load"))?;
    let filter = Compiler::default()
        .with_funs(functions::natives())
        .with_global_vars(globals.iter().map(|(name, _)| name.as_str()))
        .compile(modules)
        .map_err(|errors| {
            let given: Vec<_> = variables.iter().map(|(n, _)| format!("${n}")).collect();
            explain::undefined(source, &given, errors.into_iter().flat_map(|(_, e)| e).collect())
        })?;
    let variables = globals.into_iter().map(|(_, value)| value).collect();
    Ok(Compiled { filter, variables, analysis, plain, assigns, assigned })
}

/// A definition of the library beside those of a source that lives shorter.
fn widen<'s>(d: Def<&'static str>) -> Def<&'s str> {
    d
}

/// Reads a program without compiling it.
pub fn parse(source: &str) -> Result<Term<&str>> {
    let first = source.split_whitespace().next().unwrap_or_default();
    if ["import", "include"].contains(&first) {
        let e = Error::new(Kind::Usage, format!("a jq program here cannot {first} modules: it reads no files"));
        return Err(e.hint("put the definitions before the expression: def name: …; expression"));
    }
    let tokens = Lexer::new(source).lex().map_err(|errors| explain::lexing(source, errors))?;
    if tokens.is_empty() {
        return Err(explain::empty());
    }
    let term = Parser::new(&tokens).parse(|p| p.term());
    term.map_err(|errors| {
        explain::parsing(source, errors.into_iter().map(|(e, t)| (e, t.map(|t| t.as_str()))).collect())
    })
}

/// Every variable as `$name`, and all of them in `$ARGS.named` as in jq. They are bound anew for each message, so what the
/// program does not mention is left out.
fn globals(source: &str, variables: &[(String, Val)]) -> Vec<(String, Val)> {
    let string = |s: &str| Val::from(s.to_owned());
    let named: Map = variables.iter().map(|(n, v)| (string(n), v.clone())).collect();
    let args: Map =
        [(string("positional"), Val::Arr(Vec::new().into())), (string("named"), Val::obj(named))].into_iter().collect();
    let given = variables.iter().map(|(n, v)| (format!("${}", n.trim_start_matches('$')), v.clone()));
    given.chain([("$ARGS".to_owned(), Val::obj(args))]).filter(|(n, _)| source.contains(n.as_str())).collect()
}
