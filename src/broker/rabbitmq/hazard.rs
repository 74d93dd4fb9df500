//! What giving a message back does to it: the one thing that can destroy a message by looking.
//!
//! A quorum queue counts deliveries and drops or dead-letters a message when the count exceeds its delivery limit. What is
//! counted differs by version: up to 3.13 every return, compared only where a limit is set; in 4.0 to 4.2 every return, with
//! a limit of 20 by default; from 4.3 a `basic.nack` is not counted, but a message that arrives with a count over the limit
//! (it is carried along when one quorum queue dead-letters into another) is destroyed by the first return of any kind.

use lapin::BasicProperties;

use super::codec;
use crate::broker::capability::Peek;

/// Header with the failed deliveries before this one.
pub const DELIVERY_COUNT: &str = "x-delivery-count";
/// Header with all deliveries before this one, from 4.0.
pub const ACQUIRED_COUNT: &str = "x-acquired-count";
/// The name for `--accept`.
pub const NAME: &str = "delivery-limit";
/// What a quorum queue has where nothing is set, from 4.0.
pub const DEFAULT_LIMIT: i64 = 20;
/// With so few looks left, the next one wants to be accepted by name.
pub const FEW: u64 = 3;

/// What kind of queue it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueKind {
    /// One node's queue.
    Classic,
    /// A replicated queue that counts deliveries.
    Quorum,
    /// A log.
    Stream,
    /// Nobody could say: treated with the caution of a quorum queue.
    Unknown,
}

impl QueueKind {
    /// From the broker's word for it.
    pub fn parse(word: &str) -> QueueKind {
        match word {
            "classic" | "rabbit_classic_queue" => QueueKind::Classic,
            "quorum" | "rabbit_quorum_queue" => QueueKind::Quorum,
            "stream" | "rabbit_stream_queue" => QueueKind::Stream,
            _ => QueueKind::Unknown,
        }
    }

    /// The broker's word for it.
    pub fn word(self) -> &'static str {
        match self {
            QueueKind::Classic => "classic",
            QueueKind::Quorum => "quorum",
            QueueKind::Stream => "stream",
            QueueKind::Unknown => "unknown",
        }
    }
}

/// The delivery limit of a queue, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// The effective limit, as the broker counts it.
    Known(i64),
    /// It is known that there is none.
    Absent,
    /// The management API could not be asked.
    Unknown,
}

/// What a return costs on one queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Nothing is counted against a limit.
    Free,
    /// Each return counts; the message goes when the count exceeds the limit.
    EveryReturn(i64),
    /// Returns are not counted, but what carries more than the limit goes at the first.
    Carried(i64),
    /// Each return counts, and whether there is a limit is not known (3.x without the management API).
    Blind,
}

/// What giving back a message in hand does to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It stays, and may be given back as often as one likes.
    Safe,
    /// It stays this time and as many more times as this.
    Left(u64),
    /// It is dropped or dead-lettered.
    Lost,
}

impl Policy {
    /// What a return costs on a queue of that kind on a server of that version.
    pub fn of(kind: QueueKind, (major, minor): (u64, u64), limit: Limit) -> Policy {
        if matches!(kind, QueueKind::Classic | QueueKind::Stream) {
            return Policy::Free;
        }
        if major < 4 {
            // A negative limit is no "unlimited" there: it is exceeded by the first return.
            return match limit {
                Limit::Known(n) => Policy::EveryReturn(n),
                Limit::Absent => Policy::Free,
                Limit::Unknown => Policy::Blind,
            };
        }
        let n = match limit {
            Limit::Known(n) if n < 0 => return Policy::Free,
            Limit::Known(n) => n,
            Limit::Absent => return Policy::Free,
            Limit::Unknown => DEFAULT_LIMIT,
        };
        if (major, minor) < (4, 3) { Policy::EveryReturn(n) } else { Policy::Carried(n) }
    }

    /// What the next return does to a message with these counts.
    pub fn fate(self, counts: Counts) -> Fate {
        match self {
            Policy::Free | Policy::Blind => Fate::Safe,
            Policy::Carried(limit) if counts.failed > limit => Fate::Lost,
            Policy::Carried(_) => Fate::Safe,
            Policy::EveryReturn(limit) => match limit.saturating_sub(counts.any()) {
                n if n <= 0 => Fate::Lost,
                n => Fate::Left(n.unsigned_abs() - 1),
            },
        }
    }

