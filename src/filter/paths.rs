//! What a program looks at: the top-level fields to build, the parts of the body, and the paths that must not be absent
//! from every message.
//!
//! The analysis follows `.` only where it is certain what it is. A use of the whole message that it does not understand
//! needs everything, and names no path.

use std::rc::Rc;

use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{BinaryOp, Def, Pattern, Term};
use jaq_core::ops::Cmp;
use jaq_core::path::{Opt, Part};

use super::watched::Watched;
use crate::message::view::{Need, Want};

/// What a program looks at.
#[derive(Clone, Debug, PartialEq)]
pub struct Looks {
    /// Top-level fields.
    pub need: Need,
    /// Parts of the body.
    pub want: Want,
}

impl Looks {
    fn nothing() -> Self {
        Looks { need: Need::NONE, want: Want::NONE }
    }

    fn add(&mut self, path: &[String]) {
        let Some((field, rest)) = path.split_first() else {
            *self = Looks { need: Need::ALL, want: Want::All };
            return;
        };
        self.need.add(field);
        if field == "body" {
            self.want.add(rest.iter().map(String::as_str));
        }
    }
}

/// The result of the analysis.
#[derive(Debug)]
pub struct Analysis {
    /// Where only the truth of the output matters.
    pub condition: Looks,
    /// Where the output itself is used.
    pub output: Looks,
    /// Paths that are not optional.
    pub watched: Watched,
}

/// Whether the outermost operation is an assignment.
pub fn assigns(t: &Term<&str>) -> bool {
    match t {
        Term::BinOp(_, BinaryOp::Pipe(_), r) => assigns(r),
        Term::BinOp(_, op, _) => matches!(op, BinaryOp::Assign | BinaryOp::Update | BinaryOp::UpdateMath(_)),
        _ => false,
    }
}

/// The top-level fields that a chain of updates of the whole message assigns or deletes. What is not plain is left out.
pub fn assigned(t: &Term<&str>, fields: &mut Vec<String>) {
    match t {
        Term::BinOp(l, BinaryOp::Pipe(None), r) => {
            assigned(l, fields);
            if updates(l) {
                assigned(r, fields);
            }
        }
        Term::BinOp(l, op, _) if is_update(op) => targets(l, fields),
        Term::Call("del", args) => args.iter().for_each(|a| targets(a, fields)),
        _ => {}
    }
}

fn is_update(op: &BinaryOp<&str>) -> bool {
    matches!(op, BinaryOp::Assign | BinaryOp::Update | BinaryOp::UpdateMath(_) | BinaryOp::UpdateAlt)
}

/// Whether what comes out is the whole message again.
fn updates(t: &Term<&str>) -> bool {
    match t {
        Term::Id => true,
        Term::Call("del", _) => true,
        Term::BinOp(l, BinaryOp::Pipe(None), r) => updates(l) && updates(r),
        Term::BinOp(_, op, _) => is_update(op),
        _ => false,
    }
}

fn targets(t: &Term<&str>, fields: &mut Vec<String>) {
    match t {
        Term::Path(of, path) if matches!(**of, Term::Id) => {
            if let Some((Part::Index(i), _)) = path.0.first() {
                fields.extend(literal(i));
            }
        }
        Term::BinOp(l, BinaryOp::Comma, r) => {
            targets(l, fields);
            targets(r, fields);
        }
        Term::BinOp(l, BinaryOp::Pipe(None), _) => targets(l, fields),
        _ => {}
    }
}

/// Analyses a program.
pub fn analyse(t: &Term<&str>) -> Analysis {
    let mut a = Walk { looks: Looks::nothing(), watched: vec![], optional: 0, budget: 10_000, active: vec![] };
    let out = a.walk(t, &Dot::At(vec![], false), &Env::default());
    // A message is an object, and that is true: as a condition it need not be built.
    let whole = matches!(&out, Dot::At(p, _) if p.is_empty());
    if !whole {
        a.consume(&out);
    }
    let condition = a.looks.clone();
    if whole {
        a.looks.add(&[]);
    }
    Analysis { condition, output: a.looks, watched: Watched::new(a.watched) }
}

