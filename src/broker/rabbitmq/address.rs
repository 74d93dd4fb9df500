//! `amqp://[USER[:PASS]@]HOST[:PORT]/[VHOST/]QUEUE` and what it means.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::broker::address::{Options, Secret, decode};
use crate::broker::listing::Cluster;
use crate::broker::{Address, Error, Kind, Result};

/// The form addresses have, for usage errors.
pub const FORM: &str = "amqp://[USER[:PASS]@]HOST[:PORT]/[VHOST/]QUEUE";

/// The form addresses of clusters have; without a vhost, all of them.
pub const CLUSTER_FORM: &str = "amqp://[USER[:PASS]@]HOST[:PORT][/VHOST]";

/// Options of an address. The first ten are named as in RabbitMQ's URI query.
pub const OPTIONS: &[&str] = &[
    "cacertfile",
    "certfile",
    "keyfile",
    "verify",
    "server_name_indication",
    "heartbeat",
    "connection_timeout",
    "channel_max",
    "auth_mechanism",
    "management",
    "user",
    "password-env",
    "password-file",
    "password-command",
    "credential-command",
    "exchange",
    "routing-key",
    "prefetch",
    "max-message-size",
];

/// An address taken apart.
#[derive(Clone, Debug)]
pub struct Parts {
    /// `amqps`.
    pub tls: bool,
    /// Lower case; an IPv6 address without its brackets.
    pub host: String,
    /// As given, else 5672, or 5671 with TLS.
    pub port: u16,
    /// `/` where the path has one segment only.
    pub vhost: String,
    /// Neither vhost nor queue is named: of a cluster, all of it.
    pub bare: bool,
    /// Empty only where an exchange is named instead, and for a cluster.
    pub queue: String,
    /// As given in the address; the option `user` wins over it.
    pub user: Option<String>,
    /// As given in the address; the `password-…` options win over it.
    pub password: Option<Secret>,
}

/// Names in a path keep what is legible and cannot be mistaken for a delimiter.
const SEGMENT: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b':').remove(b',');

/// One path segment of an address or of a management URL.
pub fn encode(segment: &str) -> String {
    utf8_percent_encode(segment, SEGMENT).to_string()
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
    if parts.queue.is_empty() && !options.contains_key("exchange") {
        return Err(wrong("no queue"));
    }
    check_options(options)?;
    let (server, vhost) = (server(&parts), vhost(&parts));
    let mut shown = format!("{server}/{vhost}{}", encode(&parts.queue));
    let mut canonical = format!("{}/{}/{}", canonical_server(&parts), encode(&parts.vhost), encode(&parts.queue));
    if let Some(exchange) = options.get("exchange") {
        let key = options.get("routing-key").map_or_else(String::new, |k| format!(", routing key {k}"));
        shown.push_str(&format!(" (exchange {exchange}{key})"));
        canonical.push_str(&format!("?exchange={}{}", encode(exchange), encode(&key)));
    }
    Ok((shown, canonical))
}

/// As [`understand`], of `amqp://HOST` for all vhosts, or `amqp://HOST/VHOST`.
///
/// # Errors
/// `Usage`; also where a queue is named.
pub fn understand_cluster(base: &str, options: &Options) -> Result<Cluster> {
    let hint = |e: Error| e.hint(format!("write {CLUSTER_FORM}"));
    if let Some(name) = options.keys().find(|k| matches!(k.as_str(), "exchange" | "routing-key" | "prefetch")) {
        return Err(hint(Error::new(Kind::Usage, format!("{name} is of one queue, and this is about a cluster"))));
    }
    check_options(options)?;
    let after = base.split_once("://").map_or(base, |(_, rest)| rest);
    // One segment is a vhost here.
    let typed = match after.split_once('/') {
        Some((_, path)) if !path.is_empty() && !path.contains('/') => format!("{base}/"),
        _ => base.to_owned(),
    };
    let parts = parse(&typed, options).map_err(hint)?;
    if !parts.queue.is_empty() {
        let queue = understand(base, options)?.0;
        return Err(Error::new(Kind::Usage, format!("{queue} is one queue, and not a cluster"))
            .hint(format!("write {CLUSTER_FORM}; dlq depth {queue} measures the queue")));
    }
    let (shown, canonical) = (server(&parts), canonical_server(&parts));
    Ok(if parts.bare {
        Cluster { typed, shown, canonical }
    } else {
        let vhost = encode(&parts.vhost);
        Cluster { typed, shown: format!("{shown}/{vhost}"), canonical: format!("{canonical}/{vhost}") }
    })
}

