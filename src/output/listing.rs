//! Dead-letter queues that were found.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Look, depth, human};
use crate::broker::listing::{Found, Sign};
use crate::broker::{Accuracy, Depth};
use crate::ui::table::{self, Column};

/// One line a queue, and what a reader must know besides.
pub fn render(rows: &[Found], now: Timestamp, look: &Look) -> (String, Vec<String>) {
    let columns = [
        Column::text("QUEUE", 24, u16::MAX, 9),
        Column::number("WAITING", 8),
        Column::number("OLDEST", 5),
        Column::text("HOW", 6, 40, 6),
        Column::text("FROM", 6, u16::MAX, 7),
    ];
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|f| {
            let depth = f.depth.as_ref();
            let oldest = match depth.map(|d| (d.waiting(), d.oldest)) {
                Some((_, Some(oldest))) => human::age(oldest, now),
                Some((Some(0), None)) => "-".to_owned(),
                _ => "unknown".to_owned(),
            };
            vec![
                f.address.clone(),
                depth.map_or_else(|| human::known(None), waiting),
                oldest,
                signs(f).join(", "),
                f.sources.iter().cloned().collect::<Vec<_>>().join(", "),
            ]
        })
        .collect();
    table::render(&columns, &cells, look)
}

/// `~` where the broker's own count may be behind, `≤` where there are no more, `≥` where there are no fewer.
fn waiting(depth: &Depth) -> String {
    let mark = match depth.accuracy {
        Accuracy::Exact => "",
        Accuracy::Approximate => "~",
        Accuracy::UpperBound => "≤",
        Accuracy::LowerBound => "≥",
    };
    depth.waiting().map_or_else(|| human::known(None), |n| format!("{mark}{}", human::count(n)))
}

fn signs(f: &Found) -> Vec<&'static str> {
    if f.signs.is_empty() { vec!["not known"] } else { f.signs.iter().map(|s: &Sign| s.word()).collect() }
}

/// The object of a queue. `address` has the options in it that it needs; unknown is null.
pub fn value(f: &Found, address: &str, now: Timestamp) -> Value {
    let mut value = match &f.depth {
        Some(d) => depth::value(&f.address, d, now),
        None => json!({
            "queue": f.address, "kind": null, "ready": null, "in_flight": null, "delayed": null, "unresolved": null,
            "oldest": null, "oldest_age_seconds": null, "accuracy": null,
        }),
    };
    value["address"] = address.into();
    value["sources"] = json!(f.sources);
    value["recognised_by"] = json!(f.signs);
    value["error"] = json!(f.unknown);
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<Found> {
        let depth = Depth {
            kind: "standard",
            ready: Some(12_345),
            in_flight: Some(0),
            delayed: None,
            unresolved: None,
            oldest: None,
            accuracy: Accuracy::Approximate,
        };
        vec![
            Found {
                address: "sqs://eu-west-1/orders-dlq".into(),
                depth: Some(depth.clone()),
                sources: ["bills".to_owned(), "orders".to_owned()].into(),
                signs: [Sign::RedrivePolicy, Sign::Name].into(),
                unknown: None,
            },
            Found {
                address: "sqs://eu-west-1/a".into(),
                depth: Some(Depth { ready: Some(0), ..depth }),
                signs: [Sign::Name].into(),
                ..Found::default()
            },
            Found { address: "sqs://eu-west-1/secret".into(), unknown: Some("denied".into()), ..Found::default() },
        ]
    }

    #[test]
    fn what_is_not_known_is_called_so() {
        let (text, notes) = render(&rows(), Timestamp::UNIX_EPOCH, &Look::PLAIN);
        assert_eq!(
            text,
            "QUEUE                       WAITING   OLDEST  HOW                   FROM\n\
             sqs://eu-west-1/orders-dlq  ~12 345  unknown  redrive-policy, name  bills, orders\n\
             sqs://eu-west-1/a                ~0        -  name\n\
             sqs://eu-west-1/secret      unknown  unknown  not known\n"
        );
        assert!(notes.is_empty());
    }

    #[test]
    fn json_has_the_fields_of_a_depth_and_how_it_was_found() {
        let rows = rows();
        let first = value(&rows[0], "sqs://eu-west-1/orders-dlq?sign=no", Timestamp::UNIX_EPOCH);
        assert_eq!((&first["ready"], &first["accuracy"]), (&json!(12_345), &json!("approximate")));
        assert_eq!(first["recognised_by"], json!(["redrive-policy", "name"]));
        assert_eq!(first["sources"], json!(["bills", "orders"]));
        assert_eq!(first["address"], "sqs://eu-west-1/orders-dlq?sign=no");
        let last = value(&rows[2], "x", Timestamp::UNIX_EPOCH);
        assert_eq!((&last["ready"], &last["error"]), (&Value::Null, &json!("denied")));
        let names = |v: &Value| v.as_object().map(|o| o.keys().cloned().collect::<Vec<_>>());
        assert_eq!(names(&first), names(&last), "the same fields whatever is known");
    }
}