/// What `.` is at some place of the program.
#[derive(Clone, Debug)]
enum Dot {
    /// What lies at this path of the message; true where it may be absent.
    At(Vec<String>, bool),
    /// Something else.
    Other,
}

#[derive(Clone, Default)]
struct Env<'t>(Option<Rc<(Name<'t>, Env<'t>)>>);

enum Name<'t> {
    Def(&'t Def<&'t str>),
    Closure(&'t str, &'t Term<&'t str>, Env<'t>),
    Var(&'t str, Dot),
}

impl<'t> Env<'t> {
    fn with(&self, name: Name<'t>) -> Self {
        Env(Some(Rc::new((name, self.clone()))))
    }

    fn var(&self, x: &str) -> Dot {
        let mut at = self;
        while let Some(node) = &at.0 {
            match &node.0 {
                Name::Var(n, d) if *n == x => return d.clone(),
                _ => at = &node.1,
            }
        }
        Dot::Other
    }
}

struct Walk {
    looks: Looks,
    watched: Vec<Vec<String>>,
    /// Above zero inside `try`, before `?` and `//`.
    optional: usize,
    /// Calls are followed into their definitions; this bounds how often.
    budget: usize,
    active: Vec<*const ()>,
}

impl Walk {
    fn everything(&mut self) -> Dot {
        self.looks.add(&[]);
        Dot::Other
    }

    fn consume(&mut self, d: &Dot) {
        let Dot::At(path, optional) = d else { return };
        self.looks.add(path);
        if !optional && self.optional == 0 && !path.is_empty() && !self.watched.contains(path) {
            self.watched.push(path.clone());
        }
    }

