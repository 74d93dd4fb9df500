//! A Nagios plugin's output: one line with perfdata behind a bar, details below.

use super::{Report, Verdict};

pub(super) fn render(report: &Report) -> String {
    let perfdata: Vec<String> = report.verdicts.iter().flat_map(|v| figures(v, report)).collect();
    let mut out = report.headline();
    if !perfdata.is_empty() {
        out.push_str(&format!(" | {}", perfdata.join(" ")));
    }
    out.push('\n');
    for line in report.details(false) {
        out.push_str(&line);
        out.push('\n');
    }
    out
}

/// `'label'=value[unit];warn;crit;min`. What is not known is left out.
fn figures(v: &Verdict, report: &Report) -> Vec<String> {
    let t = &report.thresholds;
    let or = |n: Option<u64>| n.map_or_else(String::new, |n| n.to_string());
    let name = v.queue.replace(['\'', '=', '|'], "_").replace(|c: char| c.is_whitespace() || c.is_control(), "_");
    // With one queue a short label is what graphs want.
    let label = |what: &str| if report.verdicts.len() == 1 { what.to_owned() } else { format!("'{name} {what}'") };
    let mut all = vec![];
    if let Some(n) = v.count {
        all.push(format!("{}={n};{};{};0", label("messages"), or(t.warn), or(t.crit)));
    }
    if let Some(age) = v.oldest_age_seconds {
        all.push(format!("{}={age}s;;{};0", label("oldest_age"), or(t.max_age.map(|a| a.as_secs()))));
    }
    if let Some(growth) = v.growth {
        all.push(format!("{}={growth};;{}", label("growth"), or(t.max_growth)));
    }
    all
}
