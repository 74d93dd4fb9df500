//! `kafka://HOST[:PORT][,HOST…]/TOPIC` and what it means.

use std::collections::BTreeSet;

use crate::broker::address::Options;
use crate::broker::listing::Cluster;
use crate::broker::{Address, Error, Kind, Result};

/// The form addresses have, for usage errors.
pub const FORM: &str = "kafka://HOST[:PORT][,HOST…]/TOPIC";

/// The form addresses of clusters have.
pub const CLUSTER_FORM: &str = "kafka://HOST[:PORT][,HOST…]";

/// Options of ours; every other name is taken for a property of librdkafka.
pub const OPTIONS: &[&str] = &[
    "partitions",
    "newest",
    "include-resolved",
    "state",
    "state-topic",
    "keep-partition",
    "keep-timestamps",
    "order",
    "user",
    "password-env",
    "password-file",
    "password-command",
    "credential-command",
];

/// An address taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parts {
    /// `host:port`, in lower case and the order given; 9092 where no port was.
    pub brokers: Vec<String>,
    /// The topic; empty for a cluster.
    pub topic: String,
}

impl Parts {
    /// As librdkafka takes them.
    pub fn bootstrap(&self) -> String {
        self.brokers.join(",")
    }
}

/// Takes an address apart that was understood before.
///
/// # Errors
/// `Usage`, as [`understand`].
pub fn parts(address: &Address) -> Result<Parts> {
    parse(address.typed.expose())
}

/// Checks an address without its query, and gives it as people see it, and in canonical spelling.
///
/// # Errors
/// `Usage`, with the expected form.
pub fn understand(base: &str, options: &Options) -> Result<(String, String)> {
    let parts = parse(base)?;
    if parts.topic.is_empty() {
        return Err(wrong("no topic"));
    }
    if let Some(list) = options.get("partitions") {
        partitions(list)?;
    }
    for name in ["newest", "include-resolved", "keep-partition", "keep-timestamps"] {
        flag(options, name)?;
    }
    keeps_local(options)?;
    if let Some(order) = options.get("order").filter(|o| *o != "origin") {
        return Err(
            Error::new(Kind::Usage, format!("there is no order={order:?}")).hint("write order=origin, or leave it out")
        );
    }
    if let Some(name) = options.get("state-topic").filter(|name| !is_topic(name) || **name == parts.topic) {
        return Err(Error::new(Kind::Usage, format!("state-topic={name:?} cannot be the topic of the resolved set")));
    }
    let canonical = format!("{}/{}", canonical(&parts), parts.topic);
    Ok((format!("kafka://{}/{}", parts.bootstrap(), parts.topic), canonical))
}

fn canonical(parts: &Parts) -> String {
    let brokers: BTreeSet<&str> = parts.brokers.iter().map(String::as_str).collect();
    format!("kafka://{}", brokers.into_iter().collect::<Vec<_>>().join(","))
}

/// As [`understand`], of `kafka://HOST[,HOST…]`.
///
/// # Errors
/// `Usage`; also where a topic is named.
pub fn understand_cluster(base: &str, options: &Options) -> Result<Cluster> {
    let hint = format!("write {CLUSTER_FORM}");
    let parts = parse(base).map_err(|e| e.hint(hint.clone()))?;
    if !parts.topic.is_empty() {
        let topic = understand(base, options)?.0;
        return Err(Error::new(Kind::Usage, format!("{topic} is one topic, and not a cluster"))
            .hint(format!("{hint}; dlq depth {topic} measures the topic")));
    }
    let ours = ["partitions", "newest", "include-resolved", "keep-partition", "keep-timestamps"];
    if let Some(name) = ours.iter().find(|name| options.contains_key(**name)) {
        return Err(Error::new(Kind::Usage, format!("{name} is of one topic, and this is about a cluster")).hint(hint));
    }
    let shown = format!("kafka://{}", parts.bootstrap());
    Ok(Cluster { typed: base.to_owned(), shown, canonical: canonical(&parts) })
}

/// Whether the resolved set is to be kept on this machine, instead of in a topic.
///
/// # Errors
/// `Usage`.
pub fn keeps_local(options: &Options) -> Result<bool> {
    match options.get("state").map(String::as_str) {
        None | Some("topic") => Ok(false),
        Some("local") => Ok(true),
        Some(state) => Err(Error::new(Kind::Usage, format!("the resolved set cannot be kept in state={state:?}")).hint(
            "leave it out, and the set is kept in a topic, which -X state-topic=NAME names; or write state=local, which keeps \
             it on this machine",
        )),
    }
}

/// An option that is on or off.
///
/// # Errors
/// `Usage` for anything but `true` and `false`.
pub fn flag(options: &Options, name: &str) -> Result<bool> {
    match options.get(name).map(String::as_str) {
        None | Some("false") => Ok(false),
        Some("true" | "") => Ok(true),
        Some(other) => {
            Err(Error::new(Kind::Usage, format!("{name}={other:?} is not known")).hint("write true or false"))
        }
    }
}

