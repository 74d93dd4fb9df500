//! Metrics in Prometheus' text format, for the textfile collector of the node exporter.

use std::collections::BTreeMap;

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
    let labels = labels(report);
    for (name, help, of) in METRICS {
        let samples: Vec<_> = report.verdicts.iter().enumerate().filter_map(|(n, v)| Some((n, of(v)?))).collect();
        if samples.is_empty() {
            continue;
        }
        out.push_str(&format!("# HELP {name} {help}\n# TYPE {name} gauge\n"));
        for (n, value) in samples {
            out.push_str(&format!("{name}{{{}}} {value}\n", &labels[n]));
        }
    }
    out
}

/// A queue each. Two of the same address, behind different options, must not be the same series: a reader refuses the whole then.
fn labels(report: &Report) -> Vec<String> {
    let mut seen = BTreeMap::new();
    let of = |v: &Verdict| {
        let n = seen.entry(v.queue.clone()).and_modify(|n| *n += 1).or_insert(1);
        let queue = escaped(&v.queue);
        if *n == 1 { format!("queue=\"{queue}\"") } else { format!("queue=\"{queue}\",nth=\"{n}\"") }
    };
    report.verdicts.iter().map(of).collect()
}

fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    text.replace(char::is_control, " ")
}