    /// Evaluates a part whose outputs are used here.
    fn takes<'t>(&mut self, t: &'t Term<&'t str>, dot: &Dot, env: &Env<'t>) -> Dot {
        let d = self.walk(t, dot, env);
        self.consume(&d);
        Dot::Other
    }

    fn walk<'t>(&mut self, t: &'t Term<&'t str>, dot: &Dot, env: &Env<'t>) -> Dot {
        if self.budget == 0 {
            return self.everything();
        }
        self.budget -= 1;
        match t {
            Term::Id => dot.clone(),
            Term::Recurse => {
                self.consume(dot);
                Dot::Other
            }
            Term::Num(_) | Term::Break(_) | Term::Arr(None) => Dot::Other,
            Term::Var(x) => env.var(x),
            Term::Str(_, parts) => {
                for p in parts {
                    if let StrPart::Term(t) = p {
                        self.takes(t, dot, env);
                    }
                }
                Dot::Other
            }
            Term::Arr(Some(t)) | Term::Neg(t) => self.takes(t, dot, env),
            Term::Obj(entries) => self.object(entries, dot, env),
            Term::BinOp(l, op, r) => self.binary(l, op, r, dot, env),
            Term::Label(_, t) => self.walk(t, dot, env),
            Term::Fold(_, xs, pattern, args) => {
                self.takes(xs, dot, env);
                let inner = bind(pattern, &Dot::Other, env);
                for (i, a) in args.iter().enumerate() {
                    let (dot, env) = if i == 0 { (dot, env) } else { (&Dot::Other, &inner) };
                    self.takes(a, dot, env);
                }
                Dot::Other
            }
            Term::TryCatch(t, catch) => {
                self.optional += 1;
                let d = self.walk(t, dot, env);
                self.optional -= 1;
                let d = match d {
                    Dot::At(p, _) => Dot::At(p, true),
                    Dot::Other => Dot::Other,
                };
                let Some(c) = catch else { return d };
                self.consume(&d);
                self.takes(c, &Dot::Other, env)
            }
            Term::IfThenElse(branches, otherwise) => {
                for (c, t) in branches {
                    self.takes(c, dot, env);
                    self.takes(t, dot, env);
                }
                match otherwise {
                    Some(t) => self.takes(t, dot, env),
                    None => {
                        self.consume(dot);
                        Dot::Other
                    }
                }
            }
            Term::Def(defs, t) => {
                let env = defs.iter().fold(env.clone(), |env, d| env.with(Name::Def(d)));
                self.walk(t, dot, &env)
            }
            Term::Call(name, args) => self.call(name, args, dot, env),
            Term::Path(t, path) => {
                let mut at = self.walk(t, dot, env);
                for (part, opt) in &path.0 {
                    match (part, &mut at) {
                        (Part::Index(i), Dot::At(p, optional)) if literal(i).is_some() => {
                            p.extend(literal(i));
                            *optional |= matches!(opt, Opt::Optional);
                        }
                        (part, _) => {
                            let optional = usize::from(matches!(opt, Opt::Optional));
                            self.optional += optional;
                            self.consume(&at);
                            self.optional -= optional;
                            at = Dot::Other;
                            match part {
                                Part::Index(i) => _ = self.takes(i, dot, env),
                                Part::Range(from, to) => {
                                    for t in from.iter().chain(to) {
                                        self.takes(t, dot, env);
                                    }
                                }
                            }
                        }
                    }
                }
                at
            }
        }
    }

    fn object<'t>(&mut self, entries: &'t [(Term<&'t str>, Option<Term<&'t str>>)], dot: &Dot, env: &Env<'t>) -> Dot {
        for (k, v) in entries {
            match (k, v, literal(k), dot) {
                // `{id}` is `{"id": .id}`.
                (Term::Str(..), None, Some(key), Dot::At(p, optional)) => {
                    let mut p = p.clone();
                    p.push(key);
                    self.consume(&Dot::At(p, *optional));
                }
                (k, None, ..) => {
                    self.consume(dot);
                    self.takes(k, dot, env);
                }
                (k, Some(v), ..) => {
                    self.takes(k, dot, env);
                    self.takes(v, dot, env);
                }
            }
        }
        Dot::Other
    }

    fn binary<'t>(
        &mut self,
        l: &'t Term<&'t str>,
        op: &'t BinaryOp<&'t str>,
        r: &'t Term<&'t str>,
        dot: &Dot,
        env: &Env<'t>,
    ) -> Dot {
        match op {
            BinaryOp::Pipe(None) => {
                let d = self.walk(l, dot, env);
                self.walk(r, &d, env)
            }
            BinaryOp::Pipe(Some(p)) => {
                let d = self.walk(l, dot, env);
                if !matches!(p, Pattern::Var(_)) {
                    self.consume(&d);
                }
                self.walk(r, dot, &bind(p, &d, env))
            }
            BinaryOp::Alt => {
                self.optional += 1;
                self.takes(l, dot, env);
                self.optional -= 1;
                self.takes(r, dot, env)
            }
            // Who compares with null has thought of absence.
            BinaryOp::Cmp(Cmp::Eq | Cmp::Ne) if is_null(l) || is_null(r) => {
                self.optional += 1;
                self.takes(l, dot, env);
                self.takes(r, dot, env);
                self.optional -= 1;
                Dot::Other
            }
            BinaryOp::Assign | BinaryOp::Update | BinaryOp::UpdateMath(_) | BinaryOp::UpdateAlt => {
                self.optional += 1;
                self.takes(l, dot, env);
                self.optional -= 1;
                let inner = if matches!(op, BinaryOp::Update) { &Dot::Other } else { dot };
                self.takes(r, inner, env);
                self.consume(dot);
                Dot::Other
            }
            BinaryOp::Comma | BinaryOp::Or | BinaryOp::And | BinaryOp::Math(_) | BinaryOp::Cmp(_) => {
                self.takes(l, dot, env);
                self.takes(r, dot, env)
            }
        }
    }

    fn call<'t>(&mut self, name: &'t str, args: &'t [Term<&'t str>], dot: &Dot, env: &Env<'t>) -> Dot {
        let mut at = env;
        while let Some(node) = &at.0 {
            match &node.0 {
                Name::Closure(n, t, inner) if *n == name && args.is_empty() => return self.walk(t, dot, inner),
                Name::Def(d) if d.name == name && d.args.len() == args.len() => {
                    return self.call_def(d, args, dot, env, at);
                }
                _ => at = &node.1,
            }
        }
        match (name, args) {
            ("empty" | "null" | "true" | "false" | "now" | "nan" | "infinite", []) => Dot::Other,
            ("debug" | "stderr", []) => dot.clone(),
            ("select", [f]) => {
                self.takes(f, dot, env);
                dot.clone()
            }
            ("values" | "nulls", []) => match dot {
                Dot::At(p, _) => Dot::At(p.clone(), true),
                Dot::Other => Dot::Other,
            },
            ("strings" | "numbers" | "booleans" | "arrays" | "objects" | "scalars" | "iterables", []) => dot.clone(),
            (name, args) => {
                if !IGNORES_INPUT.contains(&(name, args.len())) {
                    self.consume(dot);
                }
                // Whether `.` in an argument is the input or something within it depends on the function. Where it is not
                // known it is something within, all of which the input's use has covered.
                let inner = if SAME_INPUT.contains(&name) { dot } else { &Dot::Other };
                for a in args {
                    self.takes(a, inner, env);
                }
                Dot::Other
            }
        }
    }

    /// Follows a call into its definition; `scope` is where that was found.
    fn call_def<'t>(
        &mut self,
        d: &'t Def<&'t str>,
        args: &'t [Term<&'t str>],
        dot: &Dot,
        env: &Env<'t>,
        scope: &Env<'t>,
    ) -> Dot {
        let id = std::ptr::from_ref(d).cast::<()>();
        if self.active.contains(&id) {
            return self.everything();
        }
        let mut inner = scope.clone();
        for (param, arg) in d.args.iter().zip(args) {
            inner = match param.strip_prefix('$') {
                Some(_) => {
                    let value = self.walk(arg, dot, env);
                    inner.with(Name::Var(param, value))
                }
                None => inner.with(Name::Closure(param, arg, env.clone())),
            };
        }
        self.active.push(id);
        let out = self.walk(&d.body, dot, &inner);
        self.active.pop();
        out
    }
}

