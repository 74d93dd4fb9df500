//! Conditions that compare what lies at a path with a constant: most do, and the interpreter takes longer over one than all the
//! rest of judging a message. What is not plain on a message (a step into a number, say) is left to the interpreter.

use std::cell::OnceCell;

use jaq_core::ValT;
use jaq_core::load::parse::{BinaryOp, Term};
use jaq_core::ops::Cmp;
use jaq_core::path::Part;
use jaq_json::Val;

use super::paths::{Looks, literal};
use crate::death::Death;
use crate::message::DeadLetter;
use crate::message::view::{self, FIELDS};

/// A condition with one output.
pub enum Plain {
    Truth(Operand),
    Compare(Operand, Cmp, Operand),
    And(Box<Plain>, Box<Plain>),
    Or(Box<Plain>, Box<Plain>),
    Not(Box<Plain>),
}

/// A value with nothing to evaluate.
pub enum Operand {
    /// What lies there in a message: a field, and steps into it.
    At(usize, Vec<Val>),
    Is(Val),
}

impl Plain {
    /// Of a program; `None` where it is not plain.
    pub fn of(t: &Term<&str>, variables: &[(String, Val)]) -> Option<Plain> {
        match t {
            // Of a condition only the truth matters, and a message is true.
            Term::Call("select", args) if args.len() == 1 => condition(&args[0], variables),
            t => condition(t, variables),
        }
    }

    /// Whether it holds; `None` where the interpreter has to say.
    pub fn holds(&self, of: &Parts<'_>) -> Option<bool> {
        Some(match self {
            Plain::Truth(a) => a.value(of)?.as_bool(),
            Plain::Compare(a, op, b) => op.run(a.value(of)?, b.value(of)?),
            Plain::And(a, b) => a.holds(of)? && b.holds(of)?,
            Plain::Or(a, b) => a.holds(of)? || b.holds(of)?,
            Plain::Not(a) => !a.holds(of)?,
        })
    }
}

fn condition(t: &Term<&str>, variables: &[(String, Val)]) -> Option<Plain> {
    let both = |l, r| Some((Box::new(condition(l, variables)?), Box::new(condition(r, variables)?)));
    match t {
        Term::BinOp(l, BinaryOp::And, r) => both(l, r).map(|(l, r)| Plain::And(l, r)),
        Term::BinOp(l, BinaryOp::Or, r) => both(l, r).map(|(l, r)| Plain::Or(l, r)),
        Term::BinOp(l, BinaryOp::Pipe(None), r) => match &**r {
            Term::Call("not", args) if args.is_empty() => Some(Plain::Not(Box::new(condition(l, variables)?))),
            _ => None,
        },
        Term::BinOp(l, BinaryOp::Cmp(op), r) => {
            Some(Plain::Compare(operand(l, variables)?, *op, operand(r, variables)?))
        }
        t => operand(t, variables).map(Plain::Truth),
    }
}

fn operand(t: &Term<&str>, variables: &[(String, Val)]) -> Option<Operand> {
    Some(match t {
        Term::Path(of, path) if matches!(**of, Term::Id) => {
            let steps = path.0.iter().map(|(part, _)| match part {
                Part::Index(i) => literal(i),
                Part::Range(..) => None,
            });
            let steps: Vec<String> = steps.collect::<Option<_>>()?;
            let (field, rest) = steps.split_first()?;
            Operand::At(FIELDS.iter().position(|f| f == field)?, rest.iter().cloned().map(Val::from).collect())
        }
        Term::Num(n) => Operand::Is(Val::from_num(n).ok()?),
        Term::Neg(t) => match &**t {
            Term::Num(n) => Operand::Is((-Val::from_num(n).ok()?).ok()?),
            _ => return None,
        },
        Term::Str(..) => Operand::Is(Val::from(literal(t)?)),
        Term::Var(name) => {
            // As the interpreter looks for it: the last of a name.
            let given = variables.iter().rev().find(|(n, _)| n == name)?;
            Operand::Is(given.1.clone())
        }
        Term::Call("null", args) if args.is_empty() => Operand::Is(Val::Null),
        Term::Call("true", args) if args.is_empty() => Operand::Is(Val::Bool(true)),
        Term::Call("false", args) if args.is_empty() => Operand::Is(Val::Bool(false)),
        _ => return None,
    })
}

impl Operand {
    fn value<'a>(&'a self, of: &'a Parts<'_>) -> Option<&'a Val> {
        match self {
            Operand::Is(v) => Some(v),
            Operand::At(field, steps) => of.at(*field, steps),
        }
    }
}

