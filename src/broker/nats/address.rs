//! `nats://[USER:PASS@]HOST[:PORT]/STREAM` and what it means.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::broker::address::{Options, Secret, decode};
use crate::broker::credentials::SOURCES;
use crate::broker::listing::Cluster;
use crate::broker::{Address, Error, Kind, Result};

/// The form addresses have, for usage errors.
pub const FORM: &str = "nats://HOST[:PORT]/STREAM";

/// The form addresses of servers have.
pub const CLUSTER_FORM: &str = "nats://HOST[:PORT]";

const PORT: u16 = 4222;

/// Options of an address.
pub const OPTIONS: &[&str] = &[
    "tls",
    "cacertfile",
    "certfile",
    "keyfile",
    "verify",
    "user",
    "password-env",
    "password-file",
    "password-command",
    "credential-command",
    "token",
    "token-env",
    "token-file",
    "creds",
    "nkey",
    "domain",
    "inbox-prefix",
    "consumer",
    "newest",
    "subject",
];

/// An address taken apart.
#[derive(Clone, Debug)]
pub struct Parts {
    /// `tls://`, or the option `tls`.
    pub tls: bool,
    /// Lower case; an IPv6 address without its brackets.
    pub host: String,
    /// As given, else 4222.
    pub port: u16,
    /// Empty for a server.
    pub stream: String,
    /// `consumer=C`: the messages that this one gave up on.
    pub consumer: Option<String>,
    /// As given in the address; the option `user` wins over it.
    pub user: Option<String>,
    /// As given in the address.
    pub password: Option<Secret>,
}

impl Parts {
    /// `HOST:PORT`.
    pub fn place(&self) -> String {
        format!("{}:{}", self.bracketed(), self.port)
    }

    fn bracketed(&self) -> String {
        if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() }
    }
}

/// Names keep what is legible and cannot be mistaken for a delimiter.
const NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'~').remove(b'$').remove(b':').remove(b',');

/// A name as it stands in an address.
pub fn encode(name: &str) -> String {
    utf8_percent_encode(name, NAME).to_string()
}

/// Takes an address apart that was understood before.
///
/// # Errors
/// `Usage`, as [`understand`].
pub fn parts(address: &Address) -> Result<Parts> {
    parse(address.typed.expose(), &address.options)
}

/// Checks an address without its query, and gives it without its password, and in canonical spelling.
///
/// # Errors
/// `Usage`, with the expected form; never with the password.
pub fn understand(base: &str, options: &Options) -> Result<(String, String)> {
    let parts = parse(base, options)?;
    if parts.stream.is_empty() {
        return Err(wrong("no stream"));
    }
    check_options(&parts, options)?;
    let (mut shown, mut canonical) = (shown(&parts, &parts.stream), canonical(&parts, &parts.stream));
    if let Some(consumer) = &parts.consumer {
        shown.push_str(&format!("?consumer={}", encode(consumer)));
        canonical.push_str(&format!("?consumer={}", encode(consumer)));
    }
    if let Some(subject) = options.get("subject") {
        shown.push_str(&format!(" (subject {subject})"));
        canonical.push_str(&format!("?subject={}", encode(subject)));
    }
    Ok((shown, canonical))
}

/// As [`understand`], of `nats://HOST`.
///
/// # Errors
/// `Usage`; also where a stream is named.
pub fn understand_cluster(base: &str, options: &Options) -> Result<Cluster> {
    if let Some(name) = options.keys().find(|k| matches!(k.as_str(), "consumer" | "subject" | "newest")) {
        return Err(Error::new(Kind::Usage, format!("{name} is of one stream, and this is about a server"))
            .hint(format!("write {CLUSTER_FORM}")));
    }
    let parts = parse(base, options).map_err(|e| e.hint(format!("write {CLUSTER_FORM}")))?;
    check_options(&parts, options)?;
    if !parts.stream.is_empty() {
        let stream = understand(base, options)?.0;
        return Err(Error::new(Kind::Usage, format!("{stream} is one stream, and not a server"))
            .hint(format!("write {CLUSTER_FORM}; dlq depth {stream} measures the stream")));
    }
    Ok(Cluster { typed: base.to_owned(), shown: server(&parts), canonical: canonical(&parts, "") })
}

/// A stream beside this one, for people.
pub fn shown(parts: &Parts, stream: &str) -> String {
    format!("{}/{}", server(parts), encode(stream))
}

