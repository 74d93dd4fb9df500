//! Metrics in Prometheus' text format, for the textfile collector of the node exporter.

use super::{Report, Verdict};

type Metric = (&'static str, &'static str, fn(&Verdict) -> Option<i64>);

const METRICS: &[Metric] = &[
    ("dlq_check_status", "The verdict: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.", |v| Some(v.status as i64)),
    ("dlq_messages", "Messages that thresholds were compared with.", |v| number(v.count)),
    ("dlq_messages_ready", "Messages waiting to be consumed; on a log, all that are stored.", |v| number(v.ready)),
    ("dlq_messages_in_flight", "Messages held by consumers.", |v| number(v.in_flight)),
    ("dlq_oldest_age_seconds", "Age of the oldest message.", |v| v.oldest_age_seconds),
    ("dlq_growth_messages", "Messages more than at the count that was compared with.", |v| v.growth),
];

fn number(n: Option<u64>) -> Option<i64> {
    n.map(|n| i64::try_from(n).unwrap_or(i64::MAX))
}

/// What is not known has no sample.
pub(super) fn render(report: &Report) -> String {
    let mut out = String::new();
    for (name, help, of) in METRICS {
        let samples: Vec<_> = report.verdicts.iter().filter_map(|v| Some((&v.queue, of(v)?))).collect();
        if samples.is_empty() {
            continue;
        }
        out.push_str(&format!("# HELP {name} {help}\n# TYPE {name} gauge\n"));
        for (queue, value) in samples {
            out.push_str(&format!("{name}{{queue=\"{}\"}} {value}\n", label(queue)));
        }
    }
    out
}

fn label(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
