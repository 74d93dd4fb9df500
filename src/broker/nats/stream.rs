//! What the server tells of a stream, and how subjects match.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;

/// A stream, as `STREAM.INFO` tells.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct StreamInfo {
    /// How it is set up.
    pub config: Config,
    /// What is in it.
    #[serde(default)]
    pub state: State,
    /// When it was made; another for a stream that was deleted and made anew.
    #[serde(default)]
    pub created: String,
}

/// A part of its configuration. Limits are -1 where there is none.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Config {
    /// Its name.
    pub name: String,
    /// What it captures; none for a mirror.
    #[serde(default)]
    pub subjects: Vec<String>,
    /// `limits`, `interest`, `workqueue`.
    #[serde(default)]
    pub retention: String,
    /// `file` or `memory`.
    #[serde(default)]
    pub storage: String,
    /// `old` or `new`: what gives way when it is full.
    #[serde(default)]
    pub discard: String,
    /// Messages.
    #[serde(default)]
    pub max_msgs: i64,
    /// Bytes.
    #[serde(default)]
    pub max_bytes: i64,
    /// Messages of one subject.
    #[serde(default)]
    pub max_msgs_per_subject: i64,
    /// Bytes of one message.
    #[serde(default)]
    pub max_msg_size: i64,
    /// Nanoseconds; 0 for no limit.
    #[serde(default)]
    pub max_age: u64,
    /// Nanoseconds in which it drops what comes again with the same id.
    #[serde(default)]
    pub duplicate_window: u64,
    /// It confirms nothing.
    #[serde(default)]
    pub no_ack: bool,
    /// Nothing can be changed.
    #[serde(default)]
    pub sealed: bool,
    /// No single message can be deleted.
    #[serde(default)]
    pub deny_delete: bool,
    /// It cannot be purged.
    #[serde(default)]
    pub deny_purge: bool,
    /// It is a copy of another.
    #[serde(default)]
    pub mirror: Option<serde_json::Value>,
}

/// What is in a stream.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct State {
    /// How many.
    pub messages: u64,
    /// Bytes, bookkeeping included.
    #[serde(default)]
    pub bytes: u64,
    /// Sequence of the first; sequences in between may be missing.
    pub first_seq: u64,
    /// Of the last there ever was.
    pub last_seq: u64,
    /// Time of the first.
    #[serde(default)]
    pub first_ts: Option<Timestamp>,
    /// Sequences between first and last that are missing, where asked for.
    #[serde(default)]
    pub deleted: Option<Vec<u64>>,
    /// Messages by subject, where asked for.
    #[serde(default)]
    pub subjects: Option<BTreeMap<String, u64>>,
    /// Consumers.
    #[serde(default)]
    pub consumer_count: u64,
}

impl StreamInfo {
    /// How long it keeps a message.
    pub fn max_age(&self) -> Option<Duration> {
        (self.config.max_age > 0).then(|| Duration::from_nanos(self.config.max_age))
    }

    /// In which it drops repeats.
    pub fn duplicate_window(&self) -> Duration {
        Duration::from_nanos(self.config.duplicate_window)
    }

    /// Time of the oldest message.
    pub fn oldest(&self) -> Option<Timestamp> {
        self.state.first_ts.filter(|_| self.state.messages > 0)
    }

    /// Whether it captures this very subject.
    pub fn takes(&self, subject: &str) -> bool {
        self.config.subjects.iter().any(|pattern| matches(pattern, subject))
    }

    /// Whether it drops at once what none of its consumers wants, and confirms it all the same.
    pub fn drops_unwanted(&self) -> bool {
        self.config.retention == "interest"
    }

    /// Whether it is what it was before, so that numbers mean the same messages. In a cluster a stream in memory comes back by
    /// its old date, empty, and counts from one.
    pub fn continues(&self, before: &StreamInfo) -> bool {
        let (now, then) = (&self.state, &before.state);
        let same_first = now.first_seq > then.first_seq || now.first_ts == then.first_ts;
        self.created == before.created && now.last_seq >= then.last_seq && now.first_seq >= then.first_seq && same_first
    }

    /// Why no message can be removed, where that is so.
    pub fn keeps_all(&self) -> Option<&'static str> {
        match &self.config {
            c if c.sealed => Some("it is sealed"),
            c if c.deny_delete => Some("it is set up with deny_delete"),
            _ => None,
        }
    }

    /// What it is set up to hold no more of, and how much of it is there.
    pub fn limits(&self) -> [(u64, Option<u64>, &'static str); 2] {
        let limit = |n: i64| u64::try_from(n).ok().filter(|n| *n > 0);
        [
            (self.state.messages, limit(self.config.max_msgs), "messages"),
            (self.state.bytes, limit(self.config.max_bytes), "bytes"),
        ]
    }
}

/// A consumer, as `CONSUMER.INFO` tells.
#[derive(Clone, Debug, Deserialize)]
pub struct ConsumerInfo {
    /// Its name.
    pub name: String,
    /// How it is set up.
    #[serde(default)]
    pub config: ConsumerConfig,
    /// Handed out and not acknowledged.
    #[serde(default)]
    pub num_ack_pending: u64,
    /// Not handed out yet.
    #[serde(default)]
    pub num_pending: u64,
    /// The last that was handed out.
    #[serde(default)]
    pub delivered: Sequence,
    /// All up to here are acknowledged.
    #[serde(default)]
    pub ack_floor: Sequence,
}

/// How far a consumer is.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub struct Sequence {
    /// A number of the stream.
    #[serde(default)]
    pub stream_seq: u64,
}

