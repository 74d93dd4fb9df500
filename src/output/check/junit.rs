//! JUnit XML: a test case a queue.

use quick_junit::{NonSuccessKind, Report as Suites, TestCase, TestCaseStatus, TestSuite};

use super::{Report, Status};

pub(super) fn render(report: &Report) -> Vec<u8> {
    let mut suite = TestSuite::new("dlq check");
    for v in &report.verdicts {
        let status = match v.status {
            Status::Ok => TestCaseStatus::success(),
            status => {
                let kind = if status == Status::Unknown { NonSuccessKind::Error } else { NonSuccessKind::Failure };
                let mut failed = TestCaseStatus::non_success(kind);
                failed.set_message(legal(&v.summary())).set_type(status.word());
                failed
            }
        };
        let mut case = TestCase::new(legal(&v.queue), status);
        case.set_classname("dlq.check");
        let alone = Report { verdicts: vec![v.clone()], ..report.clone() };
        let mut lines = vec![alone.headline()];
        lines.extend(alone.details(false));
        case.set_system_out(legal(&lines.join("\n")));
        suite.add_test_case(case);
    }
    text(suite)
}

/// That no queue could be asked: a test case that ended in an error.
pub(super) fn error(why: &str) -> Vec<u8> {
    let mut failed = TestCaseStatus::non_success(NonSuccessKind::Error);
    failed.set_message(legal(why)).set_type(Status::Unknown.word());
    let mut case = TestCase::new("dlq check", failed);
    case.set_classname("dlq.check");
    let mut suite = TestSuite::new("dlq check");
    suite.add_test_case(case);
    text(suite)
}

fn text(suite: TestSuite) -> Vec<u8> {
    let mut suites = Suites::new("dlq check");
    suites.add_test_suite(suite);
    // Writing to memory does not fail.
    suites.to_string().unwrap_or_default().into_bytes()
}

/// XML has no way to write most control characters, nor these two: a reader refuses the whole document then.
fn legal(text: &str) -> String {
    text.replace(|c: char| (c.is_control() && c != '\n') || matches!(c, '\u{fffe}' | '\u{ffff}'), " ")
}
