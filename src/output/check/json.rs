//! The report as one object.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Report;
use crate::output::{Format, Look, json};
use crate::replay::report::SCHEMA;

pub(super) fn render(report: &Report, format: Format, look: &Look) -> Vec<u8> {
    let value = json!({
        "schema": SCHEMA,
        "status": report.status(),
        "started": report.started.to_string(),
        "finished": Timestamp::now().to_string(),
        "version": env!("CARGO_PKG_VERSION"),
        "queues": report.verdicts,
    });
    object(&value, format, look)
}

/// One object and the end of its line; on one line where the format has one a line.
pub(super) fn object(value: &Value, format: Format, look: &Look) -> Vec<u8> {
    let mut out = vec![];
    match format {
        Format::Json => json::pretty(value.to_string().as_bytes(), look, &mut out),
        _ => json::compact(value.to_string().as_bytes(), look, &mut out),
    }
    out.push(b'\n');
    out
}
