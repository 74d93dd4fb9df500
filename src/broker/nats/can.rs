//! What stands for or against a verb, as far as the server tells before a message is touched.

use super::advisories;
use super::connect::Link;
use super::stream::StreamInfo;
use crate::broker::{Ability, Finding, Kind, Load};
use crate::output::human;

/// Of a stream that is read.
pub async fn of(link: &Link, info: &StreamInfo, consumer: Option<&str>, ability: Ability) -> Vec<Finding> {
    let name = &info.config.name;
    let mut found = Vec::new();
    if ability != Ability::Count {
        let wanted = format!("{}.STREAM.MSG.GET.{name}", link.prefix);
        found.push(match link.get(name, info.state.first_seq.max(1)).await {
            Ok(_) => Finding::yes("permission to read", format!("{wanted} answers")),
            Err(e) if e.kind() == Kind::Denied => Finding::no("permission to read", format!("{wanted} is not allowed")),
            Err(e) => Finding::unknown("permission to read", e.to_string()),
        });
    }
    if ability == Ability::Remove {
        found.push(match info.keeps_all() {
            Some(why) => Finding::no("removal", format!("nothing can be removed from stream {name}: {why}")),
            None => Finding::unknown(
                "permission to remove",
                format!("{}.STREAM.MSG.DELETE.{name} is told by trying alone", link.prefix),
            ),
        });
    }
    if let Some(consumer) = consumer {
        found.push(match advisories::kept(link, name, consumer).await {
            Ok(kept) => {
                let mut names: Vec<&str> = kept.iter().map(|(i, _)| i.config.name.as_str()).collect();
                names.dedup();
                match advisories::unseen(&kept, consumer) {
                    None => Finding::yes("advisories", format!("stream {} keeps them", names.join(" and "))),
                    Some(unseen) => Finding::yes("advisories", unseen),
                }
            }
            Err(e) if e.kind() == Kind::Unsupported => Finding::no("advisories", e.to_string()),
            Err(e) => Finding::unknown("advisories", e.to_string()),
        });
    }
    found.extend(info.max_age().map(|kept| {
        Finding::kept(
            kept,
            format!("stream {name} keeps a message for {} from when it is stored", human::duration(kept)),
        )
    }));
    found
}

/// Of a stream that is sent to, at this subject.
pub fn send(info: &StreamInfo, subject: &str, load: Load, max_payload: u64) -> Vec<Finding> {
    let name = &info.config.name;
    let mut found = vec![
        Finding::unknown("permission to send", format!("whether we may send to {subject} is told by trying alone")),
        Finding::yes(
            "size",
            format!("stream {name} takes messages of up to {} bytes, headers included", most(info, max_payload)),
        ),
    ];
    let comes = [load.messages, load.bytes];
    for ((there, limit, what), comes) in info.limits().into_iter().zip(comes) {
        let (Some(limit), Some(comes)) = (limit, comes) else { continue };
        if there.saturating_add(comes) <= limit {
            continue;
        }
        let text = format!("stream {name} holds {limit} {what} at most and has {there}");
        let maybe = if load.at_most { ", should all be sent" } else { "" };
        found.push(if info.config.discard == "new" {
            Finding::no("room", format!("{text}: it refuses what is more{maybe}"))
        } else {
            Finding::harm("room", format!("{text}: its oldest make room for what comes{maybe}"))
        });
    }
    let of_subject = u64::try_from(info.config.max_msgs_per_subject).ok().filter(|n| *n > 0);
    // What is there of a subject counts too, and how much that is is not known here.
    if let Some(most) = of_subject.filter(|_| load.messages.is_none_or(|n| n > 0)) {
        let text = format!("stream {name} keeps {} of a subject", super::number(most, "message"));
        found.push(if info.config.discard == "new" {
            Finding::harm("room", format!("{text}, and may refuse what is more"))
        } else {
            Finding::harm("room", format!("{text}: of what is sent to one, the later takes the place of the earlier"))
        });
    }
    if info.config.storage == "memory" {
        let text = format!("stream {name} is in memory: what it has confirmed is gone when its server stops");
        found.push(Finding::limit("storage", text));
    }
    let window = info.duplicate_window();
    if !window.is_zero() {
        found.push(Finding::yes(
            "repeats",
            format!("stream {name} drops what comes again within {} under the same id", human::duration(window)),
        ));
    }
    found.extend(info.max_age().map(|kept| {
        Finding::kept(
            kept,
            format!("stream {name} keeps a message for {} from when it is stored", human::duration(kept)),
        )
    }));
    found
}

/// Bytes that a stored message takes besides, at most: its subject and its place.
const OVERHEAD: u64 = 300;

/// The largest message in bytes.
pub fn most(info: &StreamInfo, max_payload: u64) -> u64 {
    let limit = |n: i64| u64::try_from(n).ok().filter(|n| *n > 0);
    // What is larger than all of the stream may be is confirmed and thrown out at once.
    let whole = limit(info.config.max_bytes).map(|n| n.saturating_sub(OVERHEAD));
    limit(info.config.max_msg_size).into_iter().chain(whole).fold(max_payload, u64::min)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::can::Answer;

    #[test]
    fn what_keeps_few_of_a_subject_is_told_of_however_much_comes() {
        let mut info = StreamInfo::default();
        (info.config.name, info.config.max_msgs_per_subject) = ("S".into(), 1);
        let harm = |load| send(&info, "s", load, 1000).iter().any(|f| f.answer == Answer::Harm);
        let load = |messages| Load { messages, ..Load::default() };
        assert!(harm(load(Some(1))));
        assert!(harm(load(None)), "how much comes is not known");
        assert!(!harm(load(Some(0))));
    }
}
