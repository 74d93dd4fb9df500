//! Every format, on verdicts with hostile names.

use super::*;

fn report() -> Report {
    let ok = Verdict { count: Some(3), ready: Some(3), oldest_age_seconds: Some(90), ..Verdict::new("file:a".into()) };
    let mut bad =
        Verdict { count: Some(12), ready: Some(12), growth: Some(-4), ..Verdict::new("file:b'=|\n\"c".into()) };
    bad.reason(Status::Critical, "12 messages, 10 or more");
    bad.causes =
        Some(vec![Cause { cause: Some("ab".into()), count: 9, what: "expired in x".into(), example: "1:2".into() }]);
    let mut unknown = Verdict::new("file:c".into());
    unknown.reason(Status::Unknown, "100% unknown");
    let thresholds =
        Thresholds { warn: Some(5), crit: Some(10), max_age: Some(Duration::from_secs(3600)), max_growth: None };
    Report { verdicts: vec![ok, bad, unknown], started: Timestamp::UNIX_EPOCH, thresholds }
}

fn rendered(format: Format) -> String {
    String::from_utf8(report().render(format, &Look::PLAIN)).expect("UTF-8")
}

#[test]
fn the_worst_decides_and_unknown_is_between_warning_and_critical() {
    use Status::{Critical, Ok, Unknown, Warning};
    for (a, b, worst) in
        [(Ok, Warning, Warning), (Unknown, Warning, Unknown), (Unknown, Critical, Critical), (Ok, Unknown, Unknown)]
    {
        assert_eq!((a.worse(b), b.worse(a)), (worst, worst));
    }
    assert_eq!(report().status(), Critical);
}

#[test]
fn nagios_has_one_line_with_perfdata() {
    assert_eq!(
        rendered(Format::Nagios),
        "DLQ CRITICAL - 1 of 3 queues: file:b'=¦ \"c: 12 messages, 10 or more | 'file:a messages'=3;5;10;0 \
         'file:a oldest_age'=90s;;3600;0 'file:b____\"c messages'=12;5;10;0 'file:b____\"c growth'=-4;;\n\
         CRITICAL file:b'=¦ \"c: 12 messages, 10 or more\n  9 × ab expired in x, such as 1:2\n\
         UNKNOWN file:c: 100% unknown\n"
    );
}

#[test]
fn text_names_each_queue() {
    assert!(
        rendered(Format::Text).contains("\nOK file:a: 3 messages, the oldest 1m30s old\n"),
        "{}",
        rendered(Format::Text)
    );
}

#[test]
fn prometheus_escapes_labels_and_leaves_out_what_is_unknown() {
    let text = rendered(Format::Prometheus);
    assert!(text.contains("# TYPE dlq_messages gauge\ndlq_messages{queue=\"file:a\"} 3\n"), "{text}");
    assert!(text.contains("dlq_check_status{queue=\"file:b'=|\\n\\\"c\"} 2\n"), "{text}");
    assert!(!text.contains("dlq_messages{queue=\"file:c\"}"), "{text}");
}

#[test]
fn github_has_an_annotation_for_what_is_not_ok() {
    let text = rendered(Format::Github);
    assert!(text.contains("::error title=file%3Ac is UNKNOWN::file:c: 100%25 unknown\n"), "{text}");
    assert_eq!(text.lines().filter(|l| l.starts_with("::")).count(), 2, "{text}");
}

#[test]
fn junit_counts_failures_and_errors() {
    let text = rendered(Format::Junit);
    for count in ["tests=\"3\"", "failures=\"1\"", "errors=\"1\""] {
        assert!(text.contains(count), "{count}: {text}");
    }
    assert!(text.contains("<failure message=\"12 messages, 10 or more\" type=\"CRITICAL\""), "{text}");
}

#[test]
fn json_is_as_documented() {
    let value: serde_json::Value = serde_json::from_str(&rendered(Format::Json)).expect("JSON");
    assert_eq!(value["status"], "CRITICAL");
    let queue = &value["queues"][0];
    for field in ["queue", "status", "ready", "oldest_age_seconds", "growth", "causes", "reasons"] {
        assert!(queue.get(field).is_some(), "{field}: {queue}");
    }
    assert_eq!(
        (&queue["status"], &queue["ready"], &queue["growth"]),
        (&"OK".into(), &3.into(), &serde_json::Value::Null)
    );
}
