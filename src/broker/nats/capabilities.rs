//! What a stream, and the part of it that a consumer gave up on, can do.

use super::codec::SUBJECT;
use super::stream::StreamInfo;
use crate::broker::capability::{Accuracy, Coverage, IdentityKind, Lease, Order, Peek, Removal};
use crate::broker::{Capabilities, SinkCapabilities};

/// Messages that go out together.
pub const BATCH: usize = 256;
/// Messages that may be unconfirmed at once.
pub const WINDOW: usize = 1024;

/// Of one stream. `given_up`: of what a consumer of it gave up on.
pub fn of(info: &StreamInfo, given_up: bool) -> Capabilities {
    Capabilities {
        kind: if given_up { "consumer" } else { "stream" },
        peek: Peek::Free,
        coverage: Coverage::All,
        removal: if info.keeps_all().is_some() { Removal::None } else { Removal::Each },
        lease: Lease::None,
        order: Order::Lanes,
        identity: IdentityKind::Exact,
        accuracy: Accuracy::Exact,
        whole_purge: !given_up && !info.config.deny_purge && !info.config.sealed,
    }
}

/// Of both, for the README's table.
pub fn describe() -> Vec<Capabilities> {
    vec![of(&StreamInfo::default(), false), of(&StreamInfo::default(), true)]
}

/// Of a stream that is sent to; `None` where each message has its own subject.
pub fn of_sink(stream: Option<&StreamInfo>, max_message: u64) -> SinkCapabilities {
    SinkCapabilities {
        kind: if stream.is_some() { "stream" } else { "server" },
        transaction_domain: None,
        max_message: Some(max_message),
        batch: BATCH,
        window: WINDOW,
        proves_routing: true,
        private: false,
        tombstones: false,
        properties: Some(&[SUBJECT]),
    }
}
