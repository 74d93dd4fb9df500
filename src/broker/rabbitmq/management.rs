//! The management API, where it is there: what AMQP itself does not tell. Its absence is a notice, never a failure.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value as Json;
use ureq::Agent;
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};

use super::address::{self, Parts, encode};
use super::connect::{Link, Server};
use super::credentials::{self, Credentials};
use super::policies;
use super::queue_info::QueueInfo;
use crate::broker::address::{Secret, decode};
use crate::broker::{Address, Context, Error, Kind, Result, nearest, tls};

/// How long a guessed address may take to answer.
const GUESS: Duration = Duration::from_secs(1);
/// The longest answer read: a list of many thousand queues.
const LONGEST: u64 = 64 << 20;
/// Queues asked for at once.
const PAGE: usize = 500;
/// Pages read at most when all queues of a vhost are looked at.
const PAGES: usize = 40;

/// A management API that has answered.
#[derive(Clone)]
pub struct Management(Arc<Inner>);

struct Inner {
    agent: Agent,
    /// Without user and password.
    base: String,
    login: Secret,
    vhost: String,
    version: (u64, u64, u64),
}

impl Management {
    /// The API that the address names or that stands where it usually does. `None`, after a notice, where there is none.
    pub async fn open(address: &Address, ctx: &Context, link: &Link) -> Option<Management> {
        let parts = address::parts(address).ok()?;
        let reach = || reach(address, &parts, &link.credentials, &link.server, ctx.timeout);
        match ctx.shared.get(link.name.clone(), reach).await {
            Ok(api) => (*api).clone(),
            Err(e) => {
                let hint = "name it with -X management=URL, or leave it out with -X management=none";
                (ctx.notice)(format!("{e}, so queue type, limits and bindings are not known; {hint}"));
                None
            }
        }
    }

    /// A vhost that this user may use, by an API that was not compared with the server yet.
    pub async fn some_vhost(address: &Address, parts: &Parts, ctx: &Context) -> Option<String> {
        let credentials = credentials::of(address, parts, ctx.timeout).await.ok()?;
        let api = reach(address, parts, &credentials, &Server::default(), ctx.timeout).await.ok()??;
        api.vhosts().await.ok()?.into_iter().next()
    }

    /// As [`Management::open`], where nothing can be done without it.
    ///
    /// # Errors
    /// `Unsupported` where the address says that there is none; else why it does not answer.
    pub async fn required(address: &Address, ctx: &Context, link: &Link) -> Result<Management> {
        let parts = address::parts(address)?;
        match reach(address, &parts, &link.credentials, &link.server, ctx.timeout).await {
            Ok(Some(api)) => Ok(api),
            Ok(None) => Err(Error::new(Kind::Unsupported, "this is asked of the management API, and management=none")
                .hint("leave management out, or name it with -X management=URL")),
            Err(e) if e.kind() == Kind::Denied => {
                Err(e.hint("it takes a user with the tag management, monitoring or administrator"))
            }
            Err(e) => Err(e.hint("it is asked for queues, bindings and policies: name it with -X management=URL")),
        }
    }

    /// One answer; `None` where there is no such thing.
    ///
    /// # Errors
    /// `Denied`, `Unreachable`, `Timeout`.
    pub async fn get(&self, path: String) -> Result<Option<Json>> {
        let api = self.0.clone();
        tokio::task::spawn_blocking(move || api.get(&path))
            .await
            .map_err(|e| Error::new(Kind::Other, "asking the management API was cut short").because(e))?
    }

    /// `/api/KIND/VHOST`, the vhost encoded.
    pub fn path(&self, kind: &str) -> String {
        format!("/api/{kind}/{}", encode(&self.0.vhost))
    }

    /// A queue of the vhost, as far as it is known. For a few seconds after its declaration the counts and limits are not.
    ///
    /// # Errors
    /// As [`Management::get`].
    pub async fn queue(&self, name: &str) -> Result<Option<QueueInfo>> {
        Ok(self.queue_as_told(name).await?.map(|(info, _)| info))
    }

    /// The same with all the API says of it.
    ///
    /// # Errors
    /// As [`Management::get`].
    pub async fn queue_as_told(&self, name: &str) -> Result<Option<(QueueInfo, Json)>> {
        let Some(json) = self.get(format!("{}/{}", self.path("queues"), encode(name))).await? else { return Ok(None) };
        let mut info = QueueInfo::of(&json, self.0.version);
        if info.kind == "quorum" && info.delivery_limit.is_none() {
            info.delivery_limit = policies::delivery_limit(self, &info, self.0.version).await;
        }
        Ok(Some((info, json)))
    }

    /// Every queue of the vhost, up to some thousands.
    ///
    /// # Errors
    /// As [`Management::get`].
    pub async fn queues(&self) -> Result<Vec<QueueInfo>> {
        let list = self.list(&self.path("queues"), "", PAGES).await?;
        Ok(list.iter().map(|json| QueueInfo::of(json, self.0.version)).collect())
    }

