//! Ways to a server that are bad: on which the connection breaks at an answer, which never arrives, or where answers are slow.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// Leads to `nats://HOST:PORT`. The first answer with this in it is kept back, and the connection ends; whether later ones are
/// taken is given. The address that stands for the server.
pub fn at(server: &str, answer: &'static str, comes_back: bool) -> String {
    let cut = Arc::new(AtomicBool::new(false));
    let gone = Arc::clone(&cut);
    let ends = move |bytes: &[u8]| count(bytes, answer) > 0 && !cut.swap(true, Ordering::AcqRel);
    open(server, move || comes_back || !gone.load(Ordering::Acquire), |_| false, ends)
}

/// A slow way, and how much goes it at once.
pub struct Slow {
    /// The address that stands for the server.
    pub url: String,
    most: Arc<AtomicUsize>,
}

impl Slow {
    /// The most questions that came without an answer in between.
    pub fn at_once(&self) -> usize {
        self.most.load(Ordering::Acquire)
    }
}

/// Leads to `nats://HOST:PORT`, where answers are kept back for a moment. Questions with this in them are counted.
pub fn slow(server: &str, question: String) -> Slow {
    let (most, now) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (told, since) = (Arc::clone(&most), Arc::clone(&now));
    let asked = move |bytes: &[u8]| {
        let more = count(bytes, &question);
        told.fetch_max(since.fetch_add(more, Ordering::AcqRel) + more, Ordering::AcqRel);
        false
    };
    let answered = move |_: &[u8]| {
        std::thread::sleep(Duration::from_millis(20));
        now.store(0, Ordering::Release);
        false
    };
    Slow { url: open(server, || true, asked, answered), most }
}

fn count(bytes: &[u8], what: &str) -> usize {
    memchr::memmem::find_iter(bytes, what.as_bytes()).count()
}

/// What sees all that goes by in one direction, and says where the connection ends.
trait Watch: Fn(&[u8]) -> bool + Send + Sync + 'static {}

impl<F: Fn(&[u8]) -> bool + Send + Sync + 'static> Watch for F {}

fn open(server: &str, takes: impl Fn() -> bool + Send + 'static, there: impl Watch, back: impl Watch) -> String {
    let server = server.strip_prefix("nats://").unwrap().to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("nats://{}", listener.local_addr().unwrap());
    let (there, back) = (Arc::new(there), Arc::new(back));
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let client = client.unwrap();
            if !takes() {
                continue;
            }
            let upstream = TcpStream::connect(&server).unwrap();
            let (from, to) = (client.try_clone().unwrap(), upstream.try_clone().unwrap());
            let (there, back) = (Arc::clone(&there), Arc::clone(&back));
            std::thread::spawn(move || forward(from, to, &*there));
            std::thread::spawn(move || forward(upstream, client, &*back));
        }
    });
    url
}

fn forward(mut from: TcpStream, mut to: TcpStream, ends: &impl Watch) {
    let mut bytes = vec![0; 1 << 16];
    while let Ok(n @ 1..) = from.read(&mut bytes) {
        if ends(&bytes[..n]) || to.write_all(&bytes[..n]).is_err() {
            break;
        }
    }
    _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}
