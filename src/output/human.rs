//! Durations, sizes, counts and times as people read them.

use std::time::Duration;

use jiff::Timestamp;

/// Two units at most: `45s`, `3h12m`, `12d4h`.
pub fn duration(d: Duration) -> String {
    let s = d.as_secs();
    let pair = |big: u64, b: char, small: u64, l: char| match small {
        0 => format!("{big}{b}"),
        n => format!("{big}{b}{n}{l}"),
    };
    match s {
        0 if d.as_millis() > 0 => format!("{}ms", d.as_millis()),
        0..60 => format!("{s}s"),
        60..3600 => pair(s / 60, 'm', s % 60, 's'),
        3600..86_400 => pair(s / 3600, 'h', s % 3600 / 60, 'm'),
        _ => pair(s / 86_400, 'd', s % 86_400 / 3600, 'h'),
    }
}

/// How long ago. A time ahead of our clock says so instead of showing a made-up age.
pub fn age(then: Timestamp, now: Timestamp) -> String {
    match Duration::try_from(now.duration_since(then)) {
        Ok(d) if d < Duration::from_secs(1) => "0s".into(),
        Ok(d) => duration(d),
        Err(_) => format!("in {}", duration(then.duration_since(now).unsigned_abs())),
    }
}

/// Powers of a thousand: `512 B`, `4.1 kB`, `20 MB`.
pub fn bytes(n: u64) -> String {
    const UNITS: [&str; 7] = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
    let (mut value, mut unit) = (n as f64, 0);
    // 999.95 would round to a four-digit number.
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    match UNITS[unit] {
        "B" => format!("{n} B"),
        u if value < 9.95 => format!("{value:.1} {u}"),
        u => format!("{value:.0} {u}"),
    }
}

/// Digits in groups of three: `12 345`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() * 4 / 3);
    for (i, d) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(d);
    }
    out
}

/// `1 message`, `12 345 messages`.
pub fn counted(n: u64, one: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{} {one}s", count(n)) }
}

/// A count, or a word for not known.
pub fn known(n: Option<u64>) -> String {
    n.map_or_else(|| "unknown".into(), count)
}

/// How many a second.
pub fn rate(n: u64, over: Duration) -> String {
    let per_second = n as f64 / over.as_secs_f64().max(0.001);
    if per_second < 9.95 { format!("{per_second:.1}/s") } else { format!("{}/s", count(per_second.round() as u64)) }
}

/// UTC to the second, with `Z`.
pub fn time(t: Timestamp) -> String {
    t.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_two_units_at_most() {
        let show = |s| duration(Duration::from_secs(s));
        assert_eq!(
            [show(0), show(45), show(60), show(61), show(11_520), show(86_400), show(1_051_200)],
            ["0s", "45s", "1m", "1m1s", "3h12m", "1d", "12d4h"]
        );
        assert_eq!(duration(Duration::from_millis(7)), "7ms");
    }

    #[test]
    fn ages_ahead_of_the_clock_are_not_hidden() {
        let now: Timestamp = "2026-11-23T05:48:11Z".parse().unwrap();
        assert_eq!(age("2026-11-23T02:36:11Z".parse().unwrap(), now), "3h12m");
        assert_eq!(age("2026-11-23T05:48:21Z".parse().unwrap(), now), "in 10s");
        assert_eq!(age(now, now), "0s");
    }

    #[test]
    fn sizes_and_counts() {
        let all = [0, 999, 1000, 4_120, 9_960, 999_499, 999_600, 20_400_000, u64::MAX].map(bytes);
        assert_eq!(all, ["0 B", "999 B", "1.0 kB", "4.1 kB", "10 kB", "999 kB", "1.0 MB", "20 MB", "18 EB"]);
        assert_eq!([0, 999, 1000, 12_345, 1_234_567].map(count), ["0", "999", "1 000", "12 345", "1 234 567"]);
        assert_eq!(counted(1, "message"), "1 message");
        assert_eq!(counted(0, "message"), "0 messages");
        assert_eq!(known(None), "unknown");
        assert_eq!(rate(50_000, Duration::from_secs(4)), "12 500/s");
        assert_eq!(rate(1, Duration::from_secs(2)), "0.5/s");
        assert_eq!(rate(0, Duration::ZERO), "0.0/s");
    }

    #[test]
    fn times_are_utc() {
        assert_eq!(time("2026-11-23T06:48:11.123+01:00".parse().unwrap()), "2026-11-23T05:48:11Z");
    }
}
