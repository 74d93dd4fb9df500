//! `--since` and `--until`: a duration back from now, RFC 3339, or local time.

use jiff::civil::{DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::broker::{Error, Kind, Result};

const FORMS: &str = "write a duration back from now (15m, 2h30m, 3d), a local time (14:30, or \"2026-11-23 14:30\"), \
     or RFC 3339 (2026-11-23T14:30:00Z)";

/// Reads a time. A time of day alone is today's, or yesterday's where today's is still to come.
///
/// # Errors
/// `Usage`, with the forms that are read.
pub fn parse(text: &str, now: Timestamp, zone: &TimeZone) -> Result<Timestamp> {
    let text = text.trim();
    if let Some(back) = duration(text) {
        let t = back.and_then(|d| now.checked_sub(d).ok());
        return t.ok_or_else(|| wrong(text, "is longer ago than times reach"));
    }
    if let Ok(t) = text.parse::<Timestamp>() {
        return Ok(t);
    }
    if let Some(time) = time_of_day(text) {
        let today = zone.to_datetime(now).date();
        let t = at(today.to_datetime(time), zone, text)?;
        if t <= now {
            return Ok(t);
        }
        let yesterday = today.yesterday().map_err(|_| wrong(text, "is longer ago than times reach"))?;
        return at(yesterday.to_datetime(time), zone, text);
    }
    if let Some(local) = date_and_time(text) {
        return at(local, zone, text);
    }
    Err(wrong(text, "is not a time"))
}

fn wrong(text: &str, how: &str) -> Error {
    Error::new(Kind::Usage, format!("{text:?} {how}")).hint(FORMS)
}

/// Where clocks are set back a local time comes twice: the first is meant. Where they are set forward it does not come: the
/// gap counts as passed.
fn at(local: DateTime, zone: &TimeZone, text: &str) -> Result<Timestamp> {
    let t = zone.to_ambiguous_timestamp(local).compatible();
    t.map_err(|_| wrong(text, "is out of range"))
}

fn time_of_day(text: &str) -> Option<Time> {
    let parts: Vec<&str> = text.split(':').collect();
    let number = |s: &str| (s.len() <= 2 && s.bytes().all(|b| b.is_ascii_digit())).then(|| s.parse().ok()).flatten();
    match parts[..] {
        [h, m] if m.len() == 2 => Time::new(number(h)?, number(m)?, 0, 0).ok(),
        [h, m, s] if m.len() == 2 && s.len() == 2 => Time::new(number(h)?, number(m)?, number(s)?, 0).ok(),
        _ => None,
    }
}

/// Local, since it names no offset: `2026-11-23 14:30`, `2026-11-23T14:30:05`, `2026-11-23`.
fn date_and_time(text: &str) -> Option<DateTime> {
    match text.split_once([' ', 'T', 't']) {
        Some((date, time)) => Some(date.parse::<jiff::civil::Date>().ok()?.to_datetime(time_of_day(time.trim())?)),
        None => Some(text.parse::<jiff::civil::Date>().ok()?.at(0, 0, 0, 0)),
    }
}

/// `None`: not a duration at all. `Some(None)`: too long. Days are 24 hours.
fn duration(text: &str) -> Option<Option<SignedDuration>> {
    let mut rest = text.strip_suffix("ago").map_or(text, str::trim_end);
    let mut total = Some(0i64);
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, tail) = rest.split_at(digits);
        let unit_len = tail.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, tail) = tail.split_at(unit_len);
        let seconds = match unit {
            "s" | "sec" => 1,
            "m" | "min" => 60,
            "h" => 3600,
            "d" => 86_400,
            "w" => 604_800,
            _ => return None,
        };
        if number.is_empty() {
            return None;
        }
        let part = number.parse::<i64>().ok().and_then(|n| n.checked_mul(seconds));
        total = total.and_then(|t| t.checked_add(part?));
        rest = tail.trim_start();
    }
    Some(total.map(SignedDuration::from_secs))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-11-23T12:00:00Z";

    fn berlin() -> TimeZone {
        TimeZone::get("Europe/Berlin").unwrap_or(TimeZone::fixed(jiff::tz::offset(1)))
    }

    fn read(text: &str) -> String {
        parse(text, NOW.parse().unwrap(), &berlin()).unwrap().to_string()
    }

    #[test]
    fn durations_go_back_from_now() {
        for (text, expected) in [
            ("15m", "2026-11-23T11:45:00Z"),
            ("2h30m", "2026-11-23T09:30:00Z"),
            ("2h 30m ago", "2026-11-23T09:30:00Z"),
            ("3d", "2026-11-20T12:00:00Z"),
            ("1w", "2026-11-16T12:00:00Z"),
            ("90s", "2026-11-23T11:58:30Z"),
            ("0s", NOW),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn rfc_3339_means_what_it_says() {
        assert_eq!(read("2026-11-23T05:48:11.123Z"), "2026-11-23T05:48:11.123Z");
        assert_eq!(read("2026-11-23T05:48:11+01:00"), "2026-11-23T04:48:11Z");
    }

    #[test]
    fn without_an_offset_it_is_local_time() {
        for (text, expected) in [
            ("2026-11-23 14:30", "2026-11-23T13:30:00Z"),
            ("2026-11-23T14:30:05", "2026-11-23T13:30:05Z"),
            ("2026-11-20", "2026-11-19T23:00:00Z"),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn a_time_of_day_is_todays_or_yesterdays_where_that_is_still_to_come() {
        // It is 13:00 there.
        assert_eq!(read("12:59"), "2026-11-23T11:59:00Z");
        assert_eq!(read("13:00"), NOW);
        assert_eq!(read("13:00:01"), "2026-11-22T12:00:01Z");
        assert_eq!(read("14:30"), "2026-11-22T13:30:00Z");
        assert_eq!(read("0:05"), "2026-11-22T23:05:00Z");
    }

    #[test]
    fn what_is_no_time_is_a_usage_error_that_shows_the_forms() {
        for text in
            ["", "yesterday", "25:00", "12:60", "1", "15", "m", "15x", "-5m", "2026-13-01", "2026-11-23 14h", "1:2"]
        {
            let e = parse(text, NOW.parse().unwrap(), &berlin()).unwrap_err();
            assert_eq!(e.kind(), Kind::Usage, "{text}");
            assert!(e.get_hint().unwrap().contains("15m, 2h30m, 3d"));
        }
        let e = parse("99999999999999999999d", NOW.parse().unwrap(), &berlin()).unwrap_err();
        assert!(e.to_string().contains("longer ago"));
    }
}
