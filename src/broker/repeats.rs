//! The id under which a message is sent to a broker that drops what comes again.

use sha2::{Digest, Sha256};

use super::Outgoing;
use crate::message::Identity;

/// The same for the same message in the same run, so that it is not stored twice however often it is sent; another in every
/// other run, so that it is not taken for what was sent before and dropped.
pub fn id(run: &str, o: &Outgoing) -> String {
    let mut sum = Sha256::new_with_prefix(run.as_bytes());
    sum.update([0]);
    match o.message.identity {
        Identity::Exact(id) => sum.update(id.to_be_bytes()),
        // Equal messages share a fingerprint, and each of them must get through.
        Identity::Like(print) => {
            sum.update(print.to_be_bytes());
            sum.update(o.sequence.to_be_bytes());
        }
    }
    sum.finalize().iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::message::{DeadLetter, Payload};

    /// A message of one byte.
    pub(in super::super) fn outgoing(sequence: u64, identity: Identity) -> Outgoing {
        let mut message = DeadLetter::new("q".into(), Payload::Bytes("x".into()));
        message.identity = identity;
        Outgoing::verbatim(sequence, Box::new(message))
    }

    #[test]
    fn ids_are_of_the_run_and_the_message() {
        let id = |run: &str, sequence, identity| super::id(run, &outgoing(sequence, identity));
        assert_eq!(id("r1", 1, Identity::Exact(7)), id("r1", 2, Identity::Exact(7)), "however it is numbered");
        assert_ne!(id("r1", 1, Identity::Exact(7)), id("r2", 1, Identity::Exact(7)), "another run sends anew");
        assert_ne!(id("r1", 1, Identity::Exact(7)), id("r1", 1, Identity::Exact(8)));
        assert_ne!(id("r1", 1, Identity::Like(7)), id("r1", 2, Identity::Like(7)), "equal messages all get through");
        assert_eq!(id("r1", 1, Identity::Exact(7)).len(), 64);
    }
}
