//! One connection to a server, and questions that survive its loss.

use std::sync::Arc;
use std::time::Duration;

use async_nats::{Client, ConnectOptions, Event, Message, Request, RequestErrorKind, ServerError};
use bytes::Bytes;
use tokio::sync::{broadcast, watch};
use tokio::time::Instant;

use super::address::{self, Parts};
use super::error;
use crate::broker::address::Secret;
use crate::broker::credentials::{Given, given};
use crate::broker::{Address, Context, Error, Kind, Result, tls};

const DOING: &str = "connecting";
/// Longest pause between two tries to connect again.
const PAUSE: Duration = Duration::from_millis(500);

/// Whether there is a connection, and which one it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// It stands.
    pub up: bool,
    /// How often it was lost.
    pub lost: u64,
    /// Since when it is as it is.
    pub since: Instant,
}

/// A connection. The client library makes it anew when it is lost; what was asked and not answered is ours to ask again.
pub struct Line {
    /// The connection.
    pub client: Client,
    /// Longest wait for an answer, and for a connection that was lost.
    pub longest: Duration,
    /// How it is.
    pub state: watch::Receiver<State>,
    /// What the server says of its own accord: missing permissions.
    pub said: broadcast::Sender<Arc<str>>,
    /// `$JS.API`, or that of a domain.
    pub prefix: String,
    /// `HOST:PORT`.
    pub place: String,
    /// The user, where there is one.
    pub principal: Option<String>,
}

/// The connection of an address.
pub type Link = Arc<Line>;

/// Connects and logs in within `ctx.timeout`.
///
/// # Errors
/// `Unreachable`, `Denied`, `Tls`, `Timeout`, `Usage`.
pub async fn connect(address: &Address, ctx: &Context) -> Result<Link> {
    address.only_options(address::OPTIONS)?;
    let parts = address::parts(address)?;
    let password = parts.password.as_ref().map(Secret::expose);
    let of_one = ["consumer", "subject", "newest"];
    let options: Vec<_> = address.options.iter().filter(|(k, _)| !of_one.contains(&k.as_str())).collect();
    let name = format!("{} {} {:?} {password:?} {options:?}", parts.tls, parts.place(), parts.user);
    ctx.shared.get(name, || dial(address, &parts, ctx)).await
}

async fn dial(address: &Address, parts: &Parts, ctx: &Context) -> Result<Line> {
    let (login, principal, mut options) = login(address, parts, ctx).await?;
    let (state_in, state) = watch::channel(State { up: true, lost: 0, since: Instant::now() });
    let (said, _) = broadcast::channel(64);
    let heard = said.clone();
    let state_in = Arc::new(state_in);
    options = options
        .name("dlq")
        .connection_timeout(ctx.timeout)
        .request_timeout(None)
        .max_reconnects(None)
        .reconnect_delay_callback(|tries| {
            PAUSE.min(Duration::from_millis(20) * u32::try_from(tries).unwrap_or(u32::MAX))
        })
        .ping_interval((ctx.timeout / 3).clamp(Duration::from_millis(100), Duration::from_secs(20)))
        .event_callback(move |event| {
            match event {
                Event::Disconnected => state_in.send_modify(|s| {
                    *s = State { up: false, lost: s.lost + 1, since: Instant::now() };
                }),
                Event::Connected => state_in.send_modify(|s| {
                    if !s.up {
                        *s = State { up: true, since: Instant::now(), ..*s };
                    }
                }),
                // Nobody listens between two questions.
                Event::ServerError(ServerError::Other(text)) => drop(heard.send(text.into())),
                _ => {}
            }
            std::future::ready(())
        });
    if let Some(prefix) = address.option("inbox-prefix") {
        options = options.custom_inbox_prefix(prefix);
    }
    let wants = ["cacertfile", "certfile", "keyfile", "verify"].iter().any(|o| address.option(o).is_some());
    if parts.tls || wants {
        options = options.tls_client_config(tls::config(address)?).require_tls(parts.tls);
    }
    if address.option("tls").is_some_and(|v| v.eq_ignore_ascii_case("first")) {
        options = options.tls_first();
    }
    let scheme = if parts.tls { "tls" } else { "nats" };
    let url = format!("{scheme}://{}", parts.place());
    let client = match tokio::time::timeout(ctx.timeout, options.connect(url)).await {
        Ok(Ok(client)) => client,
        Ok(Err(e)) => return Err(error::of_connect(&e, parts, &login)),
        Err(_) => {
            return Err(Error::new(
                Kind::Timeout,
                format!("{} did not answer within {:?}", parts.place(), ctx.timeout),
            )
            .during(DOING)
            .hint("check host and port; --timeout sets how long to wait"));
        }
    };
    let prefix = address.option("domain").map_or_else(|| "$JS.API".to_owned(), |d| format!("$JS.{d}.API"));
    Ok(Line { client, longest: ctx.timeout, state, said, prefix, place: parts.place(), principal })
}

