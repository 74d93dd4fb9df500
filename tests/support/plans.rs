//! Reading a plan.

use serde_json::Value;

use crate::sandbox::Ran;

/// The plan of a run that ended well.
pub fn plan_of(ran: &Ran) -> Value {
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    ran.json()["plan"].clone()
}

/// What is answered about this.
pub fn answer<'a>(may: &'a Value, about: &str) -> &'a Value {
    let found = may.as_array().expect("a list").iter().find(|f| f["about"] == about);
    &found.unwrap_or_else(|| panic!("no {about} in {may:#}"))["answer"]
}

/// One of the lines has this in it.
pub fn says(lines: &Value, part: &str) -> bool {
    lines.as_array().expect("a list").iter().any(|l| l.as_str().expect("a text").contains(part))
}
