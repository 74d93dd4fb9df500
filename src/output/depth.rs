//! Depths of queues.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Look, human};
use crate::broker::{Accuracy, Depth};
use crate::ui::table::{self, Column};

/// One line a queue, and what a reader must know besides. Columns that no queue knows anything for are left out.
pub fn render(rows: &[(String, Depth)], now: Timestamp, look: &Look) -> (String, Vec<String>) {
    let mut columns = vec![Column::text("QUEUE", 24, 60, 9), Column::text("KIND", 4, 12, 2)];
    type Count = (&'static str, u8, fn(&Depth) -> Option<u64>);
    let counts: [Count; 4] = [
        ("READY", 8, |d| d.ready),
        ("IN FLIGHT", 6, |d| d.in_flight),
        ("DELAYED", 4, |d| d.delayed),
        ("UNRESOLVED", 7, |d| d.unresolved),
    ];
    // READY stays even where unknown: its absence would look like a queue without messages.
    let counts: Vec<_> =
        counts.into_iter().filter(|c| c.0 == "READY" || rows.iter().any(|r| c.2(&r.1).is_some())).collect();
    columns.extend(counts.iter().map(|c| Column::number(c.0, c.1)));
    let oldest = rows.iter().any(|r| r.1.oldest.is_some());
    if oldest {
        columns.push(Column::number("OLDEST", 5));
    }
    columns.push(Column::text("COUNTS ARE", 5, 14, 3));
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|(queue, depth)| {
            let mut row = vec![queue.clone(), depth.kind.to_owned()];
            row.extend(counts.iter().map(|c| human::known(c.2(depth))));
            if oldest {
                row.push(depth.oldest.map_or_else(|| "unknown".into(), |t| human::age(t, now)));
            }
            row.push(accuracy(depth.accuracy).to_owned());
            row
        })
        .collect();
    table::render(&columns, &cells, look)
}

fn accuracy(a: Accuracy) -> &'static str {
    match a {
        Accuracy::Exact => "exact",
        Accuracy::Approximate => "approximate",
        Accuracy::UpperBound => "upper bounds",
        Accuracy::LowerBound => "lower bounds",
    }
}

/// The object of a queue in a depth report. Unknown is null.
pub fn value(queue: &str, d: &Depth, now: Timestamp) -> Value {
    json!({
        "queue": queue,
        "kind": d.kind,
        "ready": d.ready,
        "in_flight": d.in_flight,
        "delayed": d.delayed,
        "unresolved": d.unresolved,
        "oldest": d.oldest.map(|t| t.to_string()),
        "oldest_age_seconds": d.oldest.map(|t| now.duration_since(t).as_secs().max(0)),
        "accuracy": d.accuracy,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn depth(ready: Option<u64>, oldest: Option<&str>) -> Depth {
        Depth {
            kind: "quorum",
            ready,
            in_flight: Some(0),
            delayed: None,
            unresolved: None,
            oldest: oldest.map(|t| t.parse().unwrap()),
            accuracy: Accuracy::Exact,
        }
    }

    #[test]
    fn unknown_is_a_word_in_text_and_null_in_json() {
        let now = "2026-11-23T05:48:11Z".parse().unwrap();
        let rows = vec![
            ("amqp://localhost/orders.dlq".to_owned(), depth(Some(12_345), Some("2026-11-23T02:36:11Z"))),
            ("amqp://localhost/b".to_owned(), depth(None, None)),
        ];
        let (text, notes) = render(&rows, now, &Look::PLAIN);
        assert_eq!(
            text,
            "QUEUE                        KIND      READY  IN FLIGHT   OLDEST  COUNTS ARE\n\
             amqp://localhost/orders.dlq  quorum   12 345          0    3h12m  exact\n\
             amqp://localhost/b           quorum  unknown          0  unknown  exact\n"
        );
        assert!(notes.is_empty());
        assert_eq!(
            value("q", &rows[0].1, now).to_string(),
            "{\"queue\":\"q\",\"kind\":\"quorum\",\"ready\":12345,\"in_flight\":0,\"delayed\":null,\"unresolved\":null,\
             \"oldest\":\"2026-11-23T02:36:11Z\",\"oldest_age_seconds\":11520,\"accuracy\":\"exact\"}"
        );
        assert_eq!(value("q", &rows[1].1, now)["ready"], Value::Null);
    }
}
