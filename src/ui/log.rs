//! `--log-format json`: one event a line.

use jiff::Timestamp;
use serde_json::{Map, Value};

/// `--log-format`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// Sentences for people.
    #[default]
    Text,
    /// One JSON object a line, with time, run and event.
    Json,
}

/// One line: `time`, `run` where there is one, `event`, then the fields.
pub(super) fn line(time: Timestamp, run: Option<&str>, event: &str, fields: Value) -> Vec<u8> {
    let mut object = Map::new();
    object.insert("time".into(), time.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string().into());
    if let Some(run) = run {
        object.insert("run".into(), run.into());
    }
    object.insert("event".into(), event.into());
    match fields {
        Value::Object(fields) => {
            for (name, value) in fields {
                object.entry(name).or_insert(value);
            }
        }
        Value::Null => {}
        other => _ = object.insert("value".into(), other),
    }
    let mut line = Value::Object(object).to_string().into_bytes();
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_event_is_one_line_and_its_head_cannot_be_overwritten() {
        let time: Timestamp = "2026-11-23T05:48:11.123456Z".parse().unwrap();
        let text = line(time, Some("r1"), "failed", json!({"id": "a\nb", "event": "x", "time": 0}));
        assert_eq!(
            String::from_utf8(text).unwrap(),
            "{\"time\":\"2026-11-23T05:48:11.123Z\",\"run\":\"r1\",\"event\":\"failed\",\"id\":\"a\\nb\"}\n"
        );
        let text = line(time, None, "end", Value::Null);
        assert_eq!(String::from_utf8(text).unwrap(), "{\"time\":\"2026-11-23T05:48:11.123Z\",\"event\":\"end\"}\n");
    }
}
