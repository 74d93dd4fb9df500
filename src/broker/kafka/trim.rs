//! Deleting what is resolved, where that is all there is at the head of a partition: a log loses nothing else.

use std::collections::BTreeMap;

use rdkafka::{Offset, TopicPartitionList};

use super::connect::Link;
use super::offsets::Span;
use super::resolved::Offsets;
use super::{error, facts};
use crate::broker::{Kind, Result};

const DOING: &str = "deleting what is resolved";

/// Deletes the resolved heads. What was done and what could not be, a sentence each.
///
/// # Errors
/// That the cluster does not answer.
pub(super) async fn heads(
    link: &Link,
    topic: &str,
    spans: &[Span],
    resolved: &BTreeMap<i32, Offsets>,
) -> Result<Vec<String>> {
    let mut list = TopicPartitionList::new();
    let (mut head, mut behind) = (0, 0);
    for s in spans {
        let Some(set) = resolved.get(&s.partition) else { continue };
        let to = set.first_absent(s.from, s.to);
        head += to - s.from;
        behind += set.count(to..s.to);
        if to > s.from {
            list.add_partition_offset(topic, s.partition, Offset::Offset(to)).map_err(|e| error::map(&e, DOING))?;
        }
    }
    let kept = format!("{behind} offsets behind records that are not resolved are only marked");
    if head == 0 {
        return Ok(if behind > 0 { vec![format!("nothing was deleted: {kept}")] } else { vec![] });
    }
    let admin = facts::admin(link)?;
    if facts::settings(&admin, topic, link.longest).await?.deletes == Some(false) {
        return Ok(vec![format!(
            "nothing was deleted, only marked: cleanup.policy of {topic} is compact alone, which forbids it"
        )]);
    }
    let answer = admin.delete_records(&list, &facts::within(link.longest)).await.map_err(|e| error::map(&e, DOING))?;
    let refused = answer.elements().iter().find_map(|e| e.error().err());
    let mut said = Vec::new();
    match refused {
        None => said.push(format!("{head} offsets at the heads of partitions were deleted")),
        Some(e) => {
            let e = error::map(&e, DOING);
            let hint = if e.kind() == Kind::Denied { ": it takes DELETE on the topic" } else { "" };
            said.push(format!("what is resolved is marked, and not all of it could be deleted: {e}{hint}"));
        }
    }
    if behind > 0 {
        said.push(kept);
    }
    Ok(said)
}
