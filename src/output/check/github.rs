//! Annotations of a GitHub Actions log, and the verdict.

use super::{Report, Status, Verdict};

pub(super) fn render(report: &Report) -> String {
    let mut out = String::new();
    for v in &report.verdicts {
        let command = match v.status {
            Status::Ok => continue,
            Status::Warning => "warning",
            Status::Critical | Status::Unknown => "error",
        };
        let title = property(&format!("{} is {}", v.queue, v.status.word()));
        out.push_str(&format!("::{command} title={title}::{}\n", data(&message(v))));
    }
    out.push_str(&report.headline());
    out.push('\n');
    out
}

/// That no queue could be asked.
pub(super) fn error(line: &str) -> String {
    format!("::error title=dlq check::{}\n{line}", data(line))
}

fn message(v: &Verdict) -> String {
    let mut lines = vec![format!("{}: {}", v.queue, v.summary())];
    lines.extend(v.causes.iter().flatten().map(|c| format!("{} × {}, such as {}", c.count, c.what, c.example)));
    lines.extend(v.notes.iter().cloned());
    lines.join("\n")
}

/// As GitHub's own toolkit escapes them. Other control characters act on whatever shows the log.
fn data(text: &str) -> String {
    let text = text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    text.replace(char::is_control, " ")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
