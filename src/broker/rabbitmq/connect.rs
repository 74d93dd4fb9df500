//! One connection to a server, opened as an address says.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_rs::{Runtime, Tokio};
use futures::StreamExt;
use lapin::tcp::RustlsConnector;
use lapin::types::ShortString;
use lapin::uri::{AMQPAuthority, AMQPQueryString, AMQPScheme, AMQPUri, AMQPUserInfo, SASLMechanism};
use lapin::{AsyncTcpStream, Connection, ConnectionProperties, ErrorKind, Event};
use tokio_util::sync::CancellationToken;

use super::address::{self, Parts};
use super::credentials::{self, Credentials};
use super::error;
use super::held::{answer, counts};
use super::wire::{Heard, Kit, Overheard, Socket};
use crate::broker::address::Secret;
use crate::broker::{Address, Context, Error, Kind, Result, tls};

pub use super::wire::Server;

const DOING: &str = "connecting";
/// With fewer channels than this none is kept for questions.
const FEW: u16 = 128;
/// To be tried where a port does not speak TLS.
const PLAIN: &str = "write amqp:// for this port, or name the TLS port (5671 unless configured otherwise)";

/// A queue and the connection it is spoken to on.
pub struct Link {
    line: Arc<Line>,
    /// The queue of the address; empty where an exchange is named instead.
    pub queue: String,
    /// What else is shared by those that share the connection.
    pub name: String,
}

impl std::ops::Deref for Link {
    type Target = Line;

    fn deref(&self) -> &Line {
        &self.line
    }
}

/// An open connection and what is known of its other end. Nothing on it recovers by itself: a lost connection is a lost lease.
pub struct Line {
    /// The connection.
    pub connection: Connection,
    /// Several queues are asked for on it.
    is_shared: bool,
    /// Channels on which nothing is open.
    free: Mutex<Vec<lapin::Channel>>,
    /// What the host's name stands for.
    pub addresses: Vec<SocketAddr>,
    /// Who answers there.
    pub server: Server,
    /// The user it is logged in as.
    pub user: String,
    /// The vhost it is opened to.
    pub vhost: String,
    /// Largest frame in bytes.
    pub frame_max: u32,
    /// Most channels at once.
    pub channel_max: u16,
    /// What was logged in with, for the management API.
    pub credentials: Credentials,
    /// What comes over the wire.
    pub heard: Heard,
    /// Longest wait for an answer.
    pub longest: Duration,
    /// Set at Ctrl-C: from then on a server that blocks is waited for no longer than one that is silent.
    pub stop: CancellationToken,
}

impl Line {
    /// Names of a queue of this vhost, by the addresses of the server.
    pub fn places(&self, queue: &str) -> Vec<String> {
        self.addresses.iter().map(|at| format!("{at}/{}/{queue}", address::encode(&self.vhost))).collect()
    }

    /// A new channel.
    ///
    /// # Errors
    /// As the connection is by then.
    pub async fn channel(&self) -> Result<lapin::Channel> {
        answer(self.longest, "opening a channel", self.connection.create_channel()).await
    }