    /// As capability.
    pub fn peek(self) -> Peek {
        match self {
            Policy::Free | Policy::Carried(_) => Peek::MarksRedelivered,
            Policy::EveryReturn(n) => Peek::CountsDelivery { limit: u64::try_from(n).ok() },
            Policy::Blind => Peek::CountsDelivery { limit: None },
        }
    }

    /// Whether every look takes something from the message.
    pub fn counts(self) -> bool {
        matches!(self, Policy::EveryReturn(_) | Policy::Blind)
    }

    /// The limit that messages are compared with.
    pub fn limit(self) -> Option<i64> {
        match self {
            Policy::EveryReturn(n) | Policy::Carried(n) => Some(n),
            Policy::Free | Policy::Blind => None,
        }
    }
}

/// What a message says of its deliveries; absent counts are zero, as the broker leaves out zeros.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// `x-delivery-count`.
    pub failed: i64,
    /// `x-acquired-count`.
    pub acquired: i64,
}

impl Counts {
    /// Reads them off a delivery. A count published by a client is shown the same way; taking it for real errs to the safe side.
    pub fn of(p: &BasicProperties) -> Counts {
        let read = |name: &str| {
            let v = p.headers().as_ref().and_then(|h| h.inner().get(name))?;
            codec::value_from(v).as_i64()
        };
        Counts { failed: read(DELIVERY_COUNT).unwrap_or(0), acquired: read(ACQUIRED_COUNT).unwrap_or(0) }
    }

    fn any(self) -> i64 {
        self.failed.max(self.acquired)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A quorum queue as the versions have it: gives back until the message goes, and says after how many returns it went.
    fn returns_survived(version: (u64, u64), limit: i64, carried: i64) -> Option<u64> {
        let (mut failed, mut acquired) = (carried, 0);
        for survived in 0..100 {
            acquired += 1;
            let compared = match version {
                (0..4, _) => {
                    failed += 1;
                    failed
                }
                (4, 0..3) => acquired,
                _ => failed,
            };
            if compared > limit && (version.0 < 4 || limit >= 0) {
                return Some(survived);
            }
        }
        None
    }

    #[test]
    fn fate_agrees_with_a_queue_of_each_version() {
        for version in [(3, 10), (3, 13), (4, 0), (4, 2), (4, 3), (5, 0)] {
            for limit in [-1, 0, 1, 3, 20] {
                for carried in [0, 1, 3, 4, 20, 21, 26] {
                    // 4.0 to 4.2 start afresh with what they compare; the carried count is still shown.
                    let policy = Policy::of(QueueKind::Quorum, version, Limit::Known(limit));
                    let truth = returns_survived(version, limit, carried);
                    let told = match policy.fate(Counts { failed: carried, acquired: 0 }) {
                        Fate::Safe => None,
                        Fate::Left(n) => Some(n + 1),
                        Fate::Lost => Some(0),
                    };
                    if matches!(policy, Policy::EveryReturn(_)) && version.0 == 4 {
                        assert!(told <= truth, "{version:?} limit {limit} carried {carried}: {told:?} over {truth:?}");
                        assert!(carried > 0 || told == truth, "{version:?} limit {limit}: {told:?} is not {truth:?}");
                    } else {
                        assert_eq!(told, truth, "{version:?} limit {limit} carried {carried}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_not_known_is_treated_with_caution() {
        let of = Policy::of;
        assert_eq!(of(QueueKind::Classic, (4, 0), Limit::Unknown), Policy::Free);
        assert_eq!(of(QueueKind::Unknown, (4, 1), Limit::Unknown), Policy::EveryReturn(20));
        assert_eq!(of(QueueKind::Quorum, (4, 3), Limit::Unknown), Policy::Carried(20));
        assert_eq!(of(QueueKind::Unknown, (3, 13), Limit::Unknown), Policy::Blind);
        assert_eq!(of(QueueKind::Quorum, (3, 13), Limit::Absent), Policy::Free);
        assert_eq!(of(QueueKind::Quorum, (4, 2), Limit::Known(-1)), Policy::Free);
    }

    #[test]
    fn counts_are_read_whatever_their_width() {
        use lapin::types::{AMQPValue, FieldTable};
        let mut t = FieldTable::default();
        t.insert(DELIVERY_COUNT.into(), AMQPValue::LongLongInt(26));
        t.insert(ACQUIRED_COUNT.into(), AMQPValue::ShortShortUInt(3));
        let p = BasicProperties::default().with_headers(t);
        assert_eq!(Counts::of(&p), Counts { failed: 26, acquired: 3 });
        assert_eq!(Counts::of(&BasicProperties::default()), Counts::default());
    }
}
