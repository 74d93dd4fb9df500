//! What a topic can do.

use crate::broker::capability::{Accuracy, Capabilities, Coverage, IdentityKind, Lease, Order, Peek, Removal};

/// A topic.
pub(super) const TOPIC: Capabilities = Capabilities {
    kind: "topic",
    peek: Peek::Free,
    coverage: Coverage::All,
    removal: Removal::MarkAndTrim,
    lease: Lease::None,
    order: Order::StrictLanes,
    identity: IdentityKind::Exact,
    // Transaction markers and what compaction took have offsets too.
    accuracy: Accuracy::UpperBound,
    whole_purge: false,
};

/// A topic whose resolved set is kept on this machine: that is no part of a transaction.
pub(super) const LOCAL: Capabilities = Capabilities { removal: Removal::Logged, ..TOPIC };
