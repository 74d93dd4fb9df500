//! The functions a program may call: jq's, less what reaches outside, and with limits where jaq has none.

use jaq_core::box_iter::box_once;
use jaq_core::load::parse::Def;
use jaq_core::native::{Fun, bome, v};
use jaq_core::{DataT, Exn, Native, RunPtr, ValXs};
use jaq_json::{Num, Val};
use jaq_std::ValT as _;

use super::guard::{self, Trip};
use super::regex;
use crate::message::view::{MAX_DEPTH, nesting, write_json_within};

/// What programs work on.
pub type Data = jaq_core::data::JustLut<Val>;
/// Context and input.
pub type Cv<'a> = jaq_core::Cv<'a, Data>;
/// What a function fails with.
pub type Error = jaq_core::Error<Val>;

/// Left out: what reads the environment, ends the process or prints; and what is replaced below.
const LEFT_OUT: &[&str] = &[
    "env",
    "halt",
    "debug_empty",
    "stderr_empty",
    "range",
    "fromjson",
    "tojson",
    "matches",
    "split_matches",
    "split_",
];

/// jq's definitions, and those of jq that jaq does not have.
pub fn definitions() -> impl Iterator<Item = Def<&'static str>> {
    // `test` is native here.
    let std = jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs());
    let more = jaq_core::load::parse(include_str!("more.jq"), |p| p.defs());
    std.filter(|d| !(d.name == "test" && d.args.len() == 2)).chain(more.expect("more.jq parses: a test runs it"))
}

