//! Logins that do not last as long as a run does.
#![expect(unsafe_code, reason = "the client library's Rust side has no requests for the passwords of users")]

use std::ffi::CString;
use std::process::{Child, Stdio};
use std::ptr::null;
use std::time::{Duration, Instant};

use rdkafka::bindings as c;
use rdkafka::consumer::{BaseConsumer, Consumer};

use crate::acls::accepted;
use crate::cluster::{Cluster, cluster, until};
use crate::replaying::numbered;
use crate::sandbox::{Sandbox, signal};
use crate::servers;

/// Gives a user of SCRAM-SHA-256 a password, and waits until the broker at that address goes by it.
fn set_password(cluster: &Cluster, sasl: &str, user: &str, password: &str) {
    let mut known = rdkafka::ClientConfig::new();
    known.set("bootstrap.servers", sasl.trim_start_matches("kafka://")).set("security.protocol", "sasl_plaintext");
    known.set("sasl.mechanisms", "SCRAM-SHA-256").set("sasl.username", user).set("sasl.password", password);
    let client: BaseConsumer = cluster.config().create().expect("a client");
    let (rk, user) = (client.client().native_ptr(), CString::new(user).expect("no NUL"));
    let mechanism = c::rd_kafka_ScramMechanism_t::RD_KAFKA_SCRAM_MECHANISM_SHA_256;
    // SAFETY: the strings live through the calls, which copy them; every handle is freed once.
    unsafe {
        let queue = c::rd_kafka_queue_new(rk);
        let (at, long) = (password.as_ptr(), password.len());
        let new = c::rd_kafka_UserScramCredentialUpsertion_new(user.as_ptr(), mechanism, 4096, at, long, null(), 0);
        c::rd_kafka_AlterUserScramCredentials(rk, [new].as_mut_ptr(), 1, null(), queue);
        c::rd_kafka_UserScramCredentialAlteration_destroy(new);
        accepted(queue);
    }
    until("the broker goes by it", || {
        let client: BaseConsumer = known.create().expect("a client");
        client.fetch_metadata(None, Duration::from_secs(2)).is_ok()
    });
}

/// A watch of a topic as a user whose login a command prints, once more each time it is asked.
struct Watching<'a> {
    sandbox: &'a Sandbox,
    child: Child,
}

impl Watching<'_> {
    fn start<'a>(sandbox: &'a Sandbox, address: &str, options: &[&str]) -> Watching<'a> {
        let file = |name: &str| Stdio::from(std::fs::File::create(sandbox.path(name)).expect("a file"));
        let mut args = vec!["watch", address, "-o", "jsonl"];
        args.extend(options);
        for option in ["security.protocol=sasl_plaintext", "credential-command=echo >>asked; sh ./login"] {
            args.extend(["-X", option]);
        }
        let mut command = sandbox.command();
        command.args(args).stdin(Stdio::null()).stdout(file("out")).stderr(file("err"));
        Watching { sandbox, child: command.spawn().expect("start dlq") }
    }

    fn counts(&self) -> usize {
        self.sandbox.read("out").lines().filter(|line| line.contains("\"unresolved\":3")).count()
    }

    fn asked(&self) -> usize {
        self.sandbox.read("asked").lines().count()
    }

    /// Waits for so many more counts; how many failures there were in all.
    fn go_on(&self, counts: usize) -> usize {
        let (began, before) = (Instant::now(), self.counts());
        while self.counts() < before + counts {
            assert!(
                began.elapsed() < Duration::from_secs(60),
                "asked {} times: {}{}",
                self.asked(),
                self.sandbox.read("out"),
                self.said()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        let out = self.sandbox.read("out");
        let out = &out[..=out.rfind('\n').expect("whole lines")];
        // It fails or it is right: nothing is counted where nobody answered.
        let honest = |line: &str| line.contains("\"unresolved\":3") || line.contains("\"error\":");
        assert!(out.lines().all(honest), "{out}{}", self.said());
        out.lines().filter(|line| line.contains("\"error\":")).count()
    }

    fn said(&self) -> String {
        self.sandbox.read("err")
    }

    fn stop(&mut self) {
        signal(&self.child, "-INT");
        self.child.wait().expect("ended");
    }
}

fn login(sandbox: &Sandbox, user: &str, password: &str, more: &str) {
    // Whoever reads it meanwhile finds the old one or the new one.
    sandbox.write("login.new", &format!("echo '{{\"username\":\"{user}\",\"password\":\"{password}\"{more}}}'\n"));
    std::fs::rename(sandbox.path("login.new"), sandbox.path("login")).expect("rename");
}

#[test]
fn a_password_that_was_changed_is_asked_for_when_the_old_one_is_refused() {
    let Some(cluster) = cluster() else { return };
    let Some(sasl) = servers::var("DLQ_TEST_KAFKA_SASL_URL") else { return };
    let (sandbox, topic, user) = (Sandbox::new(), cluster.topic(1, &[]), cluster.name());
    cluster.send(&topic, &numbered("x", 3, 1));
    set_password(&cluster, &sasl, &user, "first");
    login(&sandbox, &user, "first", "");
    // What is idle for that long is closed, and opened again with what is known then.
    let options =
        ["-v", "--interval", "6s", "-X", "sasl.mechanisms=SCRAM-SHA-256", "-X", "connections.max.idle.ms=4000"];
    let mut watching = Watching::start(&sandbox, &format!("{sasl}/{topic}"), &options);
    assert_eq!((watching.go_on(1), watching.asked()), (0, 1));
    login(&sandbox, &user, "second", "");
    set_password(&cluster, &sasl, &user, "second");
    // What was under way when the old one was refused may fail.
    let failed = watching.go_on(3);
    assert!(failed < 3, "{failed}: {}", watching.said());
    assert!((2..8).contains(&watching.asked()), "{}", watching.asked());
    watching.stop();
    assert!(!watching.said().contains("second"), "{}", watching.said());
}

#[test]
fn a_login_that_expires_is_asked_for_before_it_does() {
    let Some(cluster) = cluster() else { return };
    let Some(sasl) = servers::var("DLQ_TEST_KAFKA_SASL_URL") else { return };
    let (sandbox, topic) = (Sandbox::new(), cluster.topic(1, &[]));
    cluster.send(&topic, &numbered("x", 3, 1));
    login(&sandbox, "me", "secret", ",\"expires\":\"'$(date -u -d '+6 seconds' +%FT%TZ)'\"");
    let options = ["-v", "--interval", "500ms", "-X", "sasl.mechanisms=PLAIN"];
    let mut watching = Watching::start(&sandbox, &format!("{sasl}/{topic}"), &options);
    let began = Instant::now();
    assert_eq!(watching.go_on(24), 0, "{}", watching.said());
    // Each holds for some seconds: as often as that takes, and not each time.
    let most = usize::try_from(4 + began.elapsed().as_secs() / 3).expect("few");
    assert!((3..most).contains(&watching.asked()), "{} of {most}", watching.asked());
    // One that is not to be had is said once, and the last stays.
    sandbox.write("login", "echo no >&2; exit 1\n");
    assert_eq!(watching.go_on(20), 0, "{}", watching.said());
    assert_eq!(watching.said().matches("cannot be asked for again").count(), 1, "{}", watching.said());
    watching.stop();
}
