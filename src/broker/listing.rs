//! Finding dead-letter queues: what the topology of a cluster, an account or a folder tells.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use futures::future::BoxFuture;
use regex::Regex;

use super::address::Options;
use super::registry::Backend;
use super::{Address, Context, Depth, Error, Result};

/// Looks through the place an address of this backend names.
pub type List = for<'a> fn(&'a Address, &'a Context) -> BoxFuture<'a, Result<Listing>>;

/// How one backend finds dead-letter queues.
pub struct Lister {
    /// The form of the addresses it takes, for usage errors.
    pub form: &'static str,
    /// Checks the address of a cluster, without its query.
    pub understand: fn(&str, &Options) -> Result<Cluster>,
    /// Options that the addresses found make up for.
    pub implied: &'static [&'static str],
    /// Looks. No message is touched where looking at one costs anything.
    pub list: List,
}

/// The address of a cluster, understood.
pub struct Cluster {
    /// As the backend reads it again: with everything that was typed, passwords included.
    pub typed: String,
    /// For people: no password, no query.
    pub shown: String,
    /// Equal for two addresses of the same cluster.
    pub canonical: String,
}

/// What gives a dead-letter queue away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sign {
    /// The redrive policy of another queue.
    RedrivePolicy,
    /// The argument `x-dead-letter-exchange` of another queue.
    DeadLetterExchange,
    /// A policy with `dead-letter-exchange` that applies to another queue.
    Policy,
    /// A setting of the cluster, of a group or of a connector.
    Config,
    /// A stream that keeps what the server tells of consumers that gave up.
    Advisory,
    /// What stands in the headers of one of its messages.
    Header,
    /// A file whose first line is one of an archive.
    Archive,
    /// Its name, by convention. No proof.
    Name,
}

impl Sign {
    /// As it is printed.
    pub fn word(self) -> &'static str {
        match self {
            Sign::RedrivePolicy => "redrive-policy",
            Sign::DeadLetterExchange => "dead-letter-exchange",
            Sign::Policy => "policy",
            Sign::Config => "config",
            Sign::Advisory => "advisory",
            Sign::Header => "header",
            Sign::Archive => "archive",
            Sign::Name => "name",
        }
    }
}

/// One dead-letter queue, or a queue that may be one and could not be looked at.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// Its address, without options and passwords.
    pub address: String,
    /// How many and how old, where that is known.
    pub depth: Option<Depth>,
    /// What dead-letters here.
    pub sources: BTreeSet<String>,
    /// How it was recognised; none where it was not, and could not be looked at.
    pub signs: BTreeSet<Sign>,
    /// Why something is not known of it.
    pub unknown: Option<String>,
}

/// What a look brought.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Listing {
    /// By address.
    pub found: Vec<Found>,
    /// What was looked at, as a phrase: "12 queues of vhost /".
    pub looked_at: String,
    /// What could not be looked at, besides queues that are listed as not known; a sentence each.
    pub gaps: Vec<String>,
    /// What else is worth knowing, a sentence each.
    pub notes: Vec<String>,
}

impl Listing {
    /// Whether all there was to look at was looked at.
    pub fn complete(&self) -> bool {
        self.gaps.is_empty() && self.found.iter().all(|f| f.unknown.is_none())
    }
}

/// Queues under their addresses, as they are recognised one way and another.
#[derive(Default)]
pub struct Finds(BTreeMap<String, Found>);

impl Finds {
    /// The one of this address, new or known.
    pub fn at(&mut self, address: &str) -> &mut Found {
        let new = || Found { address: address.to_owned(), ..Found::default() };
        self.0.entry(address.to_owned()).or_insert_with(new)
    }

    /// Whether there is one of this address.
    pub fn knows(&self, address: &str) -> bool {
        self.0.contains_key(address)
    }

    /// All, by address.
    pub fn into_vec(self) -> Vec<Found> {
        self.0.into_values().collect()
    }
}

/// Whether dead-letter queues are called like this: the conventions of the frameworks there are, in any spelling.
pub fn is_conventional(name: &str) -> bool {
    static CONVENTIONS: LazyLock<Regex> = LazyLock::new(|| {
        let patterns = [
            // dead-letter-topic-orders, wolverine-dead-letter-queue, OrdersDeadLetterQueue, _dead_letter
            "(?i:dead[-_.]?letter)",
            // orders.DLT, orders-dlq, dlq.orders, dlq-lcc-1, orders_dlq.fifo
            "(?i:(?:^|[^a-z])dl[qt]s?(?:[^a-z]|$))",
            // OrdersDLQ, ordersDlq, Stack-OrdersDLQ3A8B
            "[a-z0-9](?:DL[QT]|Dl[qt])s?(?:[^a-z]|$)",
            "[a-z0-9]DLQueue",
            // orders_error, error, EasyNetQ_Default_Error_Queue
            r"(?i:(?:^|[-_.])errors?(?:[-_.]queue)?(?:\.fifo)?$)",
            // error.orders.billing, error-lcc-1
            r"(?i:^error(?:\.|-lcc-))",
            // orders_skipped, orders-poison
            r"(?i:[-_.](?:skipped|poison)$)",
        ];
        Regex::new(&patterns.join("|")).expect("the pattern is tried in a test")
    });
    CONVENTIONS.is_match(name)
}

/// Adds to a usage error that what was typed is the address of a cluster, where it is.
pub(super) fn suggest(e: Error, backend: &Backend, base: &str, options: &Options) -> Error {
    let Some(cluster) = backend.list.and_then(|lister| (lister.understand)(base, options).ok()) else { return e };
    let finds = format!("dlq list {} finds the dead-letter queues there", cluster.shown);
    let hint = e.get_hint().map_or_else(|| finds.clone(), |hint| format!("{hint}; {finds}"));
    e.hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_by_convention() {
        for dead in [
            "orders-dlt",
            "orders.DLT",
            "orders.DLQ",
            "orders_dlq",
            "dlq.orders",
            "dlq-orders",
            "dlq-lcc-abc",
            "error-lcc-abc",
            "error.orders.billing",
            "dead-letter-topic-orders",
            "wolverine-dead-letter-queue",
            "orders_error",
            "orders_skipped",
            "error",
            "_dead_letter",
            "OrdersDLQ",
            "ordersDlq",
            "Shop-OrdersDLQ3A8B9C-X1",
            "OrdersDeadLetterQueue",
            "orders-dlq.fifo",
            "EasyNetQ_Default_Error_Queue",
            "DLQ",
        ] {
            assert!(is_conventional(dead), "{dead}");
        }
        for other in ["orders", "orders-retry-0", "idle", "dltools", "terrors", "handling", "error-reports", "DLQuick"]
        {
            assert!(!is_conventional(other), "{other}");
        }
    }

    #[test]
    fn a_gap_is_not_complete() {
        let mut listing = Listing::default();
        assert!(listing.complete());
        listing.found.push(Found { unknown: Some("denied".into()), ..Found::default() });
        assert!(!listing.complete());
    }
}
