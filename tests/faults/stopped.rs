//! Ctrl-C once and twice, SIGTERM, a terminal that is closed: what is in flight is finished, and the run can be taken up again.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::archives::Dead;
use crate::sandbox::signal;

const RUN: [&str; 8] = ["replay", "file:dead.ndjson", "--to", "file:to.ndjson", "-y", "--run", "nightly", "-ojson"];

/// Slowly enough to be stopped. Whoever runs the tests may have told them to ignore a closed terminal; this one heeds it.
fn slow(dead: &Dead) -> Child {
    let mut command = Command::new("env");
    command.args(["--default-signal=HUP", env!("CARGO_BIN_EXE_dlq")]).args(RUN).args(["--rate", "200/s"]);
    command.current_dir(dead.s.path(".")).env("DLQ_STATE_DIR", dead.s.state());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    dead.begun("to.ndjson");
    child
}

#[test]
fn once_it_finishes_what_is_in_flight_and_goes_on_later() {
    for (name, code) in [("-INT", 130), ("-TERM", 143), ("-HUP", 143)] {
        let dead = Dead::new(3000);
        let child = slow(&dead);
        signal(&child, name);
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{name}: {said}");
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["stopped_by"], "signal", "{report}");
        assert_eq!(report["replayed"].as_u64().unwrap() + dead.left(), 3000, "{name}: {report}");
        let ran = dead.s.run(&RUN);
        assert_eq!(ran.code, 0, "{name}: {}", ran.stderr);
        let figures = dead.all_arrived(name, "to.ndjson", "nightly");
        assert_eq!((figures.doubled, figures.named), (0, 0), "{name}: an orderly stop leaves nothing unknown");
        assert_eq!(dead.left(), 0);
        assert_eq!(dead.s.run(&["history", "nightly", "-o", "json"]).json()["attempts"], 2);
    }
}

#[test]
fn a_wait_for_the_next_one_can_be_cut_short() {
    let dead = Dead::new(20);
    let mut child = dead.start(&[&RUN[..], &["--rate", "1/h"]].concat());
    let began = Instant::now();
    while dead.left() == 20 {
        assert!(began.elapsed() < Duration::from_secs(30), "the first goes at once");
        std::thread::sleep(Duration::from_millis(20));
    }
    signal(&child, "-INT");
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        assert!(began.elapsed() < Duration::from_secs(90), "it sleeps through the signal");
        std::thread::sleep(Duration::from_millis(20));
    };
    assert_eq!((status.code(), dead.left()), (Some(130), 19));
}

#[test]
fn twice_it_ends_at_once_and_nothing_is_lost() {
    let dead = Dead::new(20_000);
    let mut child = dead.start(&[&RUN[..], &["--rate", "2000/s"]].concat());
    dead.begun("to.ndjson");
    signal(&child, "-INT");
    signal(&child, "-INT");
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(130));
    let ran = dead.s.run(&RUN);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    dead.all_arrived("Ctrl-C twice", "to.ndjson", "nightly");
    assert_eq!(dead.left(), 0);
}

#[test]
fn a_closed_terminal_is_a_stop_and_nohup_is_heeded() {
    let dead = Dead::new(3000);
    let mut child = slow(&dead);
    // Nobody reads any more what it says.
    drop((child.stdout.take(), child.stderr.take()));
    signal(&child, "-HUP");
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(143));
    let history = dead.s.run(&["history", "nightly", "-o", "json"]).json();
    assert_eq!(history["stopped_by"], "signal", "{history}");

    let there = || dead.s.read("to.ndjson").len();
    let mut sh = Command::new("sh");
    sh.args(["-c", r#"trap "" HUP; exec "$@""#, "sh", env!("CARGO_BIN_EXE_dlq")]).args(RUN).args(["--rate", "1500/s"]);
    sh.current_dir(dead.s.path(".")).env("DLQ_STATE_DIR", dead.s.state());
    let child = sh.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (began, before) = (Instant::now(), there());
    while there() == before {
        assert!(began.elapsed() < Duration::from_secs(60), "it goes on");
        std::thread::sleep(Duration::from_millis(10));
    }
    signal(&child, "-HUP");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    dead.all_arrived("nohup", "to.ndjson", "nightly");
}
