//! The stream the client library talks over. It listens to the first frame of the server, because the library keeps the
//! server's properties to itself and what a look costs depends on the version; and because what a server says before it
//! hangs up tells a TLS port or an HTTP port from AMQP.

use std::future::Future;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::SocketAddr;
#[cfg(unix)]
use std::os::fd::{AsFd as AsHandle, AsRawFd as AsRawHandle};
#[cfg(windows)]
use std::os::windows::io::{AsRawSocket as AsRawHandle, AsSocket as AsHandle};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use async_rs::Tokio;
use async_rs::traits::{Executor, Reactor, RuntimeKit};
use async_rs::util::Task;
use futures::Stream;
use futures::io::{AsyncRead, AsyncWrite};
use futures::task::AtomicWaker;
use lapin::AsyncTcpStream;
use lapin::protocol::{AMQPClass, connection, parse_class};
use lapin::types::AMQPValue;

/// A plain or TLS socket of tokio's.
pub type Socket = AsyncTcpStream<<Tokio as Reactor>::TcpStream>;

/// The first frame is a few hundred bytes; more than this is not the first frame of an AMQP server.
const LONGEST: usize = 64 * 1024;

/// What the server said first, how many messages it has returned since, and whether anything moves at all.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    start: Arc<Mutex<Vec<u8>>>,
    returns: Arc<AtomicU64>,
    /// When something came, and when something went, last.
    moved: Arc<Mutex<(Option<Instant>, Option<Instant>)>>,
    hung_up: Arc<(AtomicBool, AtomicWaker)>,
}

/// A heartbeat, which is no progress.
const HEARTBEAT: usize = 8;

/// Who the server says it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Server {
    /// `RabbitMQ`, or what else speaks AMQP 0-9-1 there.
    pub product: String,
    /// Major, minor, patch; zeros where it does not say.
    pub version: (u64, u64, u64),
    /// The name of its cluster.
    pub cluster: String,
}

impl Heard {
    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.start.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True when enough was heard; until then more may come.
    fn listen(&self, bytes: &[u8]) -> bool {
        let mut heard = self.lock();
        heard.extend_from_slice(bytes);
        let end = match *heard.as_slice() {
            [1, _, _, a, b, c, d, ..] => u32::from_be_bytes([a, b, c, d]) as usize + 8,
            [] | [1, ..] => 8,
            _ => 64,
        };
        heard.len() >= end.min(LONGEST)
    }

    /// The start of what was heard.
    pub fn first(&self) -> Vec<u8> {
        self.lock().iter().take(64).copied().collect()
    }

    fn start(&self) -> Option<connection::Start> {
        let heard = self.lock();
        match parse_class(heard.get(7..)?).ok()?.1 {
            AMQPClass::Connection(connection::AMQPMethod::Start(start)) => Some(start),
            _ => None,
        }
    }

    /// The server's own account of itself.
    pub fn server(&self) -> Option<Server> {
        let start = self.start()?;
        let text = |name: &str| match start.server_properties.inner().get(name) {
            Some(AMQPValue::LongString(s)) => s.to_string(),
            _ => String::new(),
        };
        Some(Server { product: text("product"), version: version(&text("version")), cluster: text("cluster_name") })
    }

    /// The ways to log in that it offers, divided by spaces.
    pub fn mechanisms(&self) -> Option<String> {
        Some(self.start()?.mechanisms.to_string())
    }

    fn moved(&self) -> MutexGuard<'_, (Option<Instant>, Option<Instant>)> {
        self.moved.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For how long nothing has come, heartbeats aside.
    pub fn silent_for(&self) -> Duration {
        self.moved().0.map_or(Duration::ZERO, |at| at.elapsed())
    }

    /// For how long nothing has gone over the wire either way, heartbeats aside.
    pub fn still_for(&self) -> Duration {
        let (came, went) = *self.moved();
        came.max(went).map_or(Duration::ZERO, |at| at.elapsed())
    }

    /// Ends the connection from this side without asking the other, which does not answer any more.
    pub fn hang_up(&self) {
        self.hung_up.0.store(true, Ordering::Release);
        self.hung_up.1.wake();
    }

    /// How many messages the server has returned, counted before the client library sees what comes behind them.
    pub fn returns(&self) -> u64 {
        self.returns.load(Ordering::Acquire)
    }
}

/// `4.3.6`, `3.13.0-rc.1`, `4.3.6+2` …
fn version(text: &str) -> (u64, u64, u64) {
    let mut numbers = text.split(['.', '-', '+']).map(|n| n.parse().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0);
    (next(), next(), next())
}

/// Finds `basic.return` in a stream of frames, however it is cut.
#[derive(Default)]
struct Frames {
    /// Type, channel, size, and of a method its class and number.
    head: [u8; 11],
    have: usize,
    skip: usize,
}

impl Frames {
    /// How many messages are returned in these bytes.
    fn returns(&mut self, mut bytes: &[u8]) -> u64 {
        let mut found = 0;
        while !bytes.is_empty() {
            if self.skip > 0 {
                let n = self.skip.min(bytes.len());
                self.skip -= n;
                bytes = &bytes[n..];
                continue;
            }
            let want = if self.have >= 7 { 11 } else { 7 };
            let n = (want - self.have).min(bytes.len());
            self.head[self.have..self.have + n].copy_from_slice(&bytes[..n]);
            self.have += n;
            bytes = &bytes[n..];
            if self.have < 7 {
                continue;
            }
            let [kind, _, _, a, b, c, d, method @ ..] = self.head;
            let size = u32::from_be_bytes([a, b, c, d]) as usize;
            let is_method = kind == 1 && size >= 4;
            if is_method && self.have < 11 {
                continue;
            }
            found += u64::from(is_method && method == [0, 60, 0, 50]);
            self.skip = size + 1 - (self.have - 7);
            self.have = 0;
        }
        found
    }
}

