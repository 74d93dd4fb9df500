//! Puts ticks into a program wherever it can loop, and bounded operators where one step can take any amount of memory.
//!
//! jq loops in four ways: a definition that calls itself, `.[]` and `..`, `,` (a chain of which multiplies), and `reduce`
//! and `foreach`. Natives that loop over a closure are few. `__tick | f` and `f | __tick` mean the same as `f`; where `f`
//! ends in a call, only the first keeps that a tail call.

use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{BinaryOp, Def, Pattern, Term};
use jaq_core::ops::Math;
use jaq_core::path::{Part, Path};

/// Natives that run a closure once for each element.
const LOOPING: &[&str] = &["sort_by", "group_by", "min_by_or_empty", "max_by_or_empty"];

/// Deeper programs are refused: they are evaluated, and dropped, by recursion.
pub const MAX_DEPTH: usize = 400;

/// How deep a term nests.
pub fn depth(t: &Term<&str>) -> usize {
    1 + parts(t).map(depth).max().unwrap_or(0)
}

/// Rewrites a definition.
pub fn def(d: Def<&str>) -> Def<&str> {
    let recursive = calls(&d.body, d.name, d.args.len());
    let grows = recursive && passes_closures_on(&d.body, &d);
    let body = term(d.body);
    let body = match (grows, recursive) {
        (true, _) => after("__call", body),
        (false, true) => after("__tick", body),
        (false, false) => body,
    };
    Def { name: d.name, args: d.args, body }
}

/// Rewrites a term.
pub fn term(t: Term<&str>) -> Term<&str> {
    use Term::*;
    match t {
        t @ (Id | Num(_) | Var(_) | Break(_) | Arr(None)) => t,
        Recurse => before(Recurse, "__tick"),
        Str(format, parts) => {
            let bounded = format.is_none();
            let part = |p| match p {
                StrPart::Term(t) if bounded => StrPart::Term(before(term(t), "__tostring")),
                StrPart::Term(t) => StrPart::Term(term(t)),
                p => p,
            };
            Str(format, parts.into_iter().map(part).collect())
        }
        Arr(Some(t)) => Arr(Some(boxed(*t))),
        Obj(entries) => Obj(entries.into_iter().map(|(k, v)| (term(k), v.map(term))).collect()),
        Neg(t) => Neg(boxed(*t)),
        BinOp(l, op, r) => binary(*l, op, *r),
        Label(x, t) => Label(x, boxed(*t)),
        Fold(kind, xs, pattern, args) => {
            let arg = |(i, a)| if i == 1 { after("__tick", term(a)) } else { term(a) };
            Fold(kind, boxed(*xs), rewrite_pattern(pattern), args.into_iter().enumerate().map(arg).collect())
        }
        TryCatch(t, catch) => TryCatch(boxed(*t), catch.map(|c| boxed(*c))),
        IfThenElse(branches, otherwise) => {
            let branches = branches.into_iter().map(|(c, t)| (term(c), term(t))).collect();
            IfThenElse(branches, otherwise.map(|t| boxed(*t)))
        }
        Def(defs, t) => Def(defs.into_iter().map(def).collect(), boxed(*t)),
        Call(name, args) if LOOPING.contains(&name) => {
            Call(name, args.into_iter().map(|a| after("__tick", term(a))).collect())
        }
        Call(name, args) => Call(name, args.into_iter().map(term).collect()),
        Path(t, path) => {
            let all = path.0.iter().any(|(part, _)| matches!(part, Part::Range(None, None)));
            let path = path.0.into_iter().map(|(part, opt)| {
                let part = match part {
                    Part::Index(i) => Part::Index(term(i)),
                    Part::Range(from, to) => Part::Range(from.map(term), to.map(term)),
                };
                (part, opt)
            });
            let t = Path(boxed(*t), self::Path(path.collect()));
            if all { before(t, "__tick") } else { t }
        }
    }
}

fn binary<'s>(l: Term<&'s str>, op: BinaryOp<&'s str>, r: Term<&'s str>) -> Term<&'s str> {
    let (l, r) = (term(l), term(r));
    let bounded = |op: &Math| match op {
        Math::Add => Some("__add"),
        Math::Mul => Some("__mul"),
        _ => None,
    };
    match op {
        BinaryOp::Comma => Term::BinOp(Box::new(l), op, Box::new(after("__tick", r))),
        BinaryOp::Math(m) => match bounded(&m) {
            Some(name) => Term::Call(name, vec![l, r]),
            None => Term::BinOp(Box::new(l), BinaryOp::Math(m), Box::new(r)),
        },
        BinaryOp::UpdateMath(m) => match bounded(&m) {
            // What jq says `l += r` means: `r as $x | l |= . + $x`.
            Some(name) => {
                let update = Term::Call(name, vec![Term::Id, Term::Var("$__r")]);
                let update = Term::BinOp(Box::new(l), BinaryOp::Update, Box::new(update));
                Term::BinOp(Box::new(r), BinaryOp::Pipe(Some(Pattern::Var("$__r"))), Box::new(update))
            }
            None => Term::BinOp(Box::new(l), BinaryOp::UpdateMath(m), Box::new(r)),
        },
        BinaryOp::Pipe(Some(p)) => Term::BinOp(Box::new(l), BinaryOp::Pipe(Some(rewrite_pattern(p))), Box::new(r)),
        op => Term::BinOp(Box::new(l), op, Box::new(r)),
    }
}

