//! Readings of queues, one after another: a table that is drawn anew, a line a change, an object a reading.

use std::collections::VecDeque;

use jiff::Timestamp;
use serde_json::{Value, json};
use unicode_width::UnicodeWidthStr;

use super::{Look, depth, human, spark};
use crate::broker::Depth;
use crate::ui::table::{self, Column};

/// Readings kept for the bars.
const KEPT: usize = 60;

/// What is known of one queue.
#[derive(Clone, Debug)]
pub struct Watched {
    /// Its address.
    pub queue: String,
    /// The newest reading.
    pub last: Option<(Timestamp, Depth)>,
    /// How many waited at the first reading that could tell.
    pub first: Option<u64>,
    /// How many waited at the one before the newest.
    pub before: Option<u64>,
    /// Why it cannot be read now, and since when.
    pub lost: Option<(Timestamp, String)>,
    history: VecDeque<Option<u64>>,
}

impl Watched {
    /// Nothing yet.
    pub fn new(queue: String) -> Watched {
        Watched { queue, last: None, first: None, before: None, lost: None, history: VecDeque::new() }
    }

    fn keep(&mut self, n: Option<u64>) {
        if self.history.len() == KEPT {
            self.history.pop_front();
        }
        self.history.push_back(n);
    }

    /// A reading. True where anything that is shown has changed.
    pub fn read(&mut self, at: Timestamp, new: Depth) -> bool {
        let counts = |d: &Depth| (d.ready, d.in_flight, d.delayed, d.unresolved);
        let changed = self.lost.is_some() || self.last.as_ref().is_none_or(|(_, d)| counts(d) != counts(&new));
        let waiting = new.waiting();
        self.before = self.waiting();
        self.first = self.first.or(waiting);
        self.keep(waiting);
        self.lost = None;
        self.last = Some((at, new));
        changed
    }

    /// It cannot be read. True where it could before.
    pub fn lose(&mut self, at: Timestamp, why: String) -> bool {
        self.keep(None);
        let new = self.lost.is_none();
        let since = self.lost.take().map_or(at, |(since, _)| since);
        self.lost = Some((since, why));
        new
    }

    fn waiting(&self) -> Option<u64> {
        self.last.as_ref().and_then(|(_, d)| d.waiting())
    }

    /// Since the reading before.
    pub fn change(&self) -> Option<i128> {
        difference(self.waiting(), self.before)
    }

    /// Since the first reading.
    pub fn since_start(&self) -> Option<i128> {
        difference(self.waiting(), self.first)
    }
}

fn difference(now: Option<u64>, then: Option<u64>) -> Option<i128> {
    Some(i128::from(now?) - i128::from(then?))
}

/// `+12`, `-3`, `0`.
fn signed(n: Option<i128>) -> String {
    match n {
        None => "unknown".to_owned(),
        Some(0) => "0".to_owned(),
        Some(n) => {
            let size = human::count(u64::try_from(n.unsigned_abs()).unwrap_or(u64::MAX));
            format!("{}{size}", if n < 0 { '-' } else { '+' })
        }
    }
}

fn oldest(d: &Depth, now: Timestamp) -> String {
    match (d.oldest, d.waiting()) {
        (Some(oldest), _) => human::age(oldest, now),
        (None, Some(0)) => "-".to_owned(),
        _ => "unknown".to_owned(),
    }
}

/// The table of now.
pub fn render(rows: &[Watched], now: Timestamp, look: &Look) -> String {
    let held = rows.iter().any(|r| r.last.as_ref().is_some_and(|(_, d)| d.in_flight.is_some()));
    let mut columns = vec![Column::text("QUEUE", 8, 60, 9), Column::number("WAITING", 8)];
    if held {
        columns.push(Column::number("IN FLIGHT", 3));
    }
    columns.extend([
        Column::number("CHANGE", 6),
        Column::number("SINCE START", 5),
        Column::number("OLDEST", 4),
        Column::text("TREND", 8, KEPT as u16, 7),
    ]);
    let mut cells: Vec<Vec<String>> = rows
        .iter()
        .map(|r| {
            let known = r.last.as_ref().filter(|_| r.lost.is_none()).map(|(_, d)| d);
            let mut cells = vec![r.queue.clone(), human::known(known.and_then(Depth::waiting))];
            if held {
                cells.push(human::known(known.and_then(|d| d.in_flight)));
            }
            cells.push(signed(known.and_then(|_| r.change())));
            cells.push(signed(known.and_then(|_| r.since_start())));
            cells.push(known.map_or_else(|| "unknown".to_owned(), |d| oldest(d, now)));
            cells
        })
        .collect();
    // The newest is at the right of the bars: where there is no room for all, the old ones give way.
    let wide = |(i, c): (usize, &Column)| {
        let widest = cells.iter().filter_map(|row| row.get(i)).map(|cell| cell.width()).max().unwrap_or(0);
        widest.max(c.head.len()) + 2
    };
    let used: usize = columns[..columns.len() - 1].iter().enumerate().map(wide).sum();
    let room = usize::from(look.width).saturating_sub(used).clamp(8, KEPT);
    for (row, r) in cells.iter_mut().zip(rows) {
        row.push(spark::line(r.history.iter().copied(), room, look.utf8));
    }
    table::render(&columns, &cells, look).0
}

