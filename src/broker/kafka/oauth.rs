//! SASL/OAUTHBEARER by client credentials: a token for an id and a secret, asked for again before it expires. The client
//! library can do this with curl, which it is built without here.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC};
use rdkafka::client::OAuthToken;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::Value;
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use crate::broker::address::{Options, Secret};
use crate::broker::credentials::Given;
use crate::broker::{Error, Kind, Result};

const DOING: &str = "asking for a token";
/// The longest answer read.
const LONGEST: u64 = 1 << 20;
/// A token that does not say how long it holds is asked for anew after this.
const HOLDS: Duration = Duration::from_secs(300);

/// A token is not used that expires within so many milliseconds.
const SPARE: i64 = 500;

/// Properties that stand for what is done here instead of by the library.
pub(super) fn is_ours(name: &str) -> bool {
    let of_the_library = ["sasl.oauthbearer.config"];
    (name.starts_with("sasl.oauthbearer.") && !of_the_library.contains(&name)) || name.starts_with("https.ca.")
}

/// Gets tokens, and keeps the last for as long as it is good.
pub(super) struct Tokens {
    url: String,
    pub(super) client: String,
    secret: Secret,
    scope: Option<String>,
    agent: Agent,
    last: Mutex<Option<(Instant, Token)>>,
}

/// One token.
#[derive(Clone)]
pub(super) struct Token {
    text: Secret,
    principal: String,
    /// When it expires, in milliseconds since 1970.
    expires: i64,
}

impl Token {
    /// As the library takes it.
    pub(super) fn hand_over(&self) -> OAuthToken {
        OAuthToken {
            token: self.text.expose().to_owned(),
            principal_name: self.principal.clone(),
            lifetime_ms: self.expires,
        }
    }
}

impl Tokens {
    /// As the options say; `None` where the login is of another kind.
    ///
    /// # Errors
    /// `Usage` for what is missing, `Unsupported` for what the library alone could do.
    pub(super) fn of(options: &Options, login: Option<&Given>, timeout: Duration) -> Result<Option<Arc<Tokens>>> {
        let option = |name: &str| options.get(name).map(String::as_str);
        let mechanism = option("sasl.mechanisms").or(option("sasl.mechanism")).unwrap_or_default();
        let unsecured = option("enable.sasl.oauthbearer.unsecure.jwt").is_some_and(|v| v != "false");
        if !mechanism.eq_ignore_ascii_case("OAUTHBEARER") || unsecured {
            return Ok(None);
        }
        if option("sasl.oauthbearer.grant.type").is_some_and(|g| g != "client_credentials") {
            return Err(not_here("sasl.oauthbearer.grant.type"));
        }
        let beyond = ["sasl.oauthbearer.extensions", "sasl.oauthbearer.metadata.authentication.type"];
        if let Some(name) = beyond.into_iter().find(|name| option(name).is_some_and(|v| v != "none")) {
            return Err(not_here(name));
        }
        let needed = |names: [&str; 2], what: &str| {
            let given = names.iter().find_map(|name| option(name)).map(str::to_owned);
            given.ok_or_else(|| {
                Error::new(Kind::Usage, format!("sasl.mechanisms=OAUTHBEARER takes {what}"))
                    .hint(format!("give it with -X {}=…", names[0]))
            })
        };
        let url = needed(["sasl.oauthbearer.token.endpoint.url", ""], "the address that gives tokens")?;
        let id = ["sasl.oauthbearer.client.id", "sasl.oauthbearer.client.credentials.client.id"];
        let client = match login.and_then(|l| l.username.clone()) {
            Some(name) if id.iter().all(|name| option(name).is_none()) => name,
            _ => needed(id, "the id of a client")?,
        };
        let secret = match login {
            Some(login) => login.password.clone(),
            None => Secret::new(needed(
                ["sasl.oauthbearer.client.secret", "sasl.oauthbearer.client.credentials.client.secret"],
                "a secret, by password-env, password-file, password-command or this option",
            )?),
        };
        if !url.starts_with("https://") && !url.starts_with("http://") {
            return Err(Error::new(Kind::Usage, format!("{url:?} is not the https:// address that gives tokens")));
        }
        let mut config = Agent::config_builder().timeout_global(Some(timeout)).http_status_as_error(false);
        if url.starts_with("https:") {
            config = config.tls_config(tls(options)?);
        }
        let agent = config.build().new_agent();
        let scope = option("sasl.oauthbearer.scope").map(str::to_owned);
        Ok(Some(Arc::new(Tokens { url, client, secret, scope, agent, last: Mutex::default() })))
    }