    /// A channel for one question, on which nothing is open; of many questions each would take three where one does.
    ///
    /// # Errors
    /// As [`Line::channel`].
    pub async fn asking(&self) -> Result<lapin::Channel> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        match free.filter(|channel| channel.status().connected()) {
            Some(channel) => Ok(channel),
            // Where the connection is gone, this says so.
            None => self.channel().await,
        }
    }

    /// Gives it back for the next question, where there may be more. Elsewhere, and where there may be few, what reads and what
    /// sends needs them more.
    pub async fn asked(&self, channel: lapin::Channel) {
        if !self.is_shared || (1..FEW).contains(&self.channel_max) {
            drop(answer(self.longest, "closing a channel", channel.close(200, "done".into())).await);
        } else {
            self.free.lock().unwrap_or_else(PoisonError::into_inner).push(channel);
        }
    }

    /// Ready messages and consumers of a queue, as [`counts`].
    ///
    /// # Errors
    /// As [`Line::channel`], and [`counts`].
    pub async fn counts(&self, queue: &ShortString, doing: &'static str) -> Result<(u64, u64)> {
        let channel = self.asking().await?;
        let found = counts(&channel, queue, self.longest, doing).await?;
        self.asked(channel).await;
        Ok(found)
    }

    /// Hangs up once nothing has moved on the wire for the longest wait while answers are due, which they are from the start.
    /// A server that is short of memory says that it blocks, and is waited for until we are told to stop. Never returns: the connection tells those who
    /// wait for an answer.
    pub async fn hang_up_on_silence(&self) -> Infallible {
        let mut since = Instant::now();
        loop {
            tokio::time::sleep((self.longest / 8).clamp(Duration::from_millis(10), Duration::from_secs(1))).await;
            if self.connection.status().blocked() && !self.stop.is_cancelled() {
                since = Instant::now();
            } else if since.elapsed().min(self.heard.still_for()) >= self.longest {
                self.heard.hang_up();
            }
        }
    }

    /// After an answer did not come in time: where nothing at all has come, the other end is gone, and each further question
    /// would take as long again.
    pub fn hang_up_if_silent(&self, e: &Error) {
        if e.kind() == Kind::Timeout && self.heard.silent_for() >= self.longest.mul_f64(0.9) {
            self.heard.hang_up();
        }
    }

    /// Closes the connection and awaits the answer.
    ///
    /// # Errors
    /// Where it was lost before.
    pub async fn close(&self) -> Result<()> {
        answer(self.longest, "closing the connection", self.connection.close(200, "done".into())).await
    }
}

/// Connects and logs in within `ctx.timeout`; `role` ("reading", "publishing") is what the server's list of connections shows.
///
/// # Errors
/// `Unreachable`, `Denied`, `NotFound` (the vhost), `Tls`, `Timeout`, `Usage`.
pub async fn connect(address: &Address, ctx: &Context, role: &str) -> Result<Link> {
    address.only_options(address::OPTIONS)?;
    let parts = address::parts(address)?;
    let name = name(address, &parts, role);
    let line = ctx.shared.get(name.clone(), || dial(address, &parts, ctx, role)).await?;
    Ok(Link { line, queue: parts.queue, name })
}

/// Tells connections apart, in memory alone.
fn name(address: &Address, parts: &Parts, role: &str) -> String {
    let Parts { tls, host, port, vhost, user, password, .. } = parts;
    let password = password.as_ref().map(Secret::expose);
    format!("{role} {tls} {host} {port} {vhost:?} {user:?} {password:?} {:?}", address.options)
}

async fn dial(address: &Address, parts: &Parts, ctx: &Context, role: &str) -> Result<Line> {
    let credentials = credentials::of(address, parts, ctx.timeout).await?;
    let milliseconds = address.option("connection_timeout").and_then(|v| v.parse().ok()).map(Duration::from_millis);
    let longest = milliseconds.map_or(ctx.timeout, |t| t.min(ctx.timeout));
    let heard = Heard::default();
    let opening = open(address, parts, &credentials, &heard, role);
    let opened = tokio::time::timeout(longest, opening).await.unwrap_or_else(|_| {
        Err(Error::new(Kind::Timeout, format!("{}:{} did not answer within {longest:?}", parts.host, parts.port))
            .during(DOING)
            .hint("check host and port; --timeout sets how long to wait"))
    });
    let connection = match opened {
        Ok(connection) => connection,
        Err(e) if e.kind() == Kind::NotFound => {
            return Err(super::management::suggest_vhost(
                address,
                parts,
                &credentials,
                &heard.server().unwrap_or_default(),
                e,
            )
            .await);
        }
        Err(e) => return Err(e),
    };
    tell_when_blocked(&connection, ctx);
    let (frame_max, channel_max) = (connection.configuration().frame_max(), connection.configuration().channel_max());
    let addresses = tokio::net::lookup_host((parts.host.as_str(), parts.port)).await.map(Iterator::collect);
    let addresses = addresses.unwrap_or_default();
    let server = heard.server().unwrap_or_default();
    Ok(Line {
        connection,
        is_shared: ctx.shared.is_of_many(),
        free: Mutex::default(),
        addresses,
        server,
        user: credentials.user.clone(),
        vhost: parts.vhost.clone(),
        frame_max,
        channel_max,
        credentials,
        heard,
        longest: ctx.timeout,
        stop: ctx.stop.clone(),
    })
}