    /// The names of the queues of the vhost.
    ///
    /// # Errors
    /// As [`Management::get`].
    pub async fn queue_names(&self) -> Result<Vec<String>> {
        Ok(names(&self.list(&self.path("queues"), "&columns=name&disable_stats=true", PAGES).await?))
    }

    /// The names of the exchanges of the vhost.
    ///
    /// # Errors
    /// As [`Management::get`].
    pub async fn exchange_names(&self) -> Result<Vec<String>> {
        Ok(names(&self.list(&self.path("exchanges"), "&columns=name&disable_stats=true", PAGES).await?))
    }

    /// What is at a path that answers in pages, so many of them at most; `more` of the query.
    ///
    /// # Errors
    /// As [`Management::get`].
    pub async fn list(&self, path: &str, more: &str, pages: usize) -> Result<Vec<Json>> {
        let mut all = Vec::new();
        for page in 1..=pages {
            let path = format!("{path}?page={page}&page_size={PAGE}{more}");
            let Some(mut answer) = self.get(path).await? else { break };
            let pages = answer["page_count"].as_u64().unwrap_or(0);
            if let Json::Array(items) = answer["items"].take() {
                all.extend(items);
            }
            if page as u64 >= pages {
                break;
            }
        }
        Ok(all)
    }

    /// The vhosts this user may see.
    ///
    /// # Errors
    /// As [`Management::get`].
    pub async fn vhosts(&self) -> Result<Vec<String>> {
        Ok(self
            .get("/api/vhosts?columns=name".into())
            .await?
            .and_then(|v| v.as_array().map(|a| names(a)))
            .unwrap_or_default())
    }

    /// What is bound to an exchange: the bindings that have it as their source.
    ///
    /// # Errors
    /// As [`Management::get`].
    pub async fn bindings_of_exchange(&self, exchange: &str) -> Result<Vec<Json>> {
        self.array(format!("{}/{}/bindings/source", self.path("exchanges"), encode(exchange))).await
    }

    /// What a queue is bound to, the default exchange included.
    ///
    /// # Errors
    /// As [`Management::get`].
    pub async fn bindings_of_queue(&self, queue: &str) -> Result<Vec<Json>> {
        self.array(format!("{}/{}/bindings", self.path("queues"), encode(queue))).await
    }

    /// What an exchange is bound to as a destination.
    ///
    /// # Errors
    /// As [`Management::get`].
    pub async fn bindings_into_exchange(&self, exchange: &str) -> Result<Vec<Json>> {
        self.array(format!("{}/{}/bindings/destination", self.path("exchanges"), encode(exchange))).await
    }

    /// A whole array at once.
    ///
    /// # Errors
    /// As [`Management::get`].
    pub async fn array(&self, path: String) -> Result<Vec<Json>> {
        Ok(match self.get(path).await? {
            Some(Json::Array(items)) => items,
            _ => vec![],
        })
    }
}

fn names(items: &[Json]) -> Vec<String> {
    items.iter().filter_map(|i| i["name"].as_str()).filter(|n| !n.is_empty()).map(str::to_owned).collect()
}

impl Inner {
    fn get(&self, path: &str) -> Result<Option<Json>> {
        let base = &self.base;
        let mut answer = self
            .agent
            .get(format!("{base}{path}"))
            .header("authorization", self.login.expose())
            .call()
            .map_err(|e| unreachable(base, e))?;
        match answer.status().as_u16() {
            200 => {}
            404 => return Ok(None),
            401 | 403 => {
                return Err(Error::new(Kind::Denied, format!("the management API at {base} refuses this user")));
            }
            other => {
                return Err(Error::new(Kind::Other, format!("the management API at {base} answers with HTTP {other}")));
            }
        }
        let body = answer.body_mut().with_config().limit(LONGEST).read_to_vec().map_err(|e| unreachable(base, e))?;
        serde_json::from_slice(&body)
            .map(Some)
            .map_err(|e| Error::new(Kind::Other, format!("what answers at {base} is not a management API")).because(e))
    }
}

fn unreachable(base: &str, e: ureq::Error) -> Error {
    match e {
        ureq::Error::Timeout(_) => {
            Error::new(Kind::Timeout, format!("the management API at {base} does not answer in time"))
        }
        ureq::Error::Io(io) if io.kind() == std::io::ErrorKind::ConnectionRefused => {
            Error::new(Kind::Unreachable, format!("no management API answers at {base}"))
        }
        e => Error::new(Kind::Unreachable, format!("no management API answers at {base}")).because(e),
    }
}