    /// A token that is good for a while.
    ///
    /// # Errors
    /// `Denied`, `Unreachable`.
    pub(super) fn get(&self) -> Result<Token> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((until, token)) = &*last
            && Instant::now() < *until
            // A machine that slept has not counted the time, and the library takes no token that has expired.
            && Timestamp::now().as_millisecond() + SPARE < token.expires
        {
            return Ok(token.clone());
        }
        let (token, holds) = self.ask()?;
        // The library asks again at four fifths of a token's life: then there must be a new one.
        *last = Some((Instant::now() + holds.mul_f64(0.6), token.clone()));
        Ok(token)
    }

    fn ask(&self) -> Result<(Token, Duration)> {
        // As librdkafka and Java clients do by default: not encoded once more.
        let login = BASE64_STANDARD.encode(format!("{}:{}", self.client, self.secret.expose()));
        let mut form = vec![("grant_type", "client_credentials")];
        form.extend(self.scope.as_deref().map(|scope| ("scope", scope)));
        let form: Vec<String> = form.iter().map(|(k, v)| format!("{k}={}", encoded(v))).collect();
        let sent = self
            .agent
            .post(&self.url)
            .header("authorization", format!("Basic {login}"))
            .header("accept", "application/json")
            .header("content-type", "application/x-www-form-urlencoded")
            .send(form.join("&"));
        let at = shown(&self.url);
        let silent = |e: ureq::Error| {
            Error::new(Kind::Unreachable, format!("nobody gives tokens at {at}")).because(e).during(DOING)
        };
        let mut answer = sent.map_err(silent)?;
        let status = answer.status().as_u16();
        let body = answer.body_mut().with_config().limit(LONGEST).read_to_vec().map_err(silent)?;
        let said: Value = serde_json::from_slice(&body).unwrap_or_default();
        if status != 200 {
            let why = said["error_description"].as_str().or(said["error"].as_str()).unwrap_or("it does not say why");
            let kind = if status < 500 { Kind::Denied } else { Kind::Unreachable };
            return Err(Error::new(kind, format!("{at} gives {:?} no token (HTTP {status}): {why}", self.client))
                .during(DOING)
                .hint(
                    "the id is sasl.oauthbearer.client.id, the secret password-env, password-file or password-command",
                ));
        }
        let text = said["access_token"].as_str().ok_or_else(|| {
            Error::new(Kind::Denied, format!("what {at} answers has no access_token in it")).during(DOING)
        })?;
        Ok(self.read(text, said["expires_in"].as_u64()))
    }

    /// Whose the token is and how long it holds: it says so itself where it is a JWT.
    fn read(&self, text: &str, expires_in: Option<u64>) -> (Token, Duration) {
        let claims: Value = text
            .split('.')
            .nth(1)
            .and_then(|middle| BASE64_URL_SAFE_NO_PAD.decode(middle.trim_end_matches('=')).ok())
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default();
        let now = Timestamp::now();
        let said = claims["exp"].as_i64().map(|at| at.saturating_sub(now.as_second()).max(0).unsigned_abs());
        let holds = said.or(expires_in).map_or(HOLDS, Duration::from_secs);
        let token = Token {
            text: Secret::new(text),
            principal: claims["sub"].as_str().unwrap_or(&self.client).to_owned(),
            expires: now.as_millisecond() + i64::try_from(holds.as_millis()).unwrap_or(i64::MAX / 2),
        };
        (token, holds)
    }
}

/// For the library's own asking.
///
/// # Errors
/// As [`Tokens::get`].
pub(super) fn token(of: Option<&Tokens>) -> std::result::Result<OAuthToken, Box<dyn std::error::Error>> {
    match of {
        Some(tokens) => Ok(tokens.get()?.hand_over()),
        None => Err("there is nobody to ask for tokens".into()),
    }
}