/// The server of an address, without the password.
pub fn server(parts: &Parts) -> String {
    let host = parts.bracketed();
    let scheme = if parts.tls { "tls" } else { "nats" };
    let user = parts.user.as_deref().map_or_else(String::new, |u| format!("{}@", encode(u)));
    let port = if parts.port == PORT { String::new() } else { format!(":{}", parts.port) };
    format!("{scheme}://{user}{host}{port}")
}

fn canonical(parts: &Parts, stream: &str) -> String {
    format!("nats://{}/{}", parts.place(), encode(stream))
}

/// Values that can be judged without a connection.
fn check_options(parts: &Parts, options: &Options) -> Result<()> {
    for (name, allowed) in [
        ("verify", &["verify_peer", "verify_none"][..]),
        ("tls", &["true", "first", "false"]),
        ("newest", &["true", "false"]),
    ] {
        if let Some(v) = options.get(name).filter(|v| !allowed.contains(&v.to_ascii_lowercase().as_str())) {
            return Err(Error::new(Kind::Usage, format!("{name}={v:?} is not known"))
                .hint(format!("write {}", allowed.join(" or "))));
        }
    }
    let has = |name: &&str| options.contains_key(*name);
    let password = parts.password.is_some() || SOURCES.iter().any(has);
    let logins: Vec<&str> = [
        (parts.user.is_some() || password).then_some("user and password"),
        ["token", "token-env", "token-file"].iter().any(has).then_some("token"),
        has(&"creds").then_some("creds"),
        has(&"nkey").then_some("nkey"),
    ]
    .into_iter()
    .flatten()
    .collect();
    if logins.len() > 1 {
        return Err(Error::new(Kind::Usage, format!("more than one way to log in: {}", logins.join(", "))));
    }
    if parts.consumer.is_some() && options.get("newest").is_some_and(|v| v.eq_ignore_ascii_case("true")) {
        return Err(Error::new(Kind::Usage, "newest is of a stream, and not of what a consumer of it gave up on"));
    }
    if parts.user.is_some() && !password {
        // By other tools' convention that is a token, which would then be shown as a user everywhere.
        return Err(Error::new(Kind::Usage, "a user without a password in the address of a NATS stream").hint(
            "give the password with -X password-env=NAME or -X password-file=FILE; a token is given with -X token-env=NAME",
        ));
    }
    for (name, subject) in [("subject", options.get("subject")), ("inbox-prefix", options.get("inbox-prefix"))] {
        if let Some(s) = subject.filter(|s| !super::stream::is_subject(s)) {
            return Err(Error::new(Kind::Usage, format!("{name}={s:?} is no subject that could be sent to"))
                .hint("words separated by dots, without spaces, * and >"));
        }
    }
    for (name, value) in
        [("consumer", parts.consumer.as_deref()), ("domain", options.get("domain").map(String::as_str))]
    {
        if let Some(v) = value.filter(|v| !is_name(v)) {
            return Err(Error::new(Kind::Usage, format!("{name}={v:?} is no name NATS would take")));
        }
    }
    Ok(())
}

/// Names of streams and consumers are one word of a subject.
fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c.is_control() || ".*>/\\".contains(c))
}

fn wrong(what: &str) -> Error {
    Error::new(Kind::Usage, format!("{what} in the address of a NATS stream")).hint(format!("write {FORM}"))
}

fn parse(base: &str, options: &Options) -> Result<Parts> {
    let (tls, rest) = match base.split_once("://") {
        Some(("nats", rest)) => (false, rest),
        Some(("tls", rest)) => (true, rest),
        _ => return Err(wrong("no nats:// or tls://")),
    };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (login, place) = authority.rsplit_once('@').map_or((None, authority), |(l, p)| (Some(l), p));
    if login.is_none() && path.contains('@') {
        // The text before the first slash is a piece of a password then: it must not be shown.
        return Err(wrong("a slash before the @")
            .hint("in a user name or password write a slash as %2F, or use -X password-env=NAME"));
    }
    if place.contains(',') {
        return Err(wrong("more than one host").hint(format!("one is enough, it names the others: {FORM}")));
    }
    let (host, port) = host_and_port(place)?;
    let (user, password) = match login.map(|l| l.split_once(':').ok_or(l)) {
        None => (None, None),
        Some(Ok((u, p))) => (Some(decode(u)), Some(Secret::new(decode(p)))),
        Some(Err(user)) => (Some(decode(user)), None),
    };
    let stream = decode(path.trim_end_matches('/'));
    if !stream.is_empty() && !is_name(&stream) {
        return Err(wrong("more than the name of one stream"));
    }
    let asked = options.get("tls").is_some_and(|v| !v.eq_ignore_ascii_case("false"));
    Ok(Parts {
        tls: tls || asked,
        host,
        port,
        stream,
        consumer: options.get("consumer").cloned(),
        user: options.get("user").cloned().or(user),
        password,
    })
}

