//! How many and how old.

use roaring::RoaringTreemap;
use serde_json::json;

use super::advisories::Advisories;
use super::capabilities;
use super::connect::Link;
use super::stream::StreamInfo;
use crate::broker::{Accuracy, Depth, Result};

/// Of all of a stream: what one answer tells.
pub fn of_stream(info: &StreamInfo) -> Depth {
    Depth {
        kind: capabilities::of(info, false).kind,
        ready: Some(info.state.messages),
        in_flight: None,
        delayed: None,
        unresolved: None,
        oldest: info.oldest(),
        accuracy: Accuracy::Exact,
    }
}

/// Of what a consumer gave up on and is still there: the advisories are read, the messages are not.
///
/// # Errors
/// As [`Advisories::of`].
pub async fn of_consumer(link: &Link, stream: &str, consumer: &str) -> Result<Depth> {
    let advisories = Advisories::of(link, stream, consumer).await?;
    let accuracy = if advisories.whole { Accuracy::Exact } else { Accuracy::LowerBound };
    let mut numbers = advisories.numbers().await?;
    let info = link.info(stream, json!({ "deleted_details": true })).await?;
    keep_those_there(&mut numbers, &info);
    let oldest = match numbers.min() {
        Some(first) => link.get(stream, first).await?.and_then(|m| m.time),
        None => None,
    };
    let kind = capabilities::of(&info, true).kind;
    Ok(Depth { kind, ready: Some(numbers.len()), oldest, accuracy, ..of_stream(&info) })
}

fn keep_those_there(numbers: &mut RoaringTreemap, info: &StreamInfo) {
    if info.state.messages == 0 {
        numbers.clear();
        return;
    }
    numbers.remove_range(..info.state.first_seq);
    numbers.remove_range(info.state.last_seq + 1..);
    *numbers -= info.state.deleted.iter().flatten().copied().collect::<RoaringTreemap>();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_gone_does_not_count() {
        let mut info = StreamInfo::default();
        (info.state.messages, info.state.first_seq, info.state.last_seq) = (3, 4, 8);
        info.state.deleted = Some(vec![5, 6]);
        let mut numbers: RoaringTreemap = [1, 4, 5, 8, 9].into_iter().collect();
        keep_those_there(&mut numbers, &info);
        assert_eq!(numbers.iter().collect::<Vec<_>>(), [4, 8]);
        keep_those_there(&mut numbers, &StreamInfo::default());
        assert!(numbers.is_empty());
    }
}