/// A socket that is listened to.
pub struct Overheard {
    inner: Socket,
    heard: Heard,
    listening: bool,
    frames: Frames,
}

impl Overheard {
    /// Notes in `heard` what comes.
    pub fn new(inner: Socket, heard: Heard) -> Self {
        Overheard { inner, heard, listening: true, frames: Frames::default() }
    }

    fn hung_up(&self, cx: &Context<'_>) -> io::Result<()> {
        self.heard.hung_up.1.register(cx.waker());
        if self.heard.hung_up.0.load(Ordering::Acquire) {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "the server has fallen silent"));
        }
        Ok(())
    }

    fn sent(&self, bytes: usize) {
        if bytes != HEARTBEAT {
            self.heard.moved().1 = Some(Instant::now());
        }
    }

    fn note(&mut self, bytes: &[u8]) {
        if bytes.len() != HEARTBEAT {
            self.heard.moved().0 = Some(Instant::now());
        }
        if self.listening {
            self.listening = !self.heard.listen(bytes);
        }
        let returns = self.frames.returns(bytes);
        if returns > 0 {
            self.heard.returns.fetch_add(returns, Ordering::AcqRel);
        }
    }
}

impl AsyncRead for Overheard {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.hung_up(cx)?;
        let polled = Pin::new(&mut self.inner).poll_read(cx, buf);
        if let Poll::Ready(Ok(n)) = &polled {
            self.note(&buf[..*n]);
        }
        polled
    }

    fn poll_read_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        self.hung_up(cx)?;
        let polled = Pin::new(&mut self.inner).poll_read_vectored(cx, bufs);
        if let Poll::Ready(Ok(mut left)) = polled {
            for buf in bufs.iter() {
                let n = left.min(buf.len());
                self.note(&buf[..n]);
                left -= n;
            }
        }
        polled
    }
}

impl AsyncWrite for Overheard {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write(cx, buf);
        if let Poll::Ready(Ok(n)) = polled {
            self.sent(n);
        }
        polled
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write_vectored(cx, bufs);
        if let Poll::Ready(Ok(n)) = polled {
            self.sent(n);
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_close(cx)
    }
}

/// Tokio with [`Overheard`] sockets.
#[derive(Clone, Debug)]
pub struct Kit(pub Tokio);

impl RuntimeKit for Kit {}

impl Executor for Kit {
    type Task<T: Send + 'static> = <Tokio as Executor>::Task<T>;

    fn block_on<T, F: Future<Output = T>>(&self, f: F) -> T {
        self.0.block_on(f)
    }

    fn spawn<T: Send + 'static, F: Future<Output = T> + Send + 'static>(&self, f: F) -> Task<Self::Task<T>> {
        self.0.spawn(f)
    }

    fn spawn_blocking<T: Send + 'static, F: FnOnce() -> T + Send + 'static>(&self, f: F) -> Task<Self::Task<T>> {
        self.0.spawn_blocking(f)
    }
}

impl Reactor for Kit {
    type TcpStream = Overheard;
    type Sleep = <Tokio as Reactor>::Sleep;

    fn register<H: Read + Write + AsHandle + AsRawHandle + Send + 'static>(
        &self,
        socket: H,
    ) -> io::Result<impl AsyncRead + AsyncWrite + Send + Unpin + 'static> {
        self.0.register(socket)
    }

    fn sleep(&self, dur: Duration) -> Self::Sleep {
        self.0.sleep(dur)
    }

    fn interval(&self, dur: Duration) -> impl Stream<Item = Instant> + Send + 'static {
        self.0.interval(dur)
    }

    fn tcp_connect_addr(&self, addr: SocketAddr) -> impl Future<Output = io::Result<Self::TcpStream>> + Send + 'static {
        let connecting = self.0.tcp_connect_addr(addr);
        async move { Ok(Overheard::new(Socket::Plain(connecting.await?), Heard::default())) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listens_until_the_frame_is_complete_however_it_is_cut() {
        let frame = [&[1u8, 0, 0, 0, 0, 0, 5][..], b"hello", &[0xCE]].concat();
        let heard = Heard::default();
        for (at, byte) in frame.iter().enumerate() {
            assert_eq!(heard.listen(&[*byte]), at + 1 == frame.len(), "byte {at}");
        }
        assert_eq!(heard.server(), None);
    }

    #[test]
    fn returns_are_counted_however_the_stream_is_cut() {
        let frame = |kind: u8, payload: &[u8]| {
            let size = u32::try_from(payload.len()).unwrap().to_be_bytes();
            [&[kind, 0, 1][..], &size, payload, &[0xCE]].concat()
        };
        let stream = [
            frame(1, &[0, 60, 0, 80, 1, 2, 3]),
            frame(8, &[]),
            frame(1, &[0, 60, 0, 50, 9, 9]),
            frame(2, &[0, 60, 0, 50]),
            frame(3, &[0, 60, 0, 50, 1, 1, 1]),
            frame(1, &[0, 60, 0, 50]),
        ]
        .concat();
        for size in 1..stream.len() {
            let mut frames = Frames::default();
            let found: u64 = stream.chunks(size).map(|c| frames.returns(c)).sum();
            assert_eq!(found, 2, "pieces of {size}");
        }
    }

    #[test]
    fn versions_are_read_as_far_as_they_go() {
        assert_eq!(version("4.3.6"), (4, 3, 6));
        assert_eq!(version("3.13.0-rc.1"), (3, 13, 0));
        assert_eq!(version("4.3"), (4, 3, 0));
        assert_eq!(version(""), (0, 0, 0));
    }
}