fn host_and_port(place: &str) -> Result<(String, u16)> {
    let (host, port) = match place.strip_prefix('[') {
        Some(rest) => {
            let (host, after) =
                rest.split_once(']').ok_or_else(|| wrong("an IPv6 address without its closing bracket"))?;
            (host, after.strip_prefix(':').or((!after.is_empty()).then_some(after)))
        }
        None => match place.split_once(':') {
            Some((_, port)) if port.contains(':') => {
                return Err(wrong("an IPv6 address without brackets").hint("write it as [::1]"));
            }
            Some((host, port)) => (host, Some(port)),
            None => (place, None),
        },
    };
    if host.is_empty() {
        return Err(wrong("no host"));
    }
    let port = match port {
        None => PORT,
        // It may be the beginning of a password, and is not shown.
        Some(p) => {
            p.parse::<u16>().ok().filter(|n| *n > 0).ok_or_else(|| wrong("a port that is no number from 1 to 65535"))?
        }
    };
    Ok((decode(host).to_ascii_lowercase(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ok(s: &str) -> Parts {
        parse(s, &Options::new()).unwrap_or_else(|e| panic!("{s}: {e}"))
    }

    #[test]
    fn takes_apart_what_is_written() {
        let p = ok("nats://u%40x:p%2F%3A@Host.Example:4333/ORDERS_DLQ");
        assert_eq!((p.tls, p.host.as_str(), p.port, p.stream.as_str()), (false, "host.example", 4333, "ORDERS_DLQ"));
        assert_eq!((p.user.as_deref(), p.password.as_ref().map(Secret::expose)), (Some("u@x"), Some("p/:")));
        let p = ok("tls://[::1]/S");
        assert_eq!((p.tls, p.host.as_str(), p.port), (true, "::1", 4222));
        assert_eq!(p.place(), "[::1]:4222");
    }

    #[test]
    fn equal_streams_have_equal_canonical_addresses_and_a_consumer_is_part_of_it() {
        let canonical = |s, o: &[(&str, &str)]| {
            let options = o.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            understand(s, &options).unwrap_or_else(|e| panic!("{s}: {e}")).1
        };
        assert_eq!(canonical("nats://LOCALHOST/S", &[]), "nats://localhost:4222/S");
        for same in ["nats://localhost:4222/S", "nats://u:p@localhost/S", "tls://localhost/%53"] {
            assert_eq!(canonical(same, &[]), canonical("nats://localhost/S", &[]), "{same}");
        }
        assert_ne!(canonical("nats://h/S", &[("consumer", "C")]), canonical("nats://h/S", &[]));
    }

    #[test]
    fn no_password_is_shown() {
        let (shown, canonical) = understand("nats://me:hunter2@h/S", &Options::new()).expect("understood");
        assert_eq!(shown, "nats://me@h/S");
        assert!(!canonical.contains("hunter2"));
        for bad in ["nats://hunter2@h/S", "nats://me:hunter2/x@h/S", "nats://me:hunter2@h:x/S", "nats://me:hunter2@/S"]
        {
            let e = understand(bad, &Options::new()).expect_err(bad);
            assert!(!format!("{e:?}").contains("hunter2"), "{e:?}");
        }
    }

    #[test]
    fn wrong_addresses_are_usage_errors_and_a_server_is_no_stream() {
        for bad in ["nats://", "nats://h", "nats:///S", "nats://h:0/S", "nats://h/a/b", "nats://h/a.b", "nats://::1/S"]
        {
            assert_eq!(understand(bad, &Options::new()).expect_err(bad).kind(), Kind::Usage, "{bad}");
        }
        let options =
            |o: &[(&str, &str)]| o.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect::<Options>();
        for bad in [
            &[("subject", "a.>")][..],
            &[("verify", "no")],
            &[("token", "x"), ("nkey", "y")],
            &[("consumer", "a.b")],
            &[("tls", "yes")],
        ] {
            assert_eq!(understand("nats://h/S", &options(bad)).expect_err("refused").kind(), Kind::Usage, "{bad:?}");
        }
        let e = understand_cluster("nats://h/S", &Options::new()).err().expect("one stream");
        assert!(e.get_hint().is_some_and(|h| h.contains("dlq depth nats://h/S")), "{e:?}");
        assert_eq!(understand_cluster("nats://h/", &Options::new()).expect("a server").shown, "nats://h");
    }
}