async fn open(
    address: &Address,
    parts: &Parts,
    credentials: &Credentials,
    heard: &Heard,
    role: &str,
) -> Result<Connection> {
    let socket = Mutex::new(Some(Overheard::new(socket(address, parts).await?, heard.clone())));
    // The library asks once; it is not set up to reconnect.
    let connect =
        async move |_: AMQPUri, _: Runtime<Kit>| match socket.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(socket) => Ok(AsyncTcpStream::Plain(socket)),
            None => Err(lapin::Error::from(ErrorKind::IOError(Arc::new(io::ErrorKind::ConnectionReset.into())))),
        };
    let properties = ConnectionProperties::default()
        .with_connection_name(format!("dlq {role}").into())
        .with_client_property("product".into(), "dlq".into())
        .with_client_property("version".into(), env!("CARGO_PKG_VERSION").into());
    let uri = uri(address, parts, credentials)?;
    let mechanism = uri.query.auth_mechanism.unwrap_or_default().name();
    Connection::connector(uri, Runtime::new(Kit(Tokio::current())), connect, properties).await.map_err(|e| match heard
        .mechanisms()
    {
        Some(offered) if !offered.split(' ').any(|m| m == mechanism) => {
            Error::new(Kind::Denied, format!("the server does not let users log in with {mechanism}"))
                .during(DOING)
                .hint(format!("it offers {offered}: choose one with -X auth_mechanism=…"))
        }
        _ => refused(&e, &heard.first(), parts, credentials),
    })
}

fn uri(address: &Address, parts: &Parts, credentials: &Credentials) -> Result<AMQPUri> {
    let number = |name: &str| address.option(name).and_then(|v| v.parse::<u16>().ok());
    let auth_mechanism = match address.option("auth_mechanism") {
        None => None,
        Some(m) => Some(m.parse::<SASLMechanism>().map_err(|e| Error::new(Kind::Usage, e))?),
    };
    Ok(AMQPUri {
        scheme: if parts.tls { AMQPScheme::AMQPS } else { AMQPScheme::AMQP },
        authority: AMQPAuthority {
            userinfo: AMQPUserInfo {
                username: credentials.user.clone(),
                password: credentials.password.expose().to_owned(),
            },
            host: parts.host.clone(),
            port: parts.port,
        },
        vhost: parts.vhost.clone(),
        query: AMQPQueryString {
            channel_max: number("channel_max"),
            heartbeat: number("heartbeat"),
            auth_mechanism,
            ..AMQPQueryString::default()
        },
    })
}

async fn socket(address: &Address, parts: &Parts) -> Result<Socket> {
    let Parts { tls: wants_tls, host, port, .. } = parts;
    let addresses: Vec<_> = tokio::net::lookup_host((host.as_str(), *port))
        .await
        .map_err(|e| Error::new(Kind::Unreachable, format!("the host {host} is not known")).during(DOING).because(e))?
        .collect();
    let plain = Socket::connect(&Runtime::new(Tokio::current()), addresses).await.map_err(|e| {
        let e = match e.kind() {
            io::ErrorKind::ConnectionRefused => {
                Error::new(Kind::Unreachable, format!("nothing listens at {host}:{port}"))
                    .hint("is the server running, and is this its AMQP port?")
            }
            _ => Error::new(Kind::Unreachable, format!("{host}:{port} cannot be reached")).because(e),
        };
        e.during(DOING)
    })?;
    if !wants_tls {
        return Ok(plain);
    }
    let connector = RustlsConnector::from(tls::config(address)?);
    plain.into_rustls(&connector, tls::server_name(address, host)).await.map_err(|e| {
        tls::explain(&e, host, *port, PLAIN)
            .unwrap_or_else(|| {
                Error::new(Kind::Tls, format!("{host}:{port} hung up during the TLS handshake"))
                    .because(e)
                    .hint("is this its TLS port? Without TLS write amqp://")
            })
            .during(DOING)
    })
}

