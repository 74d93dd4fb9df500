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
                failed.set_message(v.summary()).set_type(status.word());
                failed
            }
        };
        let mut case = TestCase::new(v.queue.as_str(), status);
        case.set_classname("dlq.check");
        let alone = Report { verdicts: vec![v.clone()], ..report.clone() };
        let mut lines = vec![alone.headline()];
        lines.extend(alone.details(false));
        case.set_system_out(lines.join("\n"));
        suite.add_test_case(case);
    }
    let mut suites = Suites::new("dlq check");
    suites.add_test_suite(suite);
    // Writing to memory does not fail, and what XML cannot hold the library leaves out.
    suites.to_string().unwrap_or_default().into_bytes()
}
