//! Messages of which every tenth has equals, and what of them is found again.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::sandbox::Sandbox;

/// Bodies of one round: nine of ten are unlike all others, the tenth has equals.
pub fn bodies(round: usize, many: usize) -> Vec<String> {
    let one = |n: usize| match n % 10 {
        0 => format!(r#"{{"round":{round},"equal":{},"of":"many"}}"#, n / 10 % 4),
        _ => format!(r#"{{"round":{round},"number":{n},"of":"one"}}"#),
    };
    (0..many).map(one).collect()
}

pub type Count = BTreeMap<String, u64>;

pub fn count(all: impl IntoIterator<Item = String>) -> Count {
    let mut counts = Count::new();
    for one in all {
        *counts.entry(one).or_default() += 1;
    }
    counts
}

/// One message at the destination: its body, and the id in its mark.
pub struct Arrived {
    pub body: String,
    pub mark: Option<String>,
}

/// `id="RUN.7", count=1`: `RUN.7`.
pub fn mark_id(header: &str) -> Option<String> {
    header.split('"').nth(1).map(str::to_owned)
}

/// What the record of a run calls possibly doubled, by body.
pub fn named(s: &Sandbox, run: &str, body_of: &BTreeMap<String, String>) -> Count {
    let ran = s.run(&["history", run, "-o", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let history = ran.json();
    let kinds = ["possible-duplicate", "indeterminate", "not-removed"];
    let messages =
        history["messages"].as_array().unwrap().iter().filter(|m| kinds.contains(&m["kind"].as_str().unwrap()));
    count(messages.map(|m: &Value| {
        let id = m["id"].as_str().unwrap();
        body_of.get(id).unwrap_or_else(|| panic!("{id} is named and was never in the queue: {m}")).clone()
    }))
}
