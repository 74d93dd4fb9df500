//! A network that swallows everything from some point on, without a word.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::broker::{Broker, KINDS};
use crate::sandbox::Sandbox;

/// Forwards to a server until so many bytes went one of the two ways, and nothing from then on. Gives its port.
fn silent_after(server: &str, to_server: usize, from_server: usize) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = server.to_owned();
    std::thread::spawn(move || {
        let gone = Arc::new(AtomicUsize::new(0));
        for client in listener.incoming() {
            let (client, upstream) = (client.unwrap(), TcpStream::connect(&server).unwrap());
            let back = (upstream.try_clone().unwrap(), client.try_clone().unwrap());
            for ((from, to), most) in [((client, upstream), to_server), (back, from_server)] {
                let gone = Arc::clone(&gone);
                std::thread::spawn(move || forward(from, to, most, &gone));
            }
        }
    });
    port
}

fn forward(mut from: TcpStream, mut to: TcpStream, mut most: usize, gone: &AtomicUsize) {
    let mut bytes = [0; 4096];
    while let Ok(n @ 1..) = from.read(&mut bytes) {
        if n > most {
            gone.store(1, Ordering::Release);
        }
        if gone.load(Ordering::Acquire) == 1 {
            std::thread::sleep(Duration::from_secs(600));
        }
        most -= n;
        if to.write_all(&bytes[..n]).is_err() {
            return;
        }
    }
}

#[test]
fn a_server_that_falls_silent_is_given_up_and_the_outcome_called_unknown() {
    let Some(b) = Broker::open("43") else { return };
    let server = b.server.url.rsplit_once('@').unwrap().1.to_owned();
    for kind in KINDS {
        for (reads, to_server, from_server) in [
            (false, 60_000, usize::MAX),
            (false, usize::MAX, 1200),
            (true, usize::MAX, 20_000),
            (true, usize::MAX, 60_000),
        ] {
            let what = format!("{kind}, reads {reads}, {to_server} to, {from_server} from");
            let s = Sandbox::new();
            let name = |n: &str| format!("{n}.{kind}.{reads}.{to_server}.{from_server}");
            let (from, to) = (b.queue(&name("from"), kind, &[]), b.queue(&name("to"), kind, &[]));
            let all = b.fill(&from, 3000);
            let port = silent_after(&server, to_server, from_server);
            let via = |address: String| address.replace(&server, &format!("127.0.0.1:{port}"));
            let (a, z) = match reads {
                true => (via(b.bare(&from)), b.bare(&to)),
                false => (b.bare(&from), via(b.bare(&to))),
            };
            let began = Instant::now();
            let ran = s.run(&["move", &a, &z, "-y", "-o", "json", "--timeout", "1s", "--concurrency", "500"]);
            let took = began.elapsed();
            assert!(took < Duration::from_secs(30), "{what}: {took:?}");
            assert!([1, 3].contains(&ran.code), "{what}: {} {}", ran.code, ran.stderr);
            let report = ran.json();
            let count = |what: &str| usize::try_from(report[what].as_u64().unwrap()).unwrap();
            if reads {
                // The server has not noticed that nobody is there.
                continue;
            }
            b.settled(&from, u32::try_from(all.len() - count("moved")).unwrap());
            let there = b.bodies(&to).len();
            assert!(there >= count("moved") && there <= count("moved") + count("indeterminate"), "{what}: {report}");
        }
    }
}
