//! The one header a replay leaves on a message.

use std::fmt;

use super::{Fields, Value, written};

/// Name of the header.
pub const MARK_HEADER: &str = "dlq-replay";

/// `dlq-replay: id="…", count=N`, an RFC 9651 dictionary. The id is `RUN.SEQUENCE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Stable for this message in one run.
    pub id: String,
    /// How often this message has been replayed, this time included.
    pub count: u32,
}

impl Mark {
    /// The run a mark belongs to.
    pub fn run(&self) -> &str {
        self.id.rsplit_once('.').map_or(self.id.as_str(), |(run, _)| run)
    }

    /// Reads the mark of a message; a header that does not parse is none.
    pub fn of(headers: &Fields) -> Option<Mark> {
        Mark::parse(headers.text(MARK_HEADER)?)
    }

    /// How often a message has been replayed: 0 without a mark.
    pub fn replays(headers: &Fields) -> u32 {
        Mark::of(headers).map_or(0, |m| m.count)
    }

    fn parse(text: &str) -> Option<Mark> {
        let (mut id, mut count) = (None, None);
        for member in text.split(',') {
            let (name, value) = member.trim().split_once('=')?;
            match name {
                "id" => id = Some(value.strip_prefix('"')?.strip_suffix('"')?.to_owned()),
                "count" => count = Some(value.parse().ok()?),
                _ => {}
            }
        }
        Some(Mark { id: id?, count: count? })
    }

    /// The header's value.
    pub fn to_value(&self) -> Value {
        Mark::value(&self.id, self.count)
    }

    /// The header's value, of an id that need not be made into a string before.
    pub fn value(id: impl fmt::Display, count: u32) -> Value {
        Value::Text(written(format_args!("id=\"{id}\", count={count}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_back_what_it_writes_and_refuses_what_is_not_a_mark() {
        let mark = Mark { id: "r1.17".into(), count: 2 };
        let mut headers = Fields::default();
        headers.push(MARK_HEADER, mark.to_value());
        assert_eq!(Mark::of(&headers), Some(mark.clone()));
        assert_eq!(mark.run(), "r1");
        for bad in ["", "id=x, count=1", "id=\"x\"", "count=1", "id=\"x\", count=-1"] {
            assert_eq!(Mark::parse(bad), None, "{bad}");
        }
    }
}