/// Functions whose arguments see the same `.` as the function.
const SAME_INPUT: &[&str] = &[
    "has",
    "contains",
    "inside",
    "test",
    "match",
    "capture",
    "scan",
    "split",
    "splits",
    "startswith",
    "endswith",
    "ltrimstr",
    "rtrimstr",
    "trimstr",
    "join",
    "index",
    "rindex",
    "indices",
    "range",
    "error",
    "limit",
    "first",
    "last",
    "skip",
    "isempty",
    "flatten",
    "in",
    "strftime",
    "strptime",
    "strflocaltime",
    "getpath",
    "bsearch",
    "IN",
    "pow",
    "nth",
];

/// Of these, those that look at their arguments alone.
const IGNORES_INPUT: &[(&str, usize)] = &[
    ("range", 1),
    ("range", 2),
    ("range", 3),
    ("limit", 2),
    ("first", 1),
    ("last", 1),
    ("skip", 2),
    ("isempty", 1),
    ("pow", 2),
    ("IN", 2),
    ("nth", 2),
];

fn bind<'t>(p: &'t Pattern<&'t str>, d: &Dot, env: &Env<'t>) -> Env<'t> {
    match p {
        Pattern::Var(x) => env.with(Name::Var(x, d.clone())),
        Pattern::Arr(ps) => ps.iter().fold(env.clone(), |env, p| bind(p, &Dot::Other, &env)),
        Pattern::Obj(ps) => ps.iter().fold(env.clone(), |env, (_, p)| bind(p, &Dot::Other, &env)),
    }
}

/// The text of a string without anything interpolated.
pub(super) fn literal(t: &Term<&str>) -> Option<String> {
    let Term::Str(None, parts) = t else { return None };
    let mut out = String::new();
    for p in parts {
        match p {
            StrPart::Str(s) => out.push_str(s),
            StrPart::Char(c) => out.push(*c),
            StrPart::Term(_) => return None,
        }
    }
    Some(out)
}

fn is_null(t: &Term<&str>) -> bool {
    matches!(t, Term::Call("null", args) if args.is_empty())
}