fn rewrite_pattern(p: Pattern<&str>) -> Pattern<&str> {
    match p {
        Pattern::Var(x) => Pattern::Var(x),
        Pattern::Arr(ps) => Pattern::Arr(ps.into_iter().map(rewrite_pattern).collect()),
        Pattern::Obj(ps) => Pattern::Obj(ps.into_iter().map(|(k, p)| (term(k), rewrite_pattern(p))).collect()),
    }
}

fn boxed(t: Term<&str>) -> Box<Term<&str>> {
    Box::new(term(t))
}

fn after<'s>(tick: &'s str, t: Term<&'s str>) -> Term<&'s str> {
    Term::BinOp(Box::new(Term::Call(tick, vec![])), BinaryOp::Pipe(None), Box::new(t))
}

fn before<'s>(t: Term<&'s str>, tick: &'s str) -> Term<&'s str> {
    Term::BinOp(Box::new(t), BinaryOp::Pipe(None), Box::new(Term::Call(tick, vec![])))
}

/// Whether a call of this name and number of arguments is anywhere in the term.
fn calls(t: &Term<&str>, name: &str, arity: usize) -> bool {
    matches!(t, Term::Call(n, args) if *n == name && args.len() == arity) || parts(t).any(|t| calls(t, name, arity))
}

/// Whether a call of the definition in its own body passes a closure other than one of its own as it is.
fn passes_closures_on(t: &Term<&str>, d: &Def<&str>) -> bool {
    let here = match t {
        Term::Call(n, args) if *n == d.name && args.len() == d.args.len() => {
            args.iter().zip(&d.args).any(|(a, param)| {
                !param.starts_with('$') && !matches!(a, Term::Call(n, args) if args.is_empty() && d.args.contains(n))
            })
        }
        _ => false,
    };
    here || parts(t).any(|t| passes_closures_on(t, d))
}

/// The terms directly within a term.
fn parts<'t, 's>(t: &'t Term<&'s str>) -> Box<dyn Iterator<Item = &'t Term<&'s str>> + 't> {
    use Term::*;
    match t {
        Id | Recurse | Num(_) | Var(_) | Break(_) | Arr(None) => Box::new(std::iter::empty()),
        Str(_, parts) => Box::new(parts.iter().filter_map(|p| match p {
            StrPart::Term(t) => Some(t),
            _ => None,
        })),
        Arr(Some(t)) | Neg(t) | Label(_, t) => Box::new(std::iter::once(&**t)),
        Obj(entries) => Box::new(entries.iter().flat_map(|(k, v)| std::iter::once(k).chain(v))),
        BinOp(l, op, r) => {
            let pattern: Box<dyn Iterator<Item = _>> = match op {
                BinaryOp::Pipe(Some(p)) => pattern_parts(p),
                _ => Box::new(std::iter::empty()),
            };
            Box::new([&**l, &**r].into_iter().chain(pattern))
        }
        Fold(_, xs, p, args) => Box::new(std::iter::once(&**xs).chain(args).chain(pattern_parts(p))),
        TryCatch(t, c) => Box::new(std::iter::once(&**t).chain(c.as_deref())),
        IfThenElse(branches, otherwise) => {
            Box::new(branches.iter().flat_map(|(c, t)| [c, t]).chain(otherwise.as_deref()))
        }
        Def(defs, t) => Box::new(defs.iter().map(|d| &d.body).chain(std::iter::once(&**t))),
        Call(_, args) => Box::new(args.iter()),
        Path(t, path) => Box::new(std::iter::once(&**t).chain(path.0.iter().flat_map(|(part, _)| match part {
            Part::Index(i) => vec![i],
            Part::Range(from, to) => from.iter().chain(to).collect(),
        }))),
    }
}

fn pattern_parts<'t, 's>(p: &'t Pattern<&'s str>) -> Box<dyn Iterator<Item = &'t Term<&'s str>> + 't> {
    match p {
        Pattern::Var(_) => Box::new(std::iter::empty()),
        Pattern::Arr(ps) => Box::new(ps.iter().flat_map(pattern_parts)),
        Pattern::Obj(ps) => Box::new(ps.iter().flat_map(|(k, p)| std::iter::once(k).chain(pattern_parts(p)))),
    }
}
