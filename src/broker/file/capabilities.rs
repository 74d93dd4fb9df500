//! What an archive can do.

use crate::broker::SinkCapabilities;
use crate::broker::capability::{Accuracy, Capabilities, Coverage, IdentityKind, Lease, Order, Peek, Removal};

/// An archive in a file.
pub(super) const FILE: Capabilities = Capabilities {
    kind: "archive",
    peek: Peek::Free,
    coverage: Coverage::All,
    removal: Removal::Logged,
    lease: Lease::None,
    order: Order::Lanes,
    identity: IdentityKind::Exact,
    accuracy: Accuracy::Exact,
    whole_purge: true,
};

/// An archive that arrives through standard input or a pipe.
pub(super) const PIPE: Capabilities = Capabilities { kind: "pipe", removal: Removal::None, whole_purge: false, ..FILE };

/// An archive to write to. What is synced together is cheap together.
pub(super) const SINK: SinkCapabilities = SinkCapabilities {
    kind: "archive",
    transaction_domain: None,
    max_message: None,
    batch: 500,
    window: 8192,
    proves_routing: true,
    private: true,
    tombstones: true,
    properties: None,
};
