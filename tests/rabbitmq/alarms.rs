//! A server that is short of memory and takes no messages.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::broker::Broker;
use crate::sandbox::{Sandbox, signal};

/// Short of memory as long as this lives. No other test of this crate uses that server.
struct Alarm(String);

impl Alarm {
    fn set(ctl: &str) -> Alarm {
        watermark(ctl, "0.00001");
        Alarm(ctl.to_owned())
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        watermark(&self.0, "0.8");
    }
}

fn watermark(ctl: &str, relative: &str) {
    let done = Command::new(ctl).args(["set_vm_memory_high_watermark", relative]).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

/// Starts a replay and waits until it says that it waits.
fn waiting(s: &Sandbox, from: &str, to: &str) -> Child {
    let mut child = s
        .command()
        .args(["replay", from, "--to", to, "--yes", "-o", "json", "--timeout", "3s"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut talk = BufReader::new(child.stderr.take().unwrap()).lines();
    let said = talk.find(|line| line.as_ref().unwrap().contains("takes no messages for now"));
    assert!(said.is_some(), "{:?}", child.wait_with_output());
    std::thread::spawn(move || talk.count());
    child
}

#[test]
fn a_server_short_of_memory_is_waited_for_until_we_are_told_to_stop() {
    let Some(b) = Broker::open("40") else { return };
    let Some(ctl) = crate::servers::var("DLQ_TEST_RABBITMQ_40_CTL") else { return };
    let s = Sandbox::new();
    let (q, to) = (b.queue("q", "classic", &[]), b.queue("to", "classic", &[]));
    let all = b.fill(&q, 500);

    let alarm = Alarm::set(&ctl);
    let child = waiting(&s, &b.address(&q), &b.address(&to));
    let began = Instant::now();
    signal(&child, "-INT");
    let output = child.wait_with_output().unwrap();
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_ne!(report["selected"], 0, "{report}");
    assert_eq!(report["indeterminate"], report["selected"], "what was sent has no answer: {report}");
    assert_eq!((report["replayed"].as_u64(), output.status.code()), (Some(0), Some(130)), "{report}");
    drop(alarm);
    b.all_back(&[&q, &to], all.len());
    // What lay in the server's socket may have been taken after all.
    std::thread::sleep(Duration::from_secs(1));
    let mut each = [b.bodies(&q), b.bodies(&to)].concat();
    each.sort_by_key(|n| n.parse::<u32>().unwrap());
    each.dedup();
    assert_eq!(each, all, "nothing is lost");

    let all = b.fill(&q, 500);
    let alarm = Alarm::set(&ctl);
    let child = waiting(&s, &b.address(&q), &b.address(&to));
    // Longer than --timeout: it is not given up.
    std::thread::sleep(Duration::from_secs(5));
    drop(alarm);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!(b.bodies(&to), all);
}