/// The native functions.
pub fn natives() -> impl Iterator<Item = Fun<Data>> {
    let std = jaq_core::funs::<Data>().chain(jaq_std::funs()).chain(jaq_json::funs());
    let kept = std.filter(|(name, ..)| !LEFT_OUT.contains(name));
    let ours: [(&'static str, usize, RunPtr<Data>); 13] = [
        ("halt", 1, |_| fail("halt ends the process, which a condition must not")),
        ("debug_empty", 0, |_| Box::new(std::iter::empty())),
        ("stderr_empty", 0, |_| Box::new(std::iter::empty())),
        ("range", 3, range),
        ("fromjson", 0, |cv| fromjson(&cv.1)),
        ("tojson", 0, |cv| tojson(&cv.1)),
        ("test", 2, |cv| bome(regex::test(cv))),
        ("matches", 2, |cv| bome(regex::parts(cv, false, true))),
        ("split_matches", 2, |cv| bome(regex::parts(cv, true, true))),
        ("split_", 2, |cv| bome(regex::parts(cv, true, false))),
        ("__tostring", 0, |cv| match cv.1 {
            v @ (Val::TStr(_) | Val::BStr(_)) => box_once(Ok(v)),
            v => tojson(&v),
        }),
        ("__add", 2, add),
        ("__mul", 2, mul),
    ];
    let ours = ours.into_iter().map(|(name, arity, run)| (name, v(arity), Native::<Data>::new(run)));
    kept.chain(ours).chain([tick("__tick", false), tick("__call", true)])
}

fn fail<'a>(text: &str) -> ValXs<'a, Val> {
    bome(Err(Error::str(text)))
}

/// Unwinds the whole evaluation.
fn stop<'a, T: 'a>() -> jaq_core::box_iter::Results<'a, T, Exn<'a, Val>> {
    box_once(Err(Exn::halt(guard::TRIPPED)))
}

fn trip<'a>(why: Trip) -> ValXs<'a, Val> {
    guard::trip(why);
    stop()
}

/// The identity, which also works in paths and on the left of updates. As the left of a pipe it keeps tail calls.
fn tick(name: &'static str, counted: bool) -> Fun<Data> {
    let native = if counted {
        Native::new(|cv: Cv<'_>| if guard::tick_call(&cv.1) { box_once(Ok(cv.1)) } else { stop() })
            .with_paths(|cv| if guard::tick_call(&cv.1.0) { box_once(Ok(cv.1)) } else { stop() })
            .with_update(|cv, f| if guard::tick_call(&cv.1) { f(cv.1) } else { stop() })
    } else {
        Native::new(|cv: Cv<'_>| if guard::tick(&cv.1) { box_once(Ok(cv.1)) } else { stop() })
            .with_paths(|cv| if guard::tick(&cv.1.0) { box_once(Ok(cv.1)) } else { stop() })
            .with_update(|cv, f| if guard::tick(&cv.1) { f(cv.1) } else { stop() })
    };
    (name, v(0), native)
}

fn range(mut cv: Cv<'_>) -> ValXs<'_, Val> {
    use std::cmp::Ordering::{Equal, Greater, Less};
    let by = cv.0.pop_var();
    let to = cv.0.pop_var();
    let mut next = Some(cv.0.pop_var());
    let direction = by.cmp(&Val::from(0usize));
    Box::new(std::iter::from_fn(move || {
        let x = next.take()?;
        let more = match direction {
            Greater => x < to,
            Less => x > to,
            Equal => x != to,
        };
        if !more {
            return None;
        }
        if !guard::tick(&x) {
            return Some(Err(Exn::halt(guard::TRIPPED)));
        }
        match x.clone() + by.clone() {
            Ok(y) => {
                next = Some(y);
                Some(Ok(x))
            }
            Err(e) => Some(Err(e.into())),
        }
    }))
}

fn fromjson<'a>(v: &Val) -> ValXs<'a, Val> {
    let s = match v.try_as_utf8_bytes() {
        Ok(s) => s,
        Err(e) => return bome(Err(e)),
    };
    // jaq's parser recurses without limit.
    if nesting(s).is_none_or(|depth| depth > MAX_DEPTH) {
        return fail("cannot parse as JSON: it nests too deep or holds a comment");
    }
    let mut parsed = Vec::new();
    for r in jaq_json::read::parse_many(s) {
        let failed = r.is_err();
        parsed.push(r.map_err(|e| Exn::from(Error::str(format_args!("cannot parse {v} as JSON: {e}")))));
        if failed {
            // jaq's parser stands still at what it cannot read, and would say so for ever.
            break;
        }
    }
    Box::new(parsed.into_iter())
}

fn tojson<'a>(v: &Val) -> ValXs<'a, Val> {
    let mut out = Vec::new();
    if write_json_within(v, &mut out, guard::MAX_STRING, guard::in_time) {
        box_once(Ok(Val::utf8_str(out)))
    } else {
        trip(Trip::Memory)
    }
}

/// Both operands, with the input let go first: an array that nobody else holds is appended to in place.
fn operands(cv: Cv<'_>) -> (Val, Val) {
    let (mut ctx, input) = cv;
    drop(input);
    let r = ctx.pop_var();
    (ctx.pop_var(), r)
}

fn add(cv: Cv<'_>) -> ValXs<'_, Val> {
    let (l, r) = operands(cv);
    let too_large = match (&l, &r) {
        (Val::TStr(l), Val::TStr(r)) | (Val::BStr(l), Val::BStr(r)) => l.len() + r.len() > guard::MAX_STRING,
        (Val::Arr(l), Val::Arr(r)) => l.len() + r.len() > guard::MAX_ARRAY,
        _ => false,
    };
    if too_large { trip(Trip::Memory) } else { bome(l + r) }
}

fn mul(cv: Cv<'_>) -> ValXs<'_, Val> {
    let (l, r) = operands(cv);
    let too_large = match (&l, &r) {
        (Val::Num(Num::BigInt(l)), Val::Num(Num::BigInt(r))) => l.bits() + r.bits() > guard::MAX_BITS,
        (Val::Num(Num::BigInt(n)), Val::Num(_)) | (Val::Num(_), Val::Num(Num::BigInt(n))) => n.bits() > guard::MAX_BITS,
        (Val::TStr(s) | Val::BStr(s), n @ Val::Num(_)) | (n @ Val::Num(_), Val::TStr(s) | Val::BStr(s)) => {
            n.as_f64().is_some_and(|n| s.len() as f64 * n > guard::MAX_STRING as f64)
        }
        _ => false,
    };
    if too_large { trip(Trip::Memory) } else { bome(l * r) }
}

/// Name and number of arguments of everything a program may call.
pub fn names() -> Vec<(&'static str, usize)> {
    let mut all: Vec<_> = definitions().map(|d| (d.name, d.args.len())).collect();
    all.extend(natives().map(|(name, args, _)| (name, args.len())));
    all.retain(|(name, _)| !name.starts_with('_') && !name.ends_with('_') && !name.contains("_empty"));
    all.sort_unstable();
    all.dedup();
    all
}

/// So that the compiler checks that values can go to any thread.
const _: fn() = || {
    fn shared<T: Send + Sync>() {}
    shared::<<Data as DataT>::V<'static>>();
};
