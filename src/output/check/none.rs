//! What is said where no queue could be asked at all, such as for a typing error: monitoring reads standard output alone.

use serde_json::json;

use super::{Status, github, json, junit, one_line};
use crate::output::{Format, Look};
use crate::replay::report::SCHEMA;

/// That the verdict is not known, and why.
pub fn none(why: &str, format: Format, look: &Look) -> Vec<u8> {
    let status = Status::Unknown;
    let line = one_line(&format!("DLQ {} - {}", status.word(), why.split_whitespace().collect::<Vec<_>>().join(" ")));
    let mut out = match format {
        Format::Json | Format::Jsonl => {
            let value = json!({ "schema": SCHEMA, "status": status, "queues": [], "error": why });
            return json::object(&value, format, look);
        }
        Format::Junit => return junit::error(&line),
        Format::Prometheus => format!("# {line}").into_bytes(),
        Format::Github => github::error(&line).into_bytes(),
        _ => line.into_bytes(),
    };
    out.push(b'\n');
    out
}