fn not_here(name: &str) -> Error {
    Error::new(Kind::Unsupported, format!("{name} is not supported: tokens are had by client credentials alone"))
}

fn encoded(text: &str) -> String {
    const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    percent_encoding::utf8_percent_encode(text, PLAIN).to_string()
}

/// Without what may be a login in it.
fn shown(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or(url);
    match url.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.rsplit_once('@')?.1))) {
        Some((scheme, rest)) => format!("{scheme}://{rest}"),
        None => url.to_owned(),
    }
}

fn tls(options: &Options) -> Result<TlsConfig> {
    let unreadable = |what: &str| Error::new(Kind::Usage, format!("{what} holds no certificates that can be read"));
    let authorities: Vec<CertificateDer<'_>> = match (options.get("https.ca.location"), options.get("https.ca.pem")) {
        (Some(path), _) if path != "probe" => CertificateDer::pem_file_iter(path)
            .and_then(Iterator::collect)
            .map_err(|e| unreadable("https.ca.location").because(e))?,
        (_, Some(pem)) => CertificateDer::pem_slice_iter(pem.as_bytes())
            .collect::<std::result::Result<_, _>>()
            .map_err(|e| unreadable("https.ca.pem").because(e))?,
        _ => rustls_native_certs::load_native_certs().certs,
    };
    let authorities: Vec<_> = authorities.iter().map(|c| Certificate::from_der(c).to_owned()).collect();
    Ok(TlsConfig::builder()
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .root_certs(RootCerts::new_with_certs(&authorities))
        .build())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(more: &[(&str, &str)]) -> Options {
        let all = [("sasl.mechanisms", "OAUTHBEARER"), ("sasl.oauthbearer.token.endpoint.url", "http://u:p@h/t?x=1")];
        all.iter().chain(more).map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    fn tokens(more: &[(&str, &str)]) -> Result<Option<Arc<Tokens>>> {
        Tokens::of(&options(more), None, Duration::from_secs(1))
    }

    #[test]
    fn what_is_missing_is_named_and_another_login_has_no_tokens() {
        let kind = |more: &[(&str, &str)]| tokens(more).err().map(|e| e.kind());
        assert_eq!(kind(&[]), Some(Kind::Usage));
        assert_eq!(kind(&[("sasl.oauthbearer.client.id", "a")]), Some(Kind::Usage));
        let both = [("sasl.oauthbearer.client.id", "a"), ("sasl.oauthbearer.client.secret", "b")];
        assert_eq!(kind(&both), None);
        assert_eq!(kind(&[both[0], both[1], ("sasl.oauthbearer.extensions", "a=b")]), Some(Kind::Unsupported));
        assert!(tokens(&[both[0], both[1], ("sasl.mechanisms", "PLAIN")]).expect("no error").is_none());
        assert!(is_ours("sasl.oauthbearer.client.secret") && is_ours("https.ca.location"));
        assert!(!is_ours("sasl.oauthbearer.config") && !is_ours("sasl.mechanisms") && !is_ours("ssl.ca.location"));
        assert_eq!(shown("http://u:p@h/t?x=1"), "http://h/t");
    }

    #[test]
    fn a_token_says_whose_it_is_and_how_long_it_holds() {
        let both = [("sasl.oauthbearer.client.id", "a"), ("sasl.oauthbearer.client.secret", "b")];
        let tokens = tokens(&both).expect("no error").expect("tokens");
        let at = Timestamp::now().as_second() + 100;
        let claims = BASE64_URL_SAFE_NO_PAD.encode(format!("{{\"sub\":\"svc\",\"exp\":{at}}}"));
        let (token, holds) = tokens.read(&format!("x.{claims}.y"), Some(7));
        assert_eq!(token.principal, "svc");
        assert!((98..=100).contains(&holds.as_secs()), "{holds:?}");
        let (token, holds) = tokens.read("opaque", Some(7));
        assert_eq!((token.principal.as_str(), holds), ("a", Duration::from_secs(7)));
        assert_eq!(tokens.read("opaque", None).1, HOLDS);
    }
}