/// `0-3,7` as numbers.
///
/// # Errors
/// `Usage`.
pub fn partitions(list: &str) -> Result<BTreeSet<i32>> {
    let bad = || {
        Error::new(Kind::Usage, format!("{list:?} is not a list of partitions"))
            .hint("partitions are written 3, 0-3 or 0-3,7,9")
    };
    let number = |s: &str| s.trim().parse::<i32>().ok().filter(|n| (0..=0xffff).contains(n)).ok_or_else(bad);
    let mut all = BTreeSet::new();
    for part in list.split(',') {
        match part.split_once('-') {
            Some((a, b)) => {
                let (a, b) = (number(a)?, number(b)?);
                if a > b {
                    return Err(bad());
                }
                all.extend(a..=b);
            }
            None => _ = all.insert(number(part)?),
        }
    }
    Ok(all)
}

/// Whether a topic can have this name.
pub fn is_topic(name: &str) -> bool {
    let legal = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    !name.is_empty() && name.len() <= 249 && name != "." && name != ".." && name.bytes().all(legal)
}

fn wrong(what: &str) -> Error {
    Error::new(Kind::Usage, format!("{what} in the address of a Kafka topic")).hint(format!("write {FORM}"))
}

fn parse(base: &str) -> Result<Parts> {
    let rest = base.strip_prefix("kafka://").ok_or_else(|| wrong("no kafka://"))?;
    if rest.contains('@') {
        // What is before it may be a password: it must not be shown.
        return Err(wrong("an @").hint(
            "a login is given with -X sasl.username=NAME and -X password-env=VARIABLE, together with security.protocol \
             and sasl.mechanisms",
        ));
    }
    let (hosts, topic) = rest.split_once('/').unwrap_or((rest, ""));
    let topic = crate::broker::address::decode(topic);
    if !topic.is_empty() && !is_topic(&topic) {
        return Err(wrong(&format!("{topic:?}, which no topic can be called,"))
            .hint("a topic's name has letters, digits, dots, underscores and hyphens, 249 at most"));
    }
    let brokers = hosts.split(',').map(broker).collect::<Result<Vec<_>>>()?;
    Ok(Parts { brokers, topic })
}

fn broker(typed: &str) -> Result<String> {
    let typed = typed.trim();
    let (host, port) = match typed.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']').ok_or_else(|| wrong("an IPv6 address without its bracket"))?;
            (format!("[{host}]"), after.strip_prefix(':').or((!after.is_empty()).then_some("")))
        }
        None if typed.matches(':').count() > 1 => {
            return Err(wrong("an IPv6 address without brackets").hint("write it as [::1]:9092"));
        }
        None => match typed.split_once(':') {
            Some((host, port)) => (host.to_owned(), Some(port)),
            None => (typed.to_owned(), None),
        },
    };
    if host.is_empty() {
        return Err(wrong("no host"));
    }
    let port = match port {
        None => 9092,
        Some(p) => p
            .parse::<u16>()
            .ok()
            .filter(|n| *n > 0)
            .ok_or_else(|| wrong(&format!("the port {p:?}, which is not a number from 1 to 65535,")))?,
    };
    Ok(format!("{}:{port}", host.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ok(s: &str) -> Parts {
        parse(s).unwrap_or_else(|e| panic!("{s}: {e}"))
    }

    #[test]
    fn takes_apart_what_is_written() {
        let p = ok("kafka://B1,b2:19092,[::1]:7/orders.DLT");
        assert_eq!(p.brokers, ["b1:9092", "b2:19092", "[::1]:7"]);
        assert_eq!(p.topic, "orders.DLT");
        let (shown, canonical) = understand("kafka://b2,b1:9092/t", &Options::new()).unwrap();
        assert_eq!((shown.as_str(), canonical.as_str()), ("kafka://b2:9092,b1:9092/t", "kafka://b1:9092,b2:9092/t"));
    }

    #[test]
    fn what_is_no_address_is_refused_with_the_form_and_shows_no_password() {
        for bad in [
            "kafka://",
            "kafka://h",
            "kafka://h/",
            "kafka:///t",
            "kafka://h:x/t",
            "kafka://h:0/t",
            "kafka://::1/t",
            "kafka://h/a b",
            "kafka://h/a/b",
            "kafka://h/..",
            "kafka://me:hunter2@h/t",
        ] {
            let e = understand(bad, &Options::new()).expect_err(bad);
            assert_eq!(e.kind(), Kind::Usage);
            assert!(e.get_hint().is_some() && !format!("{e:?}").contains("hunter2"), "{e:?}");
        }
    }

    #[test]
    fn a_cluster_has_no_topic() {
        let understood = |s: &str| understand_cluster(s, &Options::new());
        for s in ["kafka://b2,b1:9092", "kafka://b2,b1:9092/"] {
            let c = understood(s).unwrap_or_else(|e| panic!("{s}: {e}"));
            assert_eq!(
                (c.shown.as_str(), c.canonical.as_str()),
                ("kafka://b2:9092,b1:9092", "kafka://b1:9092,b2:9092")
            );
        }
        let e = understood("kafka://b/t").err().expect("a topic");
        assert!(e.get_hint().is_some_and(|h| h.contains("dlq depth kafka://b:9092/t")), "{e:?}");
    }

    #[test]
    fn lists_of_partitions() {
        assert_eq!(partitions("0-2,7").unwrap().into_iter().collect::<Vec<_>>(), [0, 1, 2, 7]);
        for bad in ["", "a", "3-1", "-1", "1-", "70000"] {
            assert_eq!(partitions(bad).expect_err(bad).kind(), Kind::Usage);
        }
    }
}
