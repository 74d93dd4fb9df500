//! What RabbitMQ notes on a message about its deaths and deliveries, to be taken off before a replay.

use crate::message::DeadLetter;

/// Takes off the broker's bookkeeping and gives the names. `CC` would fan out to the old keys once more, another's `user_id`
/// closes the channel, and a stale count can cost the message later. Everything else stays.
pub fn strip(m: &mut DeadLetter) -> Vec<String> {
    let mut gone = m.headers.remove_if(|name, _| is_bookkeeping(name));
    gone.extend(m.properties.remove_if(|name, _| name == "user_id"));
    gone
}

fn is_bookkeeping(header: &str) -> bool {
    matches!(header, "x-death" | "x-delivery-count" | "x-acquired-count" | "CC" | "BCC" | "x-stream-offset")
        || header.starts_with("x-first-death-")
        || header.starts_with("x-last-death-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Payload, Value};

    #[test]
    fn takes_off_the_brokers_notes_and_nothing_else() {
        let bookkeeping = [
            "x-death",
            "x-first-death-queue",
            "x-first-death-exchange",
            "x-first-death-reason",
            "x-last-death-queue",
            "x-last-death-reason",
            "x-delivery-count",
            "x-acquired-count",
            "CC",
            "BCC",
            "x-stream-offset",
        ];
        let kept = ["x-tenant", "cc", "x-deaths", "x-delay", "dlq-replay", "original-expiration"];
        let mut m = DeadLetter::new("q".into(), Payload::Absent);
        for name in bookkeeping.iter().chain(&kept) {
            m.headers.push(*name, "v");
        }
        m.properties.push("user_id", Value::ShortText("u".into()));
        m.properties.push("message_id", Value::ShortText("m".into()));
        let mut expected: Vec<_> = bookkeeping.iter().map(|n| (*n).to_owned()).collect();
        expected.push("user_id".into());
        assert_eq!(strip(&mut m), expected);
        assert_eq!(m.headers.iter().map(|(n, _)| n).collect::<Vec<_>>(), kept);
        assert_eq!(m.properties.iter().map(|(n, _)| n).collect::<Vec<_>>(), ["message_id"]);
        assert!(strip(&mut m).is_empty());
    }
}
