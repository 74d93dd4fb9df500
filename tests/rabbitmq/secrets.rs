//! Passwords: where they may come from, and that no output has one.

use crate::broker::{Broker, KINDS};
use crate::sandbox::{Ran, Sandbox};

const SECRET: &str = "gue%73t-is-not-it";

#[test]
fn passwords_come_from_the_environment_a_file_or_a_command() {
    let Some(b) = Broker::open("43") else { return };
    let s = Sandbox::new();
    let q = b.queue("q", "quorum", &[]);
    b.fill(&q, 2);
    let address = b.address(&q).replace("guest:guest@", "guest@");
    s.write("password", "guest\n");
    let ways = [
        "password-env=QUEUE_PASSWORD",
        "password-file=password",
        r#"password-command=echo '{"username":"guest","password":"guest"}'"#,
    ];
    for way in ways {
        let run = s
            .command()
            .env("QUEUE_PASSWORD", "guest")
            .env("PATH", "/usr/bin:/bin")
            .args(["inspect", &address, "-X", way, "-o", "raw"])
            .output();
        let output = run.unwrap();
        assert_eq!(output.stdout, b"0\n1\n", "{way}: {}", String::from_utf8_lossy(&output.stderr));
    }
    let ran = s.run(&["inspect", &address, "-X", "password-env=NOT_SET"]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("NOT_SET"), "{}", ran.stderr);
}

#[test]
fn no_output_has_a_password() {
    let Some(b) = Broker::open("43") else { return };
    let s = Sandbox::new();
    let (q, to) = (b.queue("q", "quorum", &[]), b.queue("to", "classic", &[]));
    b.fill(&q, 2);
    let management = b.server.management.replace("http://", "http://guest:guest@");
    let good = format!("{}/{q}?management={management}", b.server.url);
    let bad = good.replace("//guest:guest@", &format!("//guest:{SECRET}@"));
    let bare = |ran: &Ran| {
        let all = format!("{}{}", ran.stdout(), ran.stderr);
        for hidden in ["guest:guest", "guest-is-not-it", SECRET, "Z3Vlc3Q6"] {
            assert!(!all.contains(hidden), "{hidden}: {all}");
        }
    };
    let to = format!("{}/{to}?management={management}", b.server.url);
    for log in ["text", "json"] {
        for more in [&["-vv"][..], &["-o", "json"], &[]] {
            let run = |args: &[&str]| s.run(&[args, &["--log-format", log], more].concat());
            for verb in [&["inspect"][..], &["depth"]] {
                for address in [&good, &bad] {
                    bare(&run(&[verb, &[address.as_str()]].concat()));
                }
            }
            bare(&run(&["copy", &good, &to, "--dry-run"]));
            bare(&run(&["copy", &good, &to, "-y", "-n", "1"]));
            bare(&run(&["copy", &good, &bad, "-y"]));
            bare(&run(&["move", &bad, &to, "-y"]));
            bare(&run(&["inspect", &format!("{good}&unknown=1")]));
            bare(&run(&["inspect", good.strip_prefix("amqp://").unwrap()]));
            bare(&run(&["inspect", &good.replace("//guest:", "//gue?st:")]));
            bare(&run(&["filter", ".body", &good]));
            bare(&run(&["replay", &good, &to, "-y"]));
            bare(&run(&["purge", &good, "--backup", &to, "--all"]));
            bare(&run(&["inspect", &good.replace("amqp://", "amqb://")]));
            bare(&run(&["inspect", &good.replace("5672", "x").replace("127.0.0.1:", "127.0.0.1:x")]));
        }
    }
    let ran = s.run(&["copy", &good, "file:a.ndjson", "-y"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(!s.read("a.ndjson").contains("guest:guest"));
}

#[test]
fn everything_works_without_the_management_api() {
    let Some(b) = Broker::open("43") else { return };
    for kind in KINDS {
        let s = Sandbox::new();
        let (q, to) = b.pair(kind);
        b.fill(&q, 6);
        let (from, dest) = (b.bare(&q), b.bare(&to));
        let ok = |args: &[&str]| {
            let ran = s.run(args);
            assert_eq!(ran.code, 0, "{args:?}: {}", ran.stderr);
            ran
        };
        let ran = ok(&["inspect", &from]);
        assert_eq!(ran.lines(), 6);
        assert_eq!(ran.stderr.contains("delivery limit"), kind == "quorum", "{}", ran.stderr);
        assert_eq!(ok(&["depth", &from, "-o", "json"]).json()[0]["kind"], kind);
        _ = ok(&["sample", &from, "-n", "2"]);
        _ = ok(&["filter", &from, ".body == 3"]);
        _ = ok(&["copy", &from, &dest, "-y", "-n", "1"]);
        _ = ok(&["move", &from, &dest, "-y", "-n", "2"]);
        _ = ok(&["replay", &from, "--to", &dest, "-y", "-n", "1"]);
        _ = ok(&["purge", &from, "-n", "1", "--no-backup", "-y"]);
        assert_eq!(b.bodies(&to), ["0", "0", "1", "2"]);
        // A quorum queue takes back what its channel gave back a moment later.
        b.settled(&q, 2);
        assert_eq!(b.bodies(&q), ["4", "5"]);
    }
    // On 3.10 what a look costs a quorum queue cannot be told then.
    let Some(b) = Broker::open("310") else { return };
    let s = Sandbox::new();
    let q = b.queue("q", "quorum", &[]);
    b.fill(&q, 2);
    let ran = s.run(&["inspect", &b.bare(&q)]);
    assert_eq!(ran.code, 6, "{}", ran.stderr);
    assert!(ran.stderr.contains("--accept delivery-limit"), "{}", ran.stderr);
    let ran = s.run(&["inspect", &b.bare(&q), "--accept", "delivery-limit"]);
    assert_eq!((ran.code, ran.lines()), (0, 2), "{}", ran.stderr);
}