/// The fields of one message, built as they are asked for.
pub struct Parts<'a> {
    m: &'a DeadLetter,
    looks: &'a Looks,
    death: Option<&'a Death>,
    built: [OnceCell<Val>; FIELDS.len()],
}

impl<'a> Parts<'a> {
    pub fn new(m: &'a DeadLetter, looks: &'a Looks, death: Option<&'a Death>) -> Self {
        Parts { m, looks, death, built: [const { OnceCell::new() }; FIELDS.len()] }
    }

    fn at(&self, field: usize, steps: &[Val]) -> Option<&Val> {
        step(self.built[field].get_or_init(|| view::part(self.m, field, &self.looks.want, self.death)), steps)
    }
}

fn step<'v>(v: &'v Val, steps: &[Val]) -> Option<&'v Val> {
    steps.iter().try_fold(v, |at, key| match at {
        Val::Obj(o) => Some(o.get(key).unwrap_or(&Val::Null)),
        Val::Null => Some(&Val::Null),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::filter::tests::message;
    use crate::filter::{Program, Truth};

    /// Each condition is asked of each message with the interpreter and without, and the answers are the same.
    #[test]
    fn it_says_what_the_interpreter_says() {
        let paths = [
            ".body",
            ".body.total",
            ".body.a.b",
            ".body[\"total\"]",
            ".body.x?",
            ".id",
            ".time",
            ".headers[\"event-type\"]",
        ];
        let constants = [
            "42",
            "-1.5",
            "\"42\"",
            "\"OrderPlaced\"",
            "null",
            "true",
            "false",
            "1e400",
            "0.1",
            "$limit",
            "\"\\u00e9\"",
        ];
        let ops = ["==", "!=", "<", "<=", ">", ">="];
        let mut conditions: Vec<String> = vec![];
        for (n, path) in paths.iter().enumerate() {
            conditions.push(path.to_string());
            conditions.push(format!("select({path})"));
            conditions.push(format!("{path} | not"));
            // Compiling takes most of the time: each constant meets each operator, and each path some of them.
            for (i, c) in constants.iter().enumerate() {
                conditions.push(format!("{path} {} {c}", ops[(n + i) % ops.len()]));
            }
            let op = ops[n % ops.len()];
            conditions.push(format!("{path} {op} .body.a"));
            conditions.push(format!("1 {op} {path} and {path} {op} 9 or .body.a.b == 1"));
        }
        let bodies = [
            "{\"total\":42}",
            "{\"total\":42.0,\"a\":{\"b\":1},\"x\":\"\\u00e9\"}",
            "{\"total\":\"42\",\"a\":[1]}",
            "{\"total\":null,\"total\":1e400,\"a\":7}",
            "{\"total\":{\"deep\":[0]},\"a\":{\"b\":null}}",
            "{\"total\":123456789012345678901234567890}",
            "[1,2]",
            "no json",
            "",
            "null",
            "42",
        ];
        let (mut plain, mut not) = (0, 0);
        for condition in &conditions {
            // The last of a name counts.
            let variables = [0, 42].map(|n: isize| ("limit".to_owned(), Val::from(n)));
            let program = Program::compile(condition, &variables, Duration::from_secs(5)).unwrap();
            let quick = program.compiled.plain.as_ref().unwrap_or_else(|| panic!("{condition}"));
            for body in bodies {
                let m = message(body);
                let slow = program.interpreted(&m, None);
                match quick.holds(&Parts::new(&m, &program.compiled.analysis.condition, None)) {
                    Some(holds) => {
                        plain += 1;
                        assert_eq!(slow, if holds { Truth::Yes } else { Truth::No }, "{condition} of {body}");
                    }
                    None => not += 1,
                }
                assert_eq!(program.truth(&m), slow, "{condition} of {body}");
            }
        }
        assert!(plain > 2 * not && not > 0, "{plain} {not}");
    }

    #[test]
    fn what_may_give_several_or_loop_is_not_plain() {
        for condition in [
            ".",
            ".body[0] == 1",
            ".body[] == 1",
            ".body.a | length == 2",
            ".body.total == (1, 2)",
            ".body.a // 1",
            "def f: 1; .body == f",
            "\"\\(.body)\" == \"x\"",
            "$unknown == 1",
            ".no_field == 1",
            "select(.body) | .id",
        ] {
            let parsed = crate::filter::compile::parse(condition).unwrap();
            assert!(Plain::of(&parsed, &[]).is_none(), "{condition}");
        }
    }
}
