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
fn no_two_series_are_the_same() {
    let mut twice = report();
    twice.verdicts.push(Verdict { count: Some(4), ..Verdict::new("file:a".into()) });
    let text = String::from_utf8(twice.render(Format::Prometheus, &Look::PLAIN)).expect("UTF-8");
    let mut series: Vec<&str> =
        text.lines().filter(|l| !l.starts_with('#')).map(|l| &l[..=l.rfind('}').expect("labels")]).collect();
    let all = series.len();
    series.sort_unstable();
    series.dedup();
    assert_eq!(series.len(), all, "{text}");
    assert!(text.contains("dlq_messages{queue=\"file:a\",nth=\"2\"} 4\n"), "{text}");
}

/// Names come from brokers and from messages.
const HOSTILE: &str = "file:\u{1b}[31m%,:\r\n]]><&\"'|=\u{1}\u{85}\u{fffe}\u{ffff}\u{7f}é";

fn hostile() -> Report {
    let mut v = Verdict { count: Some(3), ..Verdict::new(HOSTILE.into()) };
    v.reason(Status::Critical, HOSTILE);
    v.causes = Some(vec![Cause { cause: None, count: 1, what: HOSTILE.into(), example: HOSTILE.into() }]);
    v.notes.push(HOSTILE.into());
    let two = vec![v.clone(), Verdict::new("file:b".into())];
    Report { verdicts: two, started: Timestamp::UNIX_EPOCH, thresholds: Thresholds::default() }
}

#[test]
fn what_names_have_in_them_acts_on_nothing_that_reads_the_verdict() {
    for format in [Format::Text, Format::Nagios, Format::Prometheus, Format::Junit, Format::Github] {
        let text = String::from_utf8(hostile().render(format, &Look::PLAIN)).expect("UTF-8");
        let acts = |c: char| c.is_control() && c != '\n';
        assert!(!text.contains(acts), "{format:?}: {text:?}");
        let begins =
            |l: &str| l.starts_with("::") || l.starts_with("DLQ ") || l.starts_with('#') || l.starts_with("dlq_");
        let forged = text.lines().filter(|l| l.contains("]]") && !begins(l) && l.starts_with("]]")).count();
        assert!(format == Format::Junit || forged == 0, "{format:?}: a name begins a line: {text}");
    }
    let text = String::from_utf8(hostile().render(Format::Github, &Look::PLAIN)).expect("UTF-8");
    let title = "::error title=file%3A [31m%25%2C%3A%0D%0A]]><&\"'|= ";
    assert!(text.starts_with(title), "{text}");
}

#[test]
fn junit_is_xml_whatever_it_is_made_of() {
    let documents = [hostile().render(Format::Junit, &Look::PLAIN), none(HOSTILE, Format::Junit, &Look::PLAIN)];
    for document in documents {
        let text = String::from_utf8(document).expect("UTF-8");
        // What XML 1.0 calls a Char.
        let legal =
            |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
        assert!(text.chars().all(legal), "{text:?}");
        let mut reader = quick_xml::Reader::from_str(&text);
        let mut depth = 0;
        loop {
            match reader.read_event().unwrap_or_else(|e| panic!("{e}: {text}")) {
                quick_xml::events::Event::Start(e) => {
                    depth += 1;
                    e.attributes().for_each(|a| _ = a.expect("an attribute"));
                }
                quick_xml::events::Event::End(_) => depth -= 1,
                quick_xml::events::Event::Eof => break,
                _ => {}
            }
        }
        assert_eq!(depth, 0, "{text}");
        assert!(text.contains("errors=\"1\"") || text.contains("failures=\"1\""), "{text}");
    }
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