/// One reading as a line of text.
pub fn line(r: &Watched, now: Timestamp) -> String {
    let Some((at, d)) = &r.last else { return String::new() };
    let mut parts = vec![format!("{}  {}  {} waiting", human::time(*at), r.queue, human::known(d.waiting()))];
    if let Some(change) = r.change() {
        parts.push(format!("{} ({} since the start)", signed(Some(change)), signed(r.since_start())));
    }
    if let Some(held) = d.in_flight {
        parts.push(format!("{} in flight", human::count(held)));
    }
    if let Some(oldest) = d.oldest {
        parts.push(format!("oldest {}", human::age(oldest, now)));
    }
    format!("{}\n", parts.join("  "))
}

/// One reading as an object: that of a depth, with time and changes.
pub fn value(r: &Watched, now: Timestamp) -> Value {
    if let Some((_, why)) = &r.lost {
        return json!({ "time": now, "queue": r.queue, "error": why });
    }
    let Some((at, d)) = &r.last else { return Value::Null };
    let mut all = json!({ "time": at });
    if let (Some(all), Value::Object(depth)) = (all.as_object_mut(), depth::value(&r.queue, d, now)) {
        all.extend(depth);
    }
    let number = |n: Option<i128>| n.and_then(|n| i64::try_from(n).ok());
    all["change"] = json!(number(r.change()));
    all["change_since_start"] = json!(number(r.since_start()));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::Accuracy;

    fn depth(n: u64) -> Depth {
        Depth {
            kind: "classic",
            ready: Some(n),
            in_flight: Some(1),
            delayed: None,
            unresolved: None,
            oldest: None,
            accuracy: Accuracy::Exact,
        }
    }

    fn at(s: i64) -> Timestamp {
        Timestamp::from_second(s).expect("a time")
    }

    #[test]
    fn changes_are_told_since_the_reading_before_and_the_first() {
        let mut w = Watched::new("amqp://h/q".into());
        assert!(w.read(at(0), depth(1200)));
        assert_eq!(line(&w, at(0)), "1970-01-01T00:00:00Z  amqp://h/q  1 200 waiting  1 in flight\n");
        assert!(!w.read(at(2), depth(1200)));
        assert!(w.read(at(4), depth(1190)));
        assert_eq!(
            line(&w, at(4)),
            "1970-01-01T00:00:04Z  amqp://h/q  1 190 waiting  -10 (-10 since the start)  1 in flight\n"
        );
        let value = value(&w, at(4));
        assert_eq!(
            (&value["ready"], &value["change"], &value["time"]),
            (&json!(1190), &json!(-10), &json!("1970-01-01T00:00:04Z"))
        );
        assert!(w.lose(at(6), "gone".into()) && !w.lose(at(7), "gone".into()));
        assert_eq!(super::value(&w, at(7))["error"], "gone");
        assert!(w.read(at(9), depth(1190)), "that it is back is a change");
    }

    #[test]
    fn the_table_fits_every_width_and_what_is_lost_is_unknown() {
        let mut rows = vec![Watched::new("amqp://h/orders.dlq".into()), Watched::new("amqp://h/bills.dlq".into())];
        for n in 0..100 {
            rows[0].read(at(n), depth(n.unsigned_abs()));
        }
        rows[1].lose(at(1), "gone".into());
        for width in [20, 40, 80, 200] {
            let text = render(&rows, at(100), &Look { tty: true, colour: false, utf8: true, width });
            assert_eq!(text.lines().count(), 3);
            assert!(text.lines().all(|l| l.chars().count() <= usize::from(width)), "{text}");
        }
        let text = render(&rows, at(100), &Look { width: 90, ..Look::PLAIN });
        assert!(text.contains("99          1       +1          +99  unknown"), "{text}");
        assert!(text.contains("█\n") && text.contains("unknown"), "{text}");
    }
}
