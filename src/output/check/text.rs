//! For people: the verdict, then each queue.

use super::Report;

pub(super) fn render(report: &Report) -> String {
    let mut lines = vec![report.headline()];
    lines.extend(report.details(true));
    lines.join("\n") + "\n"
}
