//! A network between `dlq` and a server that can be cut in the middle of a frame, fall silent, be slow, and heal.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicIsize, AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Fault {
    None,
    /// Connections break in the middle of what is being sent, and new ones break at once.
    Cut,
    /// Nothing goes through any more, without a word.
    Silent,
    /// Everything goes through, a while later.
    Slow,
}

struct State {
    server: String,
    /// As a Kafka broker gives its own address: it is to name this port instead.
    named: Vec<u8>,
    named_here: Vec<u8>,
    fault: AtomicU8,
    /// Bytes until it sets in.
    left: AtomicIsize,
    open: Mutex<Vec<TcpStream>>,
}

pub struct Proxy {
    pub port: u16,
    state: Arc<State>,
}

impl Proxy {
    /// In front of `HOST:PORT`. The fault sets in once so many bytes went either way.
    pub fn new(server: &str, fault: Fault, after: usize) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let theirs: u16 = server.rsplit_once(':').unwrap().1.parse().unwrap();
        let address = |port: u16| [&b"127.0.0.1"[..], &i32::from(port).to_be_bytes()].concat();
        let state = Arc::new(State {
            server: server.to_owned(),
            named: address(theirs),
            named_here: address(port),
            fault: AtomicU8::new(fault as u8),
            left: AtomicIsize::new(isize::try_from(after).unwrap()),
            open: Mutex::default(),
        });
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let client = client.unwrap();
                if shared.broken(Fault::Cut) {
                    continue;
                }
                let Ok(upstream) = TcpStream::connect(&shared.server) else { continue };
                let copies = [&client, &upstream].map(|s| s.try_clone().unwrap());
                shared.open.lock().unwrap().extend(copies);
                let (to, back) = ((&client, &upstream), (&upstream, &client));
                for (from, to) in [to, back] {
                    let (from, to, state) = (from.try_clone().unwrap(), to.try_clone().unwrap(), Arc::clone(&shared));
                    std::thread::spawn(move || state.forward(from, to));
                }
            }
        });
        Proxy { port, state }
    }

    /// From now on all is well; connections from before are gone on both sides.
    pub fn heal(&self) {
        self.state.fault.store(Fault::None as u8, Ordering::Release);
        for one in self.state.open.lock().unwrap().drain(..) {
            _ = one.shutdown(Shutdown::Both);
        }
    }

    /// It has set in.
    pub fn has_struck(&self) -> bool {
        self.state.left.load(Ordering::Acquire) <= 0
    }
}

impl State {
    fn broken(&self, by: Fault) -> bool {
        self.fault.load(Ordering::Acquire) == by as u8 && self.left.load(Ordering::Acquire) <= 0
    }

    fn forward(&self, mut from: TcpStream, mut to: TcpStream) {
        let mut bytes = vec![0; 1 << 16];
        while let Ok(n @ 1..) = from.read(&mut bytes) {
            self.left.fetch_sub(isize::try_from(n).unwrap(), Ordering::AcqRel);
            let some = &mut bytes[..n];
            let named: Vec<usize> = memchr::memmem::find_iter(some, &self.named).collect();
            for at in named {
                some[at..at + self.named.len()].copy_from_slice(&self.named_here);
            }
            if self.broken(Fault::Cut) {
                _ = to.write_all(&some[..n / 2]);
                break;
            }
            while self.broken(Fault::Silent) {
                std::thread::sleep(Duration::from_millis(50));
            }
            if self.broken(Fault::Slow) {
                std::thread::sleep(Duration::from_millis(15));
            }
            if to.write_all(some).is_err() {
                break;
            }
        }
        _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
    }
}