/// Why a server that was reached did not let us in.
fn refused(e: &lapin::Error, heard: &[u8], parts: &Parts, credentials: &Credentials) -> Error {
    let place = format!("{}:{}", parts.host, parts.port);
    if let ErrorKind::IOError(io) = e.kind()
        && let Some(tls) = tls::explain(&**io, &parts.host, parts.port, PLAIN)
    {
        return tls.during(DOING);
    }
    let foreign = |what: &str| Error::new(Kind::Unreachable, format!("{place} {what}")).during(DOING);
    match heard {
        // The record types of TLS: an alert, or a handshake.
        [0x15 | 0x16, 3, ..] => return foreign("speaks TLS").hint("write amqps:// for this port"),
        [b'H', b'T', b'T', b'P', ..] => {
            return foreign("speaks HTTP, not AMQP")
                .hint("name the AMQP port (5672, or 5671 with TLS, unless configured otherwise)");
        }
        [b'A', b'M', b'Q', b'P', ..] => return foreign("speaks another version of AMQP than 0-9-1"),
        [] if e.is_io_error() => {
            return foreign("hung up without a word").hint(if parts.tls {
                "is this an AMQP port? A server that wants a client certificate is given one with -X certfile=FILE -X keyfile=FILE"
            } else {
                "is this an AMQP port? For a TLS port write amqps://"
            });
        }
        _ => {}
    }
    let user = &credentials.user;
    match error::reply_code(e) {
        Some(403) => {
            let e = Error::new(Kind::Denied, format!("{place} refused the login of user {user}"));
            e.hint(match (credentials.from.as_str(), user.as_str()) {
                ("the default, guest", _) => {
                    "no password was given: write amqp://USER:PASS@HOST/QUEUE, or -X user=USER -X password-env=NAME"
                        .to_owned()
                }
                (from, "guest") => {
                    format!("the password was from {from}; guest may log in from the server's own machine only")
                }
                (from, _) => format!("the password was from {from}"),
            })
            .during(DOING)
        }
        Some(530) => {
            let mapped = error::map(e, DOING);
            match mapped.kind() {
                Kind::NotFound => Error::new(Kind::NotFound, format!("{place} has no vhost {:?}", parts.vhost))
                    .during(DOING)
                    .hint(read_as(parts)),
                Kind::Denied => {
                    Error::new(Kind::Denied, format!("user {user} has no access to vhost {:?} of {place}", parts.vhost))
                        .during(DOING)
                }
                _ => mapped,
            }
        }
        _ => error::map(e, DOING),
    }
}

/// How the path of an address was understood.
pub fn read_as(parts: &Parts) -> String {
    if parts.queue.is_empty() {
        return format!(
            "the address was read as vhost {0:?}, not as queue {0:?}, which dlq depth measures",
            parts.vhost
        );
    }
    format!(
        "the address was read as vhost {:?}, queue {:?}; a slash in a name is written %2F",
        parts.vhost, parts.queue
    )
}

/// A server short of memory or disk stops reading from publishers: a pause that needs a word.
fn tell_when_blocked(connection: &Connection, ctx: &Context) {
    let (mut events, notice) = (connection.events_listener(), ctx.notice.clone());
    tokio::spawn(async move {
        while let Some(event) = events.next().await {
            match event {
                Event::ConnectionBlocked(why) => {
                    notice(format!("the server takes no messages for now ({why}); waiting"))
                }
                Event::ConnectionUnblocked => notice("the server takes messages again".into()),
                _ => {}
            }
        }
    });
}
