//! `depth<10`, `age>=1h`: what is waited for, and what is told.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

use crate::broker::Depth;
use crate::commands::check::span;

/// A condition on one reading of a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Nothing waits, is held or is delayed, as far as the broker tells.
    Empty,
    /// How many wait.
    Depth(Op, u64),
    /// How old the oldest is.
    Age(Op, Duration),
}

/// How two values compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `==`, `=`
    Equal,
    /// `!=`
    Other,
    /// `>=`
    AtLeast,
    /// `>`
    More,
}

/// The longer first, so that none is mistaken for its beginning.
const OPS: [(&str, Op); 7] = [
    ("<=", Op::AtMost),
    (">=", Op::AtLeast),
    ("==", Op::Equal),
    ("!=", Op::Other),
    ("<", Op::Less),
    (">", Op::More),
    ("=", Op::Equal),
];

impl Op {
    fn holds<T: Ord>(self, a: &T, b: &T) -> bool {
        match self {
            Op::Less => a < b,
            Op::AtMost => a <= b,
            Op::Equal => a == b,
            Op::Other => a != b,
            Op::AtLeast => a >= b,
            Op::More => a > b,
        }
    }

    fn sign(self) -> &'static str {
        OPS.iter().find(|(_, op)| *op == self).map_or("", |(sign, _)| sign)
    }
}

impl Condition {
    /// Reads one.
    ///
    /// # Errors
    /// The forms there are.
    pub fn parse(text: &str) -> Result<Condition, String> {
        let bad = || "a condition is written depth<10, depth>=1000, age>1h or empty".to_owned();
        let plain: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        if plain == "empty" {
            return Ok(Condition::Empty);
        }
        let first = plain.find(['<', '>', '=', '!']).ok_or_else(bad)?;
        let (of, rest) = plain.split_at(first);
        let (sign, op) = OPS.iter().find(|(sign, _)| rest.starts_with(sign)).ok_or_else(bad)?;
        let limit = &rest[sign.len()..];
        match of {
            "depth" => Ok(Condition::Depth(*op, limit.parse().map_err(|_| bad())?)),
            "age" => span(limit).map(|limit| Condition::Age(*op, limit)),
            _ => Err(bad()),
        }
    }

    /// Whether it holds; `None` where the broker does not tell.
    pub fn holds(&self, depth: &Depth, now: Timestamp) -> Option<bool> {
        match self {
            Condition::Empty => {
                let none = |n: Option<u64>| n.unwrap_or(0) == 0;
                Some(depth.waiting()? == 0 && none(depth.in_flight) && none(depth.delayed))
            }
            Condition::Depth(op, limit) => Some(op.holds(&depth.waiting()?, limit)),
            Condition::Age(op, limit) => Some(op.holds(&age(depth, now)?, limit)),
        }
    }

    /// Whether it asks for the age.
    pub fn is_of_age(&self) -> bool {
        matches!(self, Condition::Age(..))
    }
}

/// How old the oldest is. In an empty queue nothing is.
fn age(depth: &Depth, now: Timestamp) -> Option<Duration> {
    match depth.oldest {
        Some(oldest) => Some(Duration::try_from(now.duration_since(oldest)).unwrap_or_default()),
        None => (depth.waiting() == Some(0)).then_some(Duration::ZERO),
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Condition::Empty => f.write_str("empty"),
            Condition::Depth(op, limit) => write!(f, "depth{}{limit}", op.sign()),
            Condition::Age(op, limit) => write!(f, "age{}{}", op.sign(), crate::output::human::duration(*limit)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::Accuracy;

    fn depth(ready: Option<u64>, in_flight: Option<u64>, oldest: Option<i64>) -> Depth {
        Depth {
            kind: "classic",
            ready,
            in_flight,
            delayed: None,
            unresolved: None,
            oldest: oldest.map(|s| Timestamp::from_second(s).expect("a time")),
            accuracy: Accuracy::Exact,
        }
    }

    fn holds(condition: &str, depth: &Depth) -> Option<bool> {
        let condition = Condition::parse(condition).unwrap_or_else(|e| panic!("{condition}: {e}"));
        condition.holds(depth, Timestamp::from_second(1000).expect("a time"))
    }

    #[test]
    fn all_ways_to_compare() {
        let ten = depth(Some(10), Some(2), Some(400));
        for (condition, expected) in [
            ("depth<10", false),
            ("depth <= 10", true),
            ("depth=10", true),
            ("depth==10", true),
            ("depth!=10", false),
            ("depth>9", true),
            ("depth>=11", false),
            ("age>=10m", true),
            ("age > 10m", false),
            ("age<1h", true),
            ("empty", false),
        ] {
            assert_eq!(holds(condition, &ten), Some(expected), "{condition}");
        }
    }

    #[test]
    fn what_is_not_known_neither_holds_nor_fails() {
        assert_eq!(holds("depth<10", &depth(None, None, None)), None);
        assert_eq!(holds("age<10m", &depth(Some(3), None, None)), None);
        assert_eq!(holds("age<10m", &depth(Some(0), None, None)), Some(true), "nothing is old in an empty queue");
        assert_eq!(holds("empty", &depth(None, None, None)), None);
        assert_eq!(holds("empty", &depth(Some(0), None, None)), Some(true));
        assert_eq!(holds("empty", &depth(Some(0), Some(1), None)), Some(false), "what a consumer holds may come back");
    }

    #[test]
    fn what_is_none_shows_the_form() {
        for bad in ["", "depth", "depth<", "depth<x", "depth<-1", "<10", "size<10", "age<10", "depth=>10", "depth<1.5"]
        {
            assert!(Condition::parse(bad).is_err(), "{bad}");
        }
        let shown = |s: &str| Condition::parse(s).map(|c| c.to_string());
        assert_eq!(shown("depth =10"), Ok("depth==10".into()));
        assert_eq!(shown("age>= 90m"), Ok("age>=1h30m".into()));
        assert_eq!(shown("age>2d"), Ok("age>2d".into()), "as check has it");
    }
}