/// The server of an address, without the password.
pub fn server(parts: &Parts) -> String {
    let host = if parts.host.contains(':') { format!("[{}]", parts.host) } else { parts.host.clone() };
    let scheme = if parts.tls { "amqps" } else { "amqp" };
    let user = parts.user.as_deref().map_or_else(String::new, |u| format!("{}@", encode(u)));
    let port = if parts.port == default_port(parts.tls) { String::new() } else { format!(":{}", parts.port) };
    format!("{scheme}://{user}{host}{port}")
}

fn canonical_server(parts: &Parts) -> String {
    let host = if parts.host.contains(':') { format!("[{}]", parts.host) } else { parts.host.clone() };
    format!("{}://{host}:{}", if parts.tls { "amqps" } else { "amqp" }, parts.port)
}

fn vhost(parts: &Parts) -> String {
    if parts.vhost == "/" && !parts.queue.is_empty() { String::new() } else { format!("{}/", encode(&parts.vhost)) }
}

/// Values that can be judged without a connection.
fn check_options(options: &Options) -> Result<()> {
    let one_of = |name: &str, allowed: &[&str]| match options.get(name) {
        Some(v) if !allowed.contains(&v.to_ascii_lowercase().as_str()) => {
            Err(Error::new(Kind::Usage, format!("{name}={v:?} is not known"))
                .hint(format!("write {}", allowed.join(" or "))))
        }
        _ => Ok(()),
    };
    one_of("verify", &["verify_peer", "verify_none"])?;
    one_of("auth_mechanism", &["plain", "amqplain", "external"])?;
    for (name, most) in [
        ("heartbeat", u64::from(u16::MAX)),
        ("connection_timeout", u64::MAX),
        ("channel_max", u64::from(u16::MAX)),
        ("prefetch", u64::from(u16::MAX)),
        ("max-message-size", u64::MAX),
    ] {
        if let Some(v) = options.get(name)
            && v.parse::<u64>().ok().filter(|n| *n <= most).is_none()
        {
            return Err(Error::new(Kind::Usage, format!("{name}={v:?} is not a number from 0 to {most}")));
        }
    }
    if let Some(m) = options.get("management")
        && m != "none"
        && !m.starts_with("http://")
        && !m.starts_with("https://")
    {
        // The URL may hold a password.
        return Err(
            Error::new(Kind::Usage, "management is not a URL").hint("write http://HOST:15672, https://…, or none")
        );
    }
    if options.contains_key("routing-key") && !options.contains_key("exchange") {
        return Err(
            Error::new(Kind::Usage, "routing-key needs exchange").hint("to send to a queue, name it in the address")
        );
    }
    Ok(())
}

fn default_port(tls: bool) -> u16 {
    if tls { 5671 } else { 5672 }
}

fn wrong(what: &str) -> Error {
    Error::new(Kind::Usage, format!("{what} in the address of a RabbitMQ queue")).hint(format!("write {FORM}"))
}

