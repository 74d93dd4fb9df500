//! The depth of a topic by partition, and how far a group has read it.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Look, human};
use crate::broker::{ByPartition, PartitionDepth};
use crate::ui::table::{self, Column};
use crate::ui::visible;

/// A table of the partitions of one queue, under a line that names the queue and the group.
pub fn render(queue: &str, by: &ByPartition, now: Timestamp, look: &Look) -> String {
    let mut columns = vec![
        Column::number("PARTITION", 9),
        Column::number("READY", 8),
        Column::number("UNRESOLVED", 7),
        Column::number("OLDEST", 5),
    ];
    if by.group.is_some() {
        columns.extend([Column::number("COMMITTED", 6), Column::number("LAG", 6)]);
    }
    let row = |p: &PartitionDepth| {
        let mut row = vec![
            p.partition.to_string(),
            human::count(p.ready),
            human::count(p.unresolved),
            p.oldest.map_or_else(|| "unknown".into(), |t| human::age(t, now)),
        ];
        if by.group.is_some() {
            row.push(p.committed.map_or_else(|| "nothing".into(), |at| at.to_string()));
            row.push(human::known(p.lag));
        }
        row
    };
    let (text, _) = table::render(&columns, &by.partitions.iter().map(row).collect::<Vec<_>>(), look);
    format!("\n{}{}\n{text}", visible::line(queue), group(by))
}

fn group(by: &ByPartition) -> String {
    let Some(group) = &by.group else { return String::new() };
    let state = group.state.unwrap_or("state unknown");
    let members = group.members.map_or_else(|| "members unknown".into(), |n| human::counted(n, "member"));
    format!(", group {}: {state}, {members}, lag {}", visible::line(&group.name), human::known(group.lag))
}

/// Adds `partitions`, and `group` where one was asked for, to the object of a queue. Unknown is null.
pub fn add(value: &mut Value, by: &ByPartition, now: Timestamp) {
    let one = |p: &PartitionDepth| {
        let mut one = json!({
            "partition": p.partition,
            "ready": p.ready,
            "unresolved": p.unresolved,
            "oldest": p.oldest.map(|t| t.to_string()),
            "oldest_age_seconds": p.oldest.map(|t| now.duration_since(t).as_secs().max(0)),
        });
        if by.group.is_some() {
            one["committed"] = p.committed.into();
            one["lag"] = p.lag.into();
        }
        one
    };
    value["partitions"] = by.partitions.iter().map(one).collect();
    if let Some(group) = &by.group {
        value["group"] = json!(group);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::GroupDepth;

    #[test]
    fn what_is_not_committed_is_unknown() {
        let now = "2026-11-23T05:48:11Z".parse().expect("a time");
        let by = ByPartition {
            partitions: vec![
                PartitionDepth {
                    partition: 0,
                    ready: 1200,
                    unresolved: 7,
                    oldest: Some("2026-11-23T02:36:11Z".parse().expect("a time")),
                    committed: Some(1195),
                    lag: Some(5),
                },
                PartitionDepth { partition: 1, ready: 3, unresolved: 3, ..PartitionDepth::default() },
            ],
            group: Some(GroupDepth { name: "billing".into(), state: Some("stable"), members: Some(1), lag: None }),
        };
        assert_eq!(
            render("kafka://b:9092/t", &by, now, &Look::PLAIN),
            "\nkafka://b:9092/t, group billing: stable, 1 member, lag unknown\n\
             PARTITION  READY  UNRESOLVED   OLDEST  COMMITTED      LAG\n        \
             0  1 200           7    3h12m       1195        5\n        \
             1      3           3  unknown    nothing  unknown\n"
        );
        let mut value = json!({});
        add(&mut value, &by, now);
        assert_eq!(value["partitions"][1]["lag"], Value::Null);
        assert_eq!(value["group"]["lag"], Value::Null);
    }
}
