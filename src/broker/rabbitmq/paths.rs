//! Where exchanges of one vhost lead to.

use std::collections::{BTreeMap, BTreeSet};

use super::topology::topic_matches;

/// One exchange.
pub(super) struct Exchange {
    /// `direct`, `topic`, `fanout`, …
    pub(super) kind: String,
    /// Where what matches no binding goes.
    pub(super) alternate: Option<String>,
}

struct Binding {
    key: String,
    to: String,
    is_queue: bool,
}

/// Exchanges and bindings of one vhost.
#[derive(Default)]
pub(super) struct Paths {
    pub(super) exchanges: BTreeMap<String, Exchange>,
    bindings: BTreeMap<String, Vec<Binding>>,
}

/// Where a publish may end.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Way {
    /// The queues.
    pub(super) queues: BTreeSet<String>,
    /// Exchanges on the way that are not there.
    pub(super) missing: Vec<String>,
}

impl Paths {
    /// Adds a binding. The default exchange's, which every queue has, are known without.
    pub(super) fn bind(&mut self, source: &str, key: &str, to: &str, is_queue: bool) {
        if !source.is_empty() {
            let binding = Binding { key: key.to_owned(), to: to.to_owned(), is_queue };
            self.bindings.entry(source.to_owned()).or_default().push(binding);
        }
    }

    /// Where a publish to an exchange may end. Without a key, each message has its own: wherever one could lead.
    pub(super) fn from(&self, exchange: &str, key: Option<&str>, is_queue: impl Fn(&str) -> bool) -> Way {
        let mut way = Way::default();
        let (mut todo, mut seen) = (vec![exchange], BTreeSet::from([exchange]));
        while let Some(name) = todo.pop() {
            if name.is_empty() {
                way.queues.extend(key.filter(|k| is_queue(k)).map(str::to_owned));
                continue;
            }
            let Some(exchange) = self.exchanges.get(name) else {
                way.missing.push(name.to_owned());
                continue;
            };
            let (mut next, mut certain) = (Vec::new(), false);
            for binding in self.bindings.get(name).into_iter().flatten() {
                let leads = match (exchange.kind.as_str(), key) {
                    ("direct", Some(key)) => binding.key == key,
                    ("topic", Some(key)) => topic_matches(&binding.key, key),
                    // By headers or a plugin's rules, which are not in a key.
                    _ => true,
                };
                if leads {
                    certain |= exchange.kind == "fanout" || (key.is_some() && exchange.kind != "headers");
                    next.push((binding.to.as_str(), binding.is_queue));
                }
            }
            if let (false, Some(alternate)) = (certain, exchange.alternate.as_deref()) {
                next.push((alternate, false));
            }
            for (to, is_queue) in next {
                if is_queue {
                    way.queues.insert(to.to_owned());
                } else if seen.insert(to) {
                    todo.push(to);
                }
            }
        }
        way
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths() -> Paths {
        let mut paths = Paths::default();
        let exchange = |kind: &str, alternate: Option<&str>| Exchange {
            kind: kind.to_owned(),
            alternate: alternate.map(str::to_owned),
        };
        paths.exchanges.insert("d".into(), exchange("direct", Some("rest")));
        paths.exchanges.insert("t".into(), exchange("topic", None));
        paths.exchanges.insert("rest".into(), exchange("fanout", None));
        paths.bind("d", "a", "qa", true);
        paths.bind("d", "b", "t", false);
        paths.bind("t", "b.#", "qb", true);
        paths.bind("t", "c", "d", false);
        paths.bind("rest", "", "qrest", true);
        paths.bind("", "qa", "qa", true);
        paths
    }

    fn to(exchange: &str, key: Option<&str>) -> Vec<String> {
        paths().from(exchange, key, |q| q == "qa").queues.into_iter().collect()
    }

    #[test]
    fn keys_bindings_and_alternates_decide() {
        assert_eq!(to("d", Some("a")), ["qa"]);
        assert_eq!(to("d", Some("b")), ["qb"]);
        assert_eq!(to("d", Some("x")), ["qrest"], "the alternate takes what matches nothing");
        assert_eq!(to("d", None), ["qa", "qb", "qrest"]);
        assert_eq!(to("t", Some("c")), ["qrest"]);
        assert_eq!(to("", Some("qa")), ["qa"]);
        assert_eq!(to("", Some("none")), [""; 0]);
        assert_eq!(to("", None), [""; 0]);
        assert_eq!(paths().from("nowhere", None, |_| true).missing, ["nowhere"]);
    }
}
