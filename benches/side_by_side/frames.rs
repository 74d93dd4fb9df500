//! What is possible at all: a client that copies the frames of a queue into another and looks at nothing. It decodes no
//! header, tells no unroutable message, keeps no books and knows no error; it speaks AMQP just well enough to be measured.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::ops::Range;
use std::thread;
use std::time::Instant;

use super::Result;
use super::broker::Broker;

const PREFETCH: u16 = 5000;
/// Confirmed messages that are acknowledged together.
const TOGETHER: u64 = 500;
const METHOD: u8 = 1;
const HEADER: u8 = 2;
const BODY: u8 = 3;

/// Copies `many` messages as guest: seconds from connecting to the last acknowledgement.
pub fn copied(broker: &Broker, from: &str, to: &str, many: u64) -> Result<f64> {
    let server = broker.url.rsplit_once('@').map_or(broker.url.as_str(), |(_, host)| host);
    let begun = Instant::now();
    let (mut reading, mut publishing) = (Wire::open(server)?, Wire::open(server)?);
    publishing.ask(85, 10, &[0])?;
    let prefetch = [&[0; 4][..], &PREFETCH.to_be_bytes(), &[0]].concat();
    reading.ask(60, 10, &prefetch)?;
    reading.ask(60, 20, &[&[0, 0][..], &short(from), &short("frames"), &[0], &[0; 4]].concat())?;

    let (mut acks, mut confirms) = (reading.socket.try_clone()?, publishing.half()?);
    let acknowledging = thread::spawn(move || -> std::io::Result<()> {
        let (mut front, mut ahead, mut told) = (0, BTreeSet::new(), 0);
        while front < many {
            let (kind, range) = confirms.frame()?;
            let frame = &confirms.buffer[range];
            if kind != METHOD || frame[..4] != [0, 60, 0, 80] {
                continue;
            }
            let tag = number(&frame[4..12]);
            if frame[12] & 1 == 1 {
                front = front.max(tag);
                ahead = ahead.split_off(&(front + 1));
            } else {
                ahead.insert(tag);
            }
            while ahead.remove(&(front + 1)) {
                front += 1;
            }
            if front >= told + TOGETHER || front == many {
                acks.write_all(&framed(METHOD, 1, &[&[0, 60, 0, 80][..], &front.to_be_bytes(), &[1]].concat()))?;
                told = front;
            }
        }
        Ok(())
    });

    let publish = [&[0, 60, 0, 40, 0, 0, 0][..], &short(to), &[1]].concat();
    let (mut out, mut read, mut missing) = (Vec::new(), 0, 0);
    while read < many {
        if !reading.has_frame() {
            publishing.socket.write_all(&out)?;
            out.clear();
        }
        let (kind, range) = reading.frame()?;
        let frame = &reading.buffer[range];
        match kind {
            METHOD => out.extend(framed(METHOD, 1, &publish)),
            HEADER => missing = number(&frame[4..12]),
            BODY => missing -= frame.len() as u64,
            _ => continue,
        }
        if kind != METHOD {
            out.extend(framed(kind, 1, frame));
            read += u64::from(missing == 0);
        }
    }
    publishing.socket.write_all(&out)?;
    acknowledging.join().map_err(|_| "acknowledging broke off")??;
    // Answered once the acknowledgements before it have been read.
    reading.ask(50, 10, &[&[0, 0][..], &short(from), &[1], &[0; 4]].concat())?;
    let took = begun.elapsed().as_secs_f64();
    for mut wire in [reading, publishing] {
        wire.socket.write_all(&framed(METHOD, 0, &[0, 10, 0, 50, 0, 200, 0, 0, 0, 0, 0]))?;
        let _ = wire.socket.read(&mut [0; 64])?;
    }
    Ok(took)
}

/// One connection, and its first channel.
struct Wire {
    socket: TcpStream,
    buffer: Vec<u8>,
    unread: Range<usize>,
}

impl Wire {
    fn open(server: &str) -> Result<Wire> {
        let socket = TcpStream::connect(server)?;
        socket.set_nodelay(true)?;
        let mut wire = Wire { socket, buffer: vec![0; 1 << 20], unread: 0..0 };
        wire.socket.write_all(b"AMQP\0\0\x09\x01")?;
        wire.method(10, 10)?;
        let login = [&[0; 4][..], &short("PLAIN"), &12u32.to_be_bytes(), b"\0guest\0guest", &short("en_US")].concat();
        wire.send(0, 10, 11, &login)?;
        let mut tune = wire.method(10, 30)?;
        // No heartbeats: nobody here would answer them.
        tune[6..8].fill(0);
        wire.send(0, 10, 31, &tune)?;
        wire.send(0, 10, 40, &[&short("/")[..], &[0, 0]].concat())?;
        wire.method(10, 41)?;
        wire.ask(20, 10, &[0])?;
        Ok(wire)
    }

    /// The same connection for another thread, which is to read from it.
    fn half(&mut self) -> Result<Wire> {
        let (buffer, unread) = (self.buffer.clone(), self.unread.clone());
        Ok(Wire { socket: self.socket.try_clone()?, buffer, unread })
    }

    fn send(&mut self, channel: u16, class: u16, method: u16, arguments: &[u8]) -> Result {
        let payload = [&class.to_be_bytes()[..], &method.to_be_bytes(), arguments].concat();
        Ok(self.socket.write_all(&framed(METHOD, channel, &payload))?)
    }

    /// Calls a method of channel 1 and awaits its answer, which has the next number.
    fn ask(&mut self, class: u16, method: u16, arguments: &[u8]) -> Result<Vec<u8>> {
        self.send(1, class, method, arguments)?;
        self.method(class, method + 1)
    }

    fn method(&mut self, class: u16, method: u16) -> Result<Vec<u8>> {
        loop {
            let (kind, range) = self.frame()?;
            let frame = &self.buffer[range];
            if kind != METHOD {
                continue;
            }
            if frame[..4] == [class.to_be_bytes(), method.to_be_bytes()].concat() {
                return Ok(frame[4..].to_vec());
            }
            return Err(format!("the server said {:?} instead of {class}.{method}", &frame[..4]).into());
        }
    }

    fn size(&self) -> Option<usize> {
        match self.buffer[self.unread.clone()] {
            [_, _, _, a, b, c, d, ..] => Some(u32::from_be_bytes([a, b, c, d]) as usize + 8),
            _ => None,
        }
    }

    fn has_frame(&self) -> bool {
        self.size().is_some_and(|size| size <= self.unread.len())
    }

    /// Type and place of the next frame's payload.
    fn frame(&mut self) -> std::io::Result<(u8, Range<usize>)> {
        while !self.has_frame() {
            if self.unread.end == self.buffer.len() || self.unread.is_empty() {
                self.buffer.copy_within(self.unread.clone(), 0);
                self.unread = 0..self.unread.len();
            }
            let n = self.socket.read(&mut self.buffer[self.unread.end..])?;
            if n == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            self.unread.end += n;
        }
        let start = self.unread.start;
        self.unread.start += self.size().unwrap_or_default();
        Ok((self.buffer[start], start + 7..self.unread.start - 1))
    }
}

fn framed(kind: u8, channel: u16, payload: &[u8]) -> Vec<u8> {
    let size = (payload.len() as u32).to_be_bytes();
    [&[kind][..], &channel.to_be_bytes(), &size, payload, &[0xCE]].concat()
}

fn short(text: &str) -> Vec<u8> {
    [&[text.len() as u8], text.as_bytes()].concat()
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |n, b| n << 8 | u64::from(*b))
}
