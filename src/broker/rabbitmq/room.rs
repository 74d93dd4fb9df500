//! How much more a queue takes, and what it does above that.

use super::queue_info::QueueInfo;
use crate::broker::{Finding, Load};
use crate::output::human;

const ABOUT: &str = "room";

/// What a queue does with what is too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Overflow {
    /// It refuses what comes.
    Refuses,
    /// It lets go of what it has had longest, for good.
    Drops,
    /// The same, and that goes on to its dead-letter exchange.
    DeadLetters,
}

/// Whether `load` fits, by the length limits of the queue.
pub fn of(q: &QueueInfo, load: Load) -> Finding {
    let name = &q.name;
    let limits = [(q.least("max-length"), "max-length"), (q.least("max-length-bytes"), "max-length-bytes")];
    let limits: Vec<(u64, &str)> = limits.into_iter().filter_map(|(most, what)| Some((most?, what))).collect();
    if limits.is_empty() {
        // For a few seconds after its declaration the API does not know the policy.
        return if q.effective_policy.is_object() {
            Finding::yes(ABOUT, format!("queue {name} has no limit to its length"))
        } else {
            Finding::unknown(ABOUT, format!("whether a policy limits the length of queue {name} is not known"))
        };
    }
    let set = limits.iter().map(|(most, what)| format!("{what} {most}")).collect::<Vec<_>>().join(", ");
    if q.kind == "stream" {
        return Finding::limit(ABOUT, format!("stream {name} lets go of its oldest messages above its limit ({set})"));
    }
    let overflow = overflow(q);
    let mut room: Option<u64> = None;
    let (mut fits, mut over, mut full) = (true, false, false);
    for (most, what) in &limits {
        let counts_bytes = *what == "max-length-bytes";
        let there = if counts_bytes { q.bytes_ready } else { q.messages_ready };
        let coming = if counts_bytes { load.bytes } else { load.messages };
        let Some(there) = there else {
            return Finding::unknown(
                ABOUT,
                format!("queue {name} has limits ({set}), and what is in it is not known yet"),
            );
        };
        let left = most.saturating_sub(there);
        full |= left == 0;
        fits &= coming.is_some_and(|n| n <= left);
        over |= coming.is_some_and(|n| n > left);
        if !counts_bytes {
            room = Some(left);
        }
    }
    let has = match (room, load.messages) {
        _ if full => format!("queue {name} is full ({set})"),
        (Some(left), Some(n)) if left < n => {
            format!("queue {name} takes {} of {} ({set})", human::count(left), human::counted(n, "message"))
        }
        (Some(left), _) => format!("queue {name} takes {} ({set})", human::counted(left, "more message")),
        (None, _) => {
            let left = q.least("max-length-bytes").unwrap_or(0).saturating_sub(q.bytes_ready.unwrap_or(0));
            format!("queue {name} takes bodies of {} ({set})", human::bytes(left))
        }
    };
    if load.messages == Some(0) || fits {
        return Finding::yes(ABOUT, has);
    }
    // What is known not to fit, and not what may not.
    let certain = full || over && !load.at_most;
    let consumed = q.consumers != Some(0);
    let then = match overflow {
        Overflow::Refuses => "refuses",
        Overflow::Drops => "DROPS its oldest for each more",
        Overflow::DeadLetters => "dead-letters its oldest for each more",
    };
    let join = if full { ": it" } else { ", then" };
    let unless = if consumed { ", unless consumers make room" } else { "" };
    let how = if overflow == Overflow::Refuses { "reject-publish" } else { "drop-head" };
    let text = format!("{has}{join} {then}{unless} ({how})");
    match overflow {
        Overflow::Refuses if certain && !consumed => Finding::no(ABOUT, text),
        Overflow::Drops | Overflow::DeadLetters if certain => Finding::harm(ABOUT, text),
        _ => Finding::unknown(ABOUT, text),
    }
}

fn overflow(q: &QueueInfo) -> Overflow {
    let argument = &q.arguments["x-overflow"];
    let set = if argument.is_null() { &q.effective_policy["overflow"] } else { argument };
    match set.as_str() {
        Some(how) if how.starts_with("reject-publish") => Overflow::Refuses,
        _ if q.dead_letter_exchange.is_some() => Overflow::DeadLetters,
        _ => Overflow::Drops,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::broker::Answer;

    fn queue(ready: u64, consumers: u64, arguments: Json, policy: Json) -> QueueInfo {
        let json = json!({
            "name": "q", "type": "classic", "consumers": consumers, "messages_ready": ready,
            "message_bytes_ready": 10 * ready, "arguments": arguments, "effective_policy_definition": policy,
        });
        QueueInfo::of(&json, (4, 3, 0))
    }

    fn exactly(messages: u64) -> Load {
        Load { messages: Some(messages), bytes: Some(10 * messages), at_most: false }
    }

    #[test]
    fn the_smaller_of_argument_and_policy_holds() {
        let q = queue(3, 0, json!({"x-max-length": 9}), json!({"max-length": 5}));
        assert_eq!(of(&q, exactly(2)).answer, Answer::Yes);
        let found = of(&q, exactly(3));
        assert_eq!(
            found,
            Finding::harm(
                ABOUT,
                "queue q takes 2 of 3 messages (max-length 5), then DROPS its oldest for each more (drop-head)"
            )
        );
    }

    #[test]
    fn what_becomes_of_the_rest_is_as_the_queue_is_set() {
        let of = |more: Json, consumers, load| {
            let mut arguments = json!({"x-max-length-bytes": 50});
            for (k, v) in more.as_object().into_iter().flatten() {
                arguments[k] = v.clone();
            }
            of(&queue(3, consumers, arguments, json!({})), load).answer
        };
        let rejects = json!({"x-overflow": "reject-publish"});
        assert_eq!(of(rejects.clone(), 0, exactly(2)), Answer::Yes);
        assert_eq!(of(rejects.clone(), 0, exactly(3)), Answer::No);
        assert_eq!(of(rejects.clone(), 1, exactly(3)), Answer::Unknown);
        assert_eq!(of(rejects, 0, Load::at_most(Some(3))), Answer::Unknown);
        assert_eq!(of(json!({}), 1, exactly(3)), Answer::Harm);
        assert_eq!(of(json!({}), 0, Load::at_most(Some(3))), Answer::Unknown);
        assert_eq!(of(json!({}), 0, Load::at_most(Some(0))), Answer::Yes);
        let dlx =
            super::of(&queue(3, 0, json!({"x-max-length": 3, "x-dead-letter-exchange": ""}), json!({})), exactly(1));
        assert!(
            dlx.answer == Answer::Harm && dlx.because.contains("is full (max-length 3): it dead-letters its oldest"),
            "{dlx:?}"
        );
    }

    #[test]
    fn unknown_is_called_unknown() {
        let mut q = queue(3, 0, json!({}), json!({}));
        assert_eq!(of(&q, exactly(1)).answer, Answer::Yes);
        q.effective_policy = Json::Null;
        assert_eq!(of(&q, exactly(1)).answer, Answer::Unknown);
        q.arguments = json!({"x-max-length": 3});
        q.messages_ready = None;
        assert_eq!(of(&q, exactly(1)).answer, Answer::Unknown);
    }
}