fn parse(base: &str, options: &Options) -> Result<Parts> {
    let (tls, rest) = match base.split_once("://") {
        Some(("amqp", rest)) => (false, rest),
        Some(("amqps", rest)) => (true, rest),
        _ => return Err(wrong("no amqp:// or amqps://")),
    };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (login, place) = authority.rsplit_once('@').map_or((None, authority), |(l, p)| (Some(l), p));
    if login.is_none() && path.contains('@') {
        // The text before the first slash is a piece of a password then: it must not be shown.
        return Err(wrong("a slash before the @")
            .hint("in a user name or password write a slash as %2F, or use -X password-env=NAME"));
    }
    let (host, port) = host_and_port(place, default_port(tls))?;
    let (user, password) = match login {
        None => (None, None),
        Some(login) => match login.split_once(':') {
            Some((u, p)) => (Some(decode(u)), Some(Secret::new(decode(p)))),
            None => (Some(decode(login)), None),
        },
    };
    let (vhost, queue) = match path.split('/').collect::<Vec<_>>()[..] {
        [queue] if !queue.is_empty() => ("/".to_owned(), decode(queue)),
        [""] => ("/".to_owned(), String::new()),
        [vhost, queue] if !vhost.is_empty() => (decode(vhost), decode(queue)),
        ["", _] => {
            return Err(wrong("an empty vhost").hint(format!("the default vhost is written %2F, or left out: {FORM}")));
        }
        _ => {
            return Err(
                wrong("more than a vhost and a queue").hint(format!("a slash in a name is written %2F: {FORM}"))
            );
        }
    };
    for (what, name) in [("vhost", &vhost), ("queue", &queue)] {
        if name.len() > 255 {
            return Err(wrong(&format!("a {what} name over 255 bytes")));
        }
    }
    let bare = path.is_empty();
    Ok(Parts { tls, host, port, vhost, bare, queue, user: options.get("user").cloned().or(user), password })
}