/// Builds the client and asks who we are. `None` for `management=none`.
async fn reach(
    address: &Address,
    parts: &Parts,
    credentials: &Credentials,
    server: &Server,
    timeout: Duration,
) -> Result<Option<Management>> {
    let given = address.option("management");
    if given == Some("none") {
        return Ok(None);
    }
    let (base, login) = match given {
        Some(url) => split_login(url),
        None => (guess(parts), None),
    };
    let (user, password) = login.unwrap_or_else(|| (credentials.user.clone(), credentials.password.clone()));
    let login = BASE64_STANDARD.encode(format!("{user}:{}", password.expose()));
    let build = |limit: Duration| -> Result<Agent> {
        let mut config = Agent::config_builder().timeout_global(Some(limit)).http_status_as_error(false).proxy(None);
        if base.starts_with("https:") {
            config = config.tls_config(https(address)?);
        }
        Ok(config.build().new_agent())
    };
    let first = if given.is_some() { timeout } else { timeout.min(GUESS) };
    let inner = |agent| Inner {
        agent,
        base: base.clone(),
        login: Secret::new(format!("Basic {login}")),
        vhost: parts.vhost.clone(),
        version: server.version,
    };
    let probe = Management(Arc::new(inner(build(first)?)));
    let Some(overview) = probe.get("/api/overview?columns=cluster_name,rabbitmq_version".into()).await? else {
        return Err(Error::new(Kind::NotFound, format!("what answers at {base} is not a management API")));
    };
    // A guess can meet the API of another server on the same host, whose limits would be believed.
    if !server.cluster.is_empty() && overview["cluster_name"].as_str() != Some(&server.cluster) {
        return Err(Error::new(Kind::NotFound, format!("the management API at {base} is of another server")));
    }
    Ok(Some(Management(Arc::new(inner(build(timeout)?)))))
}

fn guess(parts: &Parts) -> String {
    let host = if parts.host.contains(':') { format!("[{}]", parts.host) } else { parts.host.clone() };
    if parts.tls { format!("https://{host}:15671") } else { format!("http://{host}:15672") }
}

/// The URL without login and trailing `/api/`, and the login.
fn split_login(url: &str) -> (String, Option<(String, Secret)>) {
    let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
    let trimmed = rest.trim_end_matches('/');
    let rest = trimmed.strip_suffix("/api").unwrap_or(trimmed);
    let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    match authority.rsplit_once('@') {
        Some((login, host)) => {
            let (user, password) = login.split_once(':').unwrap_or((login, ""));
            (format!("{scheme}://{host}{path}"), Some((decode(user), Secret::new(decode(password)))))
        }
        None => (format!("{scheme}://{rest}"), None),
    }
}

/// As the AMQP side: same authorities, same client certificate, same leniency.
fn https(address: &Address) -> Result<TlsConfig> {
    let mut config = TlsConfig::builder()
        .unversioned_rustls_crypto_provider(tls::provider())
        .disable_verification(!tls::verifies(address));
    let authorities = match address.option("cacertfile") {
        Some(path) => tls::certificates("cacertfile", path)?,
        None => rustls_native_certs::load_native_certs().certs,
    };
    let authorities: Vec<_> = authorities.iter().map(|c| Certificate::from_der(c).to_owned()).collect();
    config = config.root_certs(RootCerts::new_with_certs(&authorities));
    if let Some(cert) = address.option("certfile") {
        let chain: Vec<_> =
            tls::certificates("certfile", cert)?.iter().map(|c| Certificate::from_der(c).to_owned()).collect();
        let path = address.option("keyfile").unwrap_or(cert);
        let unreadable = || Error::new(Kind::Usage, format!("keyfile: {path} cannot be read"));
        let pem = std::fs::read(path).map_err(|e| unreadable().because(e))?;
        let key = PrivateKey::from_pem(&pem).map_err(|e| unreadable().because(e))?;
        config = config.client_cert(Some(ClientCert::new_with_certs(&chain, key)));
    }
    Ok(config.build())
}

/// Adds the vhosts there are to an error about one that is not, where they can be listed at once.
pub async fn suggest_vhost(
    address: &Address,
    parts: &Parts,
    credentials: &Credentials,
    server: &Server,
    e: Error,
) -> Error {
    let read_as = super::connect::read_as(parts);
    let Ok(Some(api)) = reach(address, parts, credentials, server, GUESS).await else { return e };
    let Ok(there) = api.vhosts().await else { return e };
    match nearest(&parts.vhost, there.iter().map(String::as_str)) {
        Some(close) => e.hint(format!("did you mean vhost {close:?}? {read_as}")),
        None if there.is_empty() => e,
        None => {
            let listed = there.iter().take(10).map(|v| format!("{v:?}")).collect::<Vec<_>>().join(", ");
            e.hint(format!("there are {listed}; {read_as}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart() {
        let of = |url| {
            let (base, login) = split_login(url);
            (base, login.map(|(u, p)| (u, p.expose().to_owned())))
        };
        assert_eq!(of("http://h:15672/"), ("http://h:15672".into(), None));
        assert_eq!(of("https://h/prefix/api/"), ("https://h/prefix".into(), None));
        assert_eq!(of("http://u:p%40@h:1"), ("http://h:1".into(), Some(("u".into(), "p@".into()))));
    }
}
