//! A disk that cannot keep that a torn piece was cut off from an archive.

use crate::archives::Dead;
use crate::preload;

#[test]
fn a_cut_that_is_not_durable_ends_the_writing_and_says_why() {
    let dead = Dead::new(3000);
    let whole = dead.s.read("dead.ndjson");
    let line = whole.lines().next().unwrap();
    let torn = format!("{line}\n{}", &line[..line.len() / 2]);
    dead.s.write("to.ndjson", &torn);
    let args = ["copy", "file:dead.ndjson", "file:to.ndjson", "-y", "-o", "json", "--run", "nightly"];
    let mut command = dead.s.command();
    command.env("LD_PRELOAD", preload::built(&dead.s, "unsynced"));
    command.env("TEST_UNSYNCED", std::fs::canonicalize(dead.s.path("to.ndjson")).unwrap());
    let ran = command.args(args).output().unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert_eq!(ran.status.code(), Some(1), "{said}{}", String::from_utf8_lossy(&ran.stderr));
    assert!(said.contains("cannot make durable that a torn piece was cut off from"), "{said}");
    assert!(said.contains("failed earlier and is no longer written"), "{said}");
    assert!(!said.contains("takes no lock"), "nobody else writes there: {said}");
    assert_eq!(dead.s.read("to.ndjson"), format!("{line}\n"), "nothing is written behind it");
    assert_eq!(dead.s.read("to.ndjson.torn"), format!("{}\n", &line[..line.len() / 2]));

    let ran = dead.s.run(&args);
    assert_eq!((ran.code, dead.s.read("to.ndjson").lines().count()), (0, 3001), "{}", ran.stderr);
}
