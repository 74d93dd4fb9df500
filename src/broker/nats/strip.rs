//! What NATS notes on a message, and what it would obey, to be taken off before a replay.

use super::codec::{ADVISORY, MSG_ID};
use crate::message::DeadLetter;

/// Headers by which a publisher tells the server what to do: a copied `Nats-Rollup` empties the destination, a copied id has the
/// message dropped as a repeat, a copied expectation has it refused.
const CONTROL: &[&str] = &[
    "nats-msg-id",
    "nats-rollup",
    "nats-ttl",
    "nats-marker-reason",
    "nats-incr",
    "nats-counter-sources",
    "nats-scheduler",
    "nats-stream-source",
    "nats-required-api-level",
    // What a republished or directly read message says of itself.
    "nats-stream",
    "nats-sequence",
    "nats-time-stamp",
    "nats-subject",
    "nats-last-sequence",
    "nats-num-pending",
    "nats-upto-sequence",
];
const CONTROL_PREFIXES: &[&str] = &["nats-expected-", "nats-batch-", "nats-schedule"];

/// Whether the server itself reads or writes this header.
pub fn is_control(name: &str) -> bool {
    let Some(head) = name.get(..5) else { return false };
    if !head.eq_ignore_ascii_case("nats-") {
        return false;
    }
    let lower = name.to_ascii_lowercase();
    CONTROL.contains(&lower.as_str()) || CONTROL_PREFIXES.iter().any(|p| lower.starts_with(p))
}

/// Takes off what the server would obey or has noted, and gives the names.
pub fn strip(m: &mut DeadLetter) -> Vec<String> {
    let mut gone = m.headers.remove_if(|name, _| is_control(name));
    gone.extend(m.properties.remove_if(|name, _| name == MSG_ID || ADVISORY.contains(&name)));
    gone
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Payload;

    #[test]
    fn what_the_server_obeys_goes_and_what_users_wrote_stays() {
        let mut m = DeadLetter::new("q".into(), Payload::Absent);
        for name in [
            "Nats-Rollup",
            "Nats-Expected-Last-Sequence",
            "nats-ttl",
            "Nats-Schedule-Target",
            "Nats-Tenant",
            "nat",
            "é",
        ] {
            m.headers.push(name, "v");
        }
        m.properties.push("subject", "orders.new");
        m.properties.push(MSG_ID, "1");
        assert_eq!(
            strip(&mut m),
            ["Nats-Rollup", "Nats-Expected-Last-Sequence", "nats-ttl", "Nats-Schedule-Target", MSG_ID]
        );
        assert_eq!(m.headers.iter().map(|(n, _)| n).collect::<Vec<_>>(), ["Nats-Tenant", "nat", "é"]);
        assert_eq!(m.properties.text("subject"), Some("orders.new"));
    }
}