fn host_and_port(place: &str, default: u16) -> Result<(String, u16)> {
    let (host, port) = if let Some(rest) = place.strip_prefix('[') {
        let (host, after) = rest.split_once(']').ok_or_else(|| wrong("an IPv6 address without its closing bracket"))?;
        match after.strip_prefix(':') {
            Some(port) => (host, Some(port)),
            None if after.is_empty() => (host, None),
            None => return Err(wrong("something between the host and the port")),
        }
    } else {
        match place.split_once(':') {
            Some((_, port)) if port.contains(':') => {
                return Err(wrong("an IPv6 address without brackets").hint("write it as [::1]"));
            }
            Some((host, port)) => (host, Some(port)),
            None => (place, None),
        }
    };
    if host.is_empty() {
        return Err(wrong("no host"));
    }
    let port = match port {
        None => default,
        Some(p) => {
            p.parse::<u16>().ok().filter(|n| *n > 0).ok_or_else(|| match p.bytes().all(|b| b.is_ascii_digit()) {
                true => wrong(&format!("the port {p:?}, which is not a number from 1 to 65535,")),
                // It may be the beginning of a password.
                false => wrong("a port that is not a number"),
            })?
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
        let p = ok("amqp://u%40x:p%2F%3A@Host.Example:5673/v%2Fh/q%2Fx");
        assert_eq!((p.tls, p.host.as_str(), p.port), (false, "host.example", 5673));
        assert_eq!((p.vhost.as_str(), p.queue.as_str()), ("v/h", "q/x"));
        assert_eq!((p.user.as_deref(), p.password.as_ref().map(Secret::expose)), (Some("u@x"), Some("p/:")));
        let p = ok("amqps://[::1]/q");
        assert_eq!((p.tls, p.host.as_str(), p.port, p.vhost.as_str()), (true, "::1", 5671, "/"));
        assert_eq!(ok("amqp://h/%2F/q").vhost, "/");
        assert_eq!(ok("amqp://[fe80::1]:5/q").port, 5);
    }

    #[test]
    fn equal_queues_have_equal_canonical_addresses() {
        let canonical = |s| understand(s, &Options::new()).unwrap().1;
        assert_eq!(canonical("amqp://LOCALHOST/q"), "amqp://localhost:5672/%2F/q");
        for same in ["amqp://localhost:5672/q", "amqp://u:p@localhost/%2f/q", "amqp://localhost/%71"] {
            assert_eq!(canonical(same), canonical("amqp://localhost/q"), "{same}");
        }
        assert_ne!(canonical("amqp://localhost/a/q"), canonical("amqp://localhost/q"));
        assert_ne!(canonical("amqp://localhost/a%2Fq"), canonical("amqp://localhost/a/q"));
    }

    #[test]
    fn no_password_is_shown() {
        let (shown, canonical) = understand("amqp://me:hunter2@h/v/q", &Options::new()).unwrap();
        assert_eq!(shown, "amqp://me@h/v/q");
        assert!(!canonical.contains("hunter2"));
        assert!(!format!("{:?}", ok("amqp://me:hunter2@h/q")).contains("hunter2"));
        for bad in
            ["amqp://me:hunter2/x@h/q", "amqp://me:hunter2@h:x/q", "amqp://me:hunter2@h/", "amqp://me:hunter2@/q"]
        {
            let e = understand(bad, &Options::new()).unwrap_err();
            assert!(!format!("{e:?}").contains("hunter2"), "{e:?}");
        }
    }

    #[test]
    fn wrong_addresses_are_usage_errors_that_show_the_form() {
        for bad in [
            "amqp://",
            "amqp://h",
            "amqp://h/",
            "amqp:///q",
            "amqp://h:0/q",
            "amqp://h:99999/q",
            "amqp://h:x/q",
            "amqp://::1/q",
            "amqp://[::1/q",
            "amqp://h//q",
            "amqp://h/v/",
            "amqp://h/a/b/c",
        ] {
            let e = understand(bad, &Options::new()).expect_err(bad);
            assert_eq!(e.kind(), Kind::Usage, "{bad}");
            assert!(e.get_hint().is_some(), "{bad}");
        }
    }

    #[test]
    fn one_segment_is_the_vhost_of_a_cluster() {
        let shown = |s: &str| understand_cluster(s, &Options::new()).map(|c| (c.typed, c.shown, c.canonical));
        let is = |s: &str, typed: &str, shown: &str, canonical: &str| {
            Some((s.to_owned() + typed, shown.to_owned(), canonical.to_owned()))
        };
        let (all, one) = ("amqp://me:pw@H", "amqp://me:pw@H/%2F");
        assert_eq!(shown(all).ok(), is(all, "", "amqp://me@h", "amqp://h:5672"));
        assert_eq!(shown(one).ok(), is(one, "/", "amqp://me@h/%2F", "amqp://h:5672/%2F"));
        assert!(shown("amqp://h/").is_ok() && shown("amqp://h/v/").is_ok());
        for queue in ["amqp://me:pw@h/v/q", "amqp://h/v/q/x", "amqp://h//q"] {
            let e = shown(queue).expect_err(queue);
            assert_eq!(e.kind(), Kind::Usage);
            assert!(e.get_hint().is_some_and(|h| h.contains("[/VHOST]") && !h.contains("pw")), "{e:?}");
        }
        let exchange = Options::from([("exchange".to_owned(), "x".to_owned())]);
        assert_eq!(understand_cluster("amqp://h", &exchange).err().map(|e| e.kind()), Some(Kind::Usage));
    }

    #[test]
    fn an_exchange_needs_no_queue() {
        let options =
            Options::from([("exchange".to_owned(), "x".to_owned()), ("routing-key".to_owned(), "k".to_owned())]);
        let p = parse("amqp://h/v/", &options).unwrap();
        assert_eq!((p.vhost.as_str(), p.queue.as_str()), ("v", ""));
        let (shown, canonical) = understand("amqp://h/", &options).unwrap();
        assert_eq!(shown, "amqp://h/%2F/ (exchange x, routing key k)");
        assert_ne!(canonical, understand("amqp://h/v/", &options).unwrap().1);
    }

    #[test]
    fn option_values_are_checked() {
        let with = |k: &str, v: &str| understand("amqp://h/q", &Options::from([(k.to_owned(), v.to_owned())]));
        assert!(with("verify", "verify_none").is_ok());
        for (k, v) in [
            ("verify", "none"),
            ("heartbeat", "70000"),
            ("prefetch", "-1"),
            ("auth_mechanism", "x"),
            ("routing-key", "k"),
        ] {
            assert_eq!(with(k, v).expect_err(k).kind(), Kind::Usage, "{k}");
        }
    }
}
