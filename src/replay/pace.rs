//! `--rate`: how many messages in how long, spread evenly.

use std::fmt;
use std::time::Duration;

use tokio::time::Instant;

use crate::broker::{Error, Kind, Result};

/// So many messages in so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    count: u32,
    period: Duration,
}

/// Messages are let go at least so often, so that a rate feels even.
const BEAT: Duration = Duration::from_millis(50);

impl Rate {
    /// Reads `500`, `500/s`, `500/m`, `10000/h`; without a unit it is a second.
    ///
    /// # Errors
    /// `Usage`, with the forms there are.
    pub fn parse(typed: &str) -> Result<Rate> {
        let wrong = |what: &str| {
            Error::new(Kind::Usage, format!("{typed:?} is not a rate: {what}"))
                .hint("write 500, 500/s, 500/m or 10000/h: messages in a second, minute or hour")
        };
        let (count, unit) = typed.split_once('/').unwrap_or((typed, "s"));
        let period = match unit {
            "s" => Duration::from_secs(1),
            "m" => Duration::from_secs(60),
            "h" => Duration::from_secs(3600),
            _ => return Err(wrong(&format!("{unit:?} is no unit"))),
        };
        if count.is_empty() || !count.bytes().all(|b| b.is_ascii_digit()) {
            return Err(wrong(&format!("{count:?} is not a whole number")));
        }
        match count.parse() {
            Ok(0) => Err(wrong("nothing would ever be sent")),
            Ok(count) => Ok(Rate { count, period }),
            Err(_) => Err(wrong("the number is too large")),
        }
    }

    /// How long `messages` take.
    pub fn takes(&self, messages: u64) -> Duration {
        Duration::from_secs_f64(self.period.as_secs_f64() * messages as f64 / f64::from(self.count))
    }

    /// Messages a second.
    pub fn a_second(&self) -> f64 {
        f64::from(self.count) / self.period.as_secs_f64()
    }

    /// Messages that may go together without the rate being uneven.
    fn together(&self) -> usize {
        let beat = BEAT.as_secs_f64() / self.period.as_secs_f64() * f64::from(self.count);
        (beat as usize).max(1)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match self.period.as_secs() {
            1 => "s",
            60 => "m",
            _ => "h",
        };
        write!(f, "{}/{unit}", self.count)
    }
}

/// Says when the next messages may go. It never sleeps itself: the engine waits beside everything else.
#[derive(Debug)]
pub(super) struct Pace {
    rate: Option<Rate>,
    next: Instant,
}

impl Pace {
    pub(super) fn new(rate: Option<Rate>) -> Self {
        Pace { rate, next: Instant::now() }
    }

    /// How many of `wanted` may go now. Where none may, when that is over: whoever looked at the clock once more to find out
    /// might see it over already, and wait for nothing.
    pub(super) fn allows(&self, wanted: usize) -> std::result::Result<usize, Instant> {
        match self.rate {
            None => Ok(wanted),
            Some(_) if Instant::now() < self.next => Err(self.next),
            Some(rate) => Ok(wanted.min(rate.together())),
        }
    }

    /// `messages` went. Time lost to a slow destination is not made up for afterwards: that would be a burst.
    pub(super) fn spent(&mut self, messages: usize) {
        if let Some(rate) = self.rate {
            self.next = self.next.max(Instant::now()) + rate.takes(messages as u64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_documented_forms() {
        for (typed, shown, ten_thousand) in [
            ("500", "500/s", 20.0),
            ("500/s", "500/s", 20.0),
            ("500/m", "500/m", 1200.0),
            ("10000/h", "10000/h", 3600.0),
        ] {
            let rate = Rate::parse(typed).unwrap();
            assert_eq!(rate.to_string(), shown);
            assert_eq!(rate.takes(10_000).as_secs_f64(), ten_thousand, "{typed}");
        }
    }

    #[test]
    fn refuses_everything_else_with_the_forms_there_are() {
        for typed in ["", "0", "0/s", "-5", "+5", "5/", "/s", "5/d", "5/S", "1.5", "5 /s", "99999999999"] {
            let e = Rate::parse(typed).unwrap_err();
            assert_eq!(e.kind(), Kind::Usage, "{typed}");
            assert!(e.get_hint().unwrap().contains("10000/h"));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn is_even_and_makes_up_for_nothing() {
        let mut pace = Pace::new(Some(Rate::parse("100/s").unwrap()));
        let began = Instant::now();
        let mut gone = 0;
        while gone < 200 {
            match pace.allows(64) {
                Ok(n) => {
                    assert!(n <= 5, "a burst of {n}");
                    gone += n;
                    pace.spent(n);
                }
                Err(then) => {
                    assert!(then > Instant::now(), "there is something to wait for");
                    tokio::time::sleep_until(then).await;
                }
            }
        }
        let took = began.elapsed().as_secs_f64();
        assert!((1.9..=2.2).contains(&took), "200 messages at 100/s took {took} s");

        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(pace.allows(1000), Ok(5));
        pace.spent(5);
        let then = Instant::now() + Duration::from_millis(50);
        assert_eq!(pace.allows(1000), Err(then), "the idle minute is not made up for");
    }
}
