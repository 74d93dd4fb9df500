//! Groups of messages, as a table and as JSON.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{Look, human};
use crate::message::Origin;
use crate::select::stats::Group;
use crate::ui::table::{self, Column};

/// Groups by cause, or by the value of an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Why they died.
    Cause,
    /// What `--by` gave.
    Value,
}

/// The groups as a table, and what a reader must know besides. `of`: all messages that were counted.
pub fn render(groups: &[Group], by: By, of: u64, now: Timestamp, look: &Look) -> (String, Vec<String>) {
    let count = [Column::number("COUNT", 9), Column::number("SHARE", 6)];
    let times = [Column::number("FIRST", 4), Column::number("LAST", 5)];
    let (before, behind) = match by {
        By::Cause => (
            vec![Column::text("CAUSE", 8, 8, 8)],
            vec![
                Column::text("REASON", 8, 32, 7),
                Column::text("ORIGIN", 8, 32, 3),
                Column::text("EXAMPLE", 12, 40, 2),
                Column::text("MESSAGE", 10, u16::MAX, 1),
            ],
        ),
        By::Value => (vec![Column::text("VALUE", 8, 60, 8)], vec![Column::text("EXAMPLE", 12, 40, 2)]),
    };
    let columns: Vec<Column> = before.into_iter().chain(count).chain(times).chain(behind).collect();
    let unknown = || "-".to_owned();
    let age = |t: Option<Timestamp>| t.map_or_else(unknown, |t| human::age(t, now));
    let rows: Vec<Vec<String>> = groups
        .iter()
        .map(|g| {
            let name = if g.name.is_empty() { unknown() } else { plain(&g.name) };
            let mut row = vec![name, human::count(g.count), percent(g.count, of), age(g.first), age(g.last)];
            if by == By::Cause {
                let death = g.death.as_ref();
                row.push(death.and_then(super::table::reason).unwrap_or_else(unknown));
                row.push(death.and_then(|d| d.origin.as_ref()).map_or_else(unknown, ToString::to_string));
            }
            row.push(if g.example.is_empty() { unknown() } else { g.example.clone() });
            if by == By::Cause {
                row.push(g.death.as_ref().and_then(|d| d.message.clone()).unwrap_or_default());
            }
            row
        })
        .collect();
    table::render(&columns, &rows, look)
}

/// A value that is a string without its quotes.
fn plain(json: &str) -> String {
    serde_json::from_str(json).unwrap_or_else(|_| json.to_owned())
}

fn percent(count: u64, of: u64) -> String {
    let share = 100.0 * count as f64 / of.max(1) as f64;
    if share > 0.0 && share < 0.95 { format!("{share:.1} %") } else { format!("{share:.0} %") }
}

/// The object of one group. Unknown is null; `share` is a part of 1.
pub fn value(g: &Group, by: By, of: u64) -> Value {
    let mut o = Map::new();
    let mut put = |name: &str, value: Value| _ = o.insert(name.to_owned(), value);
    match by {
        By::Cause if g.name.is_empty() => put("cause", Value::Null),
        By::Cause => put("cause", g.name.as_str().into()),
        By::Value => put("value", serde_json::from_str(&g.name).unwrap_or_else(|_| g.name.as_str().into())),
    }
    put("count", g.count.into());
    put("share", json!((g.count as f64 / of.max(1) as f64 * 1e6).round() / 1e6));
    if by == By::Cause {
        let d = g.death.as_ref();
        put("family", json!(d.map(|d| d.family)));
        put("reason", json!(d.and_then(|d| d.reason.as_deref())));
        put("class", json!(d.and_then(|d| d.class.as_deref())));
        put("message", json!(d.and_then(|d| d.message.as_deref())));
        put("origin", d.and_then(|d| d.origin.as_ref()).map_or(Value::Null, origin));
    }
    put("first", json!(g.first.map(|t| t.to_string())));
    put("last", json!(g.last.map(|t| t.to_string())));
    put("example", if g.example.is_empty() { Value::Null } else { g.example.as_str().into() });
    Value::Object(o)
}

/// As in the view: only what is known.
fn origin(from: &Origin) -> Value {
    let mut o = Map::new();
    let texts = [
        ("queue", &from.queue),
        ("exchange", &from.exchange),
        ("routing_key", &from.routing_key),
        ("group", &from.group),
    ];
    for (name, text) in texts {
        if let Some(text) = text {
            o.insert(name.into(), (&**text).into());
        }
    }
    // Where in its queue one message was is not what the group has in common.
    Value::Object(o)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::death::Death;

    fn group(name: &str, death: Option<Death>) -> Group {
        let at = |s| Timestamp::from_second(s).ok();
        Group { name: name.into(), count: 3, first: at(0), last: at(60), example: "m1".into(), death }
    }

    #[test]
    fn unknown_is_null_and_fields_are_those_of_the_documentation() {
        assert_eq!(
            value(&group("", None), By::Cause, 4).to_string(),
            r#"{"cause":null,"count":3,"share":0.75,"family":null,"reason":null,"class":null,"message":null,"origin":null,"first":"1970-01-01T00:00:00Z","last":"1970-01-01T00:01:00Z","example":"m1"}"#
        );
        assert_eq!(
            value(&group(r#"{"a":1}"#, None), By::Value, 3).to_string(),
            r#"{"value":{"a":1},"count":3,"share":1.0,"first":"1970-01-01T00:00:00Z","last":"1970-01-01T00:01:00Z","example":"m1"}"#
        );
    }

    #[test]
    fn a_table_shows_what_there_is() {
        let death = Death {
            family: "rabbitmq",
            reason: Some("rejected".into()),
            message: Some("no".into()),
            origin: Some(Origin { queue: Some("orders".into()), ..Origin::default() }),
            ..Death::default()
        };
        let now = Timestamp::from_second(120).unwrap();
        let (text, _) = render(&[group("abcd", Some(death))], By::Cause, 400, now, &Look::PLAIN);
        let words: Vec<&str> = text.lines().nth(1).unwrap().split_whitespace().collect();
        assert_eq!(words, ["abcd", "3", "0.8", "%", "2m", "1m", "rejected", "orders", "m1", "no"]);
        let (text, _) = render(&[group("\"a b\"", None)], By::Value, 3, now, &Look::PLAIN);
        assert!(text.contains("a b") && text.contains("100 %"), "{text}");
    }
}