/// How to log in, in words and for the library, and as whom.
async fn login(address: &Address, parts: &Parts, ctx: &Context) -> Result<(String, Option<String>, ConnectOptions)> {
    let options = ConnectOptions::new();
    let file = |option: &'static str, path: &str| {
        let text = std::fs::read_to_string(path);
        text.map_err(|e| Error::new(Kind::Usage, format!("{option}: {path} cannot be read")).because(e))
    };
    if let Some(Given { username, password, from, .. }) = given(&address.options, ctx.timeout).await? {
        let Some(user) = parts.user.clone().or(username) else {
            return Err(Error::new(Kind::Usage, "a password without a user").hint("name it with -X user=NAME"));
        };
        let login = format!("user {user}, password from {from}");
        return Ok((login, Some(user.clone()), options.user_and_password(user, password.expose().to_owned())));
    }
    if let (Some(user), Some(password)) = (&parts.user, &parts.password) {
        let login = format!("user {user}, password from the address");
        return Ok((login, Some(user.clone()), options.user_and_password(user.clone(), password.expose().to_owned())));
    }
    let token =
        match (address.option("token"), address.option("token-env"), address.option("token-file")) {
            (Some(token), ..) => Some(token.to_owned()),
            (_, Some(name), _) => Some(std::env::var(name).map_err(|_| {
                Error::new(Kind::Usage, format!("the environment variable {name} (token-env) is not set"))
            })?),
            (_, _, Some(path)) => Some(file("token-file", path)?.trim_end().to_owned()),
            _ => None,
        };
    if let Some(token) = token {
        return Ok(("a token".into(), None, options.token(token)));
    }
    if let Some(path) = address.option("creds") {
        // The library's error may quote the file.
        let options = options.credentials(&file("creds", path)?).map_err(|_| {
            Error::new(Kind::Usage, format!("creds: {path} holds no user credentials (a JWT and a seed)"))
        })?;
        return Ok((format!("the credentials in {path}"), None, options));
    }
    if let Some(path) = address.option("nkey") {
        let text = file("nkey", path)?;
        let seed = text.lines().map(str::trim).find(|l| l.starts_with('S'));
        let seed = seed.ok_or_else(|| Error::new(Kind::Usage, format!("nkey: {path} holds no seed of an nkey")))?;
        return Ok((format!("the nkey in {path}"), None, options.nkey(seed.to_owned())));
    }
    Ok(("without a name".into(), None, options))
}

/// A question over which the connection is lost so often is not asked again.
const LOSSES: u32 = 5;

/// An answer, and whether the question was asked more than once.
pub struct Answer {
    /// What came.
    pub message: Message,
    /// The connection was lost meanwhile: the first time may have been heard as well.
    pub again: bool,
}

/// Why there is no answer.
pub struct Unanswered {
    /// As it is told.
    pub error: Error,
    /// The question went out all the same, so that what it asks for may be done.
    pub heard: bool,
}

impl From<Unanswered> for Error {
    fn from(u: Unanswered) -> Error {
        u.error
    }
}

impl Line {
    /// Asks and waits. What is asked must do no harm twice: where the connection is lost it is asked again.
    ///
    /// # Errors
    /// `Timeout`, `Denied`, `Unreachable`; `NotFound` where nobody answers to that subject.
    pub async fn ask(&self, subject: &str, payload: Bytes) -> std::result::Result<Answer, Unanswered> {
        let mut losses = 0;
        loop {
            let again = losses > 0;
            let failed = |heard: bool, error| Unanswered { error, heard: heard || again };
            let (mut said, mut state) = (self.said.subscribe(), self.state.clone());
            let before = *state.borrow_and_update();
            if !before.up {
                self.wait_for_connection().await.map_err(|e| failed(false, e))?;
                continue;
            }
            let question = Request::new().payload(payload.clone()).timeout(None);
            let asking = self.client.send_request(subject.to_owned(), question);
            tokio::select! {
                answer = asking => return match answer {
                    Ok(message) => Ok(Answer { message, again }),
                    Err(e) if e.kind() == RequestErrorKind::NoResponders => {
                        Err(Error::new(Kind::NotFound, format!("nobody at {} answers to {subject}", self.place)))
                    }
                    Err(e) => Err(Error::new(Kind::Unreachable, format!("{} could not be asked", self.place)).because(e)),
                }.map_err(|e| failed(false, e)),
                refused = refusal(&mut said, subject) => return Err(failed(false, error::denied(&refused))),
                () = lost(&mut state, before.lost) => {
                    losses += 1;
                    // A server that ends the connection over the answer does so each time.
                    if losses >= LOSSES {
                        let text = format!("the connection to {} was lost {losses} times while it was asked", self.place);
                        return Err(failed(true, Error::new(Kind::Unreachable, text)));
                    }
                }
                () = tokio::time::sleep(self.longest) => {
                    let e = Error::new(Kind::Timeout, format!("{} did not answer within {:?}", self.place, self.longest));
                    return Err(failed(true, e.hint("--timeout sets how long to wait")));
                }
            }
        }
    }

    /// Until the library has made the connection anew.
    ///
    /// # Errors
    /// `Unreachable` after the longest wait.
    pub async fn wait_for_connection(&self) -> Result<()> {
        let mut state = self.state.clone();
        let since = state.borrow().since;
        let back = async { state.wait_for(|s| s.up).await.is_ok() };
        if tokio::time::timeout_at(since + self.longest, back).await == Ok(true) {
            return Ok(());
        }
        let text =
            format!("the connection to {} was lost, and could not be made again within {:?}", self.place, self.longest);
        Err(Error::new(Kind::Unreachable, text))
    }
}

/// What the server says of a permission that this subject, or any inbox, lacks.
async fn refusal(said: &mut broadcast::Receiver<Arc<str>>, subject: &str) -> Arc<str> {
    let (quoted, raw) = (format!("\"{subject}\""), subject.to_lowercase());
    loop {
        match said.recv().await {
            Ok(text) if text.contains(&quoted) || text.to_lowercase().contains(&raw) => return text,
            Ok(text) if text.to_lowercase().contains("permissions violation for subscription") => return text,
            Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
            _ => {}
        }
    }
}

/// Until the connection has been lost once more.
async fn lost(state: &mut watch::Receiver<State>, before: u64) {
    if state.wait_for(|s| s.lost > before).await.is_err() {
        std::future::pending::<()>().await;
    }
}
