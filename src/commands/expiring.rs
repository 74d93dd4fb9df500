//! Messages a broker will soon delete for their age.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::broker::Finding;
use crate::output::human;
use crate::ui::Ui;

/// What expires within this time is warned of.
const SOON: SignedDuration = SignedDuration::from_hours(24);
/// What expires within this time may be gone before somebody has decided.
const NEXT: Duration = Duration::from_secs(3600);
const ABOUT: &str = "retention";

/// Messages the broker will soon delete for their age.
#[derive(Default)]
pub struct Expiring {
    count: u64,
    soonest: Option<Timestamp>,
}

impl Expiring {
    /// Notes a message of a queue that keeps messages for `retention`.
    pub fn note(&mut self, time: Option<Timestamp>, retention: Duration, now: Timestamp) {
        let Some(end) = time.and_then(|t| t.checked_add(retention).ok()).filter(|end| *end < now + SOON) else {
            return;
        };
        self.count += 1;
        self.soonest = Some(self.soonest.map_or(end, |s| s.min(end)));
    }

    /// Adds what was noted elsewhere.
    pub fn add(&mut self, other: &Expiring) {
        self.count += other.count;
        self.soonest = [self.soonest, other.soonest].into_iter().flatten().min();
    }

    /// Warns of them, if there are any.
    pub fn say(&self, ui: &Ui) {
        if let Some(text) = self.text() {
            ui.warn(&format!("{text}: the broker deletes messages of that age"));
        }
    }

    /// The same for the plan of what takes `takes`, where that is known: it is harm where it would come in between.
    pub fn finding(&self, retention: Duration, takes: Option<Duration>, now: Timestamp) -> Finding {
        let kept = human::duration(retention);
        let (Some(text), Some(soonest)) = (self.text(), self.soonest) else {
            return Finding::yes(
                ABOUT,
                format!("messages are kept for {kept}, and none that was read ends within a day"),
            );
        };
        let text = format!("{text} (messages are kept for {kept})");
        match now.checked_add(takes.unwrap_or_default().max(NEXT)) {
            Ok(end) if soonest > end => Finding::limit(ABOUT, text),
            _ => Finding::harm(ABOUT, text),
        }
    }

    fn text(&self) -> Option<String> {
        let soonest = self.soonest?;
        Some(format!("{} will expire within a day, the first at {soonest:.0}", human::counted(self.count, "message")))
    }
}

/// What is known of it without a look; `oldest` where that is known.
pub fn without_a_look(kept: Duration, oldest: Option<Timestamp>, now: Timestamp) -> Finding {
    let whole = human::duration(kept);
    match oldest.and_then(|t| t.checked_add(kept).ok()) {
        Some(end) if end <= now => Finding::harm(
            ABOUT,
            format!("messages are deleted when they are {whole} old, and the oldest is older: it may go at any time"),
        ),
        Some(end) => {
            Finding::yes(ABOUT, format!("messages are deleted when they are {whole} old, the oldest at {end:.0}"))
        }
        None => Finding::yes(
            ABOUT,
            format!("messages are deleted when they are {whole} old; how old the oldest is takes a look"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::Answer;

    #[test]
    fn what_ends_before_the_run_does_is_harm() {
        let now: Timestamp = "2026-11-25T12:00:00Z".parse().expect("a time");
        let kept = Duration::from_secs(4 * 86400);
        let of = |left: Duration, takes: u64| {
            let mut expiring = Expiring::default();
            expiring.note(Some(now - kept + left), kept, now);
            expiring.finding(kept, Some(Duration::from_secs(takes)), now)
        };
        let hours = |n: u64| Duration::from_secs(n * 3600);
        assert_eq!(
            of(hours(30), 0),
            Finding::yes(ABOUT, "messages are kept for 4d, and none that was read ends within a day")
        );
        assert!(of(hours(3), 60).answer == Answer::Yes && of(hours(3), 60).worth_saying);
        assert_eq!(of(hours(3), 4 * 3600).answer, Answer::Harm);
        assert_eq!(
            of(Duration::from_secs(60), 0),
            Finding::harm(
                ABOUT,
                "1 message will expire within a day, the first at 2026-11-25T12:01:00Z (messages are kept for 4d)"
            )
        );
    }
}
