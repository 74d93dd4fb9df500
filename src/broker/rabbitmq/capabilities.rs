//! What a queue of each kind can do.

use super::facts::{ACK_TIMEOUT, Facts};
use super::hazard::{Limit, Policy, QueueKind};
use crate::broker::capability::{Coverage, IdentityKind, Lease, Order, Peek, Removal};
use crate::broker::{Accuracy, Capabilities};

/// Of one queue.
pub fn of(facts: &Facts) -> Capabilities {
    if facts.kind == QueueKind::Stream {
        return Capabilities {
            kind: "stream",
            peek: Peek::Free,
            coverage: Coverage::All,
            removal: Removal::None,
            lease: Lease::None,
            order: Order::Lanes,
            identity: IdentityKind::Exact,
            accuracy: Accuracy::Approximate,
            whole_purge: false,
        };
    }
    Capabilities {
        kind: facts.kind.word(),
        peek: facts.policy.peek(),
        coverage: Coverage::Free,
        removal: Removal::Each,
        lease: Lease::Session { longest: Some(facts.timeout) },
        order: Order::Lanes,
        identity: IdentityKind::Like,
        accuracy: Accuracy::Exact,
        whole_purge: true,
    }
}

/// Of each kind, on the newest server and as nobody set anything, for the README's table.
pub fn describe() -> Vec<Capabilities> {
    [QueueKind::Classic, QueueKind::Quorum, QueueKind::Stream]
        .map(|kind| {
            let (version, limit) = ((4, 3), Limit::Unknown);
            of(&Facts {
                kind,
                version,
                limit,
                policy: Policy::of(kind, version, limit),
                timeout: ACK_TIMEOUT,
                average: None,
                held_by_others: None,
                single_active: false,
                auto_delete: false,
                ttl: None,
                expires: None,
                delayed_retry: false,
                prefetch: None,
            })
        })
        .into()
}