/// A part of its configuration.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct ConsumerConfig {
    /// `none`, `all` or `explicit`.
    #[serde(default)]
    pub ack_policy: String,
    /// Deliveries of one message; -1 or 0 for no limit.
    #[serde(default)]
    pub max_deliver: i64,
    /// What of the stream it wants; all without.
    #[serde(default)]
    pub filter_subject: Option<String>,
    /// The same, several.
    #[serde(default)]
    pub filter_subjects: Option<Vec<String>>,
}

impl ConsumerInfo {
    /// Whether all up to the message of this number are acknowledged. That nothing waits for it is not enough: the server counts
    /// a message for its consumers some time after it has confirmed it, and no more once it was given up on.
    pub fn is_through(&self, number: u64) -> bool {
        let reached = if self.config.ack_policy == "none" { self.delivered } else { self.ack_floor };
        reached.stream_seq >= number
    }

    /// Whether nothing waits for it that the server has counted by now.
    pub fn is_idle(&self) -> bool {
        self.num_pending == 0 && self.num_ack_pending == 0
    }

    /// Whether it gets some subjects alone.
    pub fn has_filter(&self) -> bool {
        self.filters().next().is_some()
    }

    fn filters(&self) -> impl Iterator<Item = &String> {
        let filters = self.config.filter_subject.iter().chain(self.config.filter_subjects.iter().flatten());
        filters.filter(|f| !f.is_empty())
    }

    /// Whether it gets what is sent to this subject.
    pub fn wants(&self, subject: &str) -> bool {
        let mut filters = self.filters().peekable();
        filters.peek().is_none() || filters.any(|f| matches(f, subject))
    }
}

/// Whether a subject that may hold `*` and `>` stands for this one.
pub fn matches(pattern: &str, subject: &str) -> bool {
    let (mut wanted, mut words) = (pattern.split('.'), subject.split('.'));
    loop {
        match (wanted.next(), words.next()) {
            (Some(">"), Some(_)) | (None, None) => return true,
            (Some(w), Some(s)) if w == "*" || w == s => {}
            _ => return false,
        }
    }
}

/// Whether something can be sent there: words, none empty, without wildcards.
pub fn is_subject(s: &str) -> bool {
    !s.contains(|c: char| c.is_whitespace() || c.is_control())
        && s.split('.').all(|word| !word.is_empty() && word != "*" && word != ">")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_consumer_that_has_none_pending_may_not_have_had_the_last_yet() {
        let told = |json: &str| serde_json::from_str::<ConsumerInfo>(json).unwrap();
        let at = |delivered: u64, floor: u64, pending: u64, held: u64| {
            told(&format!(
                r#"{{"name":"C","delivered":{{"consumer_seq":1,"stream_seq":{delivered}}},"num_pending":{pending},
                "ack_floor":{{"consumer_seq":1,"stream_seq":{floor}}},"num_ack_pending":{held}}}"#
            ))
        };
        // Asked at once after it was confirmed: none pending, none held, none delivered.
        assert!(!told(r#"{"name":"C"}"#).is_through(7));
        assert!(!at(6, 6, 0, 0).is_through(7));
        assert!(!at(7, 6, 0, 1).is_through(7));
        assert!(at(7, 7, 5, 0).is_through(7));
        assert!(at(9, 7, 0, 2).is_through(7));
        assert!(!at(9, 4, 3, 2).is_through(7));
        // What it gave up on was delivered and is not pending.
        assert!(!at(9, 4, 0, 0).is_through(7));
        let unasked = |delivered: u64| {
            told(&format!(
                r#"{{"name":"C","config":{{"ack_policy":"none"}},"delivered":{{"stream_seq":{delivered}}}}}"#
            ))
        };
        assert!(unasked(7).is_through(7) && !unasked(6).is_through(7));
    }

    #[test]
    fn a_stream_that_counts_anew_is_another_one() {
        let info = |created: &str, first_seq, first_ts: &str, last_seq| {
            let mut info = StreamInfo { created: created.into(), ..StreamInfo::default() };
            info.state = State { first_seq, last_seq, first_ts: first_ts.parse().ok(), ..State::default() };
            info
        };
        let (early, late) = ("2026-11-28T10:00:00Z", "2026-11-28T11:00:00Z");
        let before = info("a", 3, early, 9);
        assert!(info("a", 3, early, 9).continues(&before) && info("a", 3, early, 12).continues(&before));
        assert!(info("a", 5, late, 12).continues(&before), "the first are gone");
        assert!(!info("b", 3, early, 9).continues(&before), "made at another time");
        assert!(!info("a", 3, early, 8).continues(&before) && !info("a", 1, late, 12).continues(&before));
        assert!(!info("a", 3, late, 12).continues(&before), "another message has that number");
    }

    #[test]
    fn subjects_match_word_by_word() {
        for (pattern, subject) in [("a.b", "a.b"), ("a.*", "a.b"), ("a.>", "a.b.c"), (">", "a"), ("*.b.>", "a.b.c")] {
            assert!(matches(pattern, subject), "{pattern} {subject}");
        }
        for (pattern, subject) in [("a", "a.b"), ("a.*", "a.b.c"), ("a.>", "a"), ("a.b", "a.c"), ("a.b.c", "a.b")] {
            assert!(!matches(pattern, subject), "{pattern} {subject}");
        }
        assert!(
            is_subject("a.$b-c.d")
                && !is_subject("a..b")
                && !is_subject("a.*")
                && !is_subject("")
                && !is_subject("a b")
        );
    }
}
