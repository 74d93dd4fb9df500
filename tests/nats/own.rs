//! A server of a test's own: with logins, with TLS, without JetStream, to be killed.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::sandbox::signal;
use crate::servers;

pub struct Own {
    dir: tempfile::TempDir,
    child: Option<Child>,
    binary: String,
    port: u16,
}

impl Own {
    /// Started with this in its configuration besides port and storage; none where there is no server.
    pub fn start(more: &str) -> Option<Own> {
        let binary = servers::var("DLQ_TEST_NATS_BINARY")?;
        let dir = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let store = dir.path().join("store");
        let config =
            format!("listen: \"127.0.0.1:{port}\"\njetstream {{ store_dir: \"{}\" }}\n{more}\n", store.display());
        let config = if more.contains("jetstream: false") { format!("listen: \"127.0.0.1:{port}\"") } else { config };
        std::fs::write(dir.path().join("nats.conf"), config).unwrap();
        let mut own = Own { dir, child: None, binary, port };
        own.go_on();
        Some(own)
    }

    /// So many servers that are one cluster, `n0` and so on; they answer questions of JetStream a while later.
    pub fn cluster(many: usize) -> Option<Vec<Own>> {
        let taken: Vec<_> = (0..many).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let places: Vec<_> = taken.iter().map(|l| l.local_addr().unwrap()).collect();
        drop(taken);
        let routes: Vec<String> = places.iter().map(|p| format!("\"nats://{p}\"")).collect();
        let one = |n: usize| {
            let cluster = format!("name: c, listen: \"{}\", routes: [{}]", places[n], routes.join(", "));
            Own::start(&format!("server_name: n{n}\ncluster {{ {cluster} }}"))
        };
        (0..many).map(one).collect()
    }

    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Starts it again on what it had.
    pub fn go_on(&mut self) {
        let log = std::fs::File::create(self.dir.path().join("log")).unwrap();
        let mut command = Command::new(&self.binary);
        command.arg("-c").arg(self.dir.path().join("nats.conf")).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.child = Some(command.spawn().unwrap());
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let log = std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
            assert!(began.elapsed() < Duration::from_secs(60), "it does not listen: {log}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Stops answering: what is sent from now on waits in the network.
    pub fn freeze(&self) {
        signal(self.child.as_ref().unwrap(), "-STOP");
    }

    /// As a power failure would.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        self.kill();
    }
}
