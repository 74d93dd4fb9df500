//! What SQS notes on a message, to be taken off before a replay.

use super::codec::{DEDUPLICATION, OF_THE_DELIVERY};
use crate::message::DeadLetter;

/// Takes off what SQS sets itself. Nothing of it is among the attributes, so no attribute is touched; the old deduplication
/// id would have the message dropped by a queue that has just seen it.
pub fn strip(m: &mut DeadLetter) -> Vec<String> {
    m.properties.remove_if(|name, _| name == DEDUPLICATION || OF_THE_DELIVERY.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Payload;

    #[test]
    fn keeps_group_trace_and_every_attribute() {
        let mut m = DeadLetter::new("q".into(), Payload::Absent);
        for name in ["message_group_id", "aws_trace_header", DEDUPLICATION, "sender_id", "first_received"] {
            m.properties.push(name, "v");
        }
        m.headers.push("sender_id", "mine");
        assert_eq!(strip(&mut m), [DEDUPLICATION, "sender_id", "first_received"]);
        assert_eq!(m.properties.iter().map(|(n, _)| n).collect::<Vec<_>>(), ["message_group_id", "aws_trace_header"]);
        assert_eq!(m.headers.len(), 1);
    }
}
